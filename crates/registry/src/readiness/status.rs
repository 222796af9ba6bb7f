//! The status of an image, at once or as soon as it is ready.

use std::time::Duration;

use hythe_identity::Caller;
use hythe_oci::{Digest, Reference, RepositoryName};
use hythe_store::records::announcements::readiness_topic;
use tokio::time::{Instant, timeout};

use super::look::{Seen, look};
use crate::parts::{Reach, Stopped};
use crate::projects::ProjectError;
use crate::walks::Turn;
use crate::{Error, Registry};

/// The longest time a status may be waited for in one call; proxies cut what is silent for longer.
pub const LONGEST_WAIT: Duration = Duration::from_secs(50);

/// How often a waiting call looks again by itself: another process of ours may have taken the push, and a blob may
/// have been found damaged.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Whether an image can be pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is on its way, or a part of it is missing.
    Pending,
    /// All of it is here and durable.
    Ready,
}

/// A number of parts and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many blobs and child manifests.
    pub parts: u64,
    /// Their sizes added up.
    pub bytes: u64,
}

impl Amount {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.parts += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self { parts: self.parts + other.parts, bytes: self.bytes.saturating_add(other.bytes) }
    }
}

/// What is known of an image that is here or on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageStatus {
    /// The manifest or index it is about.
    pub digest: Digest,
    /// Whether it can be pulled.
    pub condition: Condition,
    /// What it needs beside its own manifest, as far as that is known.
    pub needed: Amount,
    /// What of that is here; `bytes` counts what open uploads have received, too.
    pub present: Amount,
    /// Why it is not ready.
    pub reason: Option<String>,
}

impl ImageStatus {
    /// How much of it is here, in percent, rounded down; 100 only when it is ready.
    pub fn percent(&self) -> u8 {
        if self.condition == Condition::Ready {
            return 100;
        }
        let present = u128::from(self.present.bytes) * 100;
        let percent = present.checked_div(u128::from(self.needed.bytes)).unwrap_or(0);
        u8::try_from(percent).unwrap_or(u8::MAX).min(99)
    }
}

impl Registry {
    /// The status of an image that the caller may pull. With a `wait`, answers as soon as it is ready, and after that
    /// time with what holds then; an image that is neither here nor announced is waited for as well.
    ///
    /// # Errors
    /// [`ProjectError::NotFound`] when it is still neither here nor announced.
    pub async fn image_status(
        &self,
        caller: &Caller,
        repository: &RepositoryName,
        reference: &Reference,
        wait: Duration,
    ) -> Result<ImageStatus, ProjectError> {
        let end = Instant::now() + wait.min(LONGEST_WAIT);
        let mut again = false;
        let mut watch = self.records().watch(readiness_topic(repository));
        loop {
            // Asked each time: who loses access while waiting learns nothing more.
            self.seen_project(caller, &repository.project()).await?;
            let status = if again {
                // Always in turn, for one write may wake all who wait; the server limits their number.
                let turn = self.looks().patient_turn().await?;
                self.look_in_turn(repository, reference, turn).await?
            } else {
                self.first_look(repository, reference).await?
            };
            again = true;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || status.as_ref().is_some_and(|status| status.condition == Condition::Ready) {
                return status.ok_or_else(|| {
                    ProjectError::NotFound(format!("image {}", named(repository, reference)))
                });
            }
            // Over or not: what counts is what is found then.
            drop(timeout(left.min(LOOK_AGAIN), watch.changed()).await);
        }
    }

    async fn first_look(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<ImageStatus>, Error> {
        match self.look_at(repository, reference, None).await {
            Err(Stopped::Beyond(_)) => {
                let turn = self.looks().turn().await?;
                self.look_in_turn(repository, reference, turn).await
            }
            looked => looked.map_err(Stopped::into_error),
        }
    }

    async fn look_in_turn(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        turn: Turn,
    ) -> Result<Option<ImageStatus>, Error> {
        self.look_at(repository, reference, Some(turn)).await.map_err(Stopped::into_error)
    }

    /// Looks as far as it goes in a turn, and shortly without one.
    async fn look_at(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        turn: Option<Turn>,
    ) -> Result<Option<ImageStatus>, Stopped> {
        let now = self.now();
        let reach = if turn.is_some() { Reach::FULL } else { Reach::SHORT };
        let (name, reference) = (repository.clone(), reference.clone());
        let seen = self
            .records()
            .read(move |r| {
                // Here, because a client that hangs up does not end this work.
                let _turn = turn;
                let Some(seen) = look(r, &name, &reference, now, reach)? else { return Ok(None) };
                let mut uploads = Vec::new();
                for (digest, size) in &seen.missing {
                    uploads.extend(r.upload_of_part(&name, digest)?.map(|id| (id, *size)));
                }
                Ok::<_, Stopped>(Some((seen, uploads)))
            })
            .await?;
        let Some((mut seen, uploads)) = seen else { return Ok(None) };
        for (id, size) in uploads {
            let received = self.blobs().staged_size(id).await?.unwrap_or(0).min(size);
            seen.present.bytes = seen.present.bytes.saturating_add(received);
        }
        Ok(Some(seen.judged()))
    }
}

impl Seen {
    fn judged(self) -> ImageStatus {
        let Self { digest, manifest, needed, present, missing } = self;
        let reason = if manifest {
            missing.first().map(|(first, _)| {
                format!(
                    "{} of {} parts are missing or damaged (first: {first}): push the image again.",
                    missing.len(),
                    needed.parts
                )
            })
        } else {
            Some(format!(
                "Its push is under way: {} of {} parts are here, and its manifest is not.",
                present.parts, needed.parts
            ))
        };
        let condition = if reason.is_none() { Condition::Ready } else { Condition::Pending };
        ImageStatus { digest, condition, needed, present, reason }
    }
}

fn named(repository: &RepositoryName, reference: &Reference) -> String {
    match reference {
        Reference::Tag(tag) => format!("{repository}:{tag}"),
        Reference::Digest(digest) => format!("{repository}@{digest}"),
    }
}

#[cfg(test)]
mod tests {
    use hythe_oci::Algorithm;

    use super::*;

    fn status(condition: Condition, present: u64, needed: u64) -> ImageStatus {
        ImageStatus {
            digest: Digest::of(Algorithm::Sha256, b"x"),
            condition,
            needed: Amount { parts: 2, bytes: needed },
            present: Amount { parts: 1, bytes: present },
            reason: None,
        }
    }

    #[test]
    fn a_hundred_percent_is_said_of_what_is_ready_alone() {
        assert_eq!(status(Condition::Pending, 0, 0).percent(), 0);
        assert_eq!(status(Condition::Pending, 1, 3).percent(), 33);
        assert_eq!(status(Condition::Pending, u64::MAX, u64::MAX).percent(), 99);
        assert_eq!(status(Condition::Ready, 0, 0).percent(), 100);
    }
}

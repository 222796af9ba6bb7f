//! Whether an image can be pulled, at a registry of any kind. A Hythe says so by itself; any other is asked for every
//! part: ready means that it serves every manifest and answers a HEAD of every blob.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hythe_api::{ImageStatus, PlaceStatus, Readiness};
use hythe_oci::{Digest, Reference};
use hythe_remote::RemoteError;

use super::push_layout::{is_manifest, parse};
use super::{AT_ONCE, Target, TransferError};
use crate::api::LONGEST_WAIT;
use crate::source::Document;

/// How often a registry without a long poll is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// The most manifests and blobs of an image that are asked for: far more than any real one has.
const MOST_PARTS: usize = 100_000;

/// A part of an image, by what names it. No more is kept of it, whatever a registry adds.
#[derive(Clone, Copy)]
struct Part {
    digest: Digest,
    size: u64,
}

/// What was found of an image.
#[derive(Default)]
struct Found {
    present: u64,
    needed: u64,
    /// The first part that is missing, and how many are.
    missing: Option<(Digest, usize)>,
}

impl Found {
    fn count(&mut self, part: Part, here: bool) {
        // What a manifest says of sizes is anybody's word.
        self.needed = self.needed.saturating_add(part.size);
        if here {
            self.present = self.present.saturating_add(part.size);
        } else {
            self.missing.get_or_insert((part.digest, 0)).1 += 1;
        }
    }
}

impl Target {
    /// Whether an image can be pulled. At a Hythe one that was announced is pending; at another registry one of which a
    /// part is missing.
    ///
    /// # Errors
    /// The registry refused, or has never heard of the image.
    pub async fn status(&self, reference: &Reference) -> Result<ImageStatus, TransferError> {
        if let Some(api) = &self.api {
            return Ok(api.image_status(&self.repository, reference).await?);
        }
        let root: Document = self.remote.pull_manifest(&self.repository, reference).await?.into();
        let digest = root.digest;
        let (mut found, mut blobs, mut manifests) = (Found::default(), Vec::new(), Vec::new());
        let mut met = HashSet::from([digest]);
        let mut next = Some(root);
        while let Some(document) = next {
            let manifest = parse(&document)?;
            let children = manifest.children.iter().map(|child| (child, is_manifest(child)));
            for (part, is_manifest) in children.chain(manifest.required_blobs().map(|blob| (blob, false))) {
                if met.insert(part.digest) {
                    let part = Part { digest: part.digest, size: part.size };
                    if is_manifest { manifests.push(part) } else { blobs.push(part) }
                }
            }
            if met.len() > MOST_PARTS {
                let problem =
                    format!("The image has more than {MOST_PARTS} parts: ask for one by its digest.");
                return Err(TransferError::Invalid(problem));
            }
            // One manifest is held at a time, however many an index names.
            drop((document, manifest));
            next = self.next_of(&mut manifests, &mut found).await?;
        }
        let mut asked = stream::iter(blobs)
            .map(|blob| async move {
                let here = self.remote.stat_blob(&self.repository, &blob.digest).await?.is_some();
                Ok::<_, RemoteError>((blob, here))
            })
            .buffer_unordered(AT_ONCE);
        while let Some((blob, here)) = asked.try_next().await? {
            found.count(blob, here);
        }
        drop(asked);
        Ok(self.standing(digest, &found))
    }

    /// The next of these manifests that is there; those before it that are not are counted.
    async fn next_of(
        &self,
        manifests: &mut Vec<Part>,
        found: &mut Found,
    ) -> Result<Option<Document>, TransferError> {
        while let Some(part) = manifests.pop() {
            match self.remote.pull_manifest(&self.repository, &Reference::Digest(part.digest)).await {
                Ok(pulled) => {
                    found.count(part, true);
                    return Ok(Some(pulled.into()));
                }
                Err(error) if error.is_not_found() => found.count(part, false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// Waits until an image can be pulled, or until the time is over, and answers its status then. At a Hythe, with a
    /// digest, the wait may begin before the push.
    ///
    /// # Errors
    /// The registry refused, or has still never heard of the image when the time is over.
    pub async fn wait_ready(
        &self,
        reference: &Reference,
        limit: Duration,
    ) -> Result<ImageStatus, TransferError> {
        if let Some(api) = &self.api {
            return Ok(api.wait_ready(&self.repository, reference, limit, |_| {}).await?);
        }
        let end = tokio::time::Instant::now() + limit.min(LONGEST_WAIT);
        loop {
            let status = self.status(reference).await;
            let settled = match &status {
                Ok(status) => status.status == Readiness::Ready,
                // A registry that is away may be back before the time is over.
                Err(TransferError::Remote(error)) => !error.is_not_found() && !error.is_retryable(),
                Err(_) => true,
            };
            if settled || tokio::time::Instant::now() >= end {
                return status;
            }
            tokio::time::sleep_until(end.min(tokio::time::Instant::now() + ASK_AGAIN)).await;
        }
    }

    fn standing(&self, digest: Digest, found: &Found) -> ImageStatus {
        let ready = found.missing.is_none();
        let status = if ready { Readiness::Ready } else { Readiness::Pending };
        let share = u128::from(found.present) * 100 / u128::from(found.needed.max(1));
        let percent = if ready { 100 } else { u8::try_from(share.min(99)).unwrap_or(99) };
        let reason = found.missing.map(|(first, missing)| {
            let more = missing - 1;
            let others = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("{first}{others} is not in the repository.")
        });
        let place = PlaceStatus {
            place: "registry".to_owned(),
            status,
            percent,
            bytes_present: found.present,
            bytes_needed: found.needed,
            reason,
        };
        ImageStatus { repository: self.repository.clone(), digest, status, places: vec![place] }
    }
}

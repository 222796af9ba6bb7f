//! Tagged images, their status, and announced pushes.

use std::time::Duration;

use hythe_api::{Image, ImageStatus, NewAnnouncement, ProblemCode, Readiness};
use hythe_oci::{Digest, ProjectName, Reference, RepositoryName};
use hythe_outbound::Method;
use tokio::time::Instant;

use super::{Api, Pages};
use crate::ApiError;

/// What one long poll asks for: below the server's limit of 50 seconds, and below the patience of most proxies.
const POLL: Duration = Duration::from_secs(45);

/// How soon a server is asked again that answered at once, or not at all: once to one and a half times this, so that many who
/// wait do not return together.
const PAUSE: Duration = Duration::from_secs(2);

/// As good as for ever, and no more than the clock can count.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

impl Api {
    /// The tagged images of a project, by repository and tag.
    pub fn images(&self, project: &ProjectName) -> Result<Pages<'_, Image>, ApiError> {
        self.pages(&[&"projects", project, &"images"])
    }

    /// The tagged images of a repository, by tag.
    pub fn images_of(&self, repository: &RepositoryName) -> Result<Pages<'_, Image>, ApiError> {
        self.pages(&[&"repositories", repository, &"images"])
    }

    /// The status of an image now.
    ///
    /// # Errors
    /// [`ProblemCode::NotFound`] when it is neither there nor announced, or the caller may not see it.
    pub async fn image_status(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<ImageStatus, ApiError> {
        self.poll_status(repository, reference, Duration::ZERO).await
    }

    /// Waits until an image is ready, and answers what holds then, or when the time is over. Each request waits at the
    /// server and answers at once when the image is ready. `seen` hears every answer. A server that is away for a while is
    /// asked again until the time is over.
    ///
    /// Given a digest, it waits for this image, whether it is known yet or not; given a tag, for the one that is being
    /// pushed for the tag or that it names.
    ///
    /// # Errors
    /// [`ProblemCode::NotFound`] when at the end it is still neither there nor announced; the server refused; it is still away
    /// at the end.
    pub async fn wait_ready(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        limit: Duration,
        mut seen: impl FnMut(&ImageStatus),
    ) -> Result<ImageStatus, ApiError> {
        let end = Instant::now() + limit.min(LONGEST_WAIT);
        loop {
            let begun = Instant::now();
            let left = end.saturating_duration_since(begun);
            let asked = left.min(POLL);
            let answer = self.poll_status(repository, reference, asked).await;
            if let Ok(status) = &answer {
                seen(status);
            }
            let over = match &answer {
                Ok(status) => status.status == Readiness::Ready,
                Err(error) => error.code() != Some(ProblemCode::NotFound) && !error.is_transient(),
            };
            if over || left.is_zero() {
                return answer;
            }
            // Not every server waits: one that stops, or may not say whether the image is there, answers at once.
            if begun.elapsed() < asked {
                tokio::time::sleep_until(
                    end.min(Instant::now() + PAUSE.mul_f64(1.0 + fastrand::f64() / 2.0)),
                )
                .await;
            }
        }
    }

    async fn poll_status(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        wait: Duration,
    ) -> Result<ImageStatus, ApiError> {
        let mut url = self.url(&[&"repositories", repository, &"status", reference])?;
        // Rounded up, so that the last poll of a wait does not spin.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        if seconds > 0 {
            url.query_pairs_mut().append_pair("wait", &seconds.to_string());
        }
        self.get(url).await
    }

    /// Announces that an image is going to be pushed. To be repeated every few minutes: the server forgets it after ten.
    pub async fn announce(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        announcement: &NewAnnouncement,
    ) -> Result<(), ApiError> {
        let url = self.url(&[&"repositories", repository, &"announcements", digest])?;
        self.tell(Method::PUT, url, announcement).await
    }

    /// Withdraws an announcement: the image will not come.
    pub async fn withdraw(&self, repository: &RepositoryName, digest: &Digest) -> Result<(), ApiError> {
        self.delete(self.url(&[&"repositories", repository, &"announcements", digest])?).await
    }
}

//! The background scrub: verifies what has waited longest, slowly, for ever.
//!
//! The stamps are its cursor: it asks the index for the blobs that have waited longest, so it goes on after a
//! restart where it was, and a page costs a page. A blob is due when half its stamp's life is over, so that
//! normally no stamp ends before its blob is verified again. It holds no latch while it reads slowly; what
//! looks wrong is looked at again, closely and at full speed.

use std::time::Duration;

use hythe_oci::Digest;
use hythe_store::BlobError;
use hythe_store::blobs::Window;
use hythe_store::records::jobs::Job;
use hythe_store::records::stamps::{Stamp, StoredBlob};
use tokio::time::Instant;

use crate::jobs::JobHandle;
use crate::{Error, Registry};

/// Blobs in one read of the records.
const PAGE: u32 = 100;
/// The pause when nothing is due, or another process scrubs.
const IDLE: Duration = Duration::from_mins(10);
/// The first look comes soon after the start, when the first requests have had their turn.
const FIRST: Duration = Duration::from_secs(30);
/// However short the age asked for: all the data is not read more than once a day.
const LEAST_AGE: Duration = Duration::from_hours(24);

impl Registry {
    /// Starts the background scrub as configured; `None` if it is switched off.
    pub fn start_scrub(&self) -> Option<JobHandle> {
        let registry = self.clone();
        let work = async move {
            tokio::time::sleep(FIRST).await;
            loop {
                if let Err(error) = registry.scrub().await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the scrub was interrupted");
                }
                tokio::time::sleep(IDLE).await;
            }
        };
        self.options().scrub.enabled.then(|| JobHandle::start(work))
    }

    /// Verifies everything that is due; how many blobs that were. Nothing if another process does it.
    pub async fn scrub(&self) -> Result<u64, Error> {
        let done = self.holding(Job::Scrub, async |_lease| {
            let mut done = 0;
            let mut pace = Pace::new(self.options().scrub.rate);
            let mut last = Vec::new();
            loop {
                let due = self.now().minus(self.options().scrub.age.max(LEAST_AGE) / 2);
                let page =
                    self.records().read(move |r| Ok::<_, Error>(r.unverified_blobs(due, PAGE)?)).await?;
                let digests: Vec<Digest> = page.iter().map(|(digest, _)| *digest).collect();
                // A full disk takes no note of what was found: the same blobs are due again, in the next round.
                if digests.is_empty() || digests == last {
                    return Ok(done);
                }
                last = digests;
                for (digest, stored) in page {
                    self.scrub_blob(digest, stored, &mut pace).await?;
                    self.integrity().scrubbed(stored.size);
                    done += 1;
                }
            }
        });
        Ok(done.await?.unwrap_or(0))
    }

    async fn scrub_blob(&self, digest: Digest, stored: StoredBlob, pace: &mut Pace) -> Result<(), Error> {
        match self.blobs().open(&digest).await {
            Ok(Some(file)) if file.size() == stored.size => {
                let mut verification = file.verification(digest).passing_by();
                let started = self.now();
                while let Ok(Some(window)) = verification.next().await {
                    match window {
                        Window::Middle(bytes) => pace.read(bytes.len()).await,
                        Window::Last(bytes, intact) => {
                            pace.read(bytes.len()).await;
                            if intact {
                                let stamp = Stamp { file: file.state(), verified: started };
                                self.records().write(move |w| w.stamp_blob(&digest, &stored, stamp)).await?;
                                return Ok(());
                            }
                        }
                    }
                }
            }
            Ok(_) | Err(BlobError::Unreadable(_)) => {}
            Err(error) => return Err(error.into()),
        }
        self.examine(digest).await.map(drop)
    }
}

/// Keeps reading at a rate.
struct Pace {
    rate: u64,
    free_at: Instant,
}

impl Pace {
    fn new(rate: u64) -> Self {
        Self { rate: rate.max(1), free_at: Instant::now() }
    }

    /// Waits until so many bytes more are within the rate.
    async fn read(&mut self, bytes: usize) {
        let nanos = (bytes as u64).saturating_mul(1_000_000_000) / self.rate;
        self.free_at = self.free_at.max(Instant::now()) + Duration::from_nanos(nanos);
        tokio::time::sleep_until(self.free_at).await;
    }
}

//! Forgetting what has run out and protects nothing any more: leases, announcements, extensions of tokens. It goes on whether
//! or not the collector does, for each blob that is asked for adds to them.

use std::time::Duration;

use hythe_store::records::leases::LeaseBucket;

use crate::jobs::JobHandle;
use crate::{Error, Registry};

const EVERY: Duration = Duration::from_mins(10);

/// Rows of a kind that go in one transaction: some milliseconds, for everybody's pushes wait for it.
const AT_ONCE: u32 = 2_000;

impl Registry {
    /// Starts forgetting now and then.
    pub fn start_forgetting(&self) -> JobHandle {
        let registry = self.clone();
        JobHandle::start(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                if let Err(error) = registry.forget().await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "what has run out is kept for now"
                    );
                }
            }
        })
    }

    /// Forgets all that has run out, a part at a time, and commits at least once.
    pub async fn forget(&self) -> Result<(), Error> {
        let now = self.now();
        let oldest = LeaseBucket::at(now.minus(self.options().lease));
        loop {
            let forgotten = self.records().write(move |w| {
                let leases = w.forget_leases(oldest, AT_ONCE)?;
                let announcements = w.forget_announcements(now, AT_ONCE)?;
                let extensions = w.forget_token_extensions(now, AT_ONCE)?;
                Ok::<_, Error>(leases.max(announcements).max(extensions))
            });
            if forgotten.await? < AT_ONCE as usize {
                return Ok(());
            }
        }
    }
}

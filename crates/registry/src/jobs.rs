//! Background work: one holder at a time among all processes on the same records, and a way to stop it.
//!
//! Invariant: work goes on only while its claim stands. The claim is renewed four times in its life; when it
//! is lost, the work is dropped where it waits.

use std::time::Duration;

use hythe_store::records::jobs::{Job, JobLease};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{Error, Registry, random_id};

/// How long a claim stands without being renewed: how long others wait for a process that died.
const LIFE: Duration = Duration::from_secs(60);

impl Registry {
    /// Does `work` while this process alone may; `None` if another one, or another caller in this one, does it
    /// or keeps it from being done.
    pub(crate) async fn holding<T>(
        &self,
        job: Job,
        work: impl AsyncFnOnce(JobLease) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let lease = JobLease { job, holder: random_id() };
        if !self.claim(lease).await? {
            return Ok(None);
        }
        let outcome = tokio::select! {
            outcome = work(lease) => outcome.map(Some),
            lost = self.keep(lease) => Err(lost),
        };
        self.records().write(move |w| Ok::<_, Error>(w.release_job(lease)?)).await?;
        outcome
    }

    async fn claim(&self, lease: JobLease) -> Result<bool, Error> {
        let now = self.now();
        self.records().write(move |w| Ok(w.claim_job(lease, now, now.plus(LIFE))?)).await
    }

    /// Renews a claim for ever; answers why it could not.
    async fn keep(&self, lease: JobLease) -> Error {
        loop {
            tokio::time::sleep(LIFE / 4).await;
            match self.claim(lease).await {
                Ok(true) => {}
                Ok(false) => return Error::JobLost,
                Err(error) => return error,
            }
        }
    }
}

/// Background work in a task of its own.
pub struct JobHandle {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl JobHandle {
    /// Starts work that is dropped where it waits when it is stopped.
    pub(crate) fn start(work: impl Future<Output = ()> + Send + 'static) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            tokio::select! {
                _ = stopped.changed() => {}
                () = work => {}
            }
        });
        Self { stop, task }
    }

    /// Stops the work at its next pause.
    pub async fn stop(self) {
        // The receiver is gone only if the task has ended already.
        let _ = self.stop.send(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "background work ended unexpectedly");
        }
    }
}

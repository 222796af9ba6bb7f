//! The writer: one thread that owns the only connection that changes anything, behind a bounded queue.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::epochs::Epochs;
use super::group::Group;
use super::job::{Job, Write};
use super::log::Log;
use super::{RecordError, RecordsFigures, Writer};

/// Writes waiting for the writer; a caller beyond that waits for a place.
const QUEUE: usize = 1024;

pub(super) enum Message {
    Run(Box<dyn Job>),
    Close,
}

#[derive(Default)]
pub(super) struct Counters {
    pub(super) writes: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) commit_microseconds: AtomicU64,
}

pub(super) struct Engine {
    // `None` only while it is being dropped: the thread ends when its last sender goes.
    queue: Option<mpsc::Sender<Message>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    counters: Arc<Counters>,
}

impl Engine {
    pub(super) fn start(connection: Connection, log: Log, epochs: Arc<Epochs>) -> Result<Self, RecordError> {
        let (queue, messages) = mpsc::channel(QUEUE);
        let counters = Arc::new(Counters::default());
        let group = Group::new(connection, log, epochs, Arc::clone(&counters));
        let thread = thread::Builder::new()
            .name("records-writer".to_owned())
            .spawn(move || serve(group, messages))
            .map_err(|error| RecordError::Open(Arc::new(error)))?;
        Ok(Self { queue: Some(queue), thread: Mutex::new(Some(thread)), counters })
    }

    pub(super) async fn write<T, E>(
        &self,
        work: impl FnMut(&mut Writer<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<RecordError> + Send + 'static,
    {
        let (job, answer) = Write::new(work);
        let queue = self.queue.as_ref().ok_or(RecordError::Closed)?;
        queue.send(Message::Run(Box::new(job))).await.map_err(|_closed| RecordError::Closed)?;
        answer.await.map_err(|_gone| RecordError::Closed)?
    }

    pub(super) fn figures(&self) -> RecordsFigures {
        RecordsFigures {
            writes: self.counters.writes.load(Ordering::Relaxed),
            commits: self.counters.commits.load(Ordering::Relaxed),
            commit_time: Duration::from_micros(self.counters.commit_microseconds.load(Ordering::Relaxed)),
            queued: self.queue.as_ref().map_or(0, |queue| (queue.max_capacity() - queue.capacity()) as u64),
        }
    }

    /// Lets the thread finish what is queued and waits for its end.
    pub(super) async fn close(&self) {
        if let Some(queue) = &self.queue {
            // Refused when the thread has ended already, which is what is asked for.
            drop(queue.send(Message::Close).await);
        }
        if let Some(thread) = self.take_thread()
            && tokio::task::spawn_blocking(move || join(thread)).await.is_err()
        {
            tracing::error!("the wait for the records' writer was cut short");
        }
    }

    fn take_thread(&self) -> Option<JoinHandle<()>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.take_thread()
            // A closure that held the last handle drops it on the writer's thread, which cannot wait for itself.
            && thread.thread().id() != thread::current().id()
        {
            join(thread);
        }
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("the records' writer ended by a panic");
    }
}

fn serve(mut group: Group, mut messages: mpsc::Receiver<Message>) {
    while let Some(message) = messages.blocking_recv() {
        match message {
            Message::Run(job) => group.commit_with_followers(job, &mut messages),
            // What is queued is still received, nothing new is accepted.
            Message::Close => messages.close(),
        }
    }
}

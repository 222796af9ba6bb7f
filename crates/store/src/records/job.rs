//! One write closure on its way through the writer: its work, its outcome, and who waits for it.

use tokio::sync::oneshot;

use super::{RecordError, Writer};

/// A write whose types are hidden from the engine. `run` may be called again after `fail`, never after
/// `answer`.
pub(super) trait Job: Send {
    /// Does the work and remembers the outcome. True when its changes are to be kept.
    fn run(&mut self, writer: &mut Writer<'_>) -> bool;
    /// Replaces whatever outcome there is by this failure.
    fn fail(&mut self, error: RecordError);
    /// Tells the waiter. It may have gone; the outcome stands all the same.
    fn answer(self: Box<Self>);
}

pub(super) struct Write<F, T, E> {
    work: F,
    outcome: Option<Result<T, E>>,
    waiter: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Write<F, T, E> {
    pub(super) fn new(work: F) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (waiter, answer) = oneshot::channel();
        (Self { work, outcome: None, waiter }, answer)
    }
}

impl<F, T, E> Job for Write<F, T, E>
where
    F: FnMut(&mut Writer<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<RecordError> + Send,
{
    fn run(&mut self, writer: &mut Writer<'_>) -> bool {
        let outcome = (self.work)(writer);
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn fail(&mut self, error: RecordError) {
        self.outcome = Some(Err(E::from(error)));
    }

    fn answer(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // Refused when the waiter has gone, as a cancelled request's has: nobody is left to be told.
            drop(self.waiter.send(outcome));
        }
    }
}

//! The transfer's side: what it tells, and that telling never holds it up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hythe_oci::{Digest, RepositoryName};

use super::event::{ByteCount, Event, Layer, LayerIndex};
use super::meter::Meter;
use super::stream::{self, Events};

/// Most characters of a reason that is passed on.
const REASON_CHARS: usize = 1000;

/// Somebody who listens to a transfer.
///
/// Called on the transfer's own threads, perhaps on several at once, and often: return at once, and never
/// wait for a terminal, a file or a lock that is held for long. Whoever has to wait reads
/// [`Reporter::stream`] instead.
pub trait Progress: Send + Sync {
    /// Hears of one event.
    fn event(&self, event: &Event);

    /// Hears that the work is over, although parts of it that were given up may still hold a reporter.
    fn end(&self) {}
}

impl<F: Fn(&Event) + Send + Sync> Progress for F {
    fn event(&self, event: &Event) {
        self(event);
    }
}

/// What a transfer tells its events to. Clones tell the same listener; cloning is cheap.
#[derive(Clone, Default)]
pub struct Reporter {
    listener: Option<Arc<dyn Progress>>,
}

impl Reporter {
    /// A reporter that nobody listens to.
    pub const fn silent() -> Self {
        Self { listener: None }
    }

    /// A reporter to this listener.
    pub fn to(listener: Arc<dyn Progress>) -> Self {
        Self { listener: Some(listener) }
    }

    /// A reporter, and the stream of what it tells: the events of one transfer. The stream ends behind
    /// [`Event::Finished`] or [`Event::Failed`], with [`Reporter::end`], or when the reporter and all its clones are gone.
    pub fn stream() -> (Self, Events) {
        let (sender, events) = stream::channel();
        (Self::to(Arc::new(sender)), events)
    }

    /// Whether nobody listens.
    pub const fn is_silent(&self) -> bool {
        self.listener.is_none()
    }

    /// Tells the event that `make` makes; it is not called when nobody listens.
    pub fn tell(&self, make: impl FnOnce() -> Event) {
        if let Some(listener) = &self.listener {
            listener.event(&make());
        }
    }

    /// Tells that something about no single layer is tried again.
    pub fn retrying(&self, reason: &str, delay: Duration, attempt: u32) {
        self.tell_retry(None, reason, delay, attempt);
    }

    /// Tells that the transfer has been given up.
    pub fn failed(&self, reason: &str) {
        self.tell(|| Event::Failed { reason: plain(reason) });
    }

    /// Passes on what came of preparing a transfer: that it cannot begin is told.
    pub(crate) fn begun<T, E: fmt::Display>(&self, prepared: Result<T, E>) -> Result<T, E> {
        prepared.inspect_err(|error| self.failed(&error.to_string()))
    }

    /// Tells that the work is over, whoever still holds a clone: a body that a registry does not read any more, say, which
    /// goes only with its connection.
    pub fn end(&self) {
        if let Some(listener) = &self.listener {
            listener.end();
        }
    }

    /// The reporter of one layer.
    pub fn layer(&self, layer: LayerIndex) -> LayerReporter {
        LayerReporter { reporter: self.clone(), layer }
    }

    fn tell_retry(&self, layer: Option<LayerIndex>, reason: &str, delay: Duration, attempt: u32) {
        self.tell(|| Event::Retrying {
            layer,
            reason: plain(reason),
            delay_ms: delay.as_millis().try_into().unwrap_or(u64::MAX),
            attempt,
        });
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").field("silent", &self.is_silent()).finish()
    }
}

/// The reporter of one layer.
#[derive(Clone, Debug)]
pub struct LayerReporter {
    reporter: Reporter,
    layer: LayerIndex,
}

impl LayerReporter {
    /// Which layer it is.
    pub const fn index(&self) -> LayerIndex {
        self.layer
    }

    /// Tells what has been learnt about the layer, such as its digest after compression.
    pub fn known(&self, digest: Option<Digest>, diff_id: Option<Digest>, bytes: Option<u64>) {
        self.reporter.tell(|| Event::Layer(Layer::new(self.layer, digest, diff_id, bytes)));
    }

    /// Tells that the layer waits.
    pub fn queued(&self) {
        self.reporter.tell(|| Event::Queued { layer: self.layer });
    }

    /// Counts the bytes that are hashed, from `done` on.
    pub fn hashing(&self, done: u64, total: Option<u64>) -> Meter {
        self.meter(|layer, bytes| Event::Hashing { layer, bytes }, done, total)
    }

    /// Counts the bytes that are compressed, from `done` on.
    pub fn compressing(&self, done: u64, total: Option<u64>) -> Meter {
        self.meter(|layer, bytes| Event::Compressing { layer, bytes }, done, total)
    }

    /// Counts the bytes that are sent. `done` of them are at the registry already, from an earlier attempt.
    pub fn uploading(&self, done: u64, total: Option<u64>) -> Meter {
        self.meter(|layer, bytes| Event::Uploading { layer, bytes }, done, total)
    }

    /// Counts the bytes that are received. `done` of them are here already, from an earlier attempt.
    pub fn downloading(&self, done: u64, total: Option<u64>) -> Meter {
        self.meter(|layer, bytes| Event::Downloading { layer, bytes }, done, total)
    }

    /// Tells that the registry took the layer from another repository.
    pub fn mounted(&self, from: Option<&RepositoryName>) {
        self.reporter.tell(|| Event::Mounted { layer: self.layer, from: from.cloned() });
    }

    /// Tells that the layer is there already.
    pub fn exists(&self) {
        self.reporter.tell(|| Event::Exists { layer: self.layer });
    }

    /// Tells that the layer is there now.
    pub fn done(&self, digest: Digest) {
        self.reporter.tell(|| Event::Done { layer: self.layer, digest });
    }

    /// Tells that something about this layer is tried again after `delay`; `attempt` attempts have failed.
    pub fn retrying(&self, reason: &str, delay: Duration, attempt: u32) {
        self.reporter.tell_retry(Some(self.layer), reason, delay, attempt);
    }

    fn meter(&self, event: fn(LayerIndex, ByteCount) -> Event, done: u64, total: Option<u64>) -> Meter {
        Meter::start(self.reporter.clone(), self.layer, event, done, total)
    }
}

/// What is shown on a terminal must not steer it: no control characters, and not without end.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn nobody_listening_makes_no_event() {
        let silent = Reporter::silent();
        silent.tell(|| panic!("the event was made"));
        silent.layer(0).uploading(0, None).add(u64::MAX);
        assert!(silent.is_silent());
    }

    #[test]
    fn a_closure_listens() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        let reporter = Reporter::to(Arc::new(move |event: &Event| hears.lock().unwrap().push(event.clone())));
        reporter.layer(3).queued();
        reporter.layer(3).retrying("reset\r\n\u{1b}[2J", Duration::from_millis(1500), 2);
        assert_eq!(
            *heard.lock().unwrap(),
            [
                Event::Queued { layer: 3 },
                Event::Retrying { layer: Some(3), reason: "reset   [2J".into(), delay_ms: 1500, attempt: 2 },
            ]
        );
    }
}

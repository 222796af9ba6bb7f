//! Events as docker-style step messages, for code that was written for those.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::event::{ByteCount, Event, Layer, LayerIndex, TransferKind};
use super::reporter::Progress;

/// A push begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageProgressPush {
    /// The local image.
    pub source: String,
    /// The remote image.
    pub destination: String,
}

/// A pull begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageProgressPull {
    /// The remote image.
    pub source: String,
    /// The local image.
    pub destination: String,
}

/// A container is about to be saved as an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageProgressSave {
    /// The container.
    pub source: String,
    /// The remote image.
    pub destination: String,
}

/// The container is being made an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageCommitStarted {
    /// The container.
    pub container: String,
    /// The image.
    pub image: String,
}

/// The container has become an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageCommitFinished {
    /// The image.
    pub image: String,
}

/// One step of one layer, in the words of docker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageProgressStep {
    /// The line a person sees: `layer_id: status`, then the bytes if they are counted.
    pub message: String,
    /// The layer's label.
    pub layer_id: String,
    /// `Waiting`, `Preparing`, `Pushing`, `Pushed`, `Layer already exists`, `Mounted from …`, `Retrying in N
    /// seconds`; on a pull `Pulling fs layer`, `Downloading`, `Verifying Checksum`, `Pull complete`, `Already
    /// exists`.
    pub status: String,
    /// Bytes that are through, when they are counted.
    pub current: Option<u64>,
    /// Bytes in all, when they are known.
    pub total: Option<u64>,
}

/// Somebody who hears of a transfer in steps. The same duties hold as for [`Progress`]: return at once.
pub trait ImageProgress: Send + Sync {
    /// A pull begins.
    fn pull(&self, _: &ImageProgressPull) {}

    /// A push begins, or a copy from registry to registry.
    fn push(&self, _: &ImageProgressPush) {}

    /// A layer came a step further.
    fn step(&self, _: &ImageProgressStep) {}

    /// A container is about to be saved.
    fn save(&self, _: &ImageProgressSave) {}

    /// The container is being made an image.
    fn commit_started(&self, _: &ImageCommitStarted) {}

    /// The container has become an image.
    fn commit_finished(&self, _: &ImageCommitFinished) {}
}

/// Tells an [`ImageProgress`] what a transfer tells.
///
/// `Finalising`, `Finished` and `Failed` have no step: those who listen in steps learn the end from the call that
/// returns.
#[derive(Debug)]
pub struct StepAdapter<P> {
    progress: P,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    pulls: bool,
    labels: HashMap<LayerIndex, String>,
}

impl<P: ImageProgress> StepAdapter<P> {
    /// An adapter for one transfer.
    pub fn new(progress: P) -> Self {
        Self { progress, known: Mutex::default() }
    }

    fn begin(&self, kind: TransferKind, source: String, destination: String) {
        match kind {
            TransferKind::Pull => self.progress.pull(&ImageProgressPull { source, destination }),
            TransferKind::Save => self.progress.save(&ImageProgressSave { source, destination }),
            TransferKind::Push | TransferKind::Copy => {
                self.progress.push(&ImageProgressPush { source, destination });
            }
        }
    }

    /// Remembers what the layer is called; the first name stays, so that a line on a screen stays one line.
    fn learn(&self, layer: &Layer) {
        self.known().labels.entry(layer.layer).or_insert_with(|| layer.label.clone());
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, layer: LayerIndex, words: impl FnOnce(bool) -> String, bytes: Option<ByteCount>) {
        let (layer_id, pulls) = {
            let mut known = self.known();
            let label = known.labels.entry(layer).or_insert_with(|| format!("layer-{layer}"));
            (label.clone(), known.pulls)
        };
        let status = words(pulls);
        let message = match bytes {
            None => format!("{layer_id}: {status}"),
            Some(ByteCount { done, total: None }) => format!("{layer_id}: {status} {}", size(done)),
            Some(ByteCount { done, total: Some(total) }) => {
                format!("{layer_id}: {status} {}/{}", size(done), size(total))
            }
        };
        let (current, total) = (bytes.map(|bytes| bytes.done), bytes.and_then(|bytes| bytes.total));
        self.progress.step(&ImageProgressStep { message, layer_id, status, current, total });
    }
}

impl<P: ImageProgress> Progress for StepAdapter<P> {
    fn event(&self, event: &Event) {
        let either = |pull: &'static str, push: &'static str| {
            move |pulls: bool| if pulls { pull } else { push }.to_owned()
        };
        match event {
            Event::Plan(plan) => {
                self.known().pulls = plan.kind == TransferKind::Pull;
                self.begin(plan.kind, plan.source.clone(), plan.destination.clone());
                for layer in &plan.layers {
                    self.learn(layer);
                    self.step(layer.layer, either("Pulling fs layer", "Preparing"), None);
                }
            }
            Event::Layer(layer) => self.learn(layer),
            Event::Queued { layer } => self.step(*layer, either("Waiting", "Waiting"), None),
            Event::Hashing { layer, bytes } => {
                self.step(*layer, either("Verifying Checksum", "Preparing"), Some(*bytes));
            }
            Event::Compressing { layer, bytes } => {
                self.step(*layer, either("Preparing", "Preparing"), Some(*bytes));
            }
            Event::Uploading { layer, bytes } => {
                self.step(*layer, either("Pushing", "Pushing"), Some(*bytes));
            }
            Event::Downloading { layer, bytes } => {
                self.step(*layer, either("Downloading", "Downloading"), Some(*bytes));
            }
            Event::Mounted { layer, from } => {
                let words = match from {
                    Some(from) => format!("Mounted from {from}"),
                    None => "Mounted from another repository".to_owned(),
                };
                self.step(*layer, |_| words, None);
            }
            Event::Exists { layer } => {
                self.step(*layer, either("Already exists", "Layer already exists"), None);
            }
            Event::Done { layer, .. } => self.step(*layer, either("Pull complete", "Pushed"), None),
            Event::Retrying { layer: Some(layer), delay_ms, .. } => {
                let seconds = delay_ms.div_ceil(1000);
                let unit = if seconds == 1 { "second" } else { "seconds" };
                self.step(*layer, |_| format!("Retrying in {seconds} {unit}"), None);
            }
            Event::CommitStarted { container, image } => {
                let started = ImageCommitStarted { container: container.clone(), image: image.clone() };
                self.progress.commit_started(&started);
            }
            Event::CommitFinished { image } => {
                self.progress.commit_finished(&ImageCommitFinished { image: image.clone() });
            }
            Event::Retrying { layer: None, .. }
            | Event::Finalising
            | Event::Finished { .. }
            | Event::Failed { .. } => {}
        }
    }
}

/// Bytes in decimal units with up to four digits, as docker writes them: `12.3MB`.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = "B";
    for larger in UNITS {
        if tenths < 10_000 {
            break;
        }
        tenths /= 1000;
        unit = larger;
    }
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole}{unit}"),
        (whole, tenth) => format!("{whole}.{tenth}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hythe_oci::{Algorithm, Digest};

    use super::*;
    use crate::progress::{Plan, Reporter};

    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<String>>>);

    impl Heard {
        fn hear(&self, what: String) {
            self.0.lock().unwrap().push(what);
        }
    }

    impl ImageProgress for Heard {
        fn pull(&self, pull: &ImageProgressPull) {
            self.hear(format!("pull {} to {}", pull.source, pull.destination));
        }

        fn push(&self, push: &ImageProgressPush) {
            self.hear(format!("push {} to {}", push.source, push.destination));
        }

        fn step(&self, step: &ImageProgressStep) {
            assert!(step.message.starts_with(&format!("{}: {}", step.layer_id, step.status)), "{step:?}");
            self.hear(step.message.clone());
        }

        fn save(&self, save: &ImageProgressSave) {
            self.hear(format!("save {} as {}", save.source, save.destination));
        }

        fn commit_started(&self, started: &ImageCommitStarted) {
            self.hear(format!("commit of {} as {}", started.container, started.image));
        }

        fn commit_finished(&self, finished: &ImageCommitFinished) {
            self.hear(format!("{} is there", finished.image));
        }
    }

    fn steps(kind: TransferKind, events: &[Event]) -> Vec<String> {
        let heard = Heard::default();
        let reporter = Reporter::to(Arc::new(StepAdapter::new(heard.clone())));
        let layers = vec![Layer::new(0, None, None, Some(2_500_000)).labelled("abc")];
        reporter.tell(|| Event::Plan(Plan::new(kind, "here".into(), "there".into(), layers)));
        for event in events {
            reporter.tell(|| event.clone());
        }
        let heard = heard.0.lock().unwrap();
        heard.clone()
    }

    #[test]
    fn a_push_is_told_as_docker_tells_it() {
        let digest = Digest::of(Algorithm::Sha256, b"x");
        let bytes = ByteCount { done: 1_250_000, total: Some(2_500_000) };
        let heard = steps(
            TransferKind::Push,
            &[
                Event::Queued { layer: 0 },
                Event::Compressing { layer: 0, bytes: ByteCount { done: 999, total: None } },
                Event::Uploading { layer: 0, bytes },
                Event::Retrying { layer: Some(0), reason: "cut".into(), delay_ms: 1001, attempt: 1 },
                Event::Done { layer: 0, digest },
                Event::Exists { layer: 1 },
                Event::Mounted { layer: 2, from: Some("lab/app".parse().unwrap()) },
                Event::Finalising,
                Event::Finished { digest },
            ],
        );
        assert_eq!(
            heard,
            [
                "push here to there",
                "abc: Preparing",
                "abc: Waiting",
                "abc: Preparing 999B",
                "abc: Pushing 1.2MB/2.5MB",
                "abc: Retrying in 2 seconds",
                "abc: Pushed",
                "layer-1: Layer already exists",
                "layer-2: Mounted from lab/app",
            ]
        );
    }

    #[test]
    fn a_pull_is_told_as_docker_tells_it() {
        let digest = Digest::of(Algorithm::Sha256, b"x");
        let bytes = ByteCount { done: 0, total: Some(2_500_000) };
        let heard = steps(
            TransferKind::Pull,
            &[
                Event::Downloading { layer: 0, bytes },
                Event::Hashing { layer: 0, bytes },
                Event::Done { layer: 0, digest },
                Event::Exists { layer: 1 },
            ],
        );
        assert_eq!(
            heard,
            [
                "pull here to there",
                "abc: Pulling fs layer",
                "abc: Downloading 0B/2.5MB",
                "abc: Verifying Checksum 0B/2.5MB",
                "abc: Pull complete",
                "layer-1: Already exists",
            ]
        );
    }

    #[test]
    fn a_container_that_is_saved_is_committed_first() {
        let heard = steps(
            TransferKind::Save,
            &[
                Event::CommitStarted { container: "lab-1".into(), image: "app".into() },
                Event::CommitFinished { image: "app".into() },
            ],
        );
        assert_eq!(heard, ["save here as there", "abc: Preparing", "commit of lab-1 as app", "app is there"]);
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0B"),
            (999, "999B"),
            (1000, "1kB"),
            (1234, "1.2kB"),
            (999_999, "999.9kB"),
            (1_000_000, "1MB"),
            (12_345_678_901, "12.3GB"),
            (u64::MAX, "18.4EB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}

//! What a transfer says about itself while it runs: typed events, and what listens to them.
//!
//! A transfer holds a [`Reporter`] and never waits for a listener: nobody listening costs one comparison
//! per call, byte counts are put together before anyone hears of them, and a reader of [`Events`] that
//! falls behind finds the newest of each layer instead of a backlog, in memory bounded by the number of
//! layers.
//!
//! | for | take |
//! |---|---|
//! | a callback | [`Progress`] (closures are one) |
//! | an async stream, or a thread that reads | [`Reporter::stream`] |
//! | other programs | [`ndjson`] |
//! | code written for docker's step messages | [`StepAdapter`] and [`ImageProgress`] |
//! | bars on a terminal, and tests | [`Board`] |

mod board;
mod event;
mod meter;
pub mod ndjson;
mod queue;
mod reporter;
mod step;
mod stream;

pub use board::{Board, LayerState, Phase, Retry, Stage, Totals};
pub use event::{ByteCount, Event, Layer, LayerIndex, Plan, TransferKind};
pub use meter::Meter;
pub use reporter::{LayerReporter, Progress, Reporter};
pub use step::{
    ImageCommitFinished, ImageCommitStarted, ImageProgress, ImageProgressPull, ImageProgressPush,
    ImageProgressSave, ImageProgressStep, StepAdapter,
};
pub use stream::Events;

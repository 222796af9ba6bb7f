//! One bar on a terminal that shows how far a piece of maintenance is. Elsewhere, nothing is drawn.

use std::io::IsTerminal;

use hythe_registry::{Progress, Reporter};
use indicatif::{ProgressBar, ProgressStyle};

/// The bar of one piece of work; it goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar for work called `what`.
    pub(crate) fn new(what: &'static str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Bar(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(0);
        let form = "{prefix} {bar:28} {decimal_bytes:>10} of {decimal_total_bytes}, {msg} blobs, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(what);
        Bar(bar)
    }

    /// Shows how far the work is.
    pub(crate) fn show(&self, progress: Progress) {
        self.0.set_length(progress.total_bytes.max(progress.bytes));
        self.0.set_position(progress.bytes);
        self.0.set_message(progress.blobs.to_string());
    }

    /// Does work in this process and shows how far it is.
    pub(crate) async fn around<T>(&self, work: impl AsyncFnOnce(&Reporter) -> T) -> T {
        let (reporter, mut progress) = Reporter::new();
        let show = async {
            while progress.changed().await.is_ok() {
                self.show(*progress.borrow_and_update());
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            outcome = work(&reporter) => outcome,
            () = show => unreachable!("the showing goes on for as long as the work"),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

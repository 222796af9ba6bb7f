//! How a transfer is seen while it runs: bars, lines, events, or nothing. All of it on standard error.
//!
//! A view reads the events of a transfer and never keeps it waiting.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};

use futures_util::StreamExt as _;
use hythe_client::progress::{Board, Event, Events, LayerState, Phase, Reporter, ndjson};
use hythe_client::transfer::TransferError;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::arguments::ProgressForm;
use crate::harmless;

/// Layers that have a bar of their own; the others are in the sum.
const MOST_BARS: usize = 12;

/// Does work that reports, and shows how far it is. Whatever it did not tell itself, the last word is that it failed.
pub(super) async fn seen<T>(
    form: ProgressForm,
    work: impl AsyncFnOnce(&Reporter) -> Result<T, TransferError>,
) -> Result<T, TransferError> {
    if form == ProgressForm::None {
        return work(&Reporter::silent()).await;
    }
    let (reporter, events) = Reporter::stream();
    // Bars and the log would write over each other.
    let terminal = io::stderr().is_terminal() && !tracing::enabled!(tracing::Level::DEBUG);
    let show = async {
        match form {
            ProgressForm::Json => lines(events, |_, event| json(event)).await,
            ProgressForm::Auto if terminal => bars(events).await,
            _ => lines(events, plain).await,
        }
    };
    let run = async {
        let outcome = work(&reporter).await;
        if let Err(error) = &outcome {
            reporter.failed(&error.to_string());
        }
        // A registry that has stopped reading holds what it was being sent, and the reporter with it.
        reporter.end();
        outcome
    };
    let (outcome, ()) = tokio::join!(run, show);
    outcome
}

/// One line for each event that has one.
async fn lines(mut events: Events, line: impl Fn(&Board, &Event) -> Option<String>) {
    let mut board = Board::default();
    while let Some(event) = events.next().await {
        board.apply(&event);
        if let Some(line) = line(&board, &event) {
            // Standard error is the last place to report to.
            drop(writeln!(io::stderr().lock(), "{}", harmless::one_line(line.trim_end())));
        }
    }
}

/// An event for programs.
fn json(event: &Event) -> Option<String> {
    let mut line = Vec::new();
    ndjson::write(event, &mut line).ok()?;
    String::from_utf8(line).ok()
}

/// What a log says of a transfer: what each layer came to, and what was tried again.
fn plain(board: &Board, event: &Event) -> Option<String> {
    match event {
        Event::Plan(plan) => Some(format!("{} -> {}", plan.source, plan.destination)),
        Event::Retrying { reason, delay_ms, .. } => Some(format!(
            "{reason}; trying again in {:.1} s",
            std::time::Duration::from_millis(*delay_ms).as_secs_f64()
        )),
        Event::Finalising => Some("finalising".to_owned()),
        Event::CommitStarted { container, .. } => {
            Some(format!("making an image of the container {container}"))
        }
        Event::CommitFinished { image } => Some(format!("made {image}")),
        _ => {
            let state = board.layer(event.layer()?)?;
            let words = settled(state)?;
            Some(format!("{}  {words}", state.layer.label))
        }
    }
}

/// What a layer came to, once nothing more will happen to it.
fn settled(state: &LayerState) -> Option<String> {
    let size =
        state.layer.bytes.map(|bytes| format!("  {}", indicatif::DecimalBytes(bytes))).unwrap_or_default();
    match &state.phase {
        Phase::Exists => Some(format!("exists already{size}")),
        Phase::Mounted(Some(from)) => Some(format!("mounted from {from}{size}")),
        Phase::Mounted(None) => Some(format!("mounted{size}")),
        Phase::Done => Some(format!("done{size}")),
        _ => None,
    }
}

/// A bar whose end is known.
const KNOWN: &str = "{prefix:<12} {bar:20} {decimal_bytes:>9} of {decimal_total_bytes:<9} {wide_msg}";

/// A bar whose end is known when it is reached.
const OPEN: &str = "{prefix:<12} {bar:20} {decimal_bytes:>9}              {wide_msg}";

/// A bar for each layer that moves, and one for all.
async fn bars(mut events: Events) {
    let all = MultiProgress::new();
    let sum = all.add(styled(KNOWN));
    sum.set_prefix("in all");
    let mut board = Board::default();
    let mut shown: HashMap<u32, ProgressBar> = HashMap::new();
    while let Some(event) = events.next().await {
        board.apply(&event);
        if let Some(state) = event.layer().and_then(|layer| board.layer(layer)) {
            let index = state.layer.layer;
            if let Some(words) = settled(state) {
                if let Some(bar) = shown.remove(&index) {
                    bar.finish_and_clear();
                }
                drop(all.println(format!("{:<12} {words}", state.layer.label)));
            } else if shown.contains_key(&index) || shown.len() < MOST_BARS {
                let bar = shown.entry(index).or_insert_with(|| all.insert_before(&sum, styled(KNOWN)));
                show(bar, state);
            }
        }
        let totals = board.totals();
        // Without compression it would be so much at most.
        let (form, most) = match totals.bytes.total {
            Some(total) => (KNOWN, total),
            None => (OPEN, board.layers().map(largest).fold(0, u64::saturating_add)),
        };
        style(&sum, form);
        sum.set_length(most.max(totals.bytes.done));
        sum.set_position(totals.bytes.done);
        sum.set_message(match (&event, board.retry()) {
            (Event::Finalising, _) => "finalising".to_owned(),
            (Event::CommitStarted { .. }, _) => "making an image of the container".to_owned(),
            (_, Some(retry)) => format!("{}; trying again", retry.reason),
            _ => {
                let rate = indicatif::DecimalBytes(per_second(&sum));
                format!("{rate}/s, {} of {}", totals.settled, totals.layers)
            }
        });
    }
    for bar in shown.into_values() {
        bar.finish_and_clear();
    }
    sum.finish_and_clear();
}

/// The most bytes that a layer comes to, as far as that can be told.
fn largest(state: &LayerState) -> u64 {
    match state.phase {
        Phase::Compressing(bytes) => state.layer.bytes.or(bytes.total),
        _ => state.bytes().total,
    }
    .unwrap_or_default()
}

/// How fast it goes, in whole bytes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people, never negative"
)]
fn per_second(bar: &ProgressBar) -> u64 {
    bar.per_sec() as u64
}

fn show(bar: &ProgressBar, state: &LayerState) {
    bar.set_prefix(state.layer.label.clone());
    let (words, bytes) = match &state.phase {
        Phase::Hashing(bytes) => ("hashing", *bytes),
        Phase::Compressing(bytes) => ("compressing", *bytes),
        Phase::Uploading(bytes) => ("uploading", *bytes),
        Phase::Downloading(bytes) => ("downloading", *bytes),
        _ => ("waiting", state.bytes()),
    };
    bar.set_length(bytes.total.or(state.layer.bytes).unwrap_or(bytes.done));
    bar.set_position(bytes.done);
    bar.set_message(match &state.retry {
        Some(retry) => format!("{}; trying again", retry.reason),
        None if state.sent > 0 && words == "compressing" => {
            format!("{words}, {} sent", indicatif::DecimalBytes(state.sent))
        }
        None => words.to_owned(),
    });
}

fn styled(form: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    style(&bar, form);
    bar
}

fn style(bar: &ProgressBar, form: &str) {
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style.progress_chars("=> "));
    }
}

//! Events as lines of JSON, for other programs.
//!
//! One line per event, each an object that ends in a newline and holds `"v":1`, the version of this schema,
//! and `"event"`, the kind. Fields are added and kinds are added; nothing is renamed or taken away
//! within a version, so a reader ignores what it does not know. Sizes are bytes, `layer` is the
//! layer's number from the plan, and `null` means that nobody knows yet.
//!
//! | event | fields |
//! |---|---|
//! | `plan` | `kind` (`push`, `pull`, `copy`, `save`), `source`, `destination`, `layers` (objects as in `layer`), `total` |
//! | `layer` | `layer`, `label`; when known `digest`, `diff_id`, `bytes` |
//! | `queued` | `layer` |
//! | `hashing`, `compressing`, `uploading`, `downloading` | `layer`, `done`, `total` |
//! | `mounted` | `layer`, `from` (a repository) |
//! | `exists` | `layer` |
//! | `done` | `layer`, `digest` |
//! | `retrying` | `layer` (or null), `reason`, `delay_ms`, `attempt` |
//! | `finalising` | – |
//! | `commit_started` | `container`, `image` |
//! | `commit_finished` | `image` |
//! | `finished` | `digest` |
//! | `failed` | `reason` |

use std::borrow::Cow;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::event::Event;

/// The version of the schema.
pub const VERSION: u32 = 1;

/// Most bytes of a line that [`parse`] reads: a plan of ten thousand layers has less than half of it.
pub const LINE_BYTES: usize = 8 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    v: u32,
    #[serde(flatten)]
    event: Cow<'a, Event>,
}

/// Writes one event as a line, and flushes it, so that the reader of a pipe sees it now.
///
/// This waits for the writer: call it on a thread that reads [`Events`](super::Events), not from within a
/// transfer.
///
/// # Errors
/// Those of the writer.
pub fn write(event: &Event, writer: &mut impl Write) -> io::Result<()> {
    let mut line = serde_json::to_vec(&Line { v: VERSION, event: Cow::Borrowed(event) })?;
    line.push(b'\n');
    writer.write_all(&line)?;
    writer.flush()
}

/// Reads one line, with or without its newline.
///
/// # Errors
/// [`LineError`] says whether it is of a newer version or no event at all; a program skips either.
pub fn parse(line: &str) -> Result<Event, LineError> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    if line.len() > LINE_BYTES {
        return Err(LineError::TooLong { found: line.len() });
    }
    let Version { v } = serde_json::from_str(line)?;
    if v != VERSION {
        return Err(LineError::Version { found: v });
    }
    let line: Line<'_> = serde_json::from_str(line)?;
    Ok(line.event.into_owned())
}

/// Why a line is no event.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// More than [`LINE_BYTES`] bytes.
    #[error("The line has {found} bytes, and at most {LINE_BYTES} are read.")]
    TooLong {
        /// How many there are.
        found: usize,
    },
    /// Another version of the schema.
    #[error(
        "The line is of version {found} of the events, and this program reads version {VERSION}; update it."
    )]
    Version {
        /// The version of the line.
        found: u32,
    },
    /// No JSON, or no event that is known here.
    #[error("The line is not an event: {0}.")]
    Json(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests {
    use hythe_oci::{Algorithm, Digest};
    use proptest::prelude::*;

    use super::*;
    use crate::progress::{ByteCount, Layer, Plan, TransferKind};

    fn every_kind() -> Vec<(Event, String)> {
        let digest = Digest::of(Algorithm::Sha256, b"x");
        let bytes = ByteCount { done: 7, total: Some(u64::MAX) };
        let layers = vec![Layer::new(0, Some(digest), None, Some(9)), Layer::new(1, None, None, None)];
        let plan = Plan::new(TransferKind::Push, "app:v1".into(), "a.example/app:v1".into(), layers);
        let hex = &digest.hex()[..12];
        let from = Some("lab/app".parse().unwrap());
        let total = u64::MAX;
        [
            (
                Event::Plan(plan),
                format!(
                    r#""event":"plan","kind":"push","source":"app:v1","destination":"a.example/app:v1","layers":[{{"layer":0,"label":"{hex}","digest":"{digest}","bytes":9}},{{"layer":1,"label":"layer-1"}}],"total":null"#
                ),
            ),
            (
                Event::Layer(Layer::new(1, None, Some(digest), None)),
                format!(r#""event":"layer","layer":1,"label":"{hex}","diff_id":"{digest}""#),
            ),
            (Event::Queued { layer: 0 }, r#""event":"queued","layer":0"#.into()),
            (Event::Hashing { layer: 0, bytes }, format!(r#""event":"hashing","layer":0,"done":7,"total":{total}"#)),
            (
                Event::Compressing { layer: 0, bytes },
                format!(r#""event":"compressing","layer":0,"done":7,"total":{total}"#),
            ),
            (
                Event::Uploading { layer: 0, bytes: ByteCount { done: 7, total: None } },
                r#""event":"uploading","layer":0,"done":7,"total":null"#.into(),
            ),
            (
                Event::Downloading { layer: 0, bytes },
                format!(r#""event":"downloading","layer":0,"done":7,"total":{total}"#),
            ),
            (Event::Mounted { layer: 0, from }, r#""event":"mounted","layer":0,"from":"lab/app""#.into()),
            (Event::Exists { layer: 0 }, r#""event":"exists","layer":0"#.into()),
            (Event::Done { layer: 0, digest }, format!(r#""event":"done","layer":0,"digest":"{digest}""#)),
            (
                Event::Retrying { layer: None, reason: "cut".into(), delay_ms: 250, attempt: 1 },
                r#""event":"retrying","layer":null,"reason":"cut","delay_ms":250,"attempt":1"#.into(),
            ),
            (Event::Finalising, r#""event":"finalising""#.into()),
            (
                Event::CommitStarted { container: "c".into(), image: "app".into() },
                r#""event":"commit_started","container":"c","image":"app""#.into(),
            ),
            (Event::CommitFinished { image: "app".into() }, r#""event":"commit_finished","image":"app""#.into()),
            (Event::Finished { digest }, format!(r#""event":"finished","digest":"{digest}""#)),
            (Event::Failed { reason: "no".into() }, r#""event":"failed","reason":"no""#.into()),
        ]
        .into()
    }

    #[test]
    fn the_schema_stays() {
        for (event, fields) in every_kind() {
            let mut written = Vec::new();
            write(&event, &mut written).unwrap();
            let line = String::from_utf8(written).unwrap();
            assert_eq!(line, format!("{{\"v\":1,{fields}}}\n"));
            assert_eq!(parse(&line).unwrap(), event);
        }
    }

    #[test]
    fn a_reader_passes_over_what_it_does_not_know() {
        let known = parse(r#"{"v":1,"event":"queued","layer":4,"later":{"x":[1]}}"#).unwrap();
        assert_eq!(known, Event::Queued { layer: 4 });
        assert!(matches!(
            parse(r#"{"v":2,"event":"queued","layer":4}"#),
            Err(LineError::Version { found: 2 })
        ));
        for bad in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"v":1}"#,
            r#"{"v":1,"event":"dance"}"#,
            r#"{"v":1,"event":"queued"}"#,
        ] {
            assert!(matches!(parse(bad), Err(LineError::Json(_))), "{bad} was taken");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(line in r#"(\{"v":1,"event":"(queued|done|plan|retrying)",)?.{0,60}\}?"#) {
            if let Ok(event) = parse(&line) {
                let mut written = Vec::new();
                write(&event, &mut written).unwrap();
                prop_assert_eq!(parse(str::from_utf8(&written).unwrap()).unwrap(), event);
            }
        }
    }
}

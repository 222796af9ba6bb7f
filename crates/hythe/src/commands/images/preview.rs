//! What `--dry-run` says of a transfer.

use hythe_client::engine::EngineImage;
use hythe_client::transfer::Preview;
use indicatif::DecimalBytes;
use serde::Serialize;

use crate::failure::Failure;
use crate::printer::{Printer, counted};

/// What a transfer that is not made says to programs.
#[derive(Serialize)]
struct Told<'a> {
    image: &'a str,
    dry_run: bool,
    #[serde(flatten)]
    preview: &'a Preview,
}

/// Tells what a transfer would do. `doing` is a sentence's beginning, such as `Would push`; `moved` is what happens to a
/// blob, `sent` or `fetched`.
pub(super) fn told(
    (doing, moved): (&str, &str),
    image: &str,
    preview: &Preview,
    printer: Printer,
) -> Result<(), Failure> {
    let mut lines = vec![format!("{doing} {image}")];
    lines.extend(preview.digest.map(|digest| digest.to_string()));
    lines.push(format!(
        "{} to be {moved} ({}), {} are there ({})",
        counted(preview.blobs, "blob"),
        DecimalBytes(preview.bytes),
        preview.blobs_there,
        DecimalBytes(preview.bytes_there)
    ));
    if preview.layers_to_pack > 0 {
        lines.push(format!(
            "{} to be compressed first ({} uncompressed); what comes of it is known then",
            counted(preview.layers_to_pack, "layer"),
            DecimalBytes(preview.bytes_unpacked)
        ));
    }
    printer.named(&Told { image, dry_run: true, preview }, [image], &lines.join("\n"))
}

/// Tells of an image that an engine would write out: its layers, and what they take there.
pub(super) fn told_of_engine(image: &str, known: &EngineImage, printer: Printer) -> Result<(), Failure> {
    let mut preview = Preview::default();
    // What the engine makes of them in the archive is known when it has written it.
    (preview.blobs, preview.bytes) = (known.diff_ids.len(), known.size);
    let layers = match preview.blobs {
        // containerd does not say.
        0 => "its layers".to_owned(),
        layers => counted(layers, "layer"),
    };
    let text =
        format!("Would save {image}\n{layers} to be written ({} in the engine)", DecimalBytes(known.size));
    printer.named(&Told { image, dry_run: true, preview: &preview }, [image], &text)
}

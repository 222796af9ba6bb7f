//! What `--dry-run` says of a transfer.

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

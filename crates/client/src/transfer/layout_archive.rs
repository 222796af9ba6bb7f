//! One image of a layout in a folder as an archive that every engine loads.

use std::io;
use std::path::Path;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use hythe_oci::{Digest, Manifest};

use super::push_layout::{narrowed, parse};
use super::reading::{checked, pieces};
use super::{Preview, TransferError};
use crate::engine::Archive;
use crate::sink::{Part, archive};
use crate::source::{Document, Layout, Platform, SourceError};

/// The image of a layout under `name`, or the only one, as an archive in which it is called `called`. Of an index, the
/// platform asked for, else this machine's.
///
/// # Errors
/// The layout cannot be read, or has nothing for the platform. A layer that is not what its digest says ends the stream.
pub fn archive_of_layout(
    folder: &Path,
    name: Option<&str>,
    called: Option<&str>,
    platform: Option<&Platform>,
) -> Result<Archive, TransferError> {
    let Chosen { layout, document, manifest, config } = chosen(folder, name, platform)?;
    let mut layers = Vec::new();
    for layer in &manifest.layers {
        let digest = layer.digest;
        let wrong = move |_| {
            let problem = "not what is stored under its name".to_owned();
            io::Error::other(SourceError::Content { digest, problem })
        };
        let content = checked(content(&layout, digest), digest, wrong).boxed();
        layers.push(Part { layer: layer.clone(), content });
    }
    archive(&document, &manifest, config, layers, called).map_err(TransferError::Stream)
}

/// What [`archive_of_layout`] would write: the image's blobs, counted. Nothing is written.
///
/// # Errors
/// As for [`archive_of_layout`], but that no layer is read.
pub fn preview_archive_of_layout(
    folder: &Path,
    name: Option<&str>,
    platform: Option<&Platform>,
) -> Result<Preview, TransferError> {
    let Chosen { document, manifest, config, .. } = chosen(folder, name, platform)?;
    let layers = manifest.layers.iter().map(|layer| layer.size).fold(0, u64::saturating_add);
    Ok(Preview {
        digest: Some(document.digest),
        blobs: 1 + manifest.layers.len(),
        bytes: layers.saturating_add(config.len() as u64),
        ..Preview::default()
    })
}

/// The image of a layout that becomes an archive.
struct Chosen {
    layout: Layout,
    document: Document,
    manifest: Manifest,
    config: Bytes,
}

/// Looks for the image, and for each of its blobs.
fn chosen(folder: &Path, name: Option<&str>, platform: Option<&Platform>) -> Result<Chosen, TransferError> {
    let layout = Layout::open(folder)?;
    let here = Platform::here();
    let document = narrowed(&layout, layout.choose(name)?, Some(platform.unwrap_or(&here)))?;
    let manifest = parse(&document)?;
    let config = manifest.config.as_ref().ok_or_else(|| {
        TransferError::Invalid("The image has no configuration, so no engine can run it.".to_owned())
    })?;
    let config = layout.document(&config.digest)?;
    for layer in &manifest.layers {
        let (_, size) = layout.blob(&layer.digest)?;
        if size != layer.size {
            let problem = format!("{size} bytes long in the layout, not {} as its manifest says", layer.size);
            return Err(SourceError::Content { digest: layer.digest, problem }.into());
        }
    }
    Ok(Chosen { layout, document, manifest, config })
}

/// A blob's bytes. Its file is opened when they are asked for: an image may have more layers than a process files.
fn content(layout: &Layout, digest: Digest) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    let layout = layout.clone();
    let opened = async move {
        let file = tokio::task::spawn_blocking(move || layout.blob(&digest).map_err(io::Error::other));
        let (file, _) = file.await.map_err(io::Error::other)??;
        Ok::<_, io::Error>(pieces(file))
    };
    stream::once(opened).try_flatten()
}

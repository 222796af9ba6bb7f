//! `hythe load`: an archive or layout into an engine, or straight to a registry.

use std::path::PathBuf;

use hythe_client::engine::{Archive, Engine, EngineAddress, EngineKind};
use hythe_client::image::LocalImage;
use hythe_client::transfer::{
    TransferError, archive_called, archive_from, archive_in_file, archive_of_layout,
    preview_archive_of_layout,
};
use indicatif::DecimalBytes;
use serde::Serialize;

use super::failed::transfer_failed;
use super::{push, unnamed};
use crate::arguments::{LoadArguments, LocalSource, PushArguments};
use crate::failure::{Exit, Failure};
use crate::printer::{Printer, counted};

/// What `load` says to programs.
#[derive(Serialize)]
struct Loaded {
    engine: &'static str,
    /// The names of what was loaded, or its ID where it has none.
    images: Vec<String>,
    /// The size of the file; `null` for a folder and standard input. Of a folder that would be loaded, that of its blobs.
    bytes: Option<u64>,
    /// The blobs of a folder that would be loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    blobs: Option<usize>,
    dry_run: bool,
}

pub(in crate::commands) async fn load(arguments: LoadArguments, printer: Printer) -> Result<(), Failure> {
    let source = source(&arguments.file);
    let (kind, name) = match &arguments.name {
        Some(LocalSource::Engine(None, remote)) => {
            let pushed = PushArguments {
                image: source,
                remote: Some(remote.clone()),
                unique: false,
                compression: arguments.compression,
                platform: arguments.platform,
                jobs: arguments.jobs,
                through_engine: false,
                dry_run: arguments.dry_run,
                shown: arguments.shown,
                registry: arguments.registry,
            };
            return push(pushed, printer).await;
        }
        Some(LocalSource::Engine(Some(kind), name)) => {
            (Some(*kind), Some(name).filter(|name| !name.is_empty()))
        }
        None => (None, None),
        Some(_) => {
            return Err(Failure::new(Exit::Usage, "An image is loaded into an engine or a registry").hint(
                "name an engine (`docker:NAME`, `podman:`) or an image of a registry (`PROJECT/NAME:TAG`)",
            ));
        }
    };
    let address = match kind {
        Some(kind) => EngineAddress::usual(kind),
        None => EngineAddress::found().into_iter().next(),
    };
    let address = address.ok_or_else(|| {
        let what =
            kind.map_or_else(|| "no container engine".to_owned(), |kind| format!("no socket of {kind}"));
        Failure::new(Exit::NotFound, format!("There is {what} here to load into"))
            .hint("load it straight into a registry: hythe load FILE PROJECT/NAME:TAG")
    })?;
    let name = name.map(|name| LocalImage::parse(name).map_err(unnamed)).transpose()?;
    let kind = address.kind;
    let bytes = match &source {
        LocalSource::Archive(path, _) => Some(std::fs::metadata(path).map_err(|error| {
            Failure::new(Exit::Failed, format!("{} cannot be read: {error}", path.display()))
        })?),
        _ => None,
    };
    let bytes = bytes.map(|state| state.len());
    if arguments.dry_run {
        let images: Vec<String> = name.iter().map(ToString::to_string).collect();
        let (bytes, blobs) = match &source {
            LocalSource::Layout(folder, chosen) => {
                let preview =
                    preview_archive_of_layout(folder, chosen.as_deref(), arguments.platform.as_ref());
                let preview = preview.map_err(transfer_failed)?;
                (Some(preview.bytes), Some(preview.blobs))
            }
            _ => (bytes, None),
        };
        let counted = blobs.map_or_else(String::new, |blobs| format!("{}, ", counted(blobs, "blob")));
        let size = bytes.map_or_else(String::new, |bytes| format!(" ({counted}{})", DecimalBytes(bytes)));
        let sentence = format!("Would load {}{size} into {kind}", arguments.file);
        let told = Loaded { engine: kind.name(), images, bytes, blobs, dry_run: true };
        return printer.named(&told, &told.images, &sentence);
    }
    let images = bring(&source, address, name.as_ref(), &arguments).await.map_err(transfer_failed)?;
    let sentence = match &images[..] {
        [] => format!("Loaded {} into {kind}", arguments.file),
        images => format!("Loaded {} into {kind}", images.join(", ")),
    };
    let told = Loaded { engine: kind.name(), images, bytes, blobs: None, dry_run: false };
    printer.named(&told, &told.images, &sentence)
}

/// A file, a folder, standard input, or one of these with a name behind it (`oci:FOLDER:NAME`).
fn source(text: &str) -> LocalSource {
    match text.parse() {
        Ok(source @ (LocalSource::Layout(..) | LocalSource::Archive(..) | LocalSource::Stdio)) => source,
        _ if PathBuf::from(text).is_dir() => LocalSource::Layout(text.into(), None),
        _ => LocalSource::Archive(text.into(), None),
    }
}

/// Loads, and gives the image the name asked for.
async fn bring(
    source: &LocalSource,
    address: EngineAddress,
    name: Option<&LocalImage>,
    arguments: &LoadArguments,
) -> Result<Vec<String>, TransferError> {
    let kind = address.kind;
    let engine = Engine::connect(address).await?;
    let called = name.map(|name| full_name(kind, name));
    // The names in an archive are those of whoever wrote it: where one was asked for, no other is moved.
    let own = |archive: Archive, chosen: Option<&str>| match name {
        Some(name) => archive_called(archive, chosen, name)
            .map_err(|error| TransferError::Invalid(format!("The name cannot be given: {error}"))),
        None => Ok(archive),
    };
    let archive = match source {
        LocalSource::Layout(folder, chosen) => {
            let platform = arguments.platform.as_ref();
            archive_of_layout(folder, chosen.as_deref(), called.as_deref(), platform)?
        }
        LocalSource::Archive(path, chosen) => own(archive_in_file(path)?, chosen.as_deref())?,
        _ => own(archive_from(std::io::stdin()), None)?,
    };
    let loaded = engine.import(archive).await?;
    let (Some(called), Some(first)) = (called, loaded.first()) else { return Ok(loaded) };
    if loaded.contains(&called) {
        return Ok(loaded);
    }
    if let [_, _, ..] = &loaded[..] {
        let problem = format!("The archive held several images ({}); none was renamed.", loaded.join(", "));
        return Err(TransferError::Invalid(problem));
    }
    let (repository, tag) = called.rsplit_once(':').unwrap_or((&called, "latest"));
    engine.tag(first, repository, tag).await?;
    Ok(vec![called])
}

/// A name with its tag; containerd knows images by their full name.
fn full_name(kind: EngineKind, name: &LocalImage) -> String {
    match (kind, name.complete()) {
        (EngineKind::Containerd, Ok(reference)) => reference.to_string(),
        _ if name.tag().is_none() => format!("{name}:latest"),
        _ => name.to_string(),
    }
}

//! `hythe pull`.

use std::path::Path;

use futures_util::TryStreamExt as _;
use hythe_client::engine::{Archive, Engine, EngineAddress};
use hythe_client::image::{LocalImage, RemoteImage};
use hythe_client::progress::{Event, Reporter};
use hythe_client::transfer::{PullOptions, Target, TransferError};
use hythe_oci::Digest;
use serde::Serialize;
use tokio::io::AsyncWriteExt as _;

use super::failed::transfer_failed;
use super::view::seen;
use super::{Place, unnamed};
use crate::arguments::{LocalSource, PullArguments};
use crate::failure::{Exit, Failure};
use crate::printer::{self, Printer};

/// What a pull says to programs.
#[derive(Serialize)]
struct PulledImage {
    image: String,
    digest: String,
    local: String,
}

pub(in crate::commands) async fn pull(arguments: PullArguments, printer: Printer) -> Result<(), Failure> {
    let place = Place::open(arguments.registry.clone())?;
    let image = place.image(&arguments.image)?;
    let (local, shown) = destination(&arguments, &image)?;
    let (target, _) = place.target(&image, printer).await?;
    let options = PullOptions { platform: arguments.platform.clone(), jobs: Some(arguments.jobs) };
    if arguments.dry_run {
        let folder = match &local {
            Local::Layout(folder, _) => Some(folder.as_path()),
            _ => None,
        };
        let preview = Box::pin(target.preview_pull(&image.reference(), folder, &options)).await;
        let preview = preview.map_err(transfer_failed)?;
        return super::preview::told(
            ("Would pull", "fetched"),
            &image.as_docker_url(false),
            &preview,
            printer,
        );
    }
    let digest = seen(arguments.shown.progress, async |reporter: &Reporter| {
        Box::pin(receive(&target, &image, &local, &options, reporter)).await
    });
    let digest = digest.await.map_err(transfer_failed)?.to_string();
    let told = PulledImage { image: image.as_docker_url(false), digest, local: shown };
    let sentence = format!("Pulled {} into {}\n{}", told.image, told.local, told.digest);
    if local == Local::Stdout {
        // Standard output is the archive.
        printer.talk(&sentence);
        return Ok(());
    }
    printer.named(&told, [&told.local], &sentence)
}

/// Where the image goes.
#[derive(PartialEq)]
enum Local {
    Engine(EngineAddress, String),
    Layout(std::path::PathBuf, Option<String>),
    Archive(std::path::PathBuf, String),
    Stdout,
}

fn destination(arguments: &PullArguments, image: &RemoteImage) -> Result<(Local, String), Failure> {
    let own = image.local().map_err(unnamed)?.to_string();
    let absent = |what: String| {
        Failure::new(Exit::NotFound, format!("There is {what} here to pull into"))
            .hint("pull into a folder with oci:FOLDER, or into a file with archive:FILE")
    };
    Ok(match &arguments.local {
        Some(LocalSource::Layout(path, name)) => {
            let name = name.clone().or_else(|| image.tag().map(ToString::to_string));
            (Local::Layout(path.clone(), name), format!("oci:{}", path.display()))
        }
        Some(LocalSource::Archive(path, name)) => {
            let name = name.clone().unwrap_or(own);
            (Local::Archive(path.clone(), name), format!("archive:{}", path.display()))
        }
        Some(LocalSource::Stdio) => {
            printer::no_terminal()?;
            (Local::Stdout, "standard output".to_owned())
        }
        Some(LocalSource::Engine(kind, name)) => {
            let address = match kind {
                Some(kind) => {
                    EngineAddress::usual(*kind).ok_or_else(|| absent(format!("no socket of {kind}")))?
                }
                None => engine().ok_or_else(|| absent("no container engine".to_owned()))?,
            };
            let name = LocalImage::parse(name).and_then(|image| image.complete()).map_err(unnamed)?;
            let shown = format!("{}:{name}", address.kind);
            (Local::Engine(address, name.to_string()), shown)
        }
        None => {
            let address = engine().ok_or_else(|| absent("no container engine".to_owned()))?;
            let shown = format!("{}:{own}", address.kind);
            (Local::Engine(address, own), shown)
        }
    })
}

fn engine() -> Option<EngineAddress> {
    EngineAddress::found().into_iter().next()
}

async fn receive(
    target: &Target,
    image: &RemoteImage,
    local: &Local,
    options: &PullOptions,
    reporter: &Reporter,
) -> Result<Digest, TransferError> {
    let reference = image.reference();
    let digest = match local {
        Local::Engine(address, name) => {
            let engine = Engine::connect(address.clone()).await?;
            return Ok(target.pull_engine(&reference, &engine, name, options, reporter).await?.digest);
        }
        Local::Layout(path, name) => {
            let pulled = target.pull_layout(&reference, path, name.as_deref(), options, reporter).await?;
            return Ok(pulled.digest);
        }
        Local::Archive(path, name) => {
            let (digest, archive) = target.pull_archive(&reference, Some(name), options, reporter).await?;
            write_file(path, archive).await?;
            digest
        }
        Local::Stdout => {
            let (digest, archive) = target.pull_archive(&reference, None, options, reporter).await?;
            write_stdout(archive).await?;
            digest
        }
    };
    // What the SDK brings to its place itself, it tells itself.
    reporter.tell(|| Event::Finished { digest });
    Ok(digest)
}

/// Writes an archive to standard output.
pub(super) async fn write_stdout(mut archive: Archive) -> Result<(), TransferError> {
    let mut out = tokio::io::stdout();
    while let Some(piece) = archive.try_next().await.map_err(TransferError::Stream)? {
        out.write_all(&piece).await.map_err(TransferError::Stream)?;
    }
    out.flush().await.map_err(TransferError::Stream)
}

/// Writes an archive beside its place and renames it: whole, or not at all.
pub(super) async fn write_file(path: &Path, mut archive: Archive) -> Result<(), TransferError> {
    let failed = |source| TransferError::Write { path: path.to_owned(), source };
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("image.tar");
    let beside = Beside(path.with_file_name(format!(".{name}.{}", std::process::id())));
    // It must not be there yet: a link that somebody laid out is not written through.
    let mut file = tokio::fs::File::create_new(&beside.0).await.map_err(failed)?;
    while let Some(piece) = archive.try_next().await.map_err(TransferError::Stream)? {
        file.write_all(&piece).await.map_err(failed)?;
    }
    file.sync_all().await.map_err(failed)?;
    tokio::fs::rename(&beside.0, path).await.map_err(failed)
}

/// A file that goes when the work on it ends, unless it has got its name by then.
struct Beside(std::path::PathBuf);

impl Drop for Beside {
    fn drop(&mut self) {
        // After a rename there is nothing, and an error has been told already.
        drop(std::fs::remove_file(&self.0));
    }
}

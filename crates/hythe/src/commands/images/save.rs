//! `hythe save`: an image as an archive that docker, podman, containerd and skopeo load.

use hythe_client::engine::{Archive, Engine};
use hythe_client::image::LocalImage;
use hythe_client::progress::{Event, Reporter};
use hythe_client::transfer::{PullOptions, TransferError, archive_of_layout, preview_archive_of_layout};
use hythe_oci::Digest;
use serde::Serialize;

use super::failed::transfer_failed;
use super::pull::{write_file, write_stdout};
use super::push::{Found, find};
use super::view::seen;
use super::{Place, preview, unnamed};
use crate::arguments::{LocalSource, SaveArguments};
use crate::failure::{Exit, Failure};
use crate::printer::{self, Printer};

/// What `save` says to programs.
#[derive(Serialize)]
struct Saved {
    image: String,
    /// The manifest; not known of an image that an engine keeps in its own form.
    digest: Option<Digest>,
    file: String,
}

/// Where the archive goes.
enum Destination {
    File(std::path::PathBuf),
    Stdout,
}

pub(in crate::commands) async fn save(arguments: SaveArguments, printer: Printer) -> Result<(), Failure> {
    let to = if arguments.file.as_os_str() == "-" {
        printer::no_terminal()?;
        Destination::Stdout
    } else {
        Destination::File(arguments.file.clone())
    };
    let (image, digest) = match &arguments.image {
        LocalSource::Engine(None, name) => {
            let Some(saved) = from_registry(&arguments, name, &to, printer).await? else { return Ok(()) };
            saved
        }
        LocalSource::Engine(Some(kind), name) => {
            let Found::Engine(engine, named, known) = find(&arguments.image).await? else {
                return Err(Failure::new(Exit::NotFound, format!("{kind} has no image {name}")));
            };
            let full = format!("{kind}:{name}");
            if arguments.dry_run {
                return preview::told_of_engine(&full, &known, printer);
            }
            from_engine(&engine, &named, &to).await.map_err(transfer_failed)?;
            (full, None)
        }
        LocalSource::Layout(folder, name) => {
            let called = name.as_deref().and_then(|name| LocalImage::parse(name).ok());
            let called = called.map(|image| image.to_string());
            let platform = arguments.platform.as_ref();
            let full = format!("oci:{}", folder.display());
            if arguments.dry_run {
                let preview = preview_archive_of_layout(folder, name.as_deref(), platform);
                let preview = preview.map_err(transfer_failed)?;
                return preview::told(("Would save", "written"), &full, &preview, printer);
            }
            let archive = archive_of_layout(folder, name.as_deref(), called.as_deref(), platform);
            write(&to, archive.map_err(transfer_failed)?).await.map_err(transfer_failed)?;
            (full, None)
        }
        LocalSource::Archive(..) | LocalSource::Stdio => {
            return Err(Failure::new(Exit::Usage, "The image is an archive already")
                .hint("`hythe load` brings it into an engine or a registry"));
        }
    };
    let file = match &to {
        Destination::File(path) => path.display().to_string(),
        Destination::Stdout => "standard output".to_owned(),
    };
    let saved = Saved { image, digest, file };
    let sentence = format!("Saved {} in {}", saved.image, saved.file);
    if matches!(to, Destination::Stdout) {
        // Standard output is the archive.
        printer.talk(&sentence);
        return Ok(());
    }
    printer.named(&saved, [&saved.file], &sentence)
}

/// Saves an image of a registry, or tells what would be fetched.
async fn from_registry(
    arguments: &SaveArguments,
    name: &str,
    to: &Destination,
    printer: Printer,
) -> Result<Option<(String, Option<Digest>)>, Failure> {
    let place = Place::open(arguments.registry.clone())?;
    let image = place.image(name)?;
    let called = image.local().map_err(unnamed)?.to_string();
    let (target, _) = place.target(&image, printer).await?;
    let options = PullOptions { platform: arguments.platform.clone(), jobs: Some(arguments.jobs) };
    let full = image.as_docker_url(false);
    if arguments.dry_run {
        let preview = Box::pin(target.preview_pull(&image.reference(), None, &options)).await;
        preview::told(("Would save", "fetched"), &full, &preview.map_err(transfer_failed)?, printer)?;
        return Ok(None);
    }
    let saved = seen(arguments.shown.progress, async |reporter: &Reporter| {
        let reference = image.reference();
        let pulled = target.pull_archive(&reference, Some(&called), &options, reporter);
        let (digest, archive) = Box::pin(pulled).await?;
        write(to, archive).await?;
        reporter.tell(|| Event::Finished { digest });
        Ok::<_, TransferError>(digest)
    });
    Ok(Some((full, Some(saved.await.map_err(transfer_failed)?))))
}

async fn from_engine(engine: &Engine, name: &str, to: &Destination) -> Result<(), TransferError> {
    write(to, engine.export(name)?).await
}

async fn write(to: &Destination, archive: Archive) -> Result<(), TransferError> {
    match to {
        Destination::File(path) => write_file(path, archive).await,
        Destination::Stdout => write_stdout(archive).await,
    }
}

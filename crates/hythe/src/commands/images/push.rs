//! `hythe push`.

use hythe_client::engine::{Engine, EngineAddress, EngineImage, EngineKind};
use hythe_client::image::{LocalImage, RemoteImage, UNIQUE_DIGITS};
use hythe_client::progress::Reporter;
use hythe_client::transfer::{Memory, Preview, PushOptions, Pushed, Target, TransferError, archive_from};
use hythe_oci::Tag;
use serde::Serialize;

use super::failed::transfer_failed;
use super::view::seen;
use super::{Place, unnamed};
use crate::arguments::{LocalSource, PushArguments};
use crate::failure::{Exit, Failure, sentence};
use crate::printer::Printer;

/// What a push says to programs.
#[derive(Serialize)]
struct PushedImage {
    image: String,
    repository: String,
    tag: Option<Tag>,
    digest: String,
    blobs_sent: usize,
    bytes_sent: u64,
    blobs_skipped: usize,
}

/// An image on this machine, found.
pub(super) enum Found {
    Engine(Box<Engine>, String, EngineImage),
    Layout(std::path::PathBuf, Option<String>),
    Archive(std::path::PathBuf, Option<String>),
    Stdin,
}

pub(in crate::commands) async fn push(arguments: PushArguments, printer: Printer) -> Result<(), Failure> {
    let place = Place::open(arguments.registry.clone())?;
    let found = find(&arguments.image).await?;
    let image = name(&place, &arguments, &found)?;
    let (target, _) = place.target(&image, printer).await?;
    let options = PushOptions {
        compression: arguments.compression.map(Into::into),
        platform: arguments.platform.clone(),
        jobs: Some(arguments.jobs),
        memory: Memory::of_person(),
        mount_from: Vec::new(),
        through_engine: arguments.through_engine,
    };
    if arguments.dry_run {
        let preview = Box::pin(preview(&target, &found, &options)).await.map_err(transfer_failed)?;
        return super::preview::told(("Would push", "sent"), &image.as_docker_url(false), &preview, printer);
    }
    let tag = image.tag();
    let pushed = seen(arguments.shown.progress, async |reporter: &Reporter| {
        Box::pin(send(&target, &found, tag, &options, reporter)).await
    });
    let pushed = pushed.await.map_err(transfer_failed)?;
    told("Pushed", &image, &pushed, printer)
}

/// Tells what went where.
pub(super) fn told(
    verb: &str,
    image: &RemoteImage,
    pushed: &Pushed,
    printer: Printer,
) -> Result<(), Failure> {
    let told = PushedImage {
        image: image.as_docker_url(false),
        repository: image.repository().to_string(),
        tag: image.tag().cloned(),
        digest: pushed.digest.to_string(),
        blobs_sent: pushed.sent,
        bytes_sent: pushed.sent_bytes,
        blobs_skipped: pushed.skipped,
    };
    let sentence = format!(
        "{verb} {}\n{}\n{} blobs sent ({}), {} were there",
        told.image,
        told.digest,
        told.blobs_sent,
        indicatif::DecimalBytes(told.bytes_sent),
        told.blobs_skipped
    );
    printer.named(&told, [&told.image], &sentence)
}

/// Looks for the image where it is said to be, or in every engine that runs here.
pub(super) async fn find(source: &LocalSource) -> Result<Found, Failure> {
    let (kind, name) = match source {
        LocalSource::Layout(path, name) => return Ok(Found::Layout(path.clone(), name.clone())),
        LocalSource::Archive(path, name) => return Ok(Found::Archive(path.clone(), name.clone())),
        LocalSource::Stdio => return Ok(Found::Stdin),
        LocalSource::Engine(kind, name) => (kind, name),
    };
    let addresses = match kind {
        Some(kind) => EngineAddress::usual(*kind).into_iter().collect(),
        None => EngineAddress::found(),
    };
    if addresses.is_empty() {
        let what = kind.map_or("no container engine".to_owned(), |kind| format!("no socket of {kind}"));
        return Err(Failure::new(Exit::NotFound, format!("There is {what} here that could have the image {name}"))
            .hint("push from a folder with oci:FOLDER, from a file with archive:FILE, or from standard input with -"));
    }
    let mut asked = Vec::new();
    let mut problem = None;
    for address in addresses {
        asked.push(address.kind.name());
        let named = full_name(address.kind, name);
        let looked = async {
            let engine = Engine::connect(address).await?;
            let image = engine.inspect(&named).await?;
            Ok::<_, TransferError>(image.map(|image| (engine, image)))
        };
        match looked.await {
            Ok(Some((engine, image))) => return Ok(Found::Engine(Box::new(engine), named, image)),
            Ok(None) => {}
            Err(error) => problem = Some(error),
        }
    }
    match problem {
        // The only engine that was asked could not say.
        Some(error) if asked.len() == 1 => Err(transfer_failed(error)),
        _ => Err(Failure::new(Exit::NotFound, format!("There is no image {name} in {}", asked.join(" or ")))
            .hint("check the name, or build the image first")),
    }
}

/// containerd knows images by their full name.
fn full_name(kind: EngineKind, name: &str) -> String {
    match (kind, LocalImage::parse(name).and_then(|image| image.complete())) {
        (EngineKind::Containerd, Ok(reference)) => reference.to_string(),
        _ => name.to_owned(),
    }
}

/// What the image is called at the registry.
fn name(place: &Place, arguments: &PushArguments, found: &Found) -> Result<RemoteImage, Failure> {
    let image = match (&arguments.remote, &arguments.image) {
        (Some(remote), _) => place.image(remote)?,
        (None, LocalSource::Engine(_, name)) => {
            place.profile.remote_for(&LocalImage::parse(name).map_err(unnamed)?).map_err(unnamed)?
        }
        (None, _) => {
            return Err(Failure::new(Exit::Usage, "An image from a file has no name of its own")
                .hint("say what it is to be called: hythe push oci:FOLDER PROJECT/NAME:TAG"));
        }
    };
    let tag = image.tag().cloned().or_else(|| arguments.image.tag());
    let latest = || "latest".parse::<Tag>();
    let tag = tag.map_or_else(latest, Ok).map_err(|error| Failure::new(Exit::Usage, sentence(error)))?;
    let image = image.with_tag(tag);
    if !arguments.unique {
        return Ok(image);
    }
    let Found::Engine(_, _, known) = found else {
        return Err(Failure::new(Exit::Usage, "--unique needs an image of an engine, which has an ID"));
    };
    image.with_unique_tag(&known.id, UNIQUE_DIGITS).map_err(unnamed)
}

/// What a push would send.
async fn preview(target: &Target, found: &Found, options: &PushOptions) -> Result<Preview, TransferError> {
    match found {
        Found::Engine(engine, name, _) => target.preview_push_engine(engine, name, options).await,
        Found::Layout(path, name) => target.preview_push_layout(path, name.as_deref(), options).await,
        Found::Archive(path, name) => target.preview_push_archive_file(path, name.as_deref(), options).await,
        Found::Stdin => target.preview_push_archive(archive_from(std::io::stdin()), None, options).await,
    }
}

async fn send(
    target: &Target,
    found: &Found,
    tag: Option<&Tag>,
    options: &PushOptions,
    reporter: &Reporter,
) -> Result<Pushed, TransferError> {
    match found {
        Found::Engine(engine, name, _) => target.push_engine(engine, name, tag, options, reporter).await,
        Found::Layout(path, name) => target.push_layout(path, name.as_deref(), tag, options, reporter).await,
        Found::Archive(path, name) => {
            target.push_archive_file(path, name.as_deref(), tag, options, reporter).await
        }
        Found::Stdin => {
            let archive = archive_from(std::io::stdin());
            target.push_archive(archive, None, tag, options, reporter).await
        }
    }
}

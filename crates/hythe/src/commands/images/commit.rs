//! `hythe commit`: a container as an image, in its engine or on to a registry.

use hythe_client::engine::{CommitOptions, Engine, EngineAddress, EngineKind};
use hythe_client::image::LocalImage;
use hythe_client::progress::Reporter;
use hythe_client::transfer::{Memory, PushOptions};
use hythe_oci::{Digest, Tag};
use serde::Serialize;

use super::failed::transfer_failed;
use super::push::told;
use super::view::seen;
use super::{Place, preview, unnamed};
use crate::arguments::{CommitArguments, LocalSource};
use crate::failure::{Exit, Failure, sentence};
use crate::printer::Printer;

/// What a commit that stays in the engine, or is not made, says to programs.
#[derive(Serialize)]
struct Committed {
    container: String,
    image: String,
    /// The engine's name for the image; `null` when it is not made.
    id: Option<Digest>,
    dry_run: bool,
}

pub(in crate::commands) async fn commit(arguments: CommitArguments, printer: Printer) -> Result<(), Failure> {
    let (engine, container) = find(&arguments.container).await?;
    let kind = engine.address().kind;
    let options = CommitOptions {
        no_pause: !arguments.pause,
        author: arguments.author.clone(),
        message: arguments.message.clone(),
    };
    match &arguments.image {
        LocalSource::Engine(None, name) => {
            Box::pin(into_registry(&arguments, (&engine, &container), name, &options, printer)).await
        }
        LocalSource::Engine(Some(other), _) if *other != kind => Err(Failure::new(
            Exit::Usage,
            format!("The container {container} is one of {kind}, not of {other}"),
        )),
        LocalSource::Engine(Some(_), name) => {
            let name = LocalImage::parse(name).map_err(unnamed)?;
            let image = if name.tag().is_some() { name.to_string() } else { format!("{name}:latest") };
            let (repository, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
            let id = if arguments.dry_run {
                None
            } else {
                let made = engine.commit_with(&container, repository, tag, &options).await;
                Some(made.map_err(|error| transfer_failed(error.into()))?)
            };
            in_engine(Committed { container, image: image.clone(), id, dry_run: arguments.dry_run }, printer)
        }
        _ => Err(Failure::new(Exit::Usage, "A container becomes an image of its engine or of a registry")
            .hint("write PROJECT/NAME:TAG, or docker:NAME to keep it in the engine")),
    }
}

async fn into_registry(
    arguments: &CommitArguments,
    (engine, container): (&Engine, &str),
    name: &str,
    options: &CommitOptions,
    printer: Printer,
) -> Result<(), Failure> {
    let place = Place::open(arguments.registry.clone())?;
    let image = place.image(name)?;
    let latest = || "latest".parse::<Tag>();
    let tag = image.tag().cloned().map_or_else(latest, Ok);
    let tag = tag.map_err(|error| Failure::new(Exit::Usage, sentence(error)))?;
    let image = image.with_tag(tag.clone());
    let full = image.as_docker_url(false);
    let (target, _) = place.target(&image, printer).await?;
    let push = PushOptions {
        compression: arguments.compression.map(Into::into),
        jobs: Some(arguments.jobs),
        memory: Memory::of_person(),
        ..PushOptions::default()
    };
    if arguments.dry_run {
        let preview = Box::pin(target.preview_commit(engine, container, &push)).await;
        let doing = format!("Would commit the container {container} and push it to");
        return preview::told((&doing, "sent"), &full, &preview.map_err(transfer_failed)?, printer);
    }
    let local = full.strip_suffix(&format!(":{tag}")).unwrap_or(&full);
    let pushed = seen(arguments.shown.progress, async |reporter: &Reporter| {
        let local = (local, tag.as_str());
        Box::pin(target.commit(engine, container, local, Some(&tag), (options, &push), reporter)).await
    });
    let pushed = pushed.await.map_err(transfer_failed)?;
    told("Committed and pushed", &image, &pushed, printer)
}

fn in_engine(told: Committed, printer: Printer) -> Result<(), Failure> {
    let verb = if told.dry_run { "Would commit" } else { "Committed" };
    let id = told.id.map(|id| format!("\n{id}")).unwrap_or_default();
    let sentence = format!("{verb} the container {} as {}{id}", told.container, told.image);
    printer.named(&told, [&told.image], &sentence)
}

/// The engine that has the container: the one named, or whichever has it.
async fn find(container: &LocalSource) -> Result<(Engine, String), Failure> {
    let LocalSource::Engine(kind, name) = container else {
        return Err(Failure::new(Exit::Usage, "A container is named by its name or ID in docker or podman"));
    };
    if *kind == Some(EngineKind::Containerd) {
        return Err(Failure::new(Exit::Usage, "containerd makes no images of containers")
            .hint("containers of docker and podman can be committed"));
    }
    let addresses = match kind {
        Some(kind) => EngineAddress::usual(*kind).into_iter().collect(),
        None => EngineAddress::found(),
    };
    let mut asked = Vec::new();
    let mut problem = None;
    for address in addresses.into_iter().filter(|address| address.kind != EngineKind::Containerd) {
        asked.push(address.kind.name());
        let looked = async {
            let engine = Engine::connect(address).await?;
            Ok::<_, hythe_client::engine::EngineError>(engine.container(name).await?.map(|_| engine))
        };
        match looked.await {
            Ok(Some(engine)) => return Ok((engine, name.clone())),
            Ok(None) => {}
            Err(error) => problem = Some(error),
        }
    }
    match problem {
        Some(error) if asked.len() == 1 => Err(transfer_failed(error.into())),
        _ if asked.is_empty() => Err(Failure::new(
            Exit::NotFound,
            "There is no docker or podman here that could have the container",
        )),
        problem => {
            let failure = Failure::new(
                Exit::NotFound,
                format!("There is no container {name} in {}", asked.join(" or ")),
            );
            // One of them could not say.
            Err(match problem {
                Some(error) => failure.hint(error.to_string()),
                None => failure,
            })
        }
    }
}

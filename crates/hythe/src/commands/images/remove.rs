//! `hythe rm` and `hythe tag`: taking images away, and giving them further names.

use hythe_client::image::RemoteImage;
use hythe_client::transfer::Target;
use hythe_oci::{Digest, Reference, Tag};
use hythe_remote::RemoteError;
use serde::Serialize;

use super::Place;
use super::failed::failed;
use crate::arguments::{RemoveArguments, TagArguments};
use crate::failure::{Exit, Failure};
use crate::printer::Printer;

/// What `rm` says to programs.
#[derive(Serialize)]
struct Removed {
    image: String,
    digest: Option<Digest>,
    /// Tags that are gone.
    tags: Vec<Tag>,
    dry_run: bool,
}

/// What `tag` says to programs.
#[derive(Serialize)]
struct Tagged {
    repository: String,
    tag: Tag,
    digest: Digest,
}

pub(in crate::commands) async fn remove(arguments: RemoveArguments, printer: Printer) -> Result<(), Failure> {
    let place = Place::open(arguments.registry)?;
    let image = place.image(&arguments.image)?;
    let (target, _) = place.target(&image, printer).await?;
    let removed = match (image.digest(), image.tag()) {
        (Some(digest), _) => whole(&target, &image, *digest, arguments.dry_run).await?,
        (None, Some(tag)) => one_tag(&target, &image, tag, arguments.dry_run).await?,
        (None, None) => {
            return Err(Failure::new(Exit::Usage, "Say which image is to go")
                .hint("name a tag to remove that name alone, or a digest (@sha256:…) to remove the image with all its names"));
        }
    };
    let names = match &removed.tags[..] {
        [] => "no tag".to_owned(),
        tags => tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let verb = if removed.dry_run { "Would remove" } else { "Removed" };
    let sentence = match &removed.digest {
        Some(digest) => format!("{verb} {digest} from {} with its tags: {names}", target.repository()),
        None => {
            format!("{verb} the tag {names} from {}; the image stays under its digest", target.repository())
        }
    };
    printer.result(&removed, &sentence)
}

/// A name alone. Where a registry removes no tag, nothing is done instead: the image would go with all its names.
async fn one_tag(target: &Target, image: &RemoteImage, tag: &Tag, dry_run: bool) -> Result<Removed, Failure> {
    let reference = Reference::Tag(tag.clone());
    let found = target.remote().resolve(target.repository(), &reference).await.map_err(failed)?;
    if !dry_run {
        match target.remote().delete_tag(target.repository(), tag).await {
            Ok(()) => {}
            Err(RemoteError::Unsupported { .. }) => {
                let sentence = format!("{} removes no tag by itself", image.registry());
                return Err(Failure::new(Exit::Failed, sentence).hint(format!(
                    "{}@{} removes the image with all its tags",
                    image.repository(),
                    found.digest
                )));
            }
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(Removed { image: image.as_docker_url(false), digest: None, tags: vec![tag.clone()], dry_run })
}

/// An image with all its names.
async fn whole(
    target: &Target,
    image: &RemoteImage,
    digest: Digest,
    dry_run: bool,
) -> Result<Removed, Failure> {
    let tags = target.tags_of(&digest).await.map_err(failed)?;
    if let Some(tag) = image.tag()
        && !tags.contains(tag)
    {
        let sentence =
            format!("{} does not name {digest} now, so nothing was removed", image.as_docker_url(false));
        return Err(Failure::new(Exit::Conflict, sentence).hint("look at it again with `hythe digest`"));
    }
    if !dry_run {
        match target.remote().delete_manifest(target.repository(), &digest).await {
            Ok(()) => {}
            Err(RemoteError::Unsupported { .. }) => {
                return Err(Failure::new(Exit::Failed, format!("{} removes no images", image.registry())));
            }
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(Removed { image: image.as_docker_url(false), digest: Some(digest), tags, dry_run })
}

pub(in crate::commands) async fn tag(arguments: TagArguments, printer: Printer) -> Result<(), Failure> {
    let place = Place::open(arguments.registry)?;
    let image = place.image(&arguments.image)?;
    let (target, _) = place.target(&image, printer).await?;
    let manifest =
        target.remote().pull_manifest(target.repository(), &image.reference()).await.map_err(failed)?;
    let reference = Reference::Tag(arguments.tag.clone());
    let pushed = target.remote().push_manifest(
        target.repository(),
        &reference,
        &manifest.media_type,
        manifest.bytes.clone(),
    );
    pushed.await.map_err(failed)?;
    let tagged =
        Tagged { repository: target.repository().to_string(), tag: arguments.tag, digest: manifest.digest };
    let sentence = format!("{}:{} is {} now", tagged.repository, tagged.tag, tagged.digest);
    printer.result(&tagged, &sentence)
}

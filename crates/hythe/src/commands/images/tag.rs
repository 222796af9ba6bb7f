//! `hythe tag`: giving an image a further name.

use hythe_oci::{Digest, Reference, Tag};
use serde::Serialize;

use super::Place;
use super::failed::failed;
use crate::arguments::TagArguments;
use crate::failure::Failure;
use crate::printer::Printer;

/// What `tag` says to programs.
#[derive(Serialize)]
struct Tagged {
    repository: String,
    tag: Tag,
    digest: Digest,
    /// What the tag named before, if it named another image.
    was: Option<Digest>,
    dry_run: bool,
}

pub(in crate::commands) async fn tag(arguments: TagArguments, printer: Printer) -> Result<(), Failure> {
    let place = Place::open(arguments.registry)?;
    let image = place.image(&arguments.image)?;
    let (target, _) = place.target(&image, printer).await?;
    let (remote, repository) = (target.remote(), target.repository());
    let manifest = remote.pull_manifest(repository, &image.reference()).await.map_err(failed)?;
    let reference = Reference::Tag(arguments.tag.clone());
    let was = match remote.resolve(repository, &reference).await {
        Ok(found) => Some(found.digest).filter(|digest| *digest != manifest.digest),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(failed(error)),
    };
    if !arguments.dry_run {
        let bytes = manifest.bytes.clone();
        remote.push_manifest(repository, &reference, &manifest.media_type, bytes).await.map_err(failed)?;
    }
    let (dry_run, repository) = (arguments.dry_run, repository.to_string());
    let tagged = Tagged { repository, tag: arguments.tag, digest: manifest.digest, was, dry_run };
    let verb = if dry_run { "would be" } else { "is" };
    let mut sentence = format!("{}:{} {verb} {} now", tagged.repository, tagged.tag, tagged.digest);
    if let Some(was) = &tagged.was {
        sentence.push_str(&format!("; it was {was}"));
    }
    printer.named(&tagged, [&tagged.digest], &sentence)
}

//! `hythe tags`, `hythe digest`, `hythe size`: what a registry of any kind says of a repository or an image.

use futures_util::TryStreamExt as _;
use hythe_client::image::RemoteImage;
use hythe_client::transfer::{ImageSize, Target};
use serde::Serialize;

use super::failed::{failed, transfer_failed};
use super::page::fitting;
use super::{Place, unnamed};
use crate::arguments::ImageArguments;
use crate::failure::Failure;
use crate::printer::{self, Printer};

/// What `digest` says to programs.
#[derive(Serialize)]
struct Told {
    image: String,
    digest: String,
    media_type: String,
}

pub(in crate::commands) async fn tags(arguments: ImageArguments, printer: Printer) -> Result<(), Failure> {
    let (target, _) = reached(arguments, printer).await?;
    let pages = target.remote().tags(target.repository()).map_err(failed)?;
    let tags: Vec<hythe_oci::Tag> = pages.into_stream().try_collect().await.map_err(failed)?;
    printer.table(&tags, &["tag"], tags.iter().map(|tag| vec![tag.to_string()]))
}

pub(in crate::commands) async fn digest(arguments: ImageArguments, printer: Printer) -> Result<(), Failure> {
    let (target, image) = reached(arguments, printer).await?;
    let found = target.remote().resolve(target.repository(), &image.reference()).await.map_err(failed)?;
    let told = Told {
        image: image.as_docker_url(false),
        digest: found.digest.to_string(),
        media_type: found.media_type.to_string(),
    };
    printer.named(&told, [&told.digest], &told.digest)
}

pub(in crate::commands) async fn size(arguments: ImageArguments, printer: Printer) -> Result<(), Failure> {
    let (target, image) = reached(arguments, printer).await?;
    let size: ImageSize = target.size(&image.reference()).await.map_err(transfer_failed)?;
    let width = printer::width();
    let mut rows: Vec<_> = size
        .platforms
        .iter()
        .map(|part| {
            let platform = part.platform.clone().unwrap_or_else(|| "–".to_owned());
            vec![platform, indicatif::DecimalBytes(part.bytes).to_string(), fitting(&part.digest, width)]
        })
        .collect();
    if size.platforms.len() > 1 {
        // What platforms share counts once.
        rows.push(vec![
            "in all".to_owned(),
            indicatif::DecimalBytes(size.bytes).to_string(),
            fitting(&size.digest, width),
        ]);
    }
    printer.listing(&size, [size.bytes], &["platform", "size", "digest"], rows)
}

async fn reached(arguments: ImageArguments, printer: Printer) -> Result<(Target, RemoteImage), Failure> {
    let place = Place::open(arguments.registry)?;
    let image = place.image(&arguments.image)?;
    image.local().map_err(unnamed)?;
    let (target, _) = place.target(&image, printer).await?;
    Ok((target, image))
}

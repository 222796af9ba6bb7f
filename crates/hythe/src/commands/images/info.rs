//! `hythe info`: what an image is, as a page for people or a document for programs.

use hythe_client::info::ImageInfo;
use serde::Serialize;

use super::failed::transfer_failed;
use super::{Place, page, unnamed};
use crate::arguments::InfoArguments;
use crate::failure::Failure;
use crate::printer::{self, Printer};

/// What `info` says to programs.
#[derive(Serialize)]
struct Told {
    name: String,
    #[serde(flatten)]
    info: ImageInfo,
}

pub(in crate::commands) async fn info(arguments: InfoArguments, printer: Printer) -> Result<(), Failure> {
    let place = Place::open(arguments.registry)?;
    let image = place.image(&arguments.image)?;
    image.local().map_err(unnamed)?;
    let (target, _) = place.target(&image, printer).await?;
    let info = Box::pin(target.info(&image.reference(), arguments.platform.as_ref()))
        .await
        .map_err(transfer_failed)?;
    let told = Told { name: image.as_docker_url(false), info };
    let page = page::page(&told.name, &told.info, printer::width());
    printer.named(&told, [told.info.digest], &page)
}

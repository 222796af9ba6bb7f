//! `hythe status` and `hythe wait`: whether an image can be pulled, now or as soon as it can.

use hythe_api::{ImageStatus, Readiness};
use hythe_client::image::RemoteImage;

use super::Place;
use super::failed::transfer_failed;
use crate::arguments::{ImageArguments, WaitArguments};
use crate::failure::{Exit, Failure};
use crate::printer::{self, Printer};

pub(in crate::commands) async fn status(arguments: ImageArguments, printer: Printer) -> Result<(), Failure> {
    let place = Place::open(arguments.registry)?;
    let image = place.image(&arguments.image)?;
    let target = place.target(&image, printer).await?.0;
    let status = target.status(&image.reference()).await.map_err(transfer_failed)?;
    told(&status, printer)
}

pub(in crate::commands) async fn wait(arguments: WaitArguments, printer: Printer) -> Result<(), Failure> {
    let place = Place::open(arguments.registry)?;
    let image = place.image(&arguments.image)?;
    let target = place.target(&image, printer).await?.0;
    let waited = target.wait_ready(&image.reference(), arguments.timeout).await.map_err(transfer_failed)?;
    told(&waited, printer)?;
    if waited.status == Readiness::Ready { Ok(()) } else { Err(late(&image, &waited)) }
}

fn late(image: &RemoteImage, status: &ImageStatus) -> Failure {
    let reason = status.places.iter().find_map(|place| place.reason.clone()).unwrap_or_default();
    let sentence = format!("{} is not ready: {reason}", image.as_docker_url(false));
    Failure::new(Exit::NotReady, sentence.trim_end_matches('.')).hint("wait longer with --timeout")
}

fn told(status: &ImageStatus, printer: Printer) -> Result<(), Failure> {
    let width = printer::width();
    let rows = status.places.iter().map(|place| {
        let word = match place.status {
            Readiness::Ready => "ready",
            Readiness::Pending => "pending",
        };
        vec![
            place.place.clone(),
            word.to_owned(),
            format!("{} %", place.percent),
            super::page::fitting(&status.digest, width),
            place.reason.clone().unwrap_or_default(),
        ]
    });
    let word = match status.status {
        Readiness::Ready => "READY",
        Readiness::Pending => "PENDING",
    };
    printer.listing(status, [word], &["place", "status", "there", "digest", "reason"], rows)
}

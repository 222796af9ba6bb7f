//! `hythe quickstart`: a registry, an image pushed and pulled before the reader's eyes, and what to type next.
//!
//! Invariant: it may be run again on the same folder, whatever an earlier run left there; what is there
//! already is used, never replaced.

mod demonstration;
mod narrator;
mod next_steps;
mod place;

use hythe_client::sample;
use hythe_outbound::{Outbound, Url};
use tokio::runtime::Builder;

use super::session::environment_secret;
use super::{log_format, runtime};
use crate::arguments::{Global, QuickstartArguments};
use crate::configuration::{Config, Format, Level, Number};
use crate::failure::{Exit, Failure, sentence};
use crate::logging;
use crate::printer::Printer;
use crate::serving::{Running, Start};

use demonstration::Demonstration;
use narrator::Narrator;
use next_steps::NextSteps;
use place::{Password, Place};

pub(super) fn run(arguments: QuickstartArguments, global: &Global, printer: Printer) -> Result<(), Failure> {
    let format = log_format(global, Format::Text);
    // A line per request would drown what is to be seen here; `-v` brings them back.
    logging::start_timed(format, Level::Warn, global.verbose)?;
    let narrator = Narrator::new(printer, format);
    runtime(Builder::new_multi_thread())?.block_on(async {
        let place = Place::choose(arguments.data_dir, arguments.listen)?;
        let mut config =
            Config { data_dir: place.folder().to_owned(), listen: place.listen(), ..Config::default() };
        // Nobody who tries it out shall be told first that a cluster's connections need more open files.
        config.limits.connections = Number::of::<1_000>();
        let start = Start { dev_tls: false, admin_password: environment_secret("HYTHE_ADMIN_PASSWORD") };
        let running = Running::start(&config, start).await?;
        place.remember(running.address())?;

        let shown = Box::pin(show(&running, &place, narrator)).await;
        match shown {
            Ok(next) if arguments.once => {
                running.stop().await;
                printer.result(&next, &next.to_string())
            }
            Ok(next) => {
                printer.result(&next, &next.to_string())?;
                narrator.say("Serving until you press Ctrl-C.");
                running.until_stopped().await
            }
            Err(failure) => {
                running.stop().await;
                Err(failure)
            }
        }
    })
}

/// Pushes and pulls the sample image, and answers what the person can do from here.
async fn show(running: &Running, place: &Place, narrator: Narrator) -> Result<NextSteps, Failure> {
    let address = place::reachable(running.address());
    let url = Url::parse(&format!("http://{address}"))
        .map_err(|error| Failure::new(Exit::Failed, format!("The address {address} is no URL: {error}")))?;
    narrator.say(&format!("Registry at http://{address}, kept in {}", place.folder().display()));

    let password = Password::find(place.folder())?;
    let outbound =
        Outbound::builder().build().map_err(|error| Failure::new(Exit::Failed, sentence(error)))?;
    let image = sample::image().map_err(|error| Failure::new(Exit::Failed, sentence(error)))?;
    let demonstration = Demonstration::new(outbound, &url, &password, narrator)?;
    demonstration.create_project().await?;
    demonstration.push(&image).await?;
    demonstration.pull(&image).await?;
    Ok(NextSteps::new(address, place.folder(), &password, image.manifest.digest))
}

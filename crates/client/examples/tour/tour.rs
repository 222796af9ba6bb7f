//! The tour itself.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hythe_client::ContainerRegistry;
use hythe_client::account::OwnLogin;
use hythe_client::progress::{Event, Reporter};
use hythe_client::transfer::PushOptions;
use hythe_outbound::{Outbound, Url};

/// Pushes the image of a layout to the project's repository `tour`, waits until it can be pulled, tells what is there, and
/// removes it again.
pub(crate) async fn tour(
    server: Url,
    login: OwnLogin,
    project: &str,
    folder: &Path,
    say: impl Fn(&str),
) -> Result<(), Box<dyn Error>> {
    let outbound = Outbound::builder().build()?;
    let registry = ContainerRegistry::open(outbound, &server, project.parse()?, login).await?;
    say(&format!("{} at {}", registry.username(), registry.url()));

    let target = registry.target(registry.create_repository("tour").await?);
    // A window, a log, a socket: whoever is told of events may do with them what they like, as long as it is quick.
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let reporter = Reporter::to(Arc::new(move |event: &Event| {
        if matches!(event, Event::Done { .. }) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let tag = "v1".parse()?;
    let pushed = target.push_layout(folder, None, Some(&tag), &PushOptions::default(), &reporter).await?;
    say(&format!("pushed {}, {} blobs sent", pushed.digest, told.load(Ordering::Relaxed)));

    let image = format!("tour@{}", pushed.digest);
    let status = registry.wait_ready(&image, Duration::from_secs(60)).await?;
    say(&format!("{:?}: {} % at {}", status.status, status.places[0].percent, status.places[0].place));
    let size = target.size(&hythe_oci::Reference::Digest(pushed.digest)).await?;
    say(&format!("{} bytes for {} platforms", size.bytes, size.platforms.len()));
    say(&format!("images: {}", registry.image_names().await?.join(", ")));

    say(&format!("removed: {}", registry.delete_image("tour:v1").await?));
    match registry.is_image_ready("tour:v1").await {
        Err(error) if error.is_not_found() => say("and it is gone"),
        other => say(&format!("and it is {other:?}")),
    }
    Ok(())
}

//! `hythe copy`.

use hythe_client::progress::Reporter;
use hythe_client::transfer::CopyOptions;
use hythe_oci::Reference;

use super::Place;
use super::failed::transfer_failed;
use super::push::told;
use super::view::seen;
use crate::arguments::CopyArguments;
use crate::failure::Failure;
use crate::printer::Printer;

pub(in crate::commands) async fn copy(arguments: CopyArguments, printer: Printer) -> Result<(), Failure> {
    let place = Place::open(arguments.registry)?;
    let (from, to) = (place.image(&arguments.from)?, place.image(&arguments.to)?);
    let tag = to.tag().cloned().or_else(|| match from.reference() {
        // Also where none is written: what is read as `latest` is called so there.
        Reference::Tag(tag) => Some(tag),
        Reference::Digest(_) => from.tag().cloned(),
    });
    let to = match &tag {
        Some(tag) => to.with_tag(tag.clone()),
        None => to,
    };
    let (source, _) = place.target(&from, printer).await?;
    let (target, _) = place.target(&to, printer).await?;
    let options = CopyOptions {
        platform: arguments.platform,
        referrers: !arguments.no_referrers,
        jobs: Some(arguments.jobs),
    };
    if arguments.dry_run {
        let preview = Box::pin(source.preview_copy(&from.reference(), &target, &options)).await;
        let preview = preview.map_err(transfer_failed)?;
        return super::preview::told(("Would copy to", "sent"), &to.as_docker_url(false), &preview, printer);
    }
    let copied = seen(arguments.shown.progress, async |reporter: &Reporter| {
        Box::pin(source.copy_to(&from.reference(), &target, tag.as_ref(), &options, reporter)).await
    });
    let copied = copied.await.map_err(transfer_failed)?;
    told("Copied to", &to, &copied, printer)
}

//! A container becomes an image in a registry: made by its engine, then pushed like any other image of it.

use hythe_oci::Tag;

use super::target::{PushOptions, Pushed};
use super::{Target, TransferError};
use crate::engine::{CommitOptions, Engine};
use crate::progress::{Event, Plan, Reporter, TransferKind};

impl Target {
    /// Makes an image of a container and pushes it. The image stays in the engine as `local`, a repository and a tag.
    ///
    /// The plan says what is saved where; then the image is made, and the push tells a plan of its own with its layers.
    ///
    /// # Errors
    /// There is no such container, the engine cannot do this, or the push fails: see [`TransferError`].
    pub async fn commit(
        &self,
        engine: &Engine,
        container: &str,
        local: (&str, &str),
        tag: Option<&Tag>,
        options: (&CommitOptions, &PushOptions),
        reporter: &Reporter,
    ) -> Result<Pushed, TransferError> {
        let image = format!("{}:{}", local.0, local.1);
        let source = format!("{} container {container}", engine.address().kind);
        let plan = Plan::new(TransferKind::Save, source, self.named(tag), Vec::new());
        reporter.tell(|| Event::Plan(plan));
        commit(engine, container, local, options.0, reporter).await?;
        self.push_engine(engine, &image, tag, options.1, reporter).await
    }
}

/// Makes an image of a container, and tells of it.
pub(crate) async fn commit(
    engine: &Engine,
    container: &str,
    (repository, tag): (&str, &str),
    options: &CommitOptions,
    reporter: &Reporter,
) -> Result<(), TransferError> {
    let image = format!("{repository}:{tag}");
    reporter.tell(|| Event::CommitStarted { container: container.to_owned(), image: image.clone() });
    match engine.commit_with(container, repository, tag, options).await {
        Ok(_) => {
            reporter.tell(|| Event::CommitFinished { image });
            Ok(())
        }
        Err(error) => {
            reporter.failed(&error.to_string());
            Err(error.into())
        }
    }
}

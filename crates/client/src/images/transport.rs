//! Between an engine of this machine and a registry: push, pull, and containers that become images.

use std::sync::Arc;

use hythe_oci::{Digest, Reference};

use super::Images;
use crate::ClientError;
use crate::engine::{Engine, EngineAddress, EngineError, EngineKind};
use crate::image::{LocalImage, RemoteImage};
use crate::progress::{Event, Plan, Reporter, TransferKind};

impl Images {
    /// Pushes an image of an engine; without a remote name, to the same name in the default project. Answers the name
    /// with the digest that the image has there.
    ///
    /// The image is written under the tag of the remote name (`latest` if it has neither tag nor digest). A digest cannot be
    /// chosen: with a digest alone, the image is written without a tag.
    ///
    /// # Errors
    /// [`ClientError::NoLocalImage`]; [`ImageNameError::NoProject`](crate::image::ImageNameError::NoProject) when no remote
    /// name is given and there is no default project; the push did not come to its end.
    pub async fn push(
        &self,
        local: &LocalImage,
        remote: Option<&RemoteImage>,
        reporter: &Reporter,
    ) -> Result<RemoteImage, ClientError> {
        let prepared = async {
            let remote = remote.cloned().map_or_else(|| self.profile.remote_for(local), Ok)?;
            let (engine, name) = self.engine_with(local).await?;
            Ok::<_, ClientError>((remote, engine, name))
        };
        let (remote, engine, name) = reporter.begun(prepared.await)?;
        self.push_from(&engine, &name, remote, reporter).await
    }

    /// Pulls an image into an engine; without a local name, under the image's own. Answers the local name.
    ///
    /// Of an image of several platforms the one that this machine runs is pulled.
    ///
    /// # Errors
    /// [`ClientError::NoEngine`]; [`ClientError::is_not_found`] when there is no such image; the pull did not come to its
    /// end.
    pub async fn pull(
        &self,
        remote: &RemoteImage,
        local: Option<&LocalImage>,
        reporter: &Reporter,
    ) -> Result<LocalImage, ClientError> {
        let prepared = async {
            let local = local.cloned().map_or_else(|| remote.local(), Ok)?;
            // An engine gets a tag to keep the image under, never a digest.
            let local = LocalImage::new(&local.name(), local.tag().cloned())?;
            let engine = self.an_engine(&remote.to_string()).await?;
            let name = known_as(engine.address().kind, &local)?;
            Ok::<_, ClientError>((local, engine, name, self.target(remote).await?))
        };
        let (local, engine, name, target) = reporter.begun(prepared.await)?;
        target.pull_engine(&remote.reference(), &engine, &name, &self.pull_options, reporter).await?;
        Ok(local)
    }

    /// Makes an image of a container as it is now; the container goes on. Answers the image's ID at the engine.
    ///
    /// # Errors
    /// No engine here has such a container, or the one that has cannot do this (containerd).
    pub async fn commit(
        &self,
        container: &str,
        local: &LocalImage,
        reporter: &Reporter,
    ) -> Result<Digest, ClientError> {
        Ok(self
            .commit_as(container, &local.name(), &local.reference(), &local.to_string(), reporter)
            .await?
            .1)
    }

    /// Saves a container, as it is now, as an image in a registry; the container goes on. Answers the name with the digest
    /// that the image has there. The engine keeps the image under its name in the registry, as `docker commit` would.
    ///
    /// # Errors
    /// As for [`commit`](Self::commit) and [`push`](Self::push).
    pub async fn save(
        &self,
        container: &str,
        remote: &RemoteImage,
        reporter: &Reporter,
    ) -> Result<RemoteImage, ClientError> {
        let place = format!("{}/{}", remote.registry(), remote.repository());
        let prepared = async {
            let tag = LocalImage::new(&place, remote.tag().cloned())?.reference();
            // Whoever cannot push need not have a container stopped for it.
            self.target(remote).await?;
            Ok::<_, ClientError>(tag)
        };
        let tag = reporter.begun(prepared.await)?;
        let plan = Plan::new(TransferKind::Save, container.to_owned(), remote.to_string(), Vec::new());
        reporter.tell(|| Event::Plan(plan));
        let (engine, _) = self.commit_as(container, &place, &tag, &remote.to_string(), reporter).await?;
        let name = format!("{place}:{tag}");
        self.push_from(&engine, &name, remote.clone(), &within_a_save(reporter)).await
    }

    async fn push_from(
        &self,
        engine: &Engine,
        name: &str,
        remote: RemoteImage,
        reporter: &Reporter,
    ) -> Result<RemoteImage, ClientError> {
        let tag = match (remote.tag(), remote.reference()) {
            (Some(tag), _) => Some(tag.clone()),
            (None, Reference::Tag(tag)) => Some(tag),
            (None, Reference::Digest(_)) => None,
        };
        let target = reporter.begun(self.target(&remote).await)?;
        let pushed = target.push_engine(engine, name, tag.as_ref(), &self.push_options, reporter).await?;
        let remote = match tag {
            Some(tag) => remote.with_tag(tag),
            None => remote,
        };
        Ok(remote.with_digest(pushed.digest))
    }

    /// Commits in the engine that has the container, and tells of it.
    async fn commit_as(
        &self,
        container: &str,
        repository: &str,
        reference: &Reference,
        image: &str,
        reporter: &Reporter,
    ) -> Result<(Engine, Digest), ClientError> {
        let Reference::Tag(tag) = reference else {
            return reporter.begun(Err(ClientError::NoTag { image: image.to_owned() }));
        };
        reporter.tell(|| Event::CommitStarted { container: container.to_owned(), image: image.to_owned() });
        let committed = self.commit_where_it_runs(container, repository, tag.as_str()).await;
        match &committed {
            Ok(_) => reporter.tell(|| Event::CommitFinished { image: image.to_owned() }),
            Err(error) => reporter.failed(&error.to_string()),
        }
        committed
    }

    async fn commit_where_it_runs(
        &self,
        container: &str,
        repository: &str,
        tag: &str,
    ) -> Result<(Engine, Digest), ClientError> {
        let mut refused = None;
        for engine in self.engines(container).await? {
            match engine.commit(container, repository, tag).await {
                Ok(id) => return Ok((engine, id)),
                // Another engine may have it.
                Err(error @ EngineError::Refused { status: Some(404), .. }) => refused = Some(error),
                Err(error @ EngineError::Unsupported { .. }) => refused = refused.or(Some(error)),
                Err(error) => return Err(error.into()),
            }
        }
        Err(refused.map_or_else(|| ClientError::NoEngine { what: container.to_owned() }, Into::into))
    }

    /// The engine that has an image, and the image's name there.
    async fn engine_with(&self, local: &LocalImage) -> Result<(Engine, String), ClientError> {
        let mut asked = Vec::new();
        let mut failed = None;
        for engine in self.engines(&local.to_string()).await? {
            let kind = engine.address().kind;
            let name = known_as(kind, local)?;
            match engine.inspect(&name).await {
                Ok(Some(_)) => return Ok((engine, name)),
                Ok(None) => asked.push(kind.name()),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            // None of those that could say has it.
            Some(error) if asked.is_empty() => Err(error.into()),
            _ => Err(ClientError::NoLocalImage { name: local.to_string(), engines: asked.join(" or ") }),
        }
    }

    /// The engine that an image goes to.
    async fn an_engine(&self, what: &str) -> Result<Engine, ClientError> {
        let first = self.engines(what).await?.into_iter().next();
        first.ok_or_else(|| ClientError::NoEngine { what: what.to_owned() })
    }

    /// The engine that was given, else every one that answers here; one at least.
    async fn engines(&self, what: &str) -> Result<Vec<Engine>, ClientError> {
        if let Some(engine) = &self.engine {
            return Ok(vec![engine.clone()]);
        }
        let mut engines = Vec::new();
        let mut failed = None;
        for address in EngineAddress::found() {
            match Engine::connect(address).await {
                Ok(engine) => engines.push(engine),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            _ if !engines.is_empty() => Ok(engines),
            Some(error) => Err(error.into()),
            None => Err(ClientError::NoEngine { what: what.to_owned() }),
        }
    }
}

/// What an engine calls an image: containerd knows images by their full name.
fn known_as(kind: EngineKind, local: &LocalImage) -> Result<String, ClientError> {
    Ok(match kind {
        EngineKind::Containerd => local.complete()?.to_string(),
        EngineKind::Docker | EngineKind::Podman => local.to_string(),
    })
}

/// The reporter of a push that is a part of a save: the plan was told already, so that of the push only adds its layers.
fn within_a_save(reporter: &Reporter) -> Reporter {
    if reporter.is_silent() {
        return Reporter::silent();
    }
    let outer = reporter.clone();
    Reporter::to(Arc::new(move |event: &Event| match event {
        Event::Plan(plan) => {
            for layer in &plan.layers {
                outer.tell(|| Event::Layer(layer.clone()));
            }
        }
        other => outer.tell(|| other.clone()),
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::progress::Layer;

    #[test]
    fn a_save_has_one_plan() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        let outer = Reporter::to(Arc::new(move |event: &Event| hears.lock().unwrap().push(event.clone())));
        let inner = within_a_save(&outer);
        let layer = Layer::new(0, None, None, Some(3));
        let plan = Plan::new(
            TransferKind::Push,
            "docker image app".into(),
            "lab/app:v1".into(),
            vec![layer.clone()],
        );
        inner.tell(|| Event::Plan(plan));
        inner.tell(|| Event::Finalising);
        assert_eq!(*heard.lock().unwrap(), [Event::Layer(layer), Event::Finalising]);
        assert!(within_a_save(&Reporter::silent()).is_silent());
    }

    #[test]
    fn containerd_knows_whole_names() {
        let app = LocalImage::parse("app:v1").unwrap();
        assert_eq!(known_as(EngineKind::Docker, &app).unwrap(), "app:v1");
        assert_eq!(known_as(EngineKind::Containerd, &app).unwrap(), "docker.io/library/app:v1");
    }
}

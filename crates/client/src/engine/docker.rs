//! docker and podman, over their API.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bollard::errors::Error;
use bollard::models::{BuildInfo, ContainerConfig, ImageInspect};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, ImportImageOptionsBuilder, InspectContainerOptionsBuilder,
    ListImagesOptions, TagImageOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker as Client};
use futures_util::{StreamExt as _, TryStreamExt as _};
use hythe_oci::Digest;

use super::{
    Archive, CommitOptions, EngineAddress, EngineContainer, EngineError, EngineImage, EngineKind, absent,
    digest, unreadable, version,
};
use crate::source::DockerStore;

/// How long an answer may take to begin, in seconds. Older engines write the whole archive to their disk before its
/// first byte goes out.
const PATIENCE: u64 = 3600;

/// docker's or podman's API.
#[derive(Clone)]
pub(super) struct Docker {
    client: Client,
    kind: EngineKind,
}

impl Docker {
    pub(super) async fn connect(address: &EngineAddress) -> Result<Self, EngineError> {
        let EngineAddress { kind, socket, .. } = address;
        let path = socket.to_str().ok_or_else(|| absent(*kind, socket, "its path is no text"))?;
        let client = Client::connect_with_unix(path, PATIENCE, API_DEFAULT_VERSION)
            .map_err(|error| absent(*kind, socket, innermost(&error)))?;
        let client =
            client.negotiate_version().await.map_err(|error| absent(*kind, socket, innermost(&error)))?;
        Ok(Self { client, kind: *kind })
    }

    pub(super) async fn version(&self) -> Result<String, EngineError> {
        let told = self.client.version().await.map_err(|error| self.failed(error))?.version;
        told.as_deref().and_then(version).ok_or_else(|| unreadable(self.kind, "no version"))
    }

    pub(super) async fn names(&self) -> Result<Vec<String>, EngineError> {
        let images =
            self.client.list_images(None::<ListImagesOptions>).await.map_err(|error| self.failed(error))?;
        let names = images.into_iter().flat_map(|image| image.repo_tags);
        // Older engines write this where there is no name.
        Ok(names.filter(|name| !name.contains("<none>")).collect())
    }

    pub(super) async fn inspect(&self, name: &str) -> Result<Option<EngineImage>, EngineError> {
        match self.client.inspect_image(name).await {
            Ok(image) => self.described(image).map(Some),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn described(&self, image: ImageInspect) -> Result<EngineImage, EngineError> {
        let id = image.id.ok_or_else(|| unreadable(self.kind, "an image without an id"))?;
        let layers = image.root_fs.and_then(|rootfs| rootfs.layers).unwrap_or_default();
        let platform = match (image.os, image.architecture) {
            (Some(os), Some(architecture)) => {
                let variant = image.variant.filter(|variant| !variant.is_empty());
                Some(
                    [Some(os), Some(architecture), variant]
                        .into_iter()
                        .flatten()
                        .collect::<Vec<_>>()
                        .join("/"),
                )
            }
            _ => None,
        };
        Ok(EngineImage {
            id: digest(self.kind, &id)?,
            platform,
            diff_ids: layers.iter().map(|layer| digest(self.kind, layer)).collect::<Result<_, _>>()?,
            size: image.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
        })
    }

    pub(super) fn export(&self, name: &str) -> Archive {
        let docker = self.clone();
        // The name goes into the query, where nothing in it can mean another path.
        let stream = self.client.export_images(&[name]);
        stream.map_err(move |error| io::Error::other(docker.failed(error))).boxed()
    }

    /// The engine's own folder, if it keeps images there in a way that is known here.
    pub(super) async fn store(&self) -> Option<DockerStore> {
        let told = self.client.info().await.ok()?;
        (told.driver.as_deref() == Some("overlay2"))
            .then(|| told.docker_root_dir.map(DockerStore::at))
            .flatten()
    }

    pub(super) async fn import(&self, archive: Archive) -> Result<Vec<String>, EngineError> {
        let options = ImportImageOptionsBuilder::default().quiet(true).build();
        // The client says of a broken body only that it broke; the stream knows why.
        let cause = Arc::new(Mutex::new(None));
        let noted = {
            let cause = Arc::clone(&cause);
            archive.inspect_err(move |error| {
                *cause.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            })
        };
        let mut said = self.client.import_image_stream(options, noted, None).boxed();
        let mut loaded = Vec::new();
        while let Some(line) = said.next().await {
            let line =
                line.map_err(|error| match cause.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    Some(reason) => EngineError::Broken { engine: self.kind, reason },
                    None => self.failed(error),
                })?;
            loaded.extend(loaded_name(&line));
        }
        Ok(loaded)
    }

    pub(super) async fn tag(&self, name: &str, repository: &str, tag: &str) -> Result<(), EngineError> {
        let options = TagImageOptionsBuilder::default().repo(repository).tag(tag).build();
        self.client.tag_image(name, Some(options)).await.map_err(|error| self.failed(error))
    }

    pub(super) async fn commit(
        &self,
        container: &str,
        repository: &str,
        tag: &str,
        options: &CommitOptions,
    ) -> Result<Digest, EngineError> {
        let mut asked = CommitContainerOptionsBuilder::default()
            .container(container)
            .repo(repository)
            .tag(tag)
            .pause(!options.no_pause);
        if let Some(author) = &options.author {
            asked = asked.author(author);
        }
        if let Some(message) = &options.message {
            asked = asked.comment(message);
        }
        let made = self.client.commit_container(asked.build(), ContainerConfig::default()).await;
        digest(self.kind, &made.map_err(|error| self.failed(error))?.id)
    }

    pub(super) async fn container(&self, name: &str) -> Result<Option<EngineContainer>, EngineError> {
        // The name becomes a part of the path.
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)) {
            return Ok(None);
        }
        let options = InspectContainerOptionsBuilder::default().size(true).build();
        match self.client.inspect_container(name, Some(options)).await {
            Ok(container) => Ok(Some(EngineContainer {
                image: container.image,
                changed: container.size_rw.and_then(|size| u64::try_from(size).ok()),
            })),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: Error) -> EngineError {
        let engine = self.kind;
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                EngineError::Refused { engine, status: Some(status_code), message }
            }
            Error::DockerStreamError { error } => {
                EngineError::Refused { engine, status: None, message: error }
            }
            other => EngineError::Broken { engine, reason: innermost(&other) },
        }
    }
}

impl std::fmt::Debug for Docker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Docker({})", self.kind)
    }
}

/// What the engine loaded, from the lines it says for people.
fn loaded_name(line: &BuildInfo) -> Option<String> {
    let text = line.stream.as_deref()?.trim();
    let name = text.strip_prefix("Loaded image:").or_else(|| text.strip_prefix("Loaded image ID:"))?;
    Some(name.trim().to_owned())
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut current = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> BuildInfo {
        BuildInfo { stream: Some(text.to_owned()), ..BuildInfo::default() }
    }

    #[test]
    fn what_was_loaded_is_read_from_the_engines_words() {
        assert_eq!(loaded_name(&line("Loaded image: lab/app:v1\n")).as_deref(), Some("lab/app:v1"));
        assert_eq!(loaded_name(&line("Loaded image ID: sha256:ab\n")).as_deref(), Some("sha256:ab"));
        assert_eq!(loaded_name(&line("Loading layer")), None);
    }
}

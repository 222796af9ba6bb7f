//! Container engines of this machine: docker, podman and containerd. What an image is there, its archive as a stream,
//! and the way back.
//!
//! Invariant: an engine is spoken to over its socket, or for containerd over `ctr`; no shell is ever involved, and a
//! name is passed as one argument or one part of a path. Nothing is retagged but what the caller names.

mod containerd;
mod docker;
mod error;

use std::path::{Path, PathBuf};
use std::{fmt, io};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use hythe_oci::Digest;

pub use error::EngineError;

use containerd::Containerd;
use docker::Docker;

use crate::source::DockerStore;

/// An archive as an engine writes or reads it, in pieces.
pub type Archive = BoxStream<'static, io::Result<Bytes>>;

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// Docker's engine.
    Docker,
    /// Podman's service, which speaks docker's protocol.
    Podman,
    /// containerd, as Kubernetes nodes have it.
    Containerd,
}

impl EngineKind {
    /// All kinds, in the order in which they are looked for.
    pub const ALL: [Self; 3] = [Self::Docker, Self::Podman, Self::Containerd];

    /// The name as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Containerd => "containerd",
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineAddress {
    /// Which engine.
    pub kind: EngineKind,
    /// Its socket.
    pub socket: PathBuf,
    /// The namespace, of containerd alone; `default` if left out.
    pub namespace: Option<String>,
}

impl EngineAddress {
    /// An engine at this socket.
    pub fn new(kind: EngineKind, socket: impl Into<PathBuf>) -> Self {
        Self { kind, socket: socket.into(), namespace: None }
    }

    /// Where this kind of engine listens for this person: where `DOCKER_HOST`, `CONTAINER_HOST` or `CONTAINERD_ADDRESS`
    /// says, whether or not there is a socket; else the first of the usual places that has one. `None` when none has.
    pub fn usual(kind: EngineKind) -> Option<Self> {
        let socket =
            named_socket(kind).or_else(|| usual_places(kind).into_iter().find(|place| place.exists()))?;
        let namespace = std::env::var("CONTAINERD_NAMESPACE").ok().filter(|name| !name.is_empty());
        Some(Self { kind, socket, namespace: namespace.filter(|_| kind == EngineKind::Containerd) })
    }

    /// Every engine that seems to run here.
    pub fn found() -> Vec<Self> {
        EngineKind::ALL.into_iter().filter_map(Self::usual).collect()
    }
}

/// The socket that the environment names: no other is used in its place, even if it cannot be reached.
fn named_socket(kind: EngineKind) -> Option<PathBuf> {
    let url = |variable| std::env::var(variable).ok()?.strip_prefix("unix://").map(PathBuf::from);
    match kind {
        EngineKind::Docker => url("DOCKER_HOST"),
        EngineKind::Podman => url("CONTAINER_HOST"),
        EngineKind::Containerd => {
            std::env::var_os("CONTAINERD_ADDRESS").filter(|path| !path.is_empty()).map(PathBuf::from)
        }
    }
}

fn usual_places(kind: EngineKind) -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let mut places = Vec::new();
    match kind {
        EngineKind::Docker => {
            places.push("/var/run/docker.sock".into());
            places.extend(runtime.map(|folder| folder.join("docker.sock")));
            places.extend(home.map(|folder| folder.join(".docker/run/docker.sock")));
        }
        EngineKind::Podman => {
            places.extend(runtime.map(|folder| folder.join("podman/podman.sock")));
            places.push("/run/podman/podman.sock".into());
        }
        EngineKind::Containerd => places.push("/run/containerd/containerd.sock".into()),
    }
    places
}

/// What an engine knows of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineImage {
    /// The engine's name for it: the digest of its configuration, or where the engine keeps images as containerd does,
    /// of its manifest or index.
    pub id: Digest,
    /// `os/architecture[/variant]`, as far as the engine says.
    pub platform: Option<String>,
    /// The digests of its uncompressed layers, lowest first; empty when the engine does not say.
    pub diff_ids: Vec<Digest>,
    /// What it takes at the engine, in bytes.
    pub size: u64,
}

/// What an engine knows of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineContainer {
    /// The ID of the image it was made of.
    pub image: Option<String>,
    /// The bytes of the files that it changed or made, where the engine counts them.
    pub changed: Option<u64>,
}

/// What may be said of an image that is made of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitOptions {
    /// Leave the container running while it is read: what it writes meanwhile may be in the image in part.
    pub no_pause: bool,
    /// Who made the image.
    pub author: Option<String>,
    /// What changed.
    pub message: Option<String>,
}

/// A running engine.
#[derive(Clone, Debug)]
pub struct Engine {
    address: EngineAddress,
    spoken: Spoken,
}

#[derive(Clone, Debug)]
enum Spoken {
    /// docker and podman.
    Docker(Docker),
    Containerd(Containerd),
}

impl Engine {
    /// Connects to an engine.
    ///
    /// # Errors
    /// Nothing answers at the address.
    pub async fn connect(address: EngineAddress) -> Result<Self, EngineError> {
        let spoken = match address.kind {
            EngineKind::Docker | EngineKind::Podman => Spoken::Docker(Docker::connect(&address).await?),
            EngineKind::Containerd => Spoken::Containerd(Containerd::connect(&address).await?),
        };
        Ok(Self { address, spoken })
    }

    /// Where it listens.
    pub fn address(&self) -> &EngineAddress {
        &self.address
    }

    /// The engine's version, as it tells it.
    ///
    /// # Errors
    /// The engine fails or does not say.
    pub async fn version(&self) -> Result<String, EngineError> {
        match &self.spoken {
            Spoken::Docker(docker) => docker.version().await,
            Spoken::Containerd(containerd) => containerd.version().await,
        }
    }

    /// The names of its images, `name:tag` each, in no particular order.
    ///
    /// # Errors
    /// The engine fails.
    pub async fn names(&self) -> Result<Vec<String>, EngineError> {
        match &self.spoken {
            Spoken::Docker(docker) => docker.names().await,
            Spoken::Containerd(containerd) => containerd.names().await,
        }
    }

    /// What the engine knows of an image; `None` when it has none of this name.
    ///
    /// # Errors
    /// The engine fails or cannot be understood.
    pub async fn inspect(&self, name: &str) -> Result<Option<EngineImage>, EngineError> {
        match &self.spoken {
            Spoken::Docker(docker) => docker.inspect(name).await,
            Spoken::Containerd(containerd) => containerd.inspect(name).await,
        }
    }

    /// The image as an archive: docker's form with uncompressed layers from docker and podman, an OCI layout from
    /// containerd.
    ///
    /// # Errors
    /// The name cannot be one. What goes wrong later ends the stream.
    pub fn export(&self, name: &str) -> Result<Archive, EngineError> {
        match &self.spoken {
            Spoken::Docker(docker) => Ok(docker.export(name)),
            Spoken::Containerd(containerd) => containerd.export(name),
        }
    }

    /// The folder in which the engine keeps its images, where they can be read without it.
    pub(crate) async fn store(&self) -> Option<DockerStore> {
        match (&self.spoken, self.address.kind) {
            (Spoken::Docker(docker), EngineKind::Docker) => docker.store().await,
            _ => None,
        }
    }

    /// Loads an archive, and answers what the engine says it loaded.
    ///
    /// # Errors
    /// The engine refuses the archive, or the stream ended with an error.
    pub async fn import(&self, archive: Archive) -> Result<Vec<String>, EngineError> {
        match &self.spoken {
            Spoken::Docker(docker) => docker.import(archive).await,
            Spoken::Containerd(containerd) => containerd.import(archive).await,
        }
    }

    /// Gives an image another name.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn tag(&self, name: &str, repository: &str, tag: &str) -> Result<(), EngineError> {
        match &self.spoken {
            Spoken::Docker(docker) => docker.tag(name, repository, tag).await,
            Spoken::Containerd(containerd) => containerd.tag(name, &format!("{repository}:{tag}")).await,
        }
    }

    /// What the engine knows of a container; `None` when it has none of this name or ID. containerd is not asked: it
    /// makes no images of containers.
    ///
    /// # Errors
    /// The engine fails or cannot be understood.
    pub async fn container(&self, name: &str) -> Result<Option<EngineContainer>, EngineError> {
        match &self.spoken {
            Spoken::Docker(docker) => docker.container(name).await,
            Spoken::Containerd(_) => Ok(None),
        }
    }

    /// Makes an image of a container as it is now. The container goes on.
    ///
    /// # Errors
    /// There is no such container, or the engine cannot do this (containerd).
    pub async fn commit(&self, container: &str, repository: &str, tag: &str) -> Result<Digest, EngineError> {
        self.commit_with(container, repository, tag, &CommitOptions::default()).await
    }

    /// The same with more said.
    ///
    /// # Errors
    /// See [`Engine::commit`].
    pub async fn commit_with(
        &self,
        container: &str,
        repository: &str,
        tag: &str,
        options: &CommitOptions,
    ) -> Result<Digest, EngineError> {
        match &self.spoken {
            Spoken::Docker(docker) => docker.commit(container, repository, tag, options).await,
            Spoken::Containerd(_) => Err(EngineError::Unsupported {
                engine: EngineKind::Containerd,
                what: "make an image of a container",
            }),
        }
    }
}

fn unreadable(engine: EngineKind, what: &str) -> EngineError {
    EngineError::Unreadable { engine, what: what.to_owned() }
}

/// A digest as engines write it, with or without its algorithm.
fn digest(engine: EngineKind, text: &str) -> Result<Digest, EngineError> {
    let whole = if text.contains(':') { text.to_owned() } else { format!("sha256:{text}") };
    whole.parse().map_err(|_| unreadable(engine, &format!("{text:?} is no digest")))
}

/// A version fit for a terminal; `None` when there is nothing of one.
fn version(text: &str) -> Option<String> {
    let text: String = text.chars().filter(char::is_ascii_graphic).take(60).collect();
    (!text.is_empty()).then_some(text)
}

fn absent(engine: EngineKind, socket: &Path, reason: impl fmt::Display) -> EngineError {
    EngineError::Absent { engine, socket: socket.to_owned(), reason: reason.to_string() }
}

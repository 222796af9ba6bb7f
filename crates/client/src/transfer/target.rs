//! A repository of a registry as a transfer sees it, and what a push may choose.

use std::collections::HashSet;
use std::num::NonZeroUsize;

use hythe_oci::{Digest, Reference, RepositoryName, Tag};
use hythe_remote::Remote;

use super::memory::Memory;
use super::{TransferError, push_archive, push_engine, push_layout};
use crate::Api;
use crate::engine::{Archive, Engine};
use crate::pack::Compression;
use crate::progress::{Event, Reporter};
use crate::source::{Layout, Platform};

/// How many blobs move at once unless another number is asked for.
const JOBS: NonZeroUsize = NonZeroUsize::new(4).expect("four is not nought");

/// Where images go to or come from: one repository, seen by one identity.
#[derive(Clone, Debug)]
pub struct Target {
    pub(super) remote: Remote,
    /// The server's own interface, where the registry is a Hythe.
    pub(super) api: Option<Api>,
    pub(super) repository: RepositoryName,
}

/// What a push may choose.
#[derive(Clone, Debug, Default)]
pub struct PushOptions {
    /// How layers that come uncompressed are compressed; if left out, as the project prefers where the registry is a Hythe,
    /// else gzip.
    pub compression: Option<Compression>,
    /// Push this part of an index alone; everything if left out.
    pub platform: Option<Platform>,
    /// How many blobs are sent at once; 4 if left out. From a layout, as many again may wait for the registry to store them.
    pub jobs: Option<NonZeroUsize>,
    /// What was learnt about layers before; nothing if left out.
    pub memory: Option<Memory>,
    /// Repositories of the same registry that may hold the layers already.
    pub mount_from: Vec<RepositoryName>,
    /// Have docker export an image even where its layers can be read from its own folder, as its owner (root) may: slower,
    /// and the same image.
    pub through_engine: bool,
}

impl PushOptions {
    /// Settled by [`Target::settled`].
    pub(super) fn compression(&self) -> Compression {
        self.compression.unwrap_or_default()
    }

    pub(super) fn jobs(&self) -> usize {
        self.jobs.unwrap_or(JOBS).get()
    }
}

/// An image that was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pushed {
    /// The digest of its manifest or index.
    pub digest: Digest,
    /// Blobs that were there, or mounted.
    pub skipped: usize,
    /// Blobs that were sent.
    pub sent: usize,
    /// Bytes that were sent, of blobs.
    pub sent_bytes: u64,
}

impl Target {
    /// A repository of any registry.
    pub fn new(remote: Remote, repository: RepositoryName) -> Self {
        Self { remote, api: None, repository }
    }

    /// The same, with the server's own interface: pushes are announced, and go on after a kill.
    pub fn with_api(mut self, api: Api) -> Self {
        self.api = Some(api);
        self
    }

    /// The repository.
    pub fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// The registry.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Pushes an image of an OCI layout in a folder: the one of this name, or the only one.
    ///
    /// # Errors
    /// See [`TransferError`].
    pub async fn push_layout(
        &self,
        folder: &std::path::Path,
        name: Option<&str>,
        tag: Option<&Tag>,
        options: &PushOptions,
        reporter: &Reporter,
    ) -> Result<Pushed, TransferError> {
        let pushed = async {
            let layout = Layout::open(folder)?;
            push_layout::push(self, &layout, name, tag, options, reporter).await
        };
        self.told(Box::pin(pushed), reporter).await
    }

    /// Pushes an image of an archive that is read once: `docker save`'s or an OCI layout's, plain or compressed.
    ///
    /// # Errors
    /// See [`TransferError`].
    pub async fn push_archive(
        &self,
        archive: Archive,
        name: Option<&str>,
        tag: Option<&Tag>,
        options: &PushOptions,
        reporter: &Reporter,
    ) -> Result<Pushed, TransferError> {
        let pushed = async {
            let options = self.settled(options).await;
            push_archive::push(self, archive.into(), name, tag, &options, reporter).await
        };
        self.told(Box::pin(pushed), reporter).await
    }

    /// The same from a file, which can be read again where a stream cannot: layers that an OCI layout holds uncompressed
    /// are pushed as they are.
    ///
    /// # Errors
    /// See [`TransferError`].
    pub async fn push_archive_file(
        &self,
        file: &std::path::Path,
        name: Option<&str>,
        tag: Option<&Tag>,
        options: &PushOptions,
        reporter: &Reporter,
    ) -> Result<Pushed, TransferError> {
        let pushed = async {
            let source = push_archive::Source::in_file(file)?;
            let options = self.settled(options).await;
            push_archive::push(self, source, name, tag, &options, reporter).await
        };
        self.told(Box::pin(pushed), reporter).await
    }

    /// Pushes an image of an engine. Its layers are compressed and sent while they are read, out of docker's folder where it
    /// can be read and is understood, else out of the archive that the engine exports. Nothing is read if everything of
    /// the image is remembered and there.
    ///
    /// # Errors
    /// See [`TransferError`].
    pub async fn push_engine(
        &self,
        engine: &Engine,
        name: &str,
        tag: Option<&Tag>,
        options: &PushOptions,
        reporter: &Reporter,
    ) -> Result<Pushed, TransferError> {
        let pushed = async {
            let options = self.settled(options).await;
            push_engine::push(self, engine, name, tag, &options, reporter).await
        };
        self.told(Box::pin(pushed), reporter).await
    }

    /// The same choices, with the compression that the project prefers if none was chosen.
    pub(super) async fn settled(&self, options: &PushOptions) -> PushOptions {
        let mut options = options.clone();
        if options.compression.is_none()
            && let Some(api) = &self.api
        {
            match api.project(&self.repository.project()).await {
                Ok(project) => options.compression = Some(project.compression.into()),
                // A wish that cannot be heard keeps nobody from pushing; what is wrong is told by the push.
                Err(error) => {
                    tracing::info!(%error, "it is not known how the project wants its layers packed");
                }
            }
        }
        options
    }

    async fn told(
        &self,
        pushed: impl Future<Output = Result<Pushed, TransferError>>,
        reporter: &Reporter,
    ) -> Result<Pushed, TransferError> {
        match pushed.await {
            Ok(pushed) => {
                reporter.tell(|| Event::Finished { digest: pushed.digest });
                Ok(pushed)
            }
            Err(error) => {
                reporter.failed(&error.to_string());
                Err(error)
            }
        }
    }

    /// What a push calls its goal.
    pub(super) fn named(&self, tag: Option<&Tag>) -> String {
        match tag {
            Some(tag) => format!("{}:{tag}", self.repository),
            None => self.repository.to_string(),
        }
    }

    /// Under which name the root of an image is written.
    pub(super) fn reference(tag: Option<&Tag>, digest: &Digest) -> Reference {
        tag.cloned().map_or(Reference::Digest(*digest), Reference::Tag)
    }
}

/// What was moved so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) skipped: usize,
    pub(super) sent: usize,
    pub(super) sent_bytes: u64,
    pub(super) met: HashSet<Digest>,
}

impl Tally {
    pub(super) fn count(&mut self, brought: super::blob::Brought) {
        match brought {
            super::blob::Brought::Skipped => self.skipped += 1,
            super::blob::Brought::Sent(bytes) => {
                self.sent += 1;
                self.sent_bytes += bytes;
            }
        }
    }

    pub(super) fn pushed(self, digest: Digest) -> Pushed {
        let Self { skipped, sent, sent_bytes, .. } = self;
        Pushed { digest, skipped, sent, sent_bytes }
    }
}

//! The demonstration: a project is created, the sample image pushed as the administrator and pulled back
//! as a stranger, and every digest checked.

use futures_util::{StreamExt, TryStreamExt};
use hythe_api::{NewProject, ProblemCode, Visibility};
use hythe_client::sample::{Image, Part};
use hythe_client::{Api, ApiError, Credentials};
use hythe_oci::{Manifest, NameError, ProjectName, Reference, RepositoryName, TagError};
use hythe_outbound::{Outbound, Url};
use hythe_remote::{Remote, RemoteError, in_memory};

use super::narrator::Narrator;
use super::place::Password;
use crate::commands::session::refused;
use crate::failure::{Exit, Failure, sentence};

/// The administrator of every fresh registry.
pub(super) const ADMIN: &str = "admin";
/// The project that is created.
pub(super) const PROJECT: &str = "demo";
/// The repository in it.
pub(super) const REPOSITORY: &str = "demo/hello";
/// The tag docker assumes when none is named.
const TAG: &str = "latest";

/// The registry, seen by its administrator and by a stranger.
pub(super) struct Demonstration {
    api: Api,
    administrator: Remote,
    stranger: Remote,
    project: ProjectName,
    repository: RepositoryName,
    reference: Reference,
    narrator: Narrator,
}

impl Demonstration {
    pub(super) fn new(
        outbound: Outbound,
        server: &Url,
        password: &Password,
        narrator: Narrator,
    ) -> Result<Self, Failure> {
        let admin = Credentials::Password { user: ADMIN.to_owned(), secret: password.secret.clone() };
        Ok(Demonstration {
            api: Api::new(outbound.clone(), server, &admin).map_err(refused)?,
            administrator: Remote::new(outbound.clone(), server, &admin).map_err(failed)?,
            stranger: Remote::new(outbound, server, &Credentials::Anonymous).map_err(failed)?,
            project: PROJECT
                .parse()
                .map_err(|error: NameError| Failure::new(Exit::Failed, sentence(error)))?,
            repository: REPOSITORY
                .parse()
                .map_err(|error: NameError| Failure::new(Exit::Failed, sentence(error)))?,
            reference: TAG
                .parse()
                .map(Reference::Tag)
                .map_err(|error: TagError| Failure::new(Exit::Failed, sentence(error)))?,
            narrator,
        })
    }

    /// Creates the public project, unless an earlier run did.
    pub(super) async fn create_project(&self) -> Result<(), Failure> {
        let wanted = NewProject { name: self.project.clone(), visibility: Visibility::Public };
        match self.api.create_project(&wanted).await {
            Ok(project) => self.narrator.say(&format!("Created the public project {}", project.name)),
            Err(error) if error.code() == Some(ProblemCode::AlreadyExists) => {
                self.narrator.say(&format!("The project {} is there already", self.project));
            }
            Err(error) => return Err(not_created(error)),
        }
        Ok(())
    }

    /// Pushes what is not there yet, the manifest last: it may only name what is there.
    pub(super) async fn push(&self, image: &Image) -> Result<(), Failure> {
        self.narrator.say(&format!("Pushing {}:{}", self.repository, self.reference));
        for (kind, part) in blobs(image) {
            self.push_blob(kind, part).await?;
        }
        let transfer = self.narrator.transfer("manifest", &image.manifest)?;
        let Part { media_type, bytes, .. } = &image.manifest;
        let pushed =
            self.administrator.push_manifest(&self.repository, &self.reference, media_type, bytes.clone());
        pushed.await.map_err(failed)?;
        transfer.end("pushed");
        Ok(())
    }

    async fn push_blob(&self, kind: &str, part: &Part) -> Result<(), Failure> {
        let transfer = self.narrator.transfer(kind, part)?;
        if self.administrator.has_blob(&self.repository, &part.digest).await.map_err(failed)? {
            transfer.end("exists already");
            return Ok(());
        }
        let (moving, whole) = (transfer.clone(), in_memory(part.bytes.clone()));
        let content = move |offset| {
            let moving = moving.clone();
            whole(offset).inspect(move |chunk| moving.moved(chunk.as_ref().map_or(0, bytes::Bytes::len)))
        };
        let pushed = self.administrator.push_blob(&self.repository, &part.digest, part.size(), content);
        pushed.await.map_err(failed)?;
        transfer.end("pushed");
        Ok(())
    }

    /// Pulls the image without signing in and holds it against the one that was pushed.
    pub(super) async fn pull(&self, image: &Image) -> Result<(), Failure> {
        self.narrator
            .say(&format!("Pulling {}:{} back, signed in as nobody", self.repository, self.reference));
        let transfer = self.narrator.transfer("manifest", &image.manifest)?;
        let pulled = self.stranger.pull_manifest(&self.repository, &self.reference).await.map_err(failed)?;
        if pulled.digest != image.manifest.digest {
            return Err(differs(&format!(
                "the manifest is {}, not {}",
                pulled.digest, image.manifest.digest
            )));
        }
        let manifest = Manifest::parse(Some(&pulled.media_type), &pulled.bytes)
            .map_err(|error| differs(&format!("the manifest cannot be read: {error}")))?;
        transfer.end("digest checked");
        let named: Vec<_> = manifest.required_blobs().map(|blob| (blob.digest, blob.size)).collect();
        for (kind, part) in blobs(image) {
            if !named.contains(&(part.digest, part.size())) {
                return Err(differs(&format!("the manifest does not name {}", part.digest)));
            }
            self.pull_blob(kind, part).await?;
        }
        Ok(())
    }

    async fn pull_blob(&self, kind: &str, part: &Part) -> Result<(), Failure> {
        let transfer = self.narrator.transfer(kind, part)?;
        let download = self.stranger.pull_blob(&self.repository, &part.digest, Some(part.size()));
        let mut content = Box::pin(download.await.map_err(failed)?.into_stream());
        // The stream checks size and digest and ends in an error if either is wrong.
        while let Some(chunk) = content.try_next().await.map_err(failed)? {
            transfer.moved(chunk.len());
        }
        transfer.end("digest checked");
        Ok(())
    }
}

/// The blobs of an image with the words for them.
fn blobs(image: &Image) -> impl Iterator<Item = (&'static str, &Part)> {
    image.layers.iter().map(|layer| ("layer", layer)).chain([("config", &image.config)])
}

fn failed(error: RemoteError) -> Failure {
    let exit = match error {
        RemoteError::WrongDigest { .. } | RemoteError::WrongSize { .. } => Exit::Damaged,
        _ => Exit::Failed,
    };
    Failure::new(exit, sentence(error))
}

fn differs(problem: &str) -> Failure {
    Failure::new(Exit::Damaged, format!("What was pulled is not what was pushed: {problem}"))
}

fn not_created(error: ApiError) -> Failure {
    if error.code() == Some(ProblemCode::BadCredentials) {
        let hint =
            "set HYTHE_ADMIN_PASSWORD to the password of today, or start afresh with another --data-dir";
        return Failure::new(
            Exit::Refused,
            "The password of `admin` has changed since it was left in the folder",
        )
        .hint(hint);
    }
    refused(error)
}

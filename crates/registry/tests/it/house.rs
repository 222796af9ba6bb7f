//! A registry on a temporary folder, with one user and one project.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use hythe_identity::{Caller, Session, User, UserId};
use hythe_oci::{Algorithm, Digest, MediaType, Reference, RepositoryName, Tag};
use hythe_registry::access::{AuthorizeError, Permit, Pull, Push, Right};
use hythe_registry::collect::{CollectOptions, CollectReport};
use hythe_registry::projects::{Role, Visibility};
use hythe_registry::push::{Body, Chunk, ManifestPush, Placed};
use hythe_registry::{Error, Registry, RegistryOptions};
use hythe_store::records::users::{StoredHash, UserRow};
use hythe_store::{DataFolder, ManualClock, Store, StoreOptions, Timestamp};

pub(crate) struct House {
    pub(crate) registry: Registry,
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ada: Session,
    folder: tempfile::TempDir,
}

impl House {
    pub(crate) async fn new() -> Self {
        let mut options = RegistryOptions::default();
        options.collection.rate = 1_000_000;
        Self::with(options).await
    }

    pub(crate) async fn with(options: RegistryOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
        let lock = DataFolder::lock(folder.path()).unwrap();
        let store = Store::open(&lock, clock.clone(), StoreOptions::default()).unwrap();
        let registry = Registry::new(store.clone(), options);
        let ada = person(&store, 1, "ada").await;
        let admin = User { id: UserId(0), name: "root".parse().unwrap(), admin: true, epoch: 0 };
        let _row = person(&store, 0, "root").await;
        let (lab, admin) = ("lab".parse().unwrap(), Caller::User(Arc::new(admin)));
        registry.create_project(&admin, lab, Visibility::Private).await.unwrap();
        let (lab, name) = ("lab".parse().unwrap(), "ada".parse().unwrap());
        registry.set_member(&admin, &lab, &name, Role::Owner).await.unwrap();
        registry.remove_member(&admin, &lab, &"root".parse().unwrap()).await.unwrap();
        Self { registry, store, clock, ada, folder }
    }

    pub(crate) async fn person(&self, id: i64, name: &str) -> Session {
        person(&self.store, id, name).await
    }

    pub(crate) async fn permit<R: Right>(
        &self,
        session: &Session,
        name: &str,
    ) -> Result<Permit<R>, AuthorizeError> {
        self.registry.authorize(session, &repository(name)).await
    }

    pub(crate) async fn push(&self, name: &str) -> Permit<Push> {
        self.permit(&self.ada, name).await.unwrap()
    }

    pub(crate) async fn pull(&self, name: &str) -> Permit<Pull> {
        self.permit(&self.ada, name).await.unwrap()
    }

    pub(crate) async fn blob(&self, name: &str, bytes: &[u8]) -> Placed {
        let digest = Digest::of(Algorithm::Sha256, bytes);
        self.registry.put_blob(&self.push(name).await, digest, chunk(bytes)).await.unwrap()
    }

    pub(crate) async fn manifest(&self, name: &str, tag: &str, json: String) -> Result<Digest, Error> {
        self.push_manifest(name, Reference::Tag(tag.parse().unwrap()), json).await
    }

    pub(crate) async fn untagged(&self, name: &str, json: String) -> Result<Digest, Error> {
        let digest = Digest::of(Algorithm::Sha256, json.as_bytes());
        self.push_manifest(name, Reference::Digest(digest), json).await
    }

    async fn push_manifest(&self, name: &str, reference: Reference, json: String) -> Result<Digest, Error> {
        let kind = if json.contains("\"manifests\"") { INDEX } else { IMAGE };
        let push = ManifestPush {
            reference,
            tags: Vec::new(),
            content_type: Some(MediaType::parse(kind).unwrap()),
            bytes: Bytes::from(json),
        };
        let permit = self.push(name).await;
        Ok(self.registry.put_manifest(&permit, push).await?.digest)
    }

    /// An image of one blob under a tag.
    pub(crate) async fn image(&self, name: &str, tag: &str, layer: &[u8]) -> Digest {
        let config = self.blob(name, b"{}").await;
        let layer = self.blob(name, layer).await;
        self.manifest(name, tag, image(&config, &[layer], None)).await.unwrap()
    }

    pub(crate) async fn has_blob(&self, name: &str, digest: Digest) -> bool {
        match self.registry.open_blob(&self.pull(name).await, digest).await {
            Ok(_) => true,
            Err(Error::BlobUnknown { .. } | Error::BlobDamaged(_)) => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    pub(crate) async fn delete_tag(&self, name: &str, tag: &str) {
        let permit = self.permit(&self.ada, name).await.unwrap();
        self.registry.delete_tag(&permit, &tag.parse::<Tag>().unwrap()).await.unwrap();
    }

    pub(crate) async fn delete_manifest(&self, name: &str, digest: Digest) -> Result<Vec<Tag>, Error> {
        let permit = self.permit(&self.ada, name).await.unwrap();
        self.registry.delete_manifest(&permit, digest).await
    }

    pub(crate) async fn collect(&self, grace: Duration) -> CollectReport {
        let options = CollectOptions { dry_run: false, grace: Some(grace) };
        self.registry.collect(options).await.unwrap()
    }

    pub(crate) fn later(&self, hours: u64) {
        self.clock.advance(Duration::from_hours(hours));
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        self.store.clock.now()
    }

    /// Where a blob's file lies.
    pub(crate) fn file_of(&self, digest: &Digest) -> std::path::PathBuf {
        let hex = digest.hex();
        self.folder.path().join("blobs").join(digest.algorithm().as_str()).join(&hex[..2]).join(&hex)
    }

    /// Blob files on the disk.
    pub(crate) fn files(&self) -> usize {
        fn count(path: &std::path::Path) -> usize {
            let entries = std::fs::read_dir(path).unwrap();
            entries
                .map(|entry| entry.unwrap())
                .map(|entry| if entry.file_type().unwrap().is_dir() { count(&entry.path()) } else { 1 })
                .sum()
        }
        count(&self.folder.path().join("blobs"))
    }
}

async fn person(store: &Store, id: i64, name: &str) -> Session {
    let name: hythe_oci::UserName = name.parse().unwrap();
    let row = UserRow {
        id,
        name: name.clone(),
        password_hash: Some(StoredHash("x".to_owned())),
        admin: false,
        created: store.clock.now(),
        epoch: 0,
    };
    store.records.write(move |w| w.insert_user(&row)).await.unwrap();
    let user = User { id: UserId(id), name, admin: false, epoch: 0 };
    Session::user(Arc::new(user))
}

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub(crate) fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

pub(crate) fn chunk(bytes: &[u8]) -> Chunk {
    let body: Body = Box::pin(stream::iter([Ok(Bytes::copy_from_slice(bytes))]));
    Chunk { range: None, length: Some(bytes.len() as u64), body }
}

fn descriptor(kind: &str, digest: &Digest, size: u64) -> serde_json::Value {
    serde_json::json!({ "mediaType": kind, "digest": digest.to_string(), "size": size })
}

pub(crate) fn image(config: &Placed, layers: &[Placed], subject: Option<(Digest, u64)>) -> String {
    let layers: Vec<_> = layers
        .iter()
        .map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", &layer.digest, layer.size))
        .collect();
    let mut image = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config.digest, config.size),
        "layers": layers,
    });
    if let Some((digest, size)) = subject {
        image["subject"] = descriptor(IMAGE, &digest, size);
    }
    image.to_string()
}

pub(crate) fn index(children: &[(Digest, u64)]) -> String {
    let manifests: Vec<_> = children.iter().map(|(digest, size)| descriptor(IMAGE, digest, *size)).collect();
    serde_json::json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests }).to_string()
}

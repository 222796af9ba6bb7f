//! The rules for images: projects, access, uploads, manifests, tags, referrers, collection.
//!
//! Everything that touches an image takes a [`access::Permit`]; everything visible changes in one
//! transaction of the records; every "this blob exists" takes a lease.

pub mod access;
pub mod backup;
mod caches;
pub mod check;
pub mod collect;
pub mod condition;
mod error;
mod figures;
mod jobs;
mod options;
mod parts;
mod policy;
mod progress;
pub mod projects;
pub mod pull;
pub mod push;
pub mod readiness;
mod seeded;
mod walks;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hythe_store::records::Records;
use hythe_store::{Blobs, Store};
pub use hythe_store::{StorageFault, Timestamp};

pub use error::Error;
pub use figures::{CacheFigures, CollectionFigures, Figures};
pub use jobs::JobHandle;
pub use options::{CollectionOptions, ProjectCreation, RegistryOptions, ScrubOptions};
pub use progress::{Progress, Reporter};

use caches::Caches;
use walks::Walks;

/// The registry's rules over one store. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    options: RegistryOptions,
    caches: Caches,
    looks: Walks,
    pushes: Walks,
    collection: Mutex<CollectionFigures>,
    integrity: check::Counters,
    /// When a write was last tried because others had failed; locked while one is.
    tried: tokio::sync::Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Registry")
    }
}

impl Registry {
    /// A registry over a store.
    pub fn new(store: Store, options: RegistryOptions) -> Self {
        let caches = Caches::new(&store.records);
        let (collection, integrity) = (Mutex::default(), check::Counters::default());
        Self {
            inner: Arc::new(Inner {
                store,
                options,
                caches,
                looks: Walks::for_looks(),
                pushes: Walks::for_pushes(),
                collection,
                integrity,
                tried: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// Whether the records answer; else a sentence that says what is the matter. A disk that takes no writes does
    /// not count (see [`condition`]): pulls go on, and whoever takes this server out of service would stop them.
    pub async fn ready(&self) -> Result<(), String> {
        let records = self.records().read(|r| Ok::<_, Error>(r.trash(1).map(drop)?)).await;
        records.map_err(|error| error.to_string())
    }

    /// Ends the records' writer after what is queued; later calls fail. The last step of a stop.
    pub async fn close(&self) {
        self.records().close().await;
    }

    pub(crate) fn records(&self) -> &Records {
        &self.inner.store.records
    }

    pub(crate) fn blobs(&self) -> &Blobs {
        &self.inner.store.blobs
    }

    pub(crate) fn options(&self) -> &RegistryOptions {
        &self.inner.options
    }

    pub(crate) fn caches(&self) -> &Caches {
        &self.inner.caches
    }

    /// Turns of those who look at images.
    pub(crate) fn looks(&self) -> &Walks {
        &self.inner.looks
    }

    /// Turns of those who push manifests.
    pub(crate) fn pushes(&self) -> &Walks {
        &self.inner.pushes
    }

    pub(crate) fn collection_figures(&self) -> CollectionFigures {
        *self.inner.collection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note_collection(&self, note: impl FnOnce(&mut CollectionFigures)) {
        note(&mut self.inner.collection.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn integrity(&self) -> &check::Counters {
        &self.inner.integrity
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.store.clock.now()
    }
}

/// A page of a list and whether more follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Whether the list goes on after the last item.
    pub next: bool,
}

impl<T> Page<T> {
    /// Cuts `limit + 1` fetched rows to a page of `limit`.
    pub(crate) fn cut(mut rows: Vec<T>, limit: u32) -> Self {
        let limit = limit as usize;
        let next = rows.len() > limit;
        rows.truncate(limit);
        Self { items: rows, next }
    }

    pub(crate) fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(convert).collect(), next: self.next }
    }
}

/// A random positive id: never that of something deleted.
pub(crate) fn random_id() -> i64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    (i64::from_le_bytes(bytes) & i64::MAX).max(1)
}

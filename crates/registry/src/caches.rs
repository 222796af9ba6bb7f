//! Bounded caches of what every request asks. Each entry dies with the commit that changes it, so
//! none can disagree with the records.

use std::hash::Hash;
use std::sync::Arc;

use hythe_oci::{Digest, ProjectName, RepositoryName, Tag, UploadId};
use hythe_store::records::manifests::StoredManifest;
use hythe_store::records::projects::{ProjectId, ProjectRow, Role};
use hythe_store::records::repositories::RepositoryId;
use hythe_store::records::stamps::{Stamp, StoredBlob};
use hythe_store::records::uploads::UploadRow;
use hythe_store::records::{Cached, Records};

use crate::CacheFigures;

/// Bytes of manifests kept in memory.
const MANIFEST_CACHE_BYTES: u64 = 64 << 20;

pub(crate) struct Caches {
    pub(crate) projects: Cached<ProjectName, Option<Arc<ProjectRow>>>,
    pub(crate) roles: Cached<(ProjectId, i64), Option<Role>>,
    pub(crate) repositories: Cached<RepositoryName, Option<RepositoryId>>,
    pub(crate) links: Cached<(RepositoryId, Digest), Option<StoredBlob>>,
    pub(crate) tags: Cached<(RepositoryId, Tag), Option<Digest>>,
    pub(crate) manifests: Cached<(RepositoryId, Digest), Option<StoredManifest>>,
    pub(crate) uploads: Cached<UploadId, Option<Arc<UploadRow>>>,
    /// Leases already in the records: digest and bucket.
    pub(crate) leases: quick_cache::sync::Cache<(Digest, i64), ()>,
    /// Verifications that the records could not take.
    pub(crate) stamps: quick_cache::sync::Cache<Digest, Stamp>,
}

impl Caches {
    pub(crate) fn new(records: &Records) -> Self {
        Self {
            projects: records.cached(4_096),
            roles: records.cached(16_384),
            repositories: records.cached(16_384),
            links: records.cached(65_536),
            tags: records.cached(65_536),
            manifests: records.cached_by_weight(MANIFEST_CACHE_BYTES, |manifest| {
                256 + manifest.as_ref().map_or(0, |manifest| manifest.bytes.len() as u64)
            }),
            uploads: records.cached(4_096),
            leases: quick_cache::sync::Cache::new(65_536),
            stamps: quick_cache::sync::Cache::new(65_536),
        }
    }

    /// What each of them saved.
    pub(crate) fn figures(&self) -> Vec<CacheFigures> {
        vec![
            figures("projects", &self.projects),
            figures("roles", &self.roles),
            figures("repositories", &self.repositories),
            figures("links", &self.links),
            figures("tags", &self.tags),
            figures("manifests", &self.manifests),
            figures("uploads", &self.uploads),
        ]
    }
}

fn figures<K: Hash + Eq + Clone, V: Clone>(name: &'static str, cache: &Cached<K, V>) -> CacheFigures {
    let (hits, misses) = cache.hits_and_misses();
    CacheFigures { name, hits, misses }
}

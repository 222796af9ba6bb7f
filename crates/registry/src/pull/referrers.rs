//! Referrers (end-12): manifests whose subject is a digest, together with those that a client
//! listed under the fallback tag before this registry kept the list.

use std::collections::BTreeMap;

use hythe_oci::{Descriptor, Digest, Manifest, Reference};
use hythe_store::records::manifests::ReferrerRow;
use hythe_store::records::repositories::RepositoryId;

use crate::access::{Permit, Pull};
use crate::{Error, Page, Registry};

/// Bytes of annotations and types on one page, passed by at most one entry: an index must stay below
/// what clients read, and nobody may make a page long by making its entries long.
const PAGE_BYTES: usize = 3 << 20;

/// Entries under the fallback tag that are looked for without waiting for a turn: few have as many.
const AT_ONCE_ENTRIES: usize = 256;

/// One entry of the listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// The referring manifest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its artifact type, if it has one.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Registry {
    /// Referrers of a digest after another, in the digests' order. A repository or digest never
    /// seen has none, which is no error.
    pub async fn referrers(
        &self,
        permit: &Permit<Pull>,
        subject: Digest,
        artifact_type: Option<String>,
        after: Option<Digest>,
        limit: u32,
    ) -> Result<Page<Referrer>, Error> {
        let Some(repository) = self.repository_id(permit.repository()).await? else {
            return Ok(Page { items: Vec::new(), next: false });
        };
        let filter = artifact_type.clone();
        let (rows, more) = self
            .records()
            .read(move |r| {
                r.referrers(repository, &subject, filter.as_deref(), after.as_ref(), limit, PAGE_BYTES)
            })
            .await?;
        let end = rows.last().filter(|_| more).map(|row| row.digest);
        let mut found = BTreeMap::new();
        for row in rows {
            found.insert(row.digest, referrer(row)?);
        }
        let wanted = move |listed: &Descriptor| {
            artifact_type.as_ref().is_none_or(|kind| listed.artifact_type.as_ref() == Some(kind))
                && after.is_none_or(|after| listed.digest > after)
                && end.is_none_or(|end| listed.digest < end)
        };
        for listed in self.fallback(permit, repository, subject, limit, wanted).await? {
            found.entry(listed.digest).or_insert(listed);
        }
        Ok(page(found.into_values().collect(), limit, more))
    }

    /// Those `wanted` entries of the index under the fallback tag whose manifests are here, in the digests' order: as
    /// many as a page needs, and one more to tell that it goes on.
    ///
    /// Strangers may ask for it, and the index may have megabytes: it is read and its entries are looked for in turn.
    async fn fallback(
        &self,
        permit: &Permit<Pull>,
        repository: RepositoryId,
        subject: Digest,
        limit: u32,
        wanted: impl Fn(&Descriptor) -> bool + Send + 'static,
    ) -> Result<Vec<Referrer>, Error> {
        let tag = Reference::Tag(subject.fallback_tag());
        let stored = match self.manifest(permit, &tag).await {
            Ok(stored) => stored,
            Err(Error::ManifestUnknown { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        // Any tag may have this name; only an index is a list of referrers.
        let children = self.looks().work(stored.bytes.len(), move || {
            let index = Manifest::parse(Some(&stored.media_type), &stored.bytes);
            let mut children = index.map_or(Vec::new(), |index| index.children);
            children.retain(wanted);
            children.sort_by_key(|child| child.digest);
            children.dedup_by_key(|child| child.digest);
            children
        });
        let children = children.await?;
        let turn = if children.len() > AT_ONCE_ENTRIES { Some(self.looks().turn().await?) } else { None };
        self.records()
            .read(move |r| {
                let _turn = turn;
                let mut listed = Vec::new();
                for child in children {
                    if listed.len() > limit as usize {
                        break;
                    }
                    if r.has_manifest(repository, &child.digest)? {
                        listed.push(from_descriptor(child));
                    }
                }
                Ok(listed)
            })
            .await
    }
}

impl Referrer {
    fn length(&self) -> usize {
        let annotations = self.annotations.iter().map(|(key, value)| key.len() + value.len() + 8);
        annotations.sum::<usize>()
            + self.artifact_type.as_ref().map_or(0, String::len)
            + self.media_type.len()
    }
}

/// Cuts entries to a page of `limit` and of `PAGE_BYTES`.
fn page(entries: Vec<Referrer>, limit: u32, more: bool) -> Page<Referrer> {
    let total = entries.len();
    let mut length = 0;
    let items: Vec<Referrer> = entries
        .into_iter()
        .take(limit as usize)
        .take_while(|entry| {
            let fits = length <= PAGE_BYTES;
            length += entry.length();
            fits
        })
        .collect();
    let next = more || items.len() < total;
    Page { items, next }
}

fn referrer(row: ReferrerRow) -> Result<Referrer, Error> {
    let annotations = match &row.annotations {
        Some(json) => serde_json::from_str(json).map_err(|error| Error::Internal(Box::new(error)))?,
        None => BTreeMap::new(),
    };
    Ok(Referrer {
        digest: row.digest,
        media_type: row.media_type.to_string(),
        size: row.size,
        artifact_type: row.artifact_type,
        annotations,
    })
}

fn from_descriptor(descriptor: Descriptor) -> Referrer {
    Referrer {
        digest: descriptor.digest,
        media_type: descriptor.media_type.unwrap_or_default(),
        size: descriptor.size,
        artifact_type: descriptor.artifact_type,
        annotations: descriptor.annotations,
    }
}

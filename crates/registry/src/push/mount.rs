//! Mounting: giving a repository a blob that the caller can already read elsewhere (end-11).

use hythe_oci::{Digest, RepositoryName};
use hythe_store::Reader;

use super::uploads::{Placed, Target};
use crate::access::{Permit, Push, view_of};
use crate::{Error, Registry};

/// How a mount ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mounted {
    /// The blob is in the target repository now.
    Done(Placed),
    /// It is nowhere the caller may read: upload it.
    Absent,
}

impl Registry {
    /// Mounts a blob from `from`, or without it from anywhere the caller may pull. What the
    /// caller may read is asked of the live rules, not of the token's scopes.
    pub async fn mount(
        &self,
        permit: &Permit<Push>,
        digest: Digest,
        from: Option<RepositoryName>,
    ) -> Result<Mounted, Error> {
        let source = if let Some(from) = from {
            let rights = self.rights(permit.caller(), &from.project()).await?;
            rights.is_some_and(|rights| rights.sees()).then_some(from)
        } else {
            let view = view_of(permit.caller());
            self.records().read(move |r| r.find_linked(&digest, view)).await?
        };
        let Some(source) = source else {
            return Ok(Mounted::Absent);
        };
        let held = {
            let source = source.clone();
            let of = move |r: &Reader<'_>| match r.repository(&source)? {
                Some(row) => Ok::<_, Error>(r.held_blob(row.id, &digest)?),
                None => Ok(None),
            };
            self.records().read(of).await?
        };
        // A damaged copy is not spread: the client shall bring the blob again.
        match held {
            Some(stored) if self.looks_sound(digest, &stored).await? => {}
            _ => return Ok(Mounted::Absent),
        }
        let now = self.now();
        let hold = now.plus(self.options().lease);
        let target = Target::of(permit);
        self.records()
            .write(move |w| {
                // Asked again inside the transaction: the link keeps the blob from collection.
                let Some(source) = w.repository(&source)? else {
                    return Ok(Mounted::Absent);
                };
                let Some(size) = w.linked_blob(source.id, &digest)? else {
                    return Ok(Mounted::Absent);
                };
                let repository = target.ensure(w, now)?;
                w.link(repository, &digest, now, hold)?;
                Ok(Mounted::Done(Placed { digest, size }))
            })
            .await
    }
}

//! The catalogue: names of filled repositories that the caller may pull from.

use hythe_identity::Session;
use hythe_oci::RepositoryName;

use crate::access::view_of;
use crate::{Error, Page, Registry};

impl Registry {
    /// Repositories after `last`, bytewise in order. Only what the session's caller may see.
    pub async fn catalogue(
        &self,
        session: &Session,
        last: Option<String>,
        limit: u32,
    ) -> Result<Page<RepositoryName>, Error> {
        let view = view_of(&session.caller);
        let rows =
            self.records().read(move |r| r.catalogue(view, last.as_deref(), limit.saturating_add(1))).await?;
        Ok(Page::cut(rows, limit))
    }
}

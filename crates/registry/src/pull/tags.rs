//! Tags, a page at a time (end-8).

use hythe_oci::Tag;

use crate::access::{Permit, Pull};
use crate::{Error, Page, Registry};

impl Registry {
    /// Tags after `last`, which need not exist, bytewise in order. A page costs its own length,
    /// whatever the repository holds.
    pub async fn tags(
        &self,
        permit: &Permit<Pull>,
        last: Option<String>,
        limit: u32,
    ) -> Result<Page<Tag>, Error> {
        let name = permit.repository();
        let repository = self.repository_id(name).await?.ok_or_else(|| Error::NameUnknown(name.clone()))?;
        let rows = self
            .records()
            .read(move |r| r.tags(repository, last.as_deref(), limit.saturating_add(1)))
            .await?;
        Ok(Page::cut(rows, limit))
    }
}

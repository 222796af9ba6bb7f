//! Open uploads as people see them: one's own, or a whole project's for its owners.

use hythe_identity::Caller;
use hythe_oci::{ProjectName, RepositoryName, UploadId, UserName};
use hythe_store::Timestamp;
use hythe_store::records::projects::Role;
use hythe_store::records::uploads::UploadFilter;

use super::ProjectError;
use crate::{Page, Registry};

/// An open upload in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenUpload {
    /// Its id.
    pub id: UploadId,
    /// Where it pushes to.
    pub repository: RepositoryName,
    /// Who opened it.
    pub user: UserName,
    /// Bytes on disk so far.
    pub received: u64,
    /// When it was opened.
    pub started: Timestamp,
    /// When it is given up.
    pub expires: Timestamp,
}

impl Registry {
    /// Open uploads after an id: the caller's own, or with a project all into it (owners and
    /// administrators only).
    pub async fn list_uploads(
        &self,
        caller: &Caller,
        project: Option<&ProjectName>,
        after: Option<UploadId>,
        limit: u32,
    ) -> Result<Page<OpenUpload>, ProjectError> {
        let user = super::signed_in(caller)?;
        let filter = match project {
            None => UploadFilter::User(user.id.0),
            Some(name) => UploadFilter::Project(
                self.managed_project(caller, name, "list the uploads of").await?.project.id,
            ),
        };
        let rows = self
            .records()
            .read(move |r| {
                let mut named = Vec::new();
                for row in r.uploads(filter, after.as_ref(), limit.saturating_add(1))? {
                    // A deleted user's uploads go in the same transaction, so the name is always there.
                    if let Some(user) = r.user_by_id(row.user)? {
                        named.push((row, user.name));
                    }
                }
                Ok::<_, ProjectError>(named)
            })
            .await?;
        let page = Page::cut(rows, limit);
        let mut items = Vec::with_capacity(page.items.len());
        for (row, user) in page.items {
            let received = self.blobs().staged_size(row.id).await.map_err(crate::Error::from)?;
            items.push(OpenUpload {
                id: row.id,
                repository: row.repository,
                user,
                received: received.unwrap_or(0),
                started: row.started,
                expires: row.expires,
            });
        }
        Ok(Page { items, next: page.next })
    }

    /// Cancels an upload: one's own, or any of a project one owns.
    pub async fn cancel_upload(&self, caller: &Caller, id: UploadId) -> Result<(), ProjectError> {
        let user = super::signed_in(caller)?;
        let absent = || ProjectError::NotFound(format!("open upload {id}"));
        let row =
            self.records().read(move |r| Ok::<_, ProjectError>(r.upload(&id)?)).await?.ok_or_else(absent)?;
        let owner = self.role_of(row.project, user.id.0).await? == Some(Role::Owner);
        if row.user != user.id.0 && !owner && !user.admin {
            return Err(absent());
        }
        Ok(self.abandon(&row).await?)
    }
}

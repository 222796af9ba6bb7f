//! Open uploads as people see them: one's own, or a whole project's for its owners.

use hythe_identity::Caller;
use hythe_oci::{Digest, ProjectName, RepositoryName, UploadId, UserName};
use hythe_store::Timestamp;
use hythe_store::records::projects::Role;
use hythe_store::records::uploads::{Expected, UploadFilter};

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
    /// What it is going to be, as its client said.
    pub expected: Option<Expected>,
}

/// Which open uploads a list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadList {
    /// The caller's own.
    Own,
    /// The caller's own that are going to be this blob.
    OwnOf(Digest),
    /// Everybody's into a project, for its owners and administrators.
    Project(ProjectName),
}

impl Registry {
    /// Open uploads after an id, in order.
    pub async fn list_uploads(
        &self,
        caller: &Caller,
        which: &UploadList,
        after: Option<UploadId>,
        limit: u32,
    ) -> Result<Page<OpenUpload>, ProjectError> {
        let user = super::signed_in(caller)?;
        let filter = match which {
            UploadList::Own => UploadFilter::User(user.id.0),
            UploadList::OwnOf(digest) => UploadFilter::UserAndBlob(user.id.0, *digest),
            UploadList::Project(name) => UploadFilter::Project(
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
                expected: row.expected,
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

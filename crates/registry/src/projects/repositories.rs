//! Repositories of a project as its people manage them: empty ones included.

use hythe_identity::Caller;
use hythe_oci::{Action, ProjectName, RepositoryName};
use hythe_store::Timestamp;
use hythe_store::records::Writer;
use hythe_store::records::repositories::{RepositoryId, RepositoryRow};

use super::ProjectError;
use crate::{Page, Registry, random_id};

/// Tags, manifests and links that go in one transaction: some milliseconds.
const REMOVED_AT_ONCE: u32 = 500;

/// A repository in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its full name.
    pub name: RepositoryName,
    /// How many manifests it holds; none means that it is empty.
    pub manifests: u64,
    /// When it appeared.
    pub created: Timestamp,
    /// When a manifest or tag in it last changed.
    pub updated: Timestamp,
}

impl From<RepositoryRow> for Repository {
    fn from(row: RepositoryRow) -> Self {
        Self { name: row.name, manifests: row.manifests, created: row.created, updated: row.updated }
    }
}

impl Registry {
    /// The repositories of a project after a name, in order, empty ones included.
    pub async fn list_repositories(
        &self,
        caller: &Caller,
        project: &ProjectName,
        after: Option<RepositoryName>,
        limit: u32,
    ) -> Result<Page<Repository>, ProjectError> {
        let id = self.seen_project(caller, project).await?.project.id;
        let rows = self
            .records()
            .read(move |r| {
                Ok::<_, ProjectError>(r.repositories(id, after.as_ref(), limit.saturating_add(1))?)
            })
            .await?;
        Ok(Page::cut(rows, limit).map(Repository::from))
    }

    /// Makes an empty repository. Needs the right to push.
    pub async fn create_repository(
        &self,
        caller: &Caller,
        name: &RepositoryName,
    ) -> Result<Repository, ProjectError> {
        let project = self.project_with(caller, name, Action::Push, "create repositories in").await?;
        let now = self.now();
        let fresh = RepositoryId(random_id());
        let wanted = name.clone();
        self.records()
            .write(move |w| {
                if w.project_id(&wanted.project())? != Some(project) {
                    return Err(ProjectError::NotFound(format!("project {}", wanted.project())));
                }
                if w.insert_repository(project, &wanted, fresh, now)? {
                    Ok(())
                } else {
                    Err(ProjectError::Exists(format!("Repository {wanted}")))
                }
            })
            .await?;
        Ok(Repository { name: name.clone(), manifests: 0, created: now, updated: now })
    }

    /// Deletes a repository with everything in it. Needs the right to delete. Of a large one a part goes at a time, for
    /// everybody else's pushes come in between; if that is interrupted, the rest stays until it is deleted again.
    pub async fn delete_repository(
        &self,
        caller: &Caller,
        name: &RepositoryName,
    ) -> Result<(), ProjectError> {
        let project = self.project_with(caller, name, Action::Delete, "delete repositories from").await?;
        let mut begun = None;
        loop {
            let (wanted, now) = (name.clone(), self.now());
            let deleting = move |w: &mut Writer<'_>| {
                let row = w.repository(&wanted)?.filter(|row| row.project == project);
                match (row, begun) {
                    (None, None) => Err(ProjectError::NotFound(format!("repository {wanted}"))),
                    (Some(row), _) if begun.is_none_or(|begun| begun == row.id) => {
                        if !w.empty_repository(row.id, REMOVED_AT_ONCE, now)? {
                            return Ok(Some(row.id));
                        }
                        w.delete_repository(&row)?;
                        Ok(None)
                    }
                    // Somebody else deleted it meanwhile, and it may have been made anew.
                    _ => Ok(None),
                }
            };
            begun = self.records().write(deleting).await?;
            if begun.is_none() {
                return Ok(());
            }
        }
    }

    pub(crate) async fn project_with(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        action: Action,
        verb: &str,
    ) -> Result<hythe_store::records::projects::ProjectId, ProjectError> {
        let project = name.project();
        let rights = self.seen_project(caller, &project).await?;
        let user = super::signed_in(caller)?;
        if rights.actions.contains(action) {
            return Ok(rights.project.id);
        }
        Err(ProjectError::Forbidden(format!(
            "{} cannot {verb} project {project}: ask an owner for the right.",
            user.name
        )))
    }
}

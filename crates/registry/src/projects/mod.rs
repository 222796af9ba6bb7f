//! Projects, members and empty repositories: who may see and manage them.
//!
//! To somebody who may not pull from it, a project does not exist.

mod error;
mod images;
mod members;
mod repositories;
mod uploads;

pub use error::ProjectError;
pub use hythe_store::records::projects::{Compression, Role, Visibility};
pub use images::{ImagePosition, TaggedImage};
pub use repositories::Repository;
pub use uploads::{OpenUpload, UploadList};

use std::sync::Arc;

use hythe_identity::{Caller, User};
use hythe_oci::ProjectName;
use hythe_store::Timestamp;
use hythe_store::records::projects::{ProjectId, ProjectRow};

use crate::access::Rights;
use crate::options::ProjectCreation;
use crate::{Page, Registry, random_id};

/// A project as one caller sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its name.
    pub name: ProjectName,
    /// Who may see it.
    pub visibility: Visibility,
    /// Days after which untagged manifests go; `None` keeps them.
    pub untagged_days: Option<u32>,
    /// How clients should pack what they push to it.
    pub compression: Compression,
    /// When it was made.
    pub created: Timestamp,
    /// The caller's role, if they are a member.
    pub role: Option<Role>,
}

/// A member of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The user's name.
    pub user: hythe_oci::UserName,
    /// Their role.
    pub role: Role,
}

/// What to change about a project; `None` leaves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProjectPatch {
    /// The new visibility.
    pub visibility: Option<Visibility>,
    /// The new untagged policy; `Some(None)` keeps untagged manifests for ever.
    pub untagged_days: Option<Option<u32>>,
    /// How clients should pack what they push from now on.
    pub compression: Option<Compression>,
}

fn seen(row: &ProjectRow, role: Option<Role>) -> Project {
    Project {
        name: row.name.clone(),
        visibility: row.visibility,
        untagged_days: row.untagged_days,
        compression: row.compression,
        created: row.created,
        role,
    }
}

pub(crate) fn signed_in(caller: &Caller) -> Result<&Arc<User>, ProjectError> {
    caller.user().ok_or(ProjectError::SignInRequired)
}

impl Registry {
    /// Makes a project; its maker becomes its owner.
    pub async fn create_project(
        &self,
        caller: &Caller,
        name: ProjectName,
        visibility: Visibility,
    ) -> Result<Project, ProjectError> {
        let user = signed_in(caller)?;
        if self.options().project_creation == ProjectCreation::Admins && !user.admin {
            return Err(ProjectError::Forbidden(format!(
                "Only administrators create projects here: ask one to create {name} and to make you its owner."
            )));
        }
        let now = self.now();
        let row = ProjectRow {
            id: ProjectId(random_id()),
            name,
            visibility,
            untagged_days: None,
            compression: Compression::default(),
            created: now,
        };
        let project = seen(&row, Some(Role::Owner));
        let owner = user.id.0;
        self.records()
            .write(move |w| {
                if !w.insert_project(&row)? {
                    return Err(ProjectError::Exists(format!("Project {}", row.name)));
                }
                Ok(w.set_member(row.id, owner, Role::Owner, now)?)
            })
            .await?;
        Ok(project)
    }

    /// A project that the caller may see.
    pub async fn project(&self, caller: &Caller, name: &ProjectName) -> Result<Project, ProjectError> {
        let rights = self.seen_project(caller, name).await?;
        Ok(seen(&rights.project, rights.role))
    }

    /// The projects that the caller may see, after a name, in order.
    pub async fn list_projects(
        &self,
        caller: &Caller,
        after: Option<ProjectName>,
        limit: u32,
    ) -> Result<Page<Project>, ProjectError> {
        let user = caller.user().map(|user| user.id.0);
        let everything = caller.user().is_some_and(|user| user.admin);
        let rows = self
            .records()
            .read(move |r| {
                let mut projects = Vec::new();
                for row in r.projects(user, everything, after.as_ref(), limit.saturating_add(1))? {
                    let role = user.map(|user| r.role(row.id, user)).transpose()?.flatten();
                    projects.push(seen(&row, role));
                }
                Ok::<_, ProjectError>(projects)
            })
            .await?;
        Ok(Page::cut(rows, limit))
    }

    /// Changes a project. Owners and administrators only.
    pub async fn update_project(
        &self,
        caller: &Caller,
        name: &ProjectName,
        patch: ProjectPatch,
    ) -> Result<Project, ProjectError> {
        let rights = self.managed_project(caller, name, "change").await?;
        if patch.untagged_days == Some(Some(0)) {
            return Err(ProjectError::Invalid(
                "untagged_days must be at least 1: leave it empty to keep untagged manifests for ever."
                    .to_owned(),
            ));
        }
        let wanted = name.clone();
        let id = rights.project.id;
        let row = self
            .records()
            .write(move |w| {
                let Some(mut row) = w.project(&wanted)?.filter(|row| row.id == id) else {
                    return Err(ProjectError::NotFound(format!("project {wanted}")));
                };
                row.visibility = patch.visibility.unwrap_or(row.visibility);
                row.untagged_days = patch.untagged_days.unwrap_or(row.untagged_days);
                row.compression = patch.compression.unwrap_or(row.compression);
                w.update_project(&row)?;
                Ok(row)
            })
            .await?;
        Ok(seen(&row, rights.role))
    }

    /// Deletes a project that holds no repository. Owners and administrators only.
    pub async fn delete_project(&self, caller: &Caller, name: &ProjectName) -> Result<(), ProjectError> {
        let rights = self.managed_project(caller, name, "delete").await?;
        let row = ProjectRow::clone(&rights.project);
        self.records()
            .write(move |w| {
                if w.delete_project(&row)? {
                    return Ok(());
                }
                match w.project(&row.name)? {
                    Some(_) => Err(ProjectError::NotEmpty(format!(
                        "Project {} still holds repositories: delete them first.",
                        row.name
                    ))),
                    None => Err(ProjectError::NotFound(format!("project {}", row.name))),
                }
            })
            .await
    }

    pub(crate) async fn seen_project(
        &self,
        caller: &Caller,
        name: &ProjectName,
    ) -> Result<Rights, ProjectError> {
        match self.rights(caller, name).await? {
            Some(rights) if rights.sees() => Ok(rights),
            _ => Err(hidden(caller, name)),
        }
    }

    /// A project that the caller may manage; `verb` says what for.
    async fn managed_project(
        &self,
        caller: &Caller,
        name: &ProjectName,
        verb: &str,
    ) -> Result<Rights, ProjectError> {
        let rights = self.seen_project(caller, name).await?;
        let user = signed_in(caller)?;
        if user.admin || rights.role == Some(Role::Owner) {
            return Ok(rights);
        }
        Err(ProjectError::Forbidden(format!(
            "{} is no owner of project {name} and cannot {verb} it: ask an owner or an administrator.",
            user.name
        )))
    }
}

/// What somebody without access is told, whether the project exists or not.
fn hidden(caller: &Caller, name: &ProjectName) -> ProjectError {
    match caller {
        Caller::Anonymous => ProjectError::SignInRequired,
        Caller::User(_) => ProjectError::NotFound(format!("project {name}")),
    }
}

//! Projects and their members.

use hythe_api::{Member, NewProject, NewRole, Project, ProjectChanges, Role};
use hythe_oci::{ProjectName, UserName};
use hythe_outbound::Method;

use super::{Api, Pages};
use crate::ApiError;

impl Api {
    /// Creates a project, owned by the caller.
    pub async fn create_project(&self, project: &NewProject) -> Result<Project, ApiError> {
        self.ask(Method::POST, self.url(&[&"projects"])?, project).await
    }

    /// The projects the caller may see, by name.
    pub fn projects(&self) -> Result<Pages<'_, Project>, ApiError> {
        self.pages(&[&"projects"])
    }

    /// One project.
    pub async fn project(&self, name: &ProjectName) -> Result<Project, ApiError> {
        self.get(self.url(&[&"projects", name])?).await
    }

    /// Changes a project; answers what it is now.
    pub async fn change_project(
        &self,
        name: &ProjectName,
        changes: &ProjectChanges,
    ) -> Result<Project, ApiError> {
        self.ask(Method::PATCH, self.url(&[&"projects", name])?, changes).await
    }

    /// Deletes a project that holds no repositories.
    pub async fn delete_project(&self, name: &ProjectName) -> Result<(), ApiError> {
        self.delete(self.url(&[&"projects", name])?).await
    }

    /// The members of a project, by name.
    pub fn members(&self, project: &ProjectName) -> Result<Pages<'_, Member>, ApiError> {
        self.pages(&[&"projects", project, &"members"])
    }

    /// Makes a user a member, or changes a member's role.
    pub async fn set_member(
        &self,
        project: &ProjectName,
        user: &UserName,
        role: Role,
    ) -> Result<Member, ApiError> {
        let url = self.url(&[&"projects", project, &"members", user])?;
        self.ask(Method::PUT, url, &NewRole { role }).await
    }

    /// Removes a member.
    pub async fn remove_member(&self, project: &ProjectName, user: &UserName) -> Result<(), ApiError> {
        self.delete(self.url(&[&"projects", project, &"members", user])?).await
    }
}

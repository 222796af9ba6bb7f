//! Members of a project.

use hythe_identity::Caller;
use hythe_oci::{ProjectName, UserName};
use hythe_store::records::Writer;
use hythe_store::records::projects::{MemberRow, ProjectId, Role};

use super::{Member, ProjectError};
use crate::{Page, Registry};

impl Registry {
    /// Gives a user a role, or changes it. Owners and administrators only.
    pub async fn set_member(
        &self,
        caller: &Caller,
        project: &ProjectName,
        user: &UserName,
        role: Role,
    ) -> Result<Member, ProjectError> {
        let rights = self.managed_project(caller, project, "add members to").await?;
        let id = rights.project.id;
        let now = self.now();
        let name = user.clone();
        self.records()
            .write(move |w| {
                let Some(user) = w.user_by_name(&name)? else {
                    return Err(ProjectError::Invalid(format!(
                        "There is no user {name}: create the user first."
                    )));
                };
                if role != Role::Owner {
                    keep_an_owner(w, id, user.id, &name)?;
                }
                Ok(w.set_member(id, user.id, role, now)?)
            })
            .await?;
        Ok(Member { user: user.clone(), role })
    }

    /// Takes a user's role away. Owners and administrators only; members may leave by themselves.
    pub async fn remove_member(
        &self,
        caller: &Caller,
        project: &ProjectName,
        user: &UserName,
    ) -> Result<(), ProjectError> {
        let leaving = caller.user().is_some_and(|caller| caller.name == *user);
        let rights = if leaving {
            self.seen_project(caller, project).await?
        } else {
            self.managed_project(caller, project, "remove members from").await?
        };
        let id = rights.project.id;
        let name = user.clone();
        let project = project.clone();
        self.records()
            .write(move |w| {
                let absent = || ProjectError::NotFound(format!("member {name} of project {project}"));
                let user = w.user_by_name(&name)?.ok_or_else(absent)?;
                keep_an_owner(w, id, user.id, &name)?;
                if w.remove_member(id, user.id)? { Ok(()) } else { Err(absent()) }
            })
            .await
    }

    /// The members after a name, in order. Members and administrators only.
    pub async fn list_members(
        &self,
        caller: &Caller,
        project: &ProjectName,
        after: Option<UserName>,
        limit: u32,
    ) -> Result<Page<Member>, ProjectError> {
        let rights = self.seen_project(caller, project).await?;
        let user = super::signed_in(caller)?;
        if rights.role.is_none() && !user.admin {
            return Err(ProjectError::Forbidden(format!(
                "{} is no member of project {project} and cannot list its members.",
                user.name
            )));
        }
        let id = rights.project.id;
        let rows: Vec<MemberRow> = self
            .records()
            .read(move |r| r.members(id, after.as_ref(), limit.saturating_add(1)))
            .await
            .map_err(|error: hythe_store::records::RecordError| ProjectError::from(error))?;
        Ok(Page::cut(rows, limit).map(|row| Member { user: row.user, role: row.role }))
    }
}

/// A change of members leaves a project its last owner. (A deleted user takes their roles along; such a
/// project is the administrators' to give to somebody.)
fn keep_an_owner(
    w: &mut Writer<'_>,
    project: ProjectId,
    user: i64,
    name: &UserName,
) -> Result<(), ProjectError> {
    if w.role(project, user)? == Some(Role::Owner) && w.owner_count(project)? == 1 {
        return Err(ProjectError::Invalid(format!(
            "{name} is the project's only owner: make somebody else owner first."
        )));
    }
    Ok(())
}

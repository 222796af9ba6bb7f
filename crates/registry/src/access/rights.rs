//! The live rights of a caller in a project: visibility, membership, and nothing remembered
//! longer than the records stay unchanged.

use std::sync::Arc;

use hythe_identity::Caller;
use hythe_oci::{Action, Actions, ProjectName};
use hythe_store::records::projects::{ProjectId, ProjectRow, Role, Visibility, member_topic, project_topic};

use crate::seeded::defect;
use crate::{Error, Registry};

/// What a caller may do in an existing project.
#[derive(Clone, Debug)]
pub(crate) struct Rights {
    pub(crate) project: Arc<ProjectRow>,
    pub(crate) role: Option<Role>,
    pub(crate) actions: Actions,
}

impl Rights {
    /// Whether the caller may know that the project exists.
    pub(crate) fn sees(&self) -> bool {
        self.actions.contains(Action::Pull)
    }
}

fn actions(caller: &Caller, visibility: Visibility, role: Option<Role>) -> Actions {
    if let Caller::User(user) = caller
        && user.admin
    {
        return Actions::ALL;
    }
    let member = match role {
        Some(Role::Owner) => Actions::ALL,
        Some(Role::Pusher) => Actions::PULL.union(Actions::PUSH),
        Some(Role::Reader) => Actions::PULL,
        None => Actions::NONE,
    };
    let visitor = match (visibility, caller) {
        (Visibility::Public, _) | (Visibility::Internal, Caller::User(_)) => Actions::PULL,
        _ => Actions::NONE,
    };
    member.union(visitor)
}

impl Registry {
    /// The caller's rights in a project, or `None` if there is no such project.
    pub(crate) async fn rights(&self, caller: &Caller, name: &ProjectName) -> Result<Option<Rights>, Error> {
        let Some(project) = self.project_row(name).await? else {
            return Ok(None);
        };
        let role = match caller {
            Caller::User(user) => self.role_of(project.id, user.id.0).await?,
            Caller::Anonymous => None,
        };
        let actions =
            if defect("defect-rights") { Actions::ALL } else { actions(caller, project.visibility, role) };
        Ok(Some(Rights { project, role, actions }))
    }

    pub(crate) async fn project_row(&self, name: &ProjectName) -> Result<Option<Arc<ProjectRow>>, Error> {
        let wanted = name.clone();
        self.caches()
            .projects
            .get(name, &[project_topic(name)], move |r| Ok::<_, Error>(r.project(&wanted)?.map(Arc::new)))
            .await
    }

    pub(crate) async fn role_of(&self, project: ProjectId, user: i64) -> Result<Option<Role>, Error> {
        self.caches()
            .roles
            .get(&(project, user), &[member_topic(project, user)], move |r| {
                Ok::<_, Error>(r.role(project, user)?)
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hythe_identity::{User, UserId};

    fn user(admin: bool) -> Caller {
        Caller::User(Arc::new(User { id: UserId(7), name: "ada".parse().unwrap(), admin, epoch: 0 }))
    }

    #[test]
    fn roles_include_the_ones_below() {
        let private = |role| actions(&user(false), Visibility::Private, role);
        assert_eq!(private(None), Actions::NONE);
        assert_eq!(private(Some(Role::Reader)), Actions::PULL);
        assert_eq!(private(Some(Role::Pusher)), Actions::PULL.union(Actions::PUSH));
        assert_eq!(private(Some(Role::Owner)), Actions::ALL);
    }

    #[test]
    fn visibility_opens_pulling_only() {
        assert_eq!(actions(&Caller::Anonymous, Visibility::Public, None), Actions::PULL);
        assert_eq!(actions(&Caller::Anonymous, Visibility::Internal, None), Actions::NONE);
        assert_eq!(actions(&user(false), Visibility::Internal, None), Actions::PULL);
        assert_eq!(actions(&user(false), Visibility::Private, None), Actions::NONE);
        assert_eq!(actions(&user(true), Visibility::Private, None), Actions::ALL);
    }
}

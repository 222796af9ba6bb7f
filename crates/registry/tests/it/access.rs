//! Rights are live: what was allowed a moment ago is not a right.

use hythe_identity::Session;
use hythe_oci::{Actions, ScopeSet};
use hythe_registry::access::{AuthorizeError, Delete, Pull, Push, Refused};
use hythe_registry::projects::{ProjectError, ProjectPatch, Role, Visibility};
use hythe_registry::{ProjectCreation, RegistryOptions};

use crate::house::{House, repository};

fn scoped(session: &Session, name: &str, actions: Actions) -> Session {
    let mut scopes = ScopeSet::new();
    scopes.insert(repository(name), actions);
    Session { scopes: Some(scopes), ..session.clone() }
}

#[tokio::test]
async fn strangers_cannot_tell_private_from_absent() {
    let house = House::new().await;
    let eve = house.person(2, "eve").await;
    let words = |error: AuthorizeError, name: &str| error.to_string().replace(name, "NAME");
    for session in [Session::anonymous(), eve] {
        let private = house.permit::<Pull>(&session, "lab/app").await.unwrap_err();
        let absent = house.permit::<Pull>(&session, "nix/app").await.unwrap_err();
        assert_eq!(words(private, "lab"), words(absent, "nix"));
    }
}

#[tokio::test]
async fn roles_change_at_once() {
    let house = House::new().await;
    let (lab, bob_name) = ("lab".parse().unwrap(), "bob".parse().unwrap());
    let bob = house.person(2, "bob").await;
    let ada = house.ada.caller.clone();
    assert!(house.permit::<Pull>(&bob, "lab/app").await.is_err());
    house.registry.set_member(&ada, &lab, &bob_name, Role::Reader).await.unwrap();
    house.permit::<Pull>(&bob, "lab/app").await.unwrap();
    let refused = house.permit::<Push>(&bob, "lab/app").await.unwrap_err();
    assert!(matches!(refused, AuthorizeError::Refused(Refused::Right { .. })));
    house.registry.set_member(&ada, &lab, &bob_name, Role::Pusher).await.unwrap();
    house.permit::<Push>(&bob, "lab/app").await.unwrap();
    assert!(house.permit::<Delete>(&bob, "lab/app").await.is_err());
    house.registry.remove_member(&ada, &lab, &bob_name).await.unwrap();
    assert!(house.permit::<Pull>(&bob, "lab/app").await.is_err());
    let public = ProjectPatch { visibility: Some(Visibility::Public), ..ProjectPatch::default() };
    house.registry.update_project(&ada, &lab, public).await.unwrap();
    house.permit::<Pull>(&Session::anonymous(), "lab/app").await.unwrap();
    let private = ProjectPatch { visibility: Some(Visibility::Private), ..ProjectPatch::default() };
    house.registry.update_project(&ada, &lab, private).await.unwrap();
    assert!(house.permit::<Pull>(&Session::anonymous(), "lab/app").await.is_err());
}

#[tokio::test]
async fn creating_projects_can_be_the_administrators_alone() {
    let options = RegistryOptions { project_creation: ProjectCreation::Admins, ..RegistryOptions::default() };
    let house = House::with(options).await;
    let refused =
        house.registry.create_project(&house.ada.caller, "mine".parse().unwrap(), Visibility::Private).await;
    assert!(matches!(refused, Err(ProjectError::Forbidden(_))), "{refused:?}");
}

#[tokio::test]
async fn a_token_only_narrows() {
    let house = House::new().await;
    let pull = scoped(&house.ada, "lab/app", Actions::PULL);
    house.permit::<Pull>(&pull, "lab/app").await.unwrap();
    let refused = house.permit::<Push>(&pull, "lab/app").await.unwrap_err();
    assert!(matches!(refused, AuthorizeError::Refused(Refused::Scope { .. })));
    assert!(house.permit::<Pull>(&pull, "lab/other").await.is_err());
    let eve = house.person(2, "eve").await;
    let forged = scoped(&eve, "lab/app", Actions::ALL);
    assert!(house.permit::<Pull>(&forged, "lab/app").await.is_err());
}

#[tokio::test]
async fn granted_scopes_are_the_live_part_of_what_was_asked() {
    let house = House::new().await;
    let asked = ScopeSet::parse(["repository:lab/app:pull,push repository:nix/app:pull"]);
    let granted = house.registry.granted(&house.ada.caller, &asked).await.unwrap();
    assert_eq!(granted.to_string(), "repository:lab/app:pull,push");
    let nobody = Session::anonymous();
    assert!(house.registry.granted(&nobody.caller, &asked).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_project_keeps_an_owner_and_is_deleted_only_empty() {
    let house = House::new().await;
    let ada = house.ada.caller.clone();
    let lab = "lab".parse().unwrap();
    let alone = house.registry.remove_member(&ada, &lab, &"ada".parse().unwrap()).await;
    assert!(matches!(alone, Err(ProjectError::Invalid(_))));
    house.registry.create_repository(&ada, &repository("lab")).await.unwrap();
    let again = house.registry.create_repository(&ada, &repository("lab")).await;
    assert!(matches!(again, Err(ProjectError::Exists(_))));
    let full = house.registry.delete_project(&ada, &lab).await;
    assert!(matches!(full, Err(ProjectError::NotEmpty(_))));
    house.registry.delete_repository(&ada, &repository("lab")).await.unwrap();
    house.registry.delete_project(&ada, &lab).await.unwrap();
    let gone = house.registry.project(&ada, &lab).await;
    assert!(matches!(gone, Err(ProjectError::NotFound(_))));
}

//! Making, listing and deleting users; the first administrator.

use hythe_identity::{AccountError, IdentityError, PasswordRuleError, generate_password};
use secrecy::ExposeSecret as _;

use crate::house::{House, PASSWORD, name};

#[tokio::test]
async fn the_first_start_makes_an_administrator_once() {
    let house = House::new().await;
    assert!(house.identity.needs_admin().await.unwrap());
    let password = house.identity.bootstrap(None).await.unwrap().expect("a password was made");
    assert!(password.expose_secret().len() >= 24);
    assert!(!house.identity.needs_admin().await.unwrap());
    assert!(house.sign_in("admin", password.expose_secret()).await.unwrap().admin);
    assert!(house.identity.bootstrap(None).await.unwrap().is_none());
    assert!(house.identity.bootstrap(Some("another password".into())).await.unwrap().is_none());
    assert!(house.sign_in("admin", "another password").await.is_err(), "later starts change nothing");
}

#[tokio::test]
async fn a_given_password_is_used_and_not_answered() {
    let house = House::new().await;
    let given = generate_password().unwrap();
    assert!(house.identity.bootstrap(Some(given.clone())).await.unwrap().is_none());
    assert!(house.sign_in("admin", given.expose_secret()).await.unwrap().admin);
}

#[tokio::test]
async fn a_weak_password_for_the_administrator_is_refused() {
    let house = House::new().await;
    let error = house.identity.bootstrap(Some("short".into())).await.unwrap_err();
    assert!(matches!(error, IdentityError::Rule(PasswordRuleError::TooShort)), "{error}");
    assert!(house.identity.needs_admin().await.unwrap());
}

#[tokio::test]
async fn users_are_listed_by_name_in_pages() {
    let house = House::new().await;
    for user in ["mia", "ada", "zoe", "bob"] {
        house.user(user).await;
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = house.identity.list_users(after, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 3);
        after = Some(last.user.name.clone());
        seen.extend(page.into_iter().map(|listed| listed.user.name.to_string()));
    }
    assert_eq!(seen, ["ada", "bob", "mia", "zoe"]);
}

#[tokio::test]
async fn a_name_is_given_once() {
    let house = House::new().await;
    house.user("ada").await;
    let again = house.identity.create_user(&name("ada"), &PASSWORD.into(), true).await;
    assert!(matches!(again, Err(AccountError::Exists(taken)) if taken == name("ada")));
    assert!(!house.identity.user_by_name(&name("ada")).await.unwrap().unwrap().admin);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let house = House::new().await;
    house.identity.bootstrap(Some(PASSWORD.into())).await.unwrap();
    house.user("ada").await;
    let error = house.identity.delete_user(&name("admin")).await.unwrap_err();
    assert!(matches!(error, AccountError::LastAdministrator(_)), "{error}");
    house.identity.create_user(&name("root"), &PASSWORD.into(), true).await.unwrap();
    house.identity.delete_user(&name("admin")).await.unwrap();
    assert!(house.identity.delete_user(&name("root")).await.is_err());
}

#[tokio::test]
async fn missing_users_are_named() {
    let house = House::new().await;
    let nobody = name("nobody");
    assert!(house.identity.user_by_name(&nobody).await.unwrap().is_none());
    let deleted = house.identity.delete_user(&nobody).await.unwrap_err();
    assert_eq!(deleted.to_string(), "There is no user called `nobody`.");
    let changed = house.identity.set_password(&nobody, &PASSWORD.into()).await;
    assert!(matches!(changed, Err(AccountError::Missing(_))));
}

#[tokio::test]
async fn a_name_looked_up_too_early_is_found_after_it_was_made() {
    let house = House::new().await;
    assert!(house.identity.user_by_name(&name("ada")).await.unwrap().is_none());
    house.user("ada").await;
    assert!(house.identity.user_by_name(&name("ada")).await.unwrap().is_some());
}

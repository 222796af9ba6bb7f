//! Refresh tokens from their making to their end.

use hythe_identity::{REFRESH_PREFIX, SignInError, TOKEN_USER_NAME, TokenError};
use secrecy::ExposeSecret as _;

use crate::house::{HERE, House, PASSWORD, name};

#[tokio::test]
async fn a_refresh_token_signs_its_user_in() {
    let house = House::new().await;
    let ada = house.user("ada").await;
    let token = house.refresh("ada").await;
    assert!(token.expose_secret().starts_with(REFRESH_PREFIX));
    assert_eq!(*house.identity.redeem_refresh(&token, HERE).await.unwrap(), ada);
    for user in ["ada", TOKEN_USER_NAME] {
        let session = house.identity.authenticate_basic(user, &token, HERE).await.unwrap();
        assert_eq!(session.scopes, None, "the whole identity");
    }
    let other = house.identity.authenticate_basic("bob", &token, HERE).await;
    assert!(matches!(other, Err(SignInError::TokenRefused)));
}

#[tokio::test]
async fn it_is_no_bearer_token() {
    let house = House::new().await;
    house.user("ada").await;
    let token = house.refresh("ada").await;
    let bearer = house.identity.verify_token(token.expose_secret()).await;
    assert!(matches!(bearer, Err(TokenError::RefreshToken)));
}

#[tokio::test]
async fn it_ends_after_ninety_days() {
    let house = House::new().await;
    house.user("ada").await;
    let token = house.refresh("ada").await;
    house.later(90 * 86_400 - 1);
    house.identity.redeem_refresh(&token, HERE).await.unwrap();
    house.later(1);
    let late = house.identity.redeem_refresh(&token, HERE).await;
    assert!(matches!(late, Err(SignInError::TokenRefused)));
}

#[tokio::test]
async fn it_is_listed_and_revoked() {
    let house = House::new().await;
    let ada = house.user("ada").await;
    let bob = house.user("bob").await;
    let (first, second) = (house.refresh("ada").await, house.refresh("ada").await);
    let listed = house.identity.list_refresh(ada.id, None, 10).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|token| token.client == "docker"));
    let page = house.identity.list_refresh(ada.id, Some(listed[0].id), 10).await.unwrap();
    assert_eq!(page, listed[1..]);
    assert!(!house.identity.revoke_refresh(bob.id, listed[0].id).await.unwrap(), "not Bob's to revoke");
    for token in &listed {
        assert!(house.identity.revoke_refresh(ada.id, token.id).await.unwrap());
        assert!(!house.identity.revoke_refresh(ada.id, token.id).await.unwrap());
    }
    for token in [first, second] {
        assert!(house.identity.redeem_refresh(&token, HERE).await.is_err());
    }
}

#[tokio::test]
async fn its_use_is_noted_once_an_hour() {
    let house = House::new().await;
    let ada = house.user("ada").await;
    let token = house.refresh("ada").await;
    let listed = || async { house.identity.list_refresh(ada.id, None, 1).await.unwrap().remove(0) };
    let made = listed().await.created;
    house.later(3600);
    house.identity.redeem_refresh(&token, HERE).await.unwrap();
    assert_eq!(listed().await.used, made, "within the hour nothing is written");
    house.later(1);
    house.identity.redeem_refresh(&token, HERE).await.unwrap();
    assert_eq!(listed().await.used.since(made).as_secs(), 3601);
}

#[tokio::test]
async fn a_new_password_and_a_deletion_end_it() {
    let house = House::new().await;
    house.user("ada").await;
    let token = house.refresh("ada").await;
    house.identity.set_password(&name("ada"), &PASSWORD.into()).await.unwrap();
    assert!(house.identity.redeem_refresh(&token, HERE).await.is_err());
    let token = house.refresh("ada").await;
    house.identity.delete_user(&name("ada")).await.unwrap();
    assert!(house.identity.redeem_refresh(&token, HERE).await.is_err());
    house.user("ada").await;
    assert!(house.identity.redeem_refresh(&token, HERE).await.is_err());
}

#[tokio::test]
async fn the_one_used_longest_ago_makes_room() {
    let house = House::new().await;
    let ada = house.user("ada").await;
    let first = house.refresh("ada").await;
    house.later(1);
    let second = house.refresh("ada").await;
    for _ in 0..199 {
        house.later(1);
        house.refresh("ada").await;
    }
    assert_eq!(house.identity.list_refresh(ada.id, None, 1000).await.unwrap().len(), 200);
    assert!(house.identity.redeem_refresh(&first, HERE).await.is_err());
    house.identity.redeem_refresh(&second, HERE).await.unwrap();
}

#[tokio::test]
async fn an_unknown_one_is_refused_without_throttling_the_password() {
    let house = House::new().await;
    house.user("ada").await;
    for number in 0..50 {
        let token = format!("{REFRESH_PREFIX}{number}");
        assert!(matches!(house.sign_in("ada", &token).await, Err(SignInError::TokenRefused)));
    }
    house.sign_in("ada", PASSWORD).await.unwrap();
}

//! Access tokens in use: what they prove, when they end, and that they widen nothing.

use hythe_identity::{Caller, IdentityError, Session, SignInError, TOKEN_USER_NAME, TokenError};
use hythe_oci::ScopeSet;
use secrecy::ExposeSecret as _;

use crate::house::{HERE, House, PASSWORD, name};

const SCOPES: &str = "repository:lab/app:pull,push";

#[tokio::test]
async fn a_token_proves_its_user_and_scopes() {
    let house = House::new().await;
    let ada = house.user("ada").await;
    let token = house.access("ada", SCOPES).await;
    let session = house.identity.verify_token(&token).await.unwrap();
    assert_eq!(session.caller.user().map(|user| &**user), Some(&ada));
    assert_eq!(session.scopes, Some(ScopeSet::parse([SCOPES])));
    assert!(!session.expired);
    assert!(session.token.is_some());
}

#[tokio::test]
async fn a_token_of_nobody_is_anonymous() {
    let house = House::new().await;
    let token = house.buy(&Session::anonymous(), "repository:open/app:pull");
    let session = house.identity.verify_token(&token).await.unwrap();
    assert_eq!(session.caller, Caller::Anonymous);
    assert_eq!(session.scopes, Some(ScopeSet::parse(["repository:open/app:pull"])));
}

#[tokio::test]
async fn a_token_lives_five_minutes_and_is_then_known_as_expired() {
    let house = House::with(|options| options.access_lifetime = std::time::Duration::from_mins(1)).await;
    house.user("ada").await;
    let token = house.access("ada", SCOPES).await;
    house.later(300);
    assert!(!house.identity.verify_token(&token).await.unwrap().expired);
    house.later(6);
    assert!(house.identity.verify_token(&token).await.unwrap().expired);
}

#[tokio::test]
async fn a_token_from_the_future_is_not_valid_yet() {
    let house = House::new().await;
    house.user("ada").await;
    house.later(3600);
    let token = house.access("ada", SCOPES).await;
    house.clock.set(hythe_store::Timestamp::from_secs(1_900_000_000));
    assert!(matches!(house.identity.verify_token(&token).await, Err(TokenError::NotYet)));
}

#[tokio::test]
async fn a_deleted_user_s_token_is_refused_at_once() {
    let house = House::new().await;
    house.user("ada").await;
    let token = house.access("ada", SCOPES).await;
    house.identity.verify_token(&token).await.unwrap();
    house.identity.delete_user(&name("ada")).await.unwrap();
    assert!(matches!(house.identity.verify_token(&token).await, Err(TokenError::Revoked)));
    house.later(3600);
    assert!(matches!(house.identity.verify_token(&token).await, Err(TokenError::Revoked)), "expired or not");
    house.user("ada").await;
    assert!(matches!(house.identity.verify_token(&token).await, Err(TokenError::Revoked)), "another ada");
}

#[tokio::test]
async fn a_changed_password_ends_the_tokens() {
    let house = House::new().await;
    house.user("ada").await;
    let token = house.access("ada", SCOPES).await;
    house.identity.verify_token(&token).await.unwrap();
    house.identity.set_password(&name("ada"), &PASSWORD.into()).await.unwrap();
    assert!(matches!(house.identity.verify_token(&token).await, Err(TokenError::Revoked)));
    let fresh = house.access("ada", SCOPES).await;
    house.identity.verify_token(&fresh).await.unwrap();
}

#[tokio::test]
async fn a_session_from_before_a_new_password_buys_nothing_that_works() {
    let house = House::new().await;
    house.user("ada").await;
    let session = house.identity.authenticate_basic("ada", &PASSWORD.into(), HERE).await.unwrap();
    house.identity.set_password(&name("ada"), &"battery staple".into()).await.unwrap();
    let token = house.buy(&session, SCOPES);
    assert!(matches!(house.identity.verify_token(&token).await, Err(TokenError::Revoked)));
    let user = session.caller.user().unwrap();
    let refresh = house.identity.issue_refresh(user, "docker").await;
    assert!(matches!(refresh, Err(IdentityError::Ended)));
}

#[tokio::test]
async fn every_replica_accepts_the_token_and_another_service_does_not() {
    let house = House::new().await;
    house.user("ada").await;
    let token = house.access("ada", SCOPES).await;
    house.replica("hythe.test").await.verify_token(&token).await.unwrap();
    let other = house.replica("other.test").await.verify_token(&token).await;
    assert!(matches!(other, Err(TokenError::OtherService)));
    let stranger = House::new().await;
    assert!(matches!(stranger.identity.verify_token(&token).await, Err(TokenError::Signature)));
}

#[tokio::test]
async fn a_token_as_password_stays_as_narrow_as_it_is() {
    let house = House::new().await;
    house.user("ada").await;
    let token = house.access("ada", "repository:lab/app:pull").await;
    house.later(200);
    for user in ["ada", TOKEN_USER_NAME] {
        let session = house.identity.authenticate_basic(user, &token.as_str().into(), HERE).await.unwrap();
        assert_eq!(session.scopes, Some(ScopeSet::parse(["repository:lab/app:pull"])));
        let bought = house.identity.issue_access(&session, &ScopeSet::parse([SCOPES])).unwrap();
        assert_eq!(bought.scopes, ScopeSet::parse(["repository:lab/app:pull"]));
        assert_eq!(bought.expires_in, 100, "no longer than the token it was bought with");
    }
    let whole = house.sign_in("ada", &token).await;
    assert!(matches!(whole, Err(SignInError::TokenTooNarrow)));
}

#[tokio::test]
async fn a_token_that_stands_for_its_user_buys_scopes_until_its_own_end() {
    let house = House::new().await;
    house.user("ada").await;
    let ada = house.identity.authenticate_basic("ada", &PASSWORD.into(), HERE).await.unwrap();
    let whole = house.identity.issue_identity(&ada).unwrap();
    house.later(200);
    let session = house.identity.authenticate_basic("ada", &whole.token, HERE).await.unwrap();
    assert_eq!((&session.scopes, session.whole, session.token), (&None, true, Some(whole.id)));
    let shown = house.identity.verify_token(whole.token.expose_secret()).await.unwrap();
    assert_eq!(shown, session, "as Bearer it is the same");
    let bought = house.identity.issue_access(&session, &ScopeSet::parse([SCOPES])).unwrap();
    assert_eq!(bought.scopes, ScopeSet::parse([SCOPES]));
    assert_eq!(bought.expires_in, 100, "no longer than the token it was bought with");
    // What was bought for images buys nothing else.
    let narrow = house.identity.verify_token(bought.token.expose_secret()).await.unwrap();
    assert!(!narrow.whole);
    let name_alone = house.identity.issue_identity(&narrow).unwrap();
    let session = house.identity.verify_token(name_alone.token.expose_secret()).await.unwrap();
    assert!(!session.whole);
    assert_eq!(session.scopes, Some(ScopeSet::new()), "a name alone opens nothing");
    // Nobody's token stands for nobody.
    let nobody = house.identity.issue_identity(&Session::anonymous()).unwrap();
    let session = house.identity.verify_token(nobody.token.expose_secret()).await.unwrap();
    assert_eq!(session.scopes, Some(ScopeSet::new()));
}

#[tokio::test]
async fn a_token_as_password_of_another_user_or_past_its_end_is_refused() {
    let house = House::new().await;
    house.user("ada").await;
    house.user("bob").await;
    let token = house.access("ada", SCOPES).await.as_str().into();
    let other = house.identity.authenticate_basic("bob", &token, HERE).await;
    assert!(matches!(other, Err(SignInError::TokenRefused)));
    house.later(400);
    let late = house.identity.authenticate_basic("ada", &token, HERE).await;
    assert!(matches!(late, Err(SignInError::TokenRefused)));
    let nobody = house.buy(&Session::anonymous(), "").as_str().into();
    let anonymous = house.identity.authenticate_basic(TOKEN_USER_NAME, &nobody, HERE).await;
    assert!(matches!(anonymous, Err(SignInError::TokenRefused)));
}

#[tokio::test]
async fn an_expired_session_buys_nothing() {
    let house = House::new().await;
    house.user("ada").await;
    let token = house.access("ada", SCOPES).await;
    house.later(306);
    let session = house.identity.verify_token(&token).await.unwrap();
    let bought = house.identity.issue_access(&session, &ScopeSet::new()).map(drop);
    assert!(matches!(bought, Err(IdentityError::Ended)));
}

//! How registries sign people in, and whether they know us.

use hythe_remote::{Credentials, RemoteError, SignIn, Standing};

use crate::scripted::{Reply, Scripted};
use crate::{ada, open, remote, was_trusted};

#[tokio::test]
async fn an_open_registry_sees_no_credentials() {
    let registry =
        Scripted::start(|_| Reply::new(200).header("Docker-Distribution-Api-Version", "registry/2.0"));
    let ping = remote(&registry, &ada()).ping().await.unwrap();
    assert_eq!((ping.sign_in, ping.standing), (SignIn::Open, Standing::NotAsked));
    assert_eq!(ping.api_version.as_deref(), Some("registry/2.0"));
    assert!(!was_trusted(&registry));
}

#[tokio::test]
async fn passwords_are_checked() {
    let registry = Scripted::start(|request| match request.header("authorization") {
        Some("Basic YWRhOnRvcHNlY3JldA==") => Reply::new(200),
        _ => Reply::new(401).header("WWW-Authenticate", r#"Basic realm="r""#),
    });
    let ping = remote(&registry, &ada()).ping().await.unwrap();
    assert_eq!((ping.sign_in, ping.standing), (SignIn::Basic, Standing::Accepted));
    let stranger = open(&registry).ping().await.unwrap();
    assert_eq!((stranger.sign_in, stranger.standing), (SignIn::Basic, Standing::Stranger));
    let wrong = Credentials::Password { user: "ada".to_owned(), secret: "wrong".into() };
    let wrong = remote(&registry, &wrong).ping().await.unwrap();
    assert!(matches!(wrong.standing, Standing::Refused(refusal) if refusal.status == 401));
}

#[tokio::test]
async fn tokens_are_fetched_without_a_scope() {
    let registry = Scripted::start(|request| match request.header("authorization") {
        Some("Basic YWRhOnRvcHNlY3JldA==") if request.target.starts_with("/token") => {
            Reply::new(200).body(r#"{"access_token":"good"}"#)
        }
        _ if request.target.starts_with("/token") => {
            Reply::new(401).body(r#"{"errors":[{"message":"who?"}]}"#)
        }
        Some("Bearer good") => Reply::new(200),
        _ => Reply::new(401).header("WWW-Authenticate", r#"Bearer realm="/token",service="s""#),
    });
    let ping = remote(&registry, &ada()).ping().await.unwrap();
    let sign_in = SignIn::Bearer { realm: format!("{}/token", registry.base), service: Some("s".to_owned()) };
    assert_eq!((ping.sign_in, ping.standing), (sign_in.clone(), Standing::Accepted));
    assert_eq!(registry.seen()[1].target, "/token?service=s");
    let stranger = open(&registry).ping().await.unwrap();
    assert_eq!((stranger.sign_in, stranger.standing), (sign_in, Standing::Stranger));
    let wrong = Credentials::Password { user: "eve".to_owned(), secret: "wrong".into() };
    let wrong = remote(&registry, &wrong).ping().await.unwrap();
    assert!(matches!(wrong.standing, Standing::Refused(refusal) if refusal.message() == Some("who?")));
}

#[tokio::test]
async fn what_is_no_registry_is_told_so() {
    let website = Scripted::start(|_| Reply::new(404).body("<html>"));
    let refused = open(&website).ping().await.unwrap_err();
    assert!(matches!(refused, RemoteError::Protocol { .. }), "{refused}");
}

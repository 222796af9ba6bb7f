//! Access tokens that renew themselves, against a scripted token service.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hythe_client::account::{AccessToken, AccountError, OwnLogin, TokenKeeper, sign_in};
use hythe_outbound::{Outbound, Url};
use secrecy::ExposeSecret;

use crate::scripted::{Reply, Scripted};

/// A token service that numbers its tokens, each good for so many seconds.
fn service(seconds: u64) -> Scripted {
    let count = Arc::new(AtomicU32::new(0));
    Scripted::start(move |request| match request.header("authorization") {
        Some("Basic YWRhOmtlcHQ=") => {
            let number = count.fetch_add(1, Ordering::SeqCst);
            Reply::new(200).body(format!(r#"{{"access_token":"t{number}","expires_in":{seconds}}}"#))
        }
        _ => Reply::new(401),
    })
}

fn keeper(server: &Scripted, folder: &Path, secret: &str) -> TokenKeeper {
    let login = OwnLogin { username: "ada".to_owned(), secret: secret.into() };
    let outbound = Outbound::builder().build().unwrap();
    TokenKeeper::new(outbound, Url::parse(&server.base).unwrap(), login).shared_in(Some(folder))
}

fn text(token: &AccessToken) -> &str {
    token.secret.expose_secret()
}

#[tokio::test]
async fn a_token_is_fetched_once_and_shared_by_all_that_ask() {
    let server = service(300);
    let folder = tempfile::tempdir().unwrap();
    let keeper = keeper(&server, folder.path(), "kept");
    let tokens = futures_util::future::join_all((0..20).map(|_| keeper.token())).await;
    for token in tokens {
        assert_eq!(text(&token.unwrap()), "t0");
    }
    // Another keeper of the same login, as in another process.
    let other = self::keeper(&server, folder.path(), "kept");
    assert_eq!(text(&other.token().await.unwrap()), "t0");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_token_that_has_ended_is_never_handed_out() {
    let server = service(0);
    let folder = tempfile::tempdir().unwrap();
    let keeper = keeper(&server, folder.path(), "kept");
    assert_eq!(text(&keeper.token().await.unwrap()), "t0");
    assert_eq!(text(&keeper.token().await.unwrap()), "t1");
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_for_all_who_held_it() {
    let server = service(300);
    let folder = tempfile::tempdir().unwrap();
    let keeper = keeper(&server, folder.path(), "kept");
    let old = keeper.token().await.unwrap();
    let (one, two) = tokio::join!(keeper.renew(&old), keeper.renew(&old));
    assert_eq!((text(&one.unwrap()), text(&two.unwrap())), ("t1", "t1"));
    assert_eq!(text(&keeper.token().await.unwrap()), "t1");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_refused_login_is_told_and_leaves_nothing() {
    let server = service(300);
    let folder = tempfile::tempdir().unwrap();
    let refused = keeper(&server, folder.path(), "wrong").token().await;
    assert!(matches!(&refused, Err(AccountError::Refused(refused)) if refused.status == 401), "{refused:?}");
    let shown = format!("{:?}", keeper(&server, folder.path(), "topsecret"));
    assert!(!shown.contains("topsecret"), "{shown}");
    let tokens = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(tokens.filter(|name| name.to_string_lossy().ends_with(".json")).count(), 0);
}

#[tokio::test]
async fn a_password_becomes_a_refresh_token() {
    let server = Scripted::start(|request| {
        let form = String::from_utf8(request.body.clone()).unwrap();
        assert!(form.contains("grant_type=password") && form.contains("password=p%26w"), "{form}");
        Reply::new(200).body(r#"{"access_token":"a","expires_in":300,"refresh_token":"r"}"#)
    });
    let outbound = Outbound::builder().build().unwrap();
    let login = sign_in(&outbound, &Url::parse(&server.base).unwrap(), "ada", &"p&w".into()).await.unwrap();
    assert_eq!((login.username.as_str(), login.secret.expose_secret()), ("ada", "r"));
    assert_eq!(server.seen()[0].target, "/token");
}

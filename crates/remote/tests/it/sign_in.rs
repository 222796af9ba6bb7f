//! Challenges, tokens, and who gets to see the credentials.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::TryStreamExt as _;
use hythe_remote::{Credentials, RemoteError, in_memory};

use crate::scripted::{Reply, Scripted, Seen};
use crate::{ada, digest, remote, repository, was_trusted};

const BASIC_ADA: &str = "Basic YWRhOnRvcHNlY3JldA==";

fn token(value: &str) -> Reply {
    Reply::new(200).body(format!(r#"{{"token":"{value}","expires_in":300}}"#))
}

fn bearer(realm: &str) -> Reply {
    let challenge =
        format!(r#"Bearer realm="{realm}",service="registry",scope="repository:lab/app:pull,push""#);
    Reply::new(401).header("WWW-Authenticate", challenge)
}

fn targets(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| seen.target.split('?').next().unwrap()).collect()
}

#[tokio::test]
async fn the_password_goes_to_the_token_service_and_the_token_to_the_registry() {
    let registry =
        Scripted::start(|request| match (request.target.as_str(), request.header("authorization")) {
            (target, Some(BASIC_ADA)) if target.starts_with("/token?") => token("fresh"),
            (_, Some("Bearer fresh")) => Reply::new(200),
            _ => bearer("/token"),
        });
    let remote = remote(&registry, &ada());
    assert!(remote.has_blob(&repository(), &digest(b"a")).await.unwrap());
    assert!(remote.has_blob(&repository(), &digest(b"b")).await.unwrap());
    let seen = registry.seen();
    let (a, b) =
        (format!("/v2/lab/app/blobs/{}", digest(b"a")), format!("/v2/lab/app/blobs/{}", digest(b"b")));
    assert_eq!(targets(&seen), [a.as_str(), "/token", &a, &b], "one token serves both");
    let query = seen[1].target.split_once('?').unwrap().1;
    assert_eq!(query, "service=registry&scope=repository%3Alab%2Fapp%3Apull%2Cpush");
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let issued = AtomicUsize::new(0);
    let registry = Scripted::start(move |request| match request.header("authorization") {
        _ if request.target.starts_with("/token") => {
            token(&format!("t{}", issued.fetch_add(1, Ordering::SeqCst)))
        }
        // The first token is good for one blob only, as if it had been revoked after that.
        Some("Bearer t0") if request.target.ends_with(&digest(b"a").hex()) => Reply::new(200),
        Some("Bearer t1") => Reply::new(200),
        _ => bearer("/token"),
    });
    let remote = remote(&registry, &ada());
    assert!(remote.has_blob(&repository(), &digest(b"a")).await.unwrap());
    assert!(remote.has_blob(&repository(), &digest(b"b")).await.unwrap());
    assert!(remote.has_blob(&repository(), &digest(b"c")).await.unwrap());
    let tokens = registry.seen().iter().filter(|seen| seen.target.starts_with("/token")).count();
    assert_eq!(tokens, 2);
}

#[tokio::test]
async fn a_registry_that_always_refuses_is_asked_twice() {
    let registry = Scripted::start(|request| {
        if request.target.starts_with("/token") {
            return token("useless");
        }
        bearer("/token").body(r#"{"errors":[{"code":"UNAUTHORIZED","message":"ada may not see this"}]}"#)
    });
    let refused =
        remote(&registry, &ada()).pull_blob(&repository(), &digest(b"a"), None).await.err().unwrap();
    assert_eq!(refused.status(), Some(401));
    assert!(refused.to_string().contains("ada may not see this"), "{refused}");
    assert_eq!(registry.seen().len(), 3, "refused, token, refused");
}

#[tokio::test]
async fn a_stranger_asks_for_a_token_without_a_password() {
    let registry = Scripted::start(|request| match request.header("authorization") {
        None if request.target.starts_with("/token") => token("anonymous"),
        Some("Bearer anonymous") => Reply::new(200).body("a"),
        _ => bearer("/token"),
    });
    let remote = remote(&registry, &Credentials::Anonymous);
    let download = remote.pull_blob(&repository(), &digest(b"a"), Some(1)).await.unwrap();
    let pieces: Vec<_> = download.into_stream().try_collect().await.unwrap();
    assert_eq!(pieces.concat(), b"a");
}

#[tokio::test]
async fn basic_is_answered_when_it_is_asked_for() {
    let registry = Scripted::start(|request| match request.header("authorization") {
        Some(BASIC_ADA) => Reply::new(200),
        _ => Reply::new(401).header("WWW-Authenticate", r#"Basic realm="registry""#),
    });
    let remote = remote(&registry, &ada());
    assert!(remote.has_blob(&repository(), &digest(b"a")).await.unwrap());
    assert_eq!(registry.seen().len(), 2);
}

#[tokio::test]
async fn a_password_is_not_sent_before_it_is_asked_for() {
    let registry = Scripted::start(|_| Reply::new(200));
    remote(&registry, &ada()).has_blob(&repository(), &digest(b"a")).await.unwrap();
    assert!(!was_trusted(&registry));
}

#[tokio::test]
async fn a_wrong_password_is_told_in_the_words_of_the_token_service() {
    let registry = Scripted::start(|request| {
        if request.target.starts_with("/token") {
            let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"wrong password for ada"}]}"#;
            return Reply::new(401).body(body);
        }
        bearer("/token")
    });
    let refused = remote(&registry, &ada()).has_blob(&repository(), &digest(b"a")).await.unwrap_err();
    assert!(refused.to_string().contains("wrong password for ada"), "{refused}");
}

#[tokio::test]
async fn a_realm_on_another_unencrypted_host_is_not_asked() {
    let lure = Scripted::start(|_| token("stolen"));
    // The same machine under another name: another host as far as anybody can tell.
    let realm = lure.base.replace("127.0.0.1", "localhost");
    let registry = Scripted::start(move |_| bearer(&realm));
    let refused = remote(&registry, &ada()).has_blob(&repository(), &digest(b"a")).await.unwrap_err();
    assert!(matches!(refused, RemoteError::Realm { .. }), "{refused}");
    assert_eq!(lure.seen().len(), 0);
}

#[tokio::test]
async fn the_challenge_of_a_place_redirected_to_is_not_answered() {
    let store = Scripted::start(|_| Reply::new(401).header("WWW-Authenticate", r#"Basic realm="store""#));
    let target = store.base.clone();
    let registry = Scripted::start(move |_| Reply::new(307).header("Location", target.clone()));
    let refused =
        remote(&registry, &ada()).pull_blob(&repository(), &digest(b"a"), None).await.err().unwrap();
    assert_eq!(refused.status(), Some(401));
    assert_eq!(store.seen().len(), 1);
    assert!(!was_trusted(&store));
}

#[tokio::test]
async fn an_upload_sent_elsewhere_goes_without_credentials() {
    let store = Scripted::start(|_| Reply::new(201));
    let location = format!("{}/upload?session=1", store.base);
    let registry = Scripted::start(move |request| match request.header("authorization") {
        Some(BASIC_ADA) => Reply::new(202).header("Location", location.clone()),
        _ => Reply::new(401).header("WWW-Authenticate", r#"Basic realm="registry""#),
    });
    let remote = remote(&registry, &ada());
    remote.push_blob(&repository(), &digest(b"abc"), 3, in_memory("abc".into())).await.unwrap();
    let seen = store.seen();
    assert_eq!(seen[0].body, b"abc");
    assert!(seen[0].target.starts_with("/upload?session=1&digest=sha256%3A"), "{}", seen[0].target);
    assert!(was_trusted(&registry) && !was_trusted(&store));
}

//! Refresh tokens, one fetch for many requests, and sign-ins that fail.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use hythe_remote::Credentials;
use secrecy::ExposeSecret as _;

use crate::scripted::{Reply, Scripted, Seen};
use crate::{ada, digest, remote, repository};

fn challenge() -> Reply {
    Reply::new(401).header("WWW-Authenticate", r#"Bearer realm="/token",service="s""#)
}

fn refresh() -> Credentials {
    Credentials::RefreshToken { token: "identity".into() }
}

fn fetches(registry: &Scripted) -> Vec<Seen> {
    registry.seen().into_iter().filter(|seen| seen.target.starts_with("/token")).collect()
}

#[tokio::test]
async fn a_refresh_token_goes_to_the_token_service_in_a_form() {
    let registry = Scripted::start(|request| match request.header("authorization") {
        None if request.target == "/token" && request.method == "POST" => {
            Reply::new(200).body(r#"{"access_token":"good","refresh_token":"next"}"#)
        }
        Some("Bearer good") => Reply::new(200),
        _ => challenge(),
    });
    let remote = remote(&registry, &refresh());
    assert!(remote.has_blob(&repository(), &digest(b"a")).await.unwrap());
    let form = String::from_utf8(fetches(&registry)[0].body.clone()).unwrap();
    let scope = "repository%3Alab%2Fapp%3Apull%2Cpush";
    let expected =
        format!("grant_type=refresh_token&refresh_token=identity&client_id=hythe&service=s&scope={scope}");
    assert_eq!(form, expected);
    assert_eq!(remote.refresh_token().unwrap().expose_secret(), "next", "the service has replaced it");
    // Another scope is fetched with the new one.
    remote.stat_blob(&repository(), &digest(b"a")).await.unwrap();
    assert!(String::from_utf8_lossy(&fetches(&registry)[1].body).contains("refresh_token=next"));
    assert!(registry.seen().iter().all(|seen| !seen.target.contains("identity")), "never in an address");
}

#[tokio::test]
async fn a_service_without_the_form_gets_the_refresh_token_as_a_password() {
    for status in [404, 405] {
        let registry = Scripted::start(move |request| match request.header("authorization") {
            _ if request.method == "POST" => Reply::new(status),
            Some("Basic PHRva2VuPjppZGVudGl0eQ==") if request.target.starts_with("/token?") => {
                Reply::new(200).body(r#"{"token":"good"}"#)
            }
            Some("Bearer good") => Reply::new(200),
            _ => challenge(),
        });
        assert!(remote(&registry, &refresh()).has_blob(&repository(), &digest(b"a")).await.unwrap());
    }
}

#[tokio::test]
async fn a_refresh_token_is_never_shown_as_a_password_to_the_registry() {
    let registry = Scripted::start(|_| Reply::new(401).header("WWW-Authenticate", r#"Basic realm="r""#));
    let refused = remote(&registry, &refresh()).has_blob(&repository(), &digest(b"a")).await.unwrap_err();
    assert!(refused.is_denied());
    assert!(!crate::was_trusted(&registry));
}

#[tokio::test]
async fn many_requests_at_once_fetch_one_token_and_renew_it_once() {
    let issued = AtomicUsize::new(0);
    let registry = Scripted::start(move |request| match request.header("authorization") {
        _ if request.target.starts_with("/token") => {
            let number = issued.fetch_add(1, Ordering::SeqCst);
            Reply::new(200).body(format!(r#"{{"token":"t{number}","expires_in":300}}"#))
        }
        // The first token is revoked in the middle.
        Some("Bearer t0") if request.target.ends_with(&digest(&[0]).hex()) => Reply::new(200),
        Some("Bearer t1") => Reply::new(200),
        _ => challenge(),
    });
    let remote = remote(&registry, &ada());
    remote.has_blob(&repository(), &digest(&[0])).await.unwrap();
    let asked = (1..20_u8).map(|n| {
        let remote = remote.clone();
        tokio::spawn(async move { remote.has_blob(&repository(), &digest(&[n])).await.unwrap() })
    });
    assert!(join_all(asked).await.into_iter().all(Result::unwrap));
    assert_eq!(fetches(&registry).len(), 2);
}

#[tokio::test]
async fn a_wrong_password_is_shown_once_for_all_who_wait() {
    let challenged = AtomicUsize::new(0);
    let registry = Scripted::start(move |request| {
        if request.target.starts_with("/token") {
            // Until all have been challenged, and long enough for them to queue up behind the first.
            while challenged.load(Ordering::SeqCst) < 10 {
                std::thread::yield_now();
            }
            std::thread::sleep(std::time::Duration::from_millis(300));
            return Reply::new(401).body(r#"{"errors":[{"message":"wrong password"}]}"#);
        }
        challenged.fetch_add(1, Ordering::SeqCst);
        challenge()
    });
    let remote = remote(&registry, &ada());
    let asked = (0..10_u8).map(|n| {
        let remote = remote.clone();
        async move { remote.has_blob(&repository(), &digest(&[n])).await.unwrap_err() }
    });
    for error in join_all(asked).await {
        assert!(error.to_string().contains("wrong password"), "{error}");
    }
    let fetches = fetches(&registry).len();
    assert!(fetches < 5, "an account with a lock would be locked after {fetches}");
}

#[tokio::test]
async fn a_token_service_that_is_busy_is_waited_for() {
    let count = AtomicUsize::new(0);
    let registry = Scripted::start(move |request| match request.header("authorization") {
        _ if request.target.starts_with("/token") => match count.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::new(503),
            1 => Reply::new(429).header("Retry-After", "0"),
            _ => Reply::new(200).body(r#"{"token":"good"}"#),
        },
        Some("Bearer good") => Reply::new(200),
        _ => challenge(),
    });
    assert!(remote(&registry, &ada()).has_blob(&repository(), &digest(b"a")).await.unwrap());
}

#[tokio::test]
async fn the_scope_that_a_challenge_demands_is_asked_for_as_well() {
    let registry = Scripted::start(|request| match request.header("authorization") {
        _ if request.target.starts_with("/token") => Reply::new(200).body(r#"{"token":"good"}"#),
        Some("Bearer good") => Reply::new(202),
        _ => Reply::new(401)
            .header("WWW-Authenticate", r#"Bearer realm="/token",scope="repository:lab/app:* registry:x:y""#),
    });
    remote(&registry, &ada()).delete_blob(&repository(), &digest(b"a")).await.unwrap();
    let expected = "/token?scope=repository%3Alab%2Fapp%3Adelete&scope=repository%3Alab%2Fapp%3A*&scope=registry%3Ax%3Ay";
    assert_eq!(fetches(&registry)[0].target, expected);
}

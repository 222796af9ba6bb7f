//! What is tried again, how often, and who hears of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hythe_outbound::{Outbound, Url};
use hythe_remote::{Credentials, Remote, RetryPolicy};

use crate::scripted::{Reply, Scripted};
use crate::{QUICK, digest, open, repository};

/// Fails as told before it says yes.
fn failing(times: usize, reply: impl Fn() -> Reply + Send + Sync + 'static) -> Scripted {
    let count = AtomicUsize::new(0);
    Scripted::start(
        move |_| {
            if count.fetch_add(1, Ordering::SeqCst) < times { reply() } else { Reply::new(200) }
        },
    )
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    for status in [408, 429, 500, 502, 503, 504] {
        let registry = failing(3, move || Reply::new(status));
        assert!(open(&registry).has_blob(&repository(), &digest(b"a")).await.unwrap(), "{status}");
        assert_eq!(registry.seen().len(), 4);
    }
    let registry = failing(3, Reply::hang_up);
    assert!(open(&registry).has_blob(&repository(), &digest(b"a")).await.unwrap());
}

#[tokio::test]
async fn a_refusal_is_taken_at_its_word() {
    for status in [400, 401, 403, 405, 409, 413, 416, 418, 501] {
        let registry = failing(usize::MAX, move || Reply::new(status));
        let refused = open(&registry).has_blob(&repository(), &digest(b"a")).await.unwrap_err();
        assert_eq!((refused.status(), registry.seen().len()), (Some(status), 1));
        assert!(!refused.is_retryable());
    }
}

#[tokio::test]
async fn there_is_an_end() {
    let registry = failing(usize::MAX, || Reply::new(503).body(r#"{"errors":[{"message":"maintenance"}]}"#));
    let refused = open(&registry).stat_blob(&repository(), &digest(b"a")).await.unwrap_err();
    assert_eq!((refused.status(), registry.seen().len()), (Some(503), 4));
    let once = open(&registry).with_retries(RetryPolicy::NEVER);
    once.stat_blob(&repository(), &digest(b"a")).await.unwrap_err();
    assert_eq!(registry.seen().len(), 5);
}

#[tokio::test]
async fn an_observer_hears_of_every_repetition_and_only_its_own() {
    let registry = failing(2, || Reply::new(503).header("X-Request-Id", "r7"));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let remote = open(&registry);
    let observed = remote.clone().with_observer(move |retry| log.lock().unwrap().push(retry.clone()));
    observed.pull_blob(&repository(), &digest(b""), Some(0)).await.unwrap();
    let heard_now = heard.lock().unwrap().clone();
    assert_eq!(heard_now.iter().map(|retry| retry.attempt).collect::<Vec<_>>(), [1, 2]);
    assert!(heard_now[0].what.contains(&digest(b"").to_string()), "{}", heard_now[0].what);
    assert!(
        heard_now[0].reason.contains("503") && heard_now[0].reason.contains("r7"),
        "{}",
        heard_now[0].reason
    );
    assert!(heard_now.iter().all(|retry| retry.delay <= QUICK.longest_wait));
    let other = failing(1, || Reply::new(503));
    open(&other).has_blob(&repository(), &digest(b"a")).await.unwrap();
    assert_eq!(heard.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn the_registry_says_how_long_to_wait_within_bounds() {
    let policy = RetryPolicy { longest_wait: Duration::from_millis(1500), ..QUICK };
    for (header, date, delay) in [
        ("1", "", 1000..=1010),
        ("3600", "", 1500..=1500),
        ("Sun, 06 Nov 1994 08:49:38 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 1000..=1010),
        ("Sun, 06 Nov 1994 00:00:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 0..=10),
    ] {
        let registry = failing(1, move || Reply::new(429).header("Retry-After", header).header("Date", date));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        let remote = open(&registry).with_retries(policy);
        let remote = remote.with_observer(move |retry| log.lock().unwrap().push(retry.delay.as_millis()));
        remote.has_blob(&repository(), &digest(b"a")).await.unwrap();
        let heard = heard.lock().unwrap();
        assert!(heard.len() == 1 && delay.contains(&heard[0]), "{header}: {heard:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_fetched_again() {
    let count = AtomicUsize::new(0);
    let registry = Scripted::start(move |_| {
        let reply = Reply::new(200).body(r#"{"tags":["v1"]}"#);
        if count.fetch_add(1, Ordering::SeqCst) == 0 { reply.cut(5) } else { reply }
    });
    let page = open(&registry).tags(&repository()).unwrap().next_page().await.unwrap().unwrap();
    assert_eq!(page, ["v1".parse().unwrap()]);
}

#[tokio::test]
async fn nobody_at_the_address_is_told_soon() {
    let outbound = Outbound::builder().build().unwrap();
    let nobody = Url::parse("http://127.0.0.1:1").unwrap();
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    let remote = Remote::new(outbound, &nobody, &Credentials::Anonymous).unwrap().with_retries(QUICK);
    let remote = remote.with_observer(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let error = remote.has_blob(&repository(), &digest(b"a")).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("cannot connect"), "{error}");
    assert_eq!(heard.load(Ordering::SeqCst), 1);
}

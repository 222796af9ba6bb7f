//! Waiting for an image at a server that answers at once, breaks off, or is away for a while.

use std::sync::Mutex;
use std::time::Duration;

use hythe_api::{ProblemCode, Readiness};
use hythe_client::{Api, ApiError};
use hythe_oci::{Reference, RepositoryName};

use crate::scripted::{Reply, Scripted};

fn status(word: &str) -> Reply {
    let digest = format!("sha256:{}", "a".repeat(64));
    Reply::new(200).body(format!(
        r#"{{"repository":"lab/app","digest":"{digest}","status":"{word}","places":[{{"place":"here","digest":"{digest}",
            "status":"{word}","percent":0,"bytes_present":0,"bytes_needed":0,"reason":null}}]}}"#
    ))
}

fn absent() -> Reply {
    Reply::new(404).header("Content-Type", "application/problem+json").body(
        r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"It is not there.",
            "code":"not_found","request_id":"r1"}"#,
    )
}

fn image() -> (RepositoryName, Reference) {
    ("lab/app".parse().unwrap(), Reference::Tag("v1".parse().unwrap()))
}

async fn wait(api: &Api, limit: Duration) -> Result<hythe_api::ImageStatus, ApiError> {
    let (repository, reference) = image();
    api.wait_ready(&repository, &reference, limit, |_| {}).await
}

/// A project that is not there, or a server that stops, says so at once, however long it was asked to wait.
#[tokio::test]
async fn answers_that_come_at_once_are_not_asked_for_again_at_once() {
    let gone = Scripted::start(|_| absent());
    let error = wait(&crate::api(&gone), Duration::from_millis(500)).await.unwrap_err();
    assert_eq!(error.code(), Some(ProblemCode::NotFound));
    assert!(gone.seen().len() <= 3, "asked {} times", gone.seen().len());
    let stopping = Scripted::start(|_| status("PENDING"));
    let waited = wait(&crate::api(&stopping), Duration::from_millis(500)).await.unwrap();
    assert_eq!(waited.status, Readiness::Pending);
    assert!(stopping.seen().len() <= 3, "asked {} times", stopping.seen().len());
}

#[tokio::test]
async fn a_server_that_is_away_for_a_while_ends_no_wait() {
    for away in [Reply::new(503), Reply::new(502).body("<html>"), Reply::hang_up()] {
        let answers = Mutex::new(vec![status("READY"), away]);
        let server = Scripted::start(move |_| answers.lock().unwrap().pop().unwrap());
        // However long one would wait.
        let waited = wait(&crate::api(&server), Duration::MAX).await.unwrap();
        assert_eq!(waited.status, Readiness::Ready);
        assert_eq!(server.seen().len(), 2);
    }
}

#[tokio::test]
async fn what_will_not_pass_ends_a_wait_at_once() {
    let server = Scripted::start(|_| Reply::new(403));
    let error = wait(&crate::api(&server), Duration::from_secs(60)).await.unwrap_err();
    assert_eq!((error.status(), server.seen().len()), (Some(403), 1));
    // At the end of the time, what was wrong last is told.
    let away = Scripted::start(|_| Reply::new(503));
    let error = wait(&crate::api(&away), Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.status(), Some(503));
}

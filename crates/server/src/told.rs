//! Answers of the control socket that take long: one JSON document a line, how far the work is, then what
//! came of it. The work ends with the connection: nobody waits for it any more.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, header};
use hythe_registry::{Progress, Reporter};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::problem::Chain;

/// How often the progress is told.
const EVERY: Duration = Duration::from_millis(200);

/// One line of such an answer. The last one is not `Progress`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told<T> {
    /// How far the work is.
    Progress(Progress),
    /// What came of it.
    Done(T),
    /// Why nothing came of it.
    Failed(String),
}

type Work<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// An answer that tells of `work` until it is done.
pub(crate) fn answer<T, E, F>(work: impl FnOnce(Reporter) -> F) -> Response
where
    T: Serialize + Send + 'static,
    E: std::error::Error + Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    let (reporter, progress) = Reporter::new();
    let work: Work<T, E> = Box::pin(work(reporter));
    let lines = stream::unfold(Some((work, progress)), async |state| {
        let (mut work, mut progress) = state?;
        let told = tokio::select! {
            outcome = &mut work => match outcome {
                Ok(value) => Told::Done(value),
                Err(error) => Told::Failed(Chain(&error).to_string()),
            },
            now = changed(&mut progress) => Told::Progress(now),
        };
        let next = matches!(told, Told::Progress(_)).then_some((work, progress));
        Some((Ok::<_, Infallible>(line(&told)), next))
    });
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

/// The progress after a while in which it has changed.
async fn changed(progress: &mut watch::Receiver<Progress>) -> Progress {
    tokio::time::sleep(EVERY).await;
    if progress.changed().await.is_err() {
        // The work has dropped its end: its outcome is about to be told.
        std::future::pending::<()>().await;
    }
    *progress.borrow_and_update()
}

fn line<T: Serialize>(told: &Told<T>) -> Bytes {
    let mut text = serde_json::to_string(told)
        .unwrap_or_else(|error| format!(r#"{{"failed":"The outcome cannot be written as JSON: {error}"}}"#));
    text.push('\n');
    Bytes::from(text)
}

//! Asking the server that holds a data folder.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use hythe_api::Problem;
use hythe_outbound::{Method, Outbound, OutboundError, Request, Response, Url};
use hythe_registry::backup::{BackupOptions, BackupReport};
use hythe_registry::check::{CheckOptions, CheckReport};
use hythe_registry::collect::{CollectOptions, CollectReport};
use hythe_server::Told;
use hythe_server::control::GcRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::SocketAddress;
use crate::bar::Bar;
use crate::failure::{Exit, Failure};

/// Maintenance may take hours, and says nothing until it is done.
const PATIENCE: Duration = Duration::from_hours(7 * 24);

/// The most bytes of an answer.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// The socket cannot be reached, or the exchange broke off.
    #[error("{0}")]
    Socket(#[from] std::io::Error),
    /// No usable answer came.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The server tried and failed, or does not know the request.
    #[error("{0}")]
    Refused(String),
}

/// How often to look whether the socket answers.
const LOOK: Duration = Duration::from_millis(5);

/// Waits until the socket at `path` accepts connections, so that nobody is told of a server whose
/// maintenance commands do not reach it yet. A socket file left by a killed process accepts none.
pub(crate) async fn answers(path: &Path) -> Result<(), Failure> {
    let address = SocketAddress::of(path).map_err(|error| {
        Failure::new(Exit::Failed, format!("The control socket {} cannot be used: {error}", path.display()))
    })?;
    while UnixStream::connect(address.path()).await.is_err() {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// The running server behind a control socket.
#[derive(Debug)]
pub(crate) struct Server {
    outbound: Outbound,
    _address: SocketAddress,
}

impl Server {
    /// The server behind the socket at `path`. Nothing is sent yet.
    pub(crate) fn at(path: &Path) -> Result<Self, AskError> {
        let address = SocketAddress::of(path)?;
        let outbound = Outbound::builder().unix_socket(address.path()).idle_timeout(PATIENCE).build()?;
        Ok(Server { outbound, _address: address })
    }

    /// Runs a collection in the server and waits for its end.
    pub(crate) async fn collect(&self, options: CollectOptions) -> Result<CollectReport, AskError> {
        let grace_seconds = options.grace.map(|grace| grace.as_secs());
        self.post("gc", &GcRequest { dry_run: options.dry_run, grace_seconds }).await
    }

    /// Runs a check in the server and waits for its end.
    pub(crate) async fn check(&self, options: CheckOptions, bar: &Bar) -> Result<CheckReport, AskError> {
        self.follow("fsck", &options, bar).await
    }

    /// Has the server make a backup and waits for its end.
    pub(crate) async fn backup(&self, options: &BackupOptions, bar: &Bar) -> Result<BackupReport, AskError> {
        self.follow("backup", options, bar).await
    }

    async fn post<Q: Serialize, A: DeserializeOwned>(&self, what: &str, question: &Q) -> Result<A, AskError> {
        Ok(self.send(what, question).await?.json(LONGEST_ANSWER).await?)
    }

    /// Asks for work that tells how far it is, line by line.
    async fn follow<Q: Serialize, A: DeserializeOwned>(
        &self,
        what: &str,
        question: &Q,
        bar: &Bar,
    ) -> Result<A, AskError> {
        let mut pieces = std::pin::pin!(self.send(what, question).await?.stream());
        let mut text = Vec::new();
        while let Some(piece) = pieces.next().await {
            text.extend_from_slice(&piece?);
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                match serde_json::from_slice(&line) {
                    Ok(Told::Progress(progress)) => bar.show(progress),
                    Ok(Told::Done(answer)) => return Ok(answer),
                    Ok(Told::Failed(sentence)) => return Err(AskError::Refused(sentence)),
                    Err(error) => {
                        let sentence = format!("The running server's answer cannot be read: {error}");
                        return Err(AskError::Refused(sentence));
                    }
                }
            }
            if text.len() > LONGEST_ANSWER {
                break;
            }
        }
        Err(AskError::Refused("The running server ended its answer before the work was done".to_owned()))
    }

    async fn send<Q: Serialize>(&self, what: &str, question: &Q) -> Result<Response, AskError> {
        let mut url = Url::parse("http://localhost").expect("a constant URL is valid");
        url.set_path(what);
        let request = Request::new(Method::POST, url).json(question)?;
        let response = self.outbound.send(request).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        match response.json::<Problem>(LONGEST_ANSWER).await {
            Ok(problem) => Err(AskError::Refused(problem.detail)),
            Err(_) => {
                Err(AskError::Refused(format!("The running server answered {status} without a reason")))
            }
        }
    }
}

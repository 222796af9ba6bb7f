//! One registry seen by one identity: its address, and requests that sign themselves in and are repeated.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use hythe_outbound::{HeaderMap, Origin, Outbound, Request, Response, StatusCode, Url};

use crate::credentials::Credentials;
use crate::error::is_transient_status;
use crate::retry::{Attempts, Retries, Retry, RetryPolicy};
use crate::scope::Scope;
use crate::sign_in::Entrance;
use crate::{Refusal, RemoteError, location};

/// A request with a body is sent on to a store, the store sends it to a mirror; more than this is a loop.
const MAX_REDIRECTS: usize = 5;

/// No policy waits longer than this at a time: beyond it, the sums of waits are no times any more.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// A registry. Clones share connections and tokens, and may differ in how they repeat requests.
#[derive(Clone)]
pub struct Remote {
    pub(crate) shared: Arc<Shared>,
    retries: Retries,
}

pub(crate) struct Shared {
    pub(crate) outbound: Outbound,
    base: Url,
    pub(crate) origin: Origin,
    pub(crate) entrance: Entrance,
}

/// An answer that was read to its end.
pub(crate) struct Whole {
    pub(crate) headers: HeaderMap,
    pub(crate) url: Url,
    pub(crate) bytes: Bytes,
}

impl Remote {
    /// The registry at `base`, such as `http://127.0.0.1:5000`. Nothing is sent yet. The scheme is the
    /// caller's word: an `https` registry is never asked by `http`.
    ///
    /// # Errors
    /// The address has a path, a user name or another scheme, or the user name holds a colon.
    pub fn new(outbound: Outbound, base: &Url, credentials: &Credentials) -> Result<Self, RemoteError> {
        let wrong = |problem: &str| RemoteError::Address {
            address: Origin::of(base).map_or_else(|| base.scheme().to_owned(), |origin| origin.to_string()),
            problem: problem.to_owned(),
        };
        let origin = Origin::of(base).ok_or_else(|| wrong("it must begin with http:// or https://"))?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(wrong("user name and password do not belong into it"));
        }
        if base.path() != "/" || base.query().is_some() || base.fragment().is_some() {
            return Err(wrong("it must end after host and port"));
        }
        let entrance = Entrance::new(credentials)
            .map_err(|problem| RemoteError::Credentials { registry: origin.to_string(), problem })?;
        let shared = Shared { outbound, base: base.clone(), origin, entrance };
        Ok(Self { shared: Arc::new(shared), retries: Retries::new() })
    }

    /// The same registry with another policy for repeating requests. Cheap; the original keeps its own.
    pub fn with_retries(mut self, policy: RetryPolicy) -> Self {
        let longest_wait = policy.longest_wait.min(LONGEST_WAIT);
        let first_wait = policy.first_wait.min(longest_wait);
        self.retries.policy = RetryPolicy { first_wait, longest_wait, ..policy };
        self
    }

    /// The same registry with an observer that hears of each request before it is repeated. Cheap; the
    /// original keeps its own. The observer is called within the request and must not block.
    pub fn with_observer(mut self, observer: impl Fn(&Retry) + Send + Sync + 'static) -> Self {
        self.retries.observer = Some(Arc::new(observer));
        self
    }

    /// The registry's origin, as it is shown in messages.
    pub fn origin(&self) -> &Origin {
        &self.shared.origin
    }

    pub(crate) fn url(&self, path: &str) -> Result<Url, RemoteError> {
        self.shared.base.join(path).map_err(|error| RemoteError::Address {
            address: self.shared.origin.to_string(),
            problem: format!("no address can be made for {path}: {error}"),
        })
    }

    /// The counter of attempts at `what`.
    pub(crate) fn attempts(&self, what: impl fmt::Display) -> Attempts {
        self.retries.attempts(what)
    }

    /// Sends a request with the rights of `scope` until it is answered with something else than "later".
    /// `build` makes the request anew each time; it must ask for the address that it is given.
    ///
    /// # Errors
    /// The last attempt's.
    pub(crate) async fn send(
        &self,
        attempts: &mut Attempts,
        scope: &Scope,
        url: &Url,
        build: impl Fn(Url) -> Request,
    ) -> Result<Response, RemoteError> {
        loop {
            match self.attempt(scope, url, &build).await {
                Ok(response) => return Ok(response),
                Err(error) => attempts.pause(error).await?,
            }
        }
    }

    /// As [`Remote::send`], for an answer that must be `200` and is read to its end, at most `limit` bytes.
    /// An answer that breaks off is fetched again.
    pub(crate) async fn fetch(
        &self,
        attempts: &mut Attempts,
        scope: &Scope,
        url: &Url,
        limit: usize,
        build: impl Fn(Url) -> Request,
    ) -> Result<Whole, RemoteError> {
        loop {
            match self.fetch_once(scope, url, limit, &build).await {
                Ok(whole) => return Ok(whole),
                Err(error) => attempts.pause(error).await?,
            }
        }
    }

    async fn fetch_once(
        &self,
        scope: &Scope,
        url: &Url,
        limit: usize,
        build: &impl Fn(Url) -> Request,
    ) -> Result<Whole, RemoteError> {
        let response = self.attempt(scope, url, build).await?;
        if response.status() != StatusCode::OK {
            return Err(self.refusal(response).await);
        }
        let (headers, url) = (response.headers().clone(), response.url().clone());
        Ok(Whole { headers, url, bytes: response.bytes(limit).await? })
    }

    /// One attempt: signed in, redirected if the registry says so, and an error if it says "later".
    pub(crate) async fn attempt(
        &self,
        scope: &Scope,
        url: &Url,
        build: &impl Fn(Url) -> Request,
    ) -> Result<Response, RemoteError> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.signed(scope, || build(url.clone())).await?;
            if is_transient_status(response.status().as_u16()) {
                return Err(self.refusal(response).await);
            }
            match location::redirect(self.origin(), &response).map_err(|problem| self.breach(problem))? {
                None => return Ok(response),
                Some(next) => url = next,
            }
        }
        Err(self.protocol(format!("it redirected more than {MAX_REDIRECTS} times")))
    }

    /// Notes that the address is one where somebody answers.
    pub(crate) fn note_answer(&self) {
        self.retries.answered.store(true, Ordering::Relaxed);
    }

    /// A refusal of this registry, read from its answer.
    pub(crate) async fn refusal(&self, response: Response) -> RemoteError {
        RemoteError::Refused(Box::new(Refusal::read(response).await))
    }

    /// An answer of this registry that breaks the protocol.
    pub(crate) fn protocol(&self, problem: impl Into<String>) -> RemoteError {
        RemoteError::Protocol { registry: self.shared.origin.to_string(), problem: problem.into() }
    }

    /// The same, from the end of a sentence that begins with the registry.
    pub(crate) fn breach(&self, problem: &str) -> RemoteError {
        self.protocol(format!("it {problem}"))
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("origin", &self.shared.origin.to_string()).finish_non_exhaustive()
    }
}

//! The client of `/api/v1`.
//!
//! One method per operation, grouped by resource; every method is one request, except that
//! [`Pages`] asks for a page at a time.

mod images;
mod projects;
mod repositories;
mod uploads;
mod users;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::fmt::Display;
use std::time::Duration;

use hythe_api::{MAX_PAGE_SIZE, Page};
use hythe_outbound::{
    Authorization, HeaderValue, Method, Origin, Outbound, OutboundError, Request, Response, Url, header,
};
use hythe_remote::Credentials;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use images::LONGEST_WAIT;

use crate::{ApiError, Refused};

/// A page of 1,000 entries is some hundred kilobytes; this leaves room for a newer server's fields.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// No list has more pages than this: a million entries.
const MAX_PAGES: usize = 1_000;

/// Before what is behind a proxy in trouble is asked again.
const PAUSES: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];

/// A Hythe server seen by one identity. Cloning is cheap.
#[derive(Clone)]
pub struct Api {
    outbound: Outbound,
    base: Url,
    identity: Option<Authorization>,
}

impl Api {
    /// The server at `server`, such as `https://registry.example.org`. Nothing is sent yet.
    ///
    /// # Errors
    /// The address has a path or another scheme than http or https, or the user name holds a colon.
    pub fn new(outbound: Outbound, server: &Url, credentials: &Credentials) -> Result<Self, ApiError> {
        let wrong = |problem: &str| ApiError::Address {
            address: Origin::of(server)
                .map_or_else(|| server.scheme().to_owned(), |origin| origin.to_string()),
            problem: problem.to_owned(),
        };
        if Origin::of(server).is_none() {
            return Err(wrong("it must begin with http:// or https://"));
        }
        if server.path() != "/" || server.query().is_some() || server.fragment().is_some() {
            return Err(wrong("it must end after host and port"));
        }
        let identity = match credentials {
            Credentials::Anonymous => None,
            Credentials::Password { user, secret } => Some(Authorization::basic(user, secret)?),
            // The name that goes with a token of any user.
            Credentials::RefreshToken { token } => Some(Authorization::basic("<token>", token)?),
        };
        Ok(Self { outbound, base: server.clone(), identity })
    }

    /// Whether what answers there is a Hythe: any other registry has no interface of ours. It is asked without the
    /// credentials, which another registry may not want to see, or only at its token service.
    ///
    /// A proxy that is in trouble, and a connection that breaks, say nothing of what is behind: it is asked again then.
    ///
    /// # Errors
    /// Nothing answers, or nothing that says what it is.
    pub async fn is_hythe(&self) -> Result<bool, ApiError> {
        let nobody = Self { identity: None, ..self.clone() };
        let mut pauses = PAUSES.iter();
        loop {
            let error = match nobody.me().await {
                Ok(_) => return Ok(true),
                Err(ApiError::Refused(refused)) if refused.code.is_some() => return Ok(true),
                Err(error) => error,
            };
            if error.is_transient()
                && let Some(pause) = pauses.next()
            {
                tokio::time::sleep(*pause).await;
                continue;
            }
            return match error {
                ApiError::Refused(_) if !error.is_transient() => Ok(false),
                ApiError::Outbound(error) if !error.is_unreachable() => Ok(false),
                error => Err(error),
            };
        }
    }

    /// The address of a resource: `/api/v1/` and the segments, each percent-encoded.
    fn url(&self, segments: &[&(dyn Display + Sync)]) -> Result<Url, ApiError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| ApiError::Address {
                address: self.base.scheme().to_owned(),
                problem: "it has no path".to_owned(),
            })?
            .clear()
            .extend(["api", "v1"])
            .extend(segments.iter().map(ToString::to_string));
        Ok(url)
    }

    async fn send(&self, request: Request) -> Result<Response, ApiError> {
        let request = request
            .header(header::ACCEPT, HeaderValue::from_static("application/json"))
            .authorization(self.identity.clone());
        let response = self.outbound.send(request).await?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(ApiError::Refused(Box::new(Refused::read(response).await)))
        }
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, ApiError> {
        let response = self.send(Request::new(Method::GET, url)).await?;
        Ok(response.json(MAX_ANSWER).await?)
    }

    /// Sends a document and reads the one that comes back.
    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        document: &(impl Serialize + Sync),
    ) -> Result<T, ApiError> {
        let response = self.send(Request::new(method, url).json(document)?).await?;
        Ok(response.json(MAX_ANSWER).await?)
    }

    /// Sends a document to which no other comes back.
    async fn tell(
        &self,
        method: Method,
        url: Url,
        document: &(impl Serialize + Sync),
    ) -> Result<(), ApiError> {
        self.send(Request::new(method, url).json(document)?).await.map(drop)
    }

    async fn delete(&self, url: Url) -> Result<(), ApiError> {
        self.send(Request::new(Method::DELETE, url)).await.map(drop)
    }

    fn pages<T>(&self, segments: &[&(dyn Display + Sync)]) -> Result<Pages<'_, T>, ApiError> {
        let url = self.url(segments)?;
        Ok(Pages { api: self, url, ready: VecDeque::new(), cursor: Cursor::Start, met: HashSet::new() })
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// A list that is fetched page by page, in the order of its key.
#[derive(Debug)]
pub struct Pages<'a, T> {
    api: &'a Api,
    url: Url,
    ready: VecDeque<T>,
    cursor: Cursor,
    /// The cursors until now: a list that runs in circles, or never ends, is given up.
    met: HashSet<String>,
}

#[derive(Debug)]
enum Cursor {
    Start,
    After(String),
    End,
}

impl<T: DeserializeOwned> Pages<'_, T> {
    /// The next entry, or `None` after the last one. One request per thousand entries.
    ///
    /// # Errors
    /// The page could not be fetched; calling again tries it again. The list has no end.
    pub async fn next(&mut self) -> Result<Option<T>, ApiError> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(Some(item));
            }
            let mut url = self.url.clone();
            url.query_pairs_mut().append_pair("limit", &MAX_PAGE_SIZE.to_string());
            match &self.cursor {
                Cursor::Start => {}
                Cursor::After(cursor) => {
                    url.query_pairs_mut().append_pair("after", cursor);
                }
                Cursor::End => return Ok(None),
            }
            let page: Page<T> = self.api.get(url).await?;
            if let Some(next) = &page.next
                && (self.met.len() >= MAX_PAGES || !self.met.insert(next.clone()))
            {
                let reason = format!("its list runs in a circle, or has more than {MAX_PAGES} pages");
                let origin = Origin::of(&self.url).map_or_else(String::new, |origin| origin.to_string());
                return Err(OutboundError::Unreadable { origin, reason }.into());
            }
            self.ready = page.items.into();
            self.cursor = page.next.map_or(Cursor::End, Cursor::After);
        }
    }

    /// All entries that are left, in memory.
    ///
    /// # Errors
    /// A page could not be fetched.
    pub async fn all(mut self) -> Result<Vec<T>, ApiError> {
        let mut items = Vec::new();
        while let Some(item) = self.next().await? {
            items.push(item);
        }
        Ok(items)
    }
}

//! Lists: tags and repositories, page by page (distribution specification end-8; the catalogue is distribution's own).
//!
//! Invariant: a list is followed on the registry's own origin alone, and ends: an address that comes again, or more
//! pages than any real list has, is a breach of the protocol.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::str::FromStr;

use hythe_oci::{RepositoryName, Route, Tag};
use hythe_outbound::{Method, Origin, Request, Response, StatusCode, Url, header};
use serde::Deserialize;

use crate::scope::{Access, CATALOGUE, scope};
use crate::{Remote, RemoteError};

/// The most bytes of a page. Registries that know no pages send all at once.
const MAX_PAGE: usize = 64 * 1024 * 1024;

/// The most pages that are followed.
const MAX_PAGES: u32 = 1_000_000;

/// How many entries a page is asked to have.
const PAGE: u32 = 1000;

/// Either list; a registry may write `null` for an empty one.
#[derive(Deserialize)]
struct Answer {
    tags: Option<Vec<String>>,
    repositories: Option<Vec<String>>,
}

/// A list of names that is fetched page by page.
#[derive(Debug)]
pub struct Names<T> {
    remote: Remote,
    scope: String,
    next: Option<Url>,
    ready: VecDeque<String>,
    pages: u32,
    kind: PhantomData<fn() -> T>,
}

impl Remote {
    /// The tags of a repository, in the registry's order.
    ///
    /// # Errors
    /// No address can be made.
    pub fn tags(&self, repository: &RepositoryName) -> Result<Names<Tag>, RemoteError> {
        let url = self.url(&Route::Tags { name: repository.clone() }.path())?;
        Ok(Names::new(self.clone(), scope(repository, Access::Pull), url))
    }

    /// The repositories of the registry that the caller may read, where it has such a list.
    ///
    /// # Errors
    /// No address can be made.
    pub fn catalogue(&self) -> Result<Names<RepositoryName>, RemoteError> {
        let url = self.url(&Route::Catalog.path())?;
        Ok(Names::new(self.clone(), CATALOGUE.to_owned(), url))
    }
}

impl<T: FromStr> Names<T> {
    fn new(remote: Remote, scope: String, mut url: Url) -> Self {
        url.query_pairs_mut().append_pair("n", &PAGE.to_string());
        Self { remote, scope, next: Some(url), ready: VecDeque::new(), pages: 0, kind: PhantomData }
    }

    /// The next name, or `None` after the last. Names outside the grammar are left out: nothing could be done with them.
    ///
    /// # Errors
    /// The page could not be fetched; calling again tries it again.
    pub async fn next(&mut self) -> Result<Option<T>, RemoteError> {
        loop {
            while let Some(name) = self.ready.pop_front() {
                if let Ok(name) = name.parse() {
                    return Ok(Some(name));
                }
            }
            let Some(url) = self.next.clone() else { return Ok(None) };
            self.fetch(url).await?;
        }
    }

    /// All names that are left, in memory.
    ///
    /// # Errors
    /// A page could not be fetched.
    pub async fn all(mut self) -> Result<Vec<T>, RemoteError> {
        let mut names = Vec::new();
        while let Some(name) = self.next().await? {
            names.push(name);
        }
        Ok(names)
    }

    async fn fetch(&mut self, url: Url) -> Result<(), RemoteError> {
        let response = self.remote.send(&self.scope, || Request::new(Method::GET, url.clone())).await?;
        if response.status() != StatusCode::OK {
            return Err(self.remote.refusal(response).await);
        }
        let next = following(&self.remote, &response)?;
        self.pages += 1;
        if next.as_ref() == Some(&url) || self.pages > MAX_PAGES {
            return Err(self.remote.protocol("its list has no end"));
        }
        let answer: Answer = response.json(MAX_PAGE).await?;
        let names = answer.tags.or(answer.repositories).unwrap_or_default();
        // A page without entries that leads to another one would lead nowhere for ever.
        self.next = next.filter(|_| !names.is_empty());
        self.ready = names.into();
        Ok(())
    }
}

/// The address in `Link: <…>; rel="next"`, which must be the registry's own.
pub(crate) fn following(remote: &Remote, response: &Response) -> Result<Option<Url>, RemoteError> {
    let lines = response.headers().get_all(header::LINK);
    let links =
        lines.iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(",<").enumerate());
    for (at, link) in links {
        let link = if at == 0 { link.trim_start().trim_start_matches('<') } else { link };
        let Some((address, parameters)) = link.split_once('>') else { continue };
        let is_next = parameters.split(';').any(|parameter| {
            let parameter = parameter.trim().trim_end_matches(',').to_ascii_lowercase();
            matches!(parameter.as_str(), "rel=next" | "rel=\"next\"")
        });
        if !is_next {
            continue;
        }
        let url = response
            .url()
            .join(address)
            .map_err(|error| remote.protocol(format!("the Link of its list cannot be read: {error}")))?;
        if Origin::of(&url).as_ref() != Some(remote.origin()) {
            return Err(remote.protocol("its list goes on at another address"));
        }
        return Ok(Some(url));
    }
    Ok(None)
}

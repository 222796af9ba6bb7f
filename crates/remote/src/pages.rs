//! Lists, page by page: tags (distribution specification end-8) and the catalogue.
//!
//! Invariants: a page is asked for only when it is wanted, and only one is in memory; pages come from the
//! registry itself; a list that runs in circles or never ends is given up.

use std::collections::HashSet;
use std::str::FromStr;

use futures_util::{Stream, stream};
use hythe_oci::{RepositoryName, Route, Tag};
use hythe_outbound::{HeaderMap, Method, Request, Url, header};
use serde::Deserialize;

use crate::scope::{Access, Scope};
use crate::{Remote, RemoteError, link, location};

/// How many entries are asked for at a time. A registry may send fewer or more.
const PAGE: usize = 1000;

/// No page is larger, in bytes: it holds a hundred thousand tags of registries that know no pages.
const MAX_PAGE: usize = 16 * 1024 * 1024;

/// No list has more pages than this: ten million tags.
const MAX_PAGES: usize = 10_000;

/// A list that is fetched page by page.
pub struct Pages<T> {
    remote: Remote,
    scope: Scope,
    what: String,
    next: Option<Url>,
    seen: HashSet<Url>,
    read: fn(&[u8]) -> Result<Vec<String>, serde_json::Error>,
    skipped: u64,
    kind: std::marker::PhantomData<fn() -> T>,
}

#[derive(Deserialize)]
struct TagList {
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Catalogue {
    repositories: Option<Vec<String>>,
}

impl Remote {
    /// The tags of a repository, in the registry's order. Nothing is sent before the first page is asked for.
    ///
    /// # Errors
    /// No address can be made for the list.
    pub fn tags(&self, repository: &RepositoryName) -> Result<Pages<Tag>, RemoteError> {
        let url = self.url(&Route::Tags { name: repository.clone() }.path())?;
        let scope = Scope::of(repository, Access::Pull);
        let read =
            |bytes: &[u8]| serde_json::from_slice(bytes).map(|list: TagList| list.tags.unwrap_or_default());
        Ok(Pages::new(self.clone(), scope, format!("list the tags of {repository}"), url, read))
    }

    /// All repositories of the registry that the caller may see, in the registry's order. Many registries do
    /// not offer this, and the first page is then an error.
    ///
    /// # Errors
    /// No address can be made for the list.
    pub fn catalogue(&self) -> Result<Pages<RepositoryName>, RemoteError> {
        let url = self.url(&Route::Catalog.path())?;
        let read = |bytes: &[u8]| {
            serde_json::from_slice(bytes).map(|list: Catalogue| list.repositories.unwrap_or_default())
        };
        Ok(Pages::new(self.clone(), Scope::catalogue(), "list the repositories".to_owned(), url, read))
    }
}

impl<T: FromStr> Pages<T> {
    fn new(
        remote: Remote,
        scope: Scope,
        what: String,
        mut url: Url,
        read: fn(&[u8]) -> Result<Vec<String>, serde_json::Error>,
    ) -> Self {
        url.query_pairs_mut().append_pair("n", &PAGE.to_string());
        let (next, seen, kind) = (Some(url), HashSet::new(), std::marker::PhantomData);
        Self { remote, scope, what, next, seen, read, skipped: 0, kind }
    }

    /// The next page, which may be empty; `None` after the last one, and after an error.
    ///
    /// # Errors
    /// The registry refused, sent no such list, or its pages lead astray.
    pub async fn next_page(&mut self) -> Result<Option<Vec<T>>, RemoteError> {
        let Some(url) = self.next.take() else { return Ok(None) };
        let mut attempts = self.remote.attempts(&self.what);
        let page = self
            .remote
            .fetch(&mut attempts, &self.scope, &url, MAX_PAGE, |url| Request::new(Method::GET, url))
            .await?;
        let names = (self.read)(&page.bytes)
            .map_err(|error| self.remote.protocol(format!("its list cannot be read: {error}")))?;
        self.next = following(&self.remote, &page.headers, &url, &mut self.seen)?;
        let announced = names.len();
        let entries: Vec<T> = names.iter().filter_map(|name| name.parse().ok()).collect();
        self.skipped += (announced - entries.len()) as u64;
        Ok(Some(entries))
    }

    /// How many entries were left out until now because their names are outside the grammar of the
    /// specification: no request could ask for them.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The entries one by one; a page is fetched when the last one is used up. After an error the stream
    /// ends.
    pub fn into_stream(self) -> impl Stream<Item = Result<T, RemoteError>> + Send
    where
        T: Send,
    {
        stream::try_unfold((self, Vec::new().into_iter()), |(mut pages, mut page)| async move {
            loop {
                if let Some(entry) = page.next() {
                    return Ok(Some((entry, (pages, page))));
                }
                match pages.next_page().await? {
                    Some(entries) => page = entries.into_iter(),
                    None => return Ok(None),
                }
            }
        })
    }
}

/// The page after the one at `asked`, if its answer names one. `seen` holds the pages before.
pub(crate) fn following(
    remote: &Remote,
    headers: &HeaderMap,
    asked: &Url,
    seen: &mut HashSet<Url>,
) -> Result<Option<Url>, RemoteError> {
    let mut lines = headers.get_all(header::LINK).iter().filter_map(|line| line.to_str().ok());
    let Some(target) = lines.find_map(link::next) else { return Ok(None) };
    let next =
        location::next_page(remote.origin(), asked, target).map_err(|problem| remote.breach(problem))?;
    seen.insert(asked.clone());
    if seen.contains(&next) {
        return Err(remote.protocol("the pages of its list run in a circle"));
    }
    if seen.len() >= MAX_PAGES {
        return Err(remote.protocol(format!("its list has more than {MAX_PAGES} pages")));
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use hythe_outbound::{HeaderValue, Outbound};

    use super::*;
    use crate::Credentials;

    #[test]
    fn a_list_without_an_end_is_given_up() {
        let base = Url::parse("http://r.example").unwrap();
        let outbound = Outbound::builder().build().unwrap();
        let remote = Remote::new(outbound, &base, &Credentials::Anonymous).unwrap();
        let mut seen = HashSet::new();
        let mut next = base.join("/v2/a/tags/list").unwrap();
        let mut pages = 1;
        let error = loop {
            let link = format!("</v2/a/tags/list?last={pages}>; rel=\"next\"");
            let headers = HeaderMap::from_iter([(header::LINK, HeaderValue::try_from(link).unwrap())]);
            match following(&remote, &headers, &next, &mut seen) {
                Ok(page) => next = page.unwrap(),
                Err(error) => break error,
            }
            pages += 1;
        };
        assert_eq!(pages, MAX_PAGES);
        assert!(error.to_string().contains("more than 10000 pages"), "{error}");
    }
}

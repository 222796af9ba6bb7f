//! Paging of `/api/v1` lists: the query (`limit`, `after`) and the cursor to the next page.
//!
//! A cursor is the key of the last entry in a form that says "opaque": clients pass it back unread,
//! so that the key of a list may change without breaking them.

use std::fmt::Display;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hythe_api::{DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, Page, ProblemCode};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::problem::Refusal;

/// Which part of a list is asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// How many entries at most: 1 to 1000, 100 if left out.
    #[param(minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<u32>,
    /// The `next` of the page before; the first page if left out.
    pub(crate) after: Option<String>,
}

impl PageQuery {
    /// The number of entries to read.
    pub(crate) fn limit(&self) -> Result<u32, Refusal> {
        match self.limit {
            None => Ok(DEFAULT_PAGE_SIZE),
            Some(limit @ 1..=MAX_PAGE_SIZE) => Ok(limit),
            Some(limit) => Err(Refusal::new(
                ProblemCode::Malformed,
                format!("`limit` is {limit}; a page holds between 1 and {MAX_PAGE_SIZE} entries."),
            )),
        }
    }

    /// The key after which the page begins.
    pub(crate) fn after<K: FromStr>(&self) -> Result<Option<K>, Refusal> {
        let Some(cursor) = &self.after else { return Ok(None) };
        let key = URL_SAFE_NO_PAD
            .decode(cursor)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.parse().ok());
        match key {
            Some(key) => Ok(Some(key)),
            None => Err(Refusal::new(
                ProblemCode::Malformed,
                "`after` is not a cursor of this list. Pass the `next` of the page before, unchanged.",
            )),
        }
    }
}

/// A page of `items`; `more` says whether the list goes on after them.
pub(crate) fn page<T, K: Display>(items: Vec<T>, more: bool, key: impl Fn(&T) -> K) -> Page<T> {
    let next = items.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(key(last).to_string()));
    Page { items, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_leads_behind_the_last_entry() {
        let first = page(vec![3, 5, 8], true, |item| *item);
        let query = PageQuery { limit: None, after: first.next };
        assert_eq!(query.after::<u32>().unwrap(), Some(8));
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        assert_eq!(page(vec![3], false, |item| *item).next, None);
        assert_eq!(page(Vec::<u32>::new(), true, |item| *item).next, None);
    }

    #[test]
    fn limits_out_of_range_and_broken_cursors_are_refused() {
        for limit in [0, MAX_PAGE_SIZE + 1] {
            assert!(PageQuery { limit: Some(limit), after: None }.limit().is_err());
        }
        for after in ["%%", "AAAA", ""] {
            assert!(
                PageQuery { limit: None, after: Some(after.to_owned()) }.after::<u32>().is_err(),
                "{after}"
            );
        }
    }
}

//! One page of a list, and the cursor that leads to the next.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Entries in a page when the request names no `limit`.
pub const DEFAULT_PAGE_SIZE: u32 = 100;

/// The largest `limit` a request may name.
pub const MAX_PAGE_SIZE: u32 = 1000;

/// One page of a list, in the order of the list's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The entries of this page.
    pub items: Vec<T>,
    /// Pass it as `after` to get the following page; `null` on the last page.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The same page with every entry turned into another type.
    pub fn map<U>(self, turn: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(turn).collect(), next: self.next }
    }
}

//! The writer under a real HTTP server on real sockets, with clients that speak raw bytes.

#![expect(clippy::unwrap_used, reason = "support code outside `#[test]` functions; a panic is the report")]

mod scene;
mod serving;
mod unusual;

//! The rules over a real store, with a clock that the test moves.

#![expect(clippy::unwrap_used, reason = "support code outside `#[test]` functions; a panic is the report")]

mod access;
mod checking;
mod collection;
mod deleting;
mod house;
mod pushing;
mod readiness;
mod scrubbing;

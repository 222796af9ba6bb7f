//! The faces over real rooms, in process, with a clock that the test moves; and the listeners over real sockets.

#![expect(clippy::unwrap_used, reason = "support code outside `#[test]` functions; a panic is the report")]

mod api_bodies;
mod expiry;
mod front_door;
mod house;
mod listening;
mod routes;

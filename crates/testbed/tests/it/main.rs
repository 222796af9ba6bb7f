//! The black-box tests: the built binary from outside, over raw HTTP and by real clients.
//!
//! `house` looks at the workspace itself, `protocol` holds one test for each row of `docs/conformance.md`,
//! `clients` one module for each real client, `conformance` runs the two official suites, `durability` breaks
//! the server under load, `quickstart` is the README's first command, `sdk` calls the crate `hythe-client`.

#![expect(
    clippy::unwrap_used,
    reason = "test support code outside `#[test]` functions; a panic is the report"
)]

mod attacks;
mod backup;
mod bench;
mod bit_rot;
mod clients;
mod conformance;
mod crash;
mod defects;
mod disk_full;
mod durability;
mod faults;
mod house;
mod operations;
mod protocol;
mod quickstart;
mod sdk;
mod upgrade;

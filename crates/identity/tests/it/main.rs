//! Identity over a real store in a temporary folder: accounts, sessions, refresh tokens, throttling.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as it should be")]

mod accounts;
mod house;
mod refresh_tokens;
mod sign_in;
mod tokens;

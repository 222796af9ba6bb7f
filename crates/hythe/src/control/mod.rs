//! The control socket: how maintenance commands reach the server that holds the data folder.
//!
//! `DIR/hythe.sock`, mode 600 in a folder of mode 700: whoever may open it is the server's own user or
//! root, so there is nothing to sign in to. It speaks HTTP with routes of its own
//! ([`hythe_server::control`]); the listener on the network does not have them.

mod address;
mod ask;

pub(crate) use address::SocketAddress;
pub(crate) use ask::{AskError, Server, answers};

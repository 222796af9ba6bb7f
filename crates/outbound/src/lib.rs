//! The one HTTP client of Hythe: nothing else in the workspace opens an HTTP connection.
//!
//! Invariants kept here, whoever calls:
//!
//! - a credential reaches only the [`Origin`] it was given for: a redirect to another scheme, host
//!   or port drops it ([`Outbound::send`]);
//! - TLS is never downgraded: a redirect from `https` to `http` is an error, a certificate that
//!   does not verify is an error, and there is no switch for either;
//! - nothing waits for ever: connecting is limited, and so is the time in which no byte moves;
//! - no error and no `Debug` output of this crate shows a credential or a query string.
//!
//! Each exchange is a `tracing` event of this crate at debug level (method, address, status, milliseconds, bytes,
//! request id), its headers are events at trace level; secrets are replaced in both.

mod authorization;
mod builder;
mod content;
mod direct;
mod error;
mod handshake;
mod kept;
mod origin;
mod proxy;
mod request;
mod response;
mod send;
mod trace;

pub use authorization::{Authorization, AuthorizationError};
pub use builder::{Outbound, OutboundBuilder};
pub use content::Content;
pub use error::OutboundError;
pub use handshake::{Distrust, Handshake, ShownCertificate};
pub use origin::Origin;
pub use proxy::{Proxy, proxy_for};
pub use request::{Body, Request};
pub use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
pub use reqwest::{Method, StatusCode};
pub use response::Response;
pub use url::Url;

//! Every HTTP face of Hythe: the OCI protocol (`/v2`), the token service (`/token`), health and
//! metrics; and how connections are taken, served and ended.
//!
//! A face is thin: it parses a request into types, asks a room, and writes the answer.

pub mod api;
mod authenticate;
mod body_pace;
pub mod control;
mod dev_certificate;
pub mod drain;
mod external_url;
mod front;
mod health;
pub mod limits;
pub mod listen;
pub mod log_line;
pub mod metrics;
mod page;
mod problem;
pub mod request;
mod seldom;
mod server;
mod shares;
pub mod tls;
pub mod token;
mod told;
pub mod v2;
mod whole_body;

pub use body_pace::BodyPace;
pub use dev_certificate::{DEV_CERTIFICATE_LIFE, DevCertificate, dev_certificate};
pub use external_url::{ExternalUrl, ExternalUrlError};
pub use server::{Server, ServerOptions};
pub use told::Told;

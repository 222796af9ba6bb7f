//! The logins that other programs keep, and the protocol by which they ask ours for one.
//!
//! [`Logins`] reads docker's `config.json` and the `auth.json` of podman and skopeo, and runs the credential
//! helpers they name. [`answer`] is the other side: what a program `docker-credential-…` does, over a
//! [`HelperStore`].
//!
//! Invariants kept here:
//!
//! - a registry gets a login that was kept for its own host and port, and for this repository or a path
//!   above it, or none: when a helper fails, the answer is "anonymous" together with a
//!   [`LoginWarning`], never a login of another registry (CVE-2021-41092);
//! - no secret is shown by `Debug`, stands in an error or in the arguments of a program;
//! - a file has at most [`FILE_BYTES`], a helper's answer at most [`ANSWER_BYTES`] and its time at most
//!   [`HELPER_TIME`]; a helper is a plain word that is looked up in absolute folders of the search path.

mod file;
mod key;
mod login;
mod logins;
mod places;
mod program;
mod protocol;

pub use file::FILE_BYTES;
pub use key::{KeyError, LoginKey};
pub use login::{FoundLogin, Login, LoginSource, LoginWarning};
pub use logins::Logins;
pub use places::LoginPlaces;
pub use program::{ANSWER_BYTES, HELPER_TIME};
pub use protocol::{HelperAnswer, HelperStore, HelperVerb, StoredLogin, answer};

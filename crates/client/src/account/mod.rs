//! Who a person is at which server: stored logins, and access tokens that renew themselves.

mod error;
mod exchange;
mod keeper;
mod logins;
mod shelf;

pub use error::AccountError;
pub use exchange::sign_in;
pub use keeper::{AccessToken, TokenKeeper};
pub use logins::{OwnLogin, OwnLogins};

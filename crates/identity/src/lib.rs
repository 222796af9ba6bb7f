//! Who is asking: passwords, access tokens, refresh tokens, and how fast one may guess.
//!
//! This crate proves identities and knows nothing of projects: what a user may do is asked elsewhere, of live rules.
//! Three promises hold throughout. A deleted user or a changed password is closed at once, tokens included. To
//! somebody who cannot sign in, an existing user looks like a missing one, in words and in work. Secrets are kept as
//! hashes, shown once, and have no `Debug`.

mod access_token;
mod error;
mod fingerprint;
mod hasher;
mod identity;
mod live_users;
mod options;
mod password;
mod random;
mod refresh_token;
mod sessions;
mod shares;
mod sign_in;
mod signing_key;
mod throttle;
mod users;
mod verify_cache;
mod who;

pub use access_token::AccessToken;
pub use error::{AccountError, IdentityError, SignInError, TokenError};
pub use identity::Identity;
pub use options::{HashCost, IdentityOptions, ThrottleLimits};
pub use password::{HashError, PASSWORD_MAX_BYTES, PASSWORD_MIN_CHARACTERS, PasswordRuleError};
pub use random::{RandomError, generate_password};
pub use refresh_token::{REFRESH_PREFIX, RefreshToken};
pub use sign_in::TOKEN_USER_NAME;
pub use users::ListedUser;
pub use who::{Caller, Session, TokenId, TokenIdError, User, UserId};

//! Who is asking: users, callers and the session that one request runs in.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use hythe_oci::{ScopeSet, UserName};
use hythe_store::Timestamp;

use crate::random::{self, RandomError};

/// The random positive number of a user. A name that is deleted and made again gets another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub i64);

/// A user as they are in the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user's number.
    pub id: UserId,
    /// The user's name.
    pub name: UserName,
    /// Whether the user may do everything.
    pub admin: bool,
    /// Counts the changes (of the password, for one) that end the user's tokens.
    pub epoch: i64,
}

/// On whose behalf a request comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody who signed in.
    Anonymous,
    /// A user whose password or token was checked.
    User(Arc<User>),
}

impl Caller {
    /// The user, if somebody signed in.
    pub fn user(&self) -> Option<&Arc<User>> {
        match self {
            Self::Anonymous => None,
            Self::User(user) => Some(user),
        }
    }

    /// Who it is, as the subject of a sentence for people.
    pub fn name(&self) -> String {
        match self {
            Self::Anonymous => "A visitor who is not signed in".to_owned(),
            Self::User(user) => user.name.to_string(),
        }
    }
}

/// The identifier of one token (`jti` of RFC 7519): 16 random bytes, 32 lower-case hexadecimal digits as text. It is
/// no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId([u8; 16]);

/// The text is no [`TokenId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A token identifier has 32 lower-case hexadecimal digits.")]
pub struct TokenIdError;

impl TokenId {
    /// A fresh random identifier.
    pub(crate) fn random() -> Result<Self, RandomError> {
        Ok(Self(random::bytes()?))
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&random::hex(&self.0))
    }
}

impl FromStr for TokenId {
    type Err = TokenIdError;

    fn from_str(text: &str) -> Result<Self, TokenIdError> {
        let lower = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        if text.len() != 32 || !text.as_bytes().iter().all(lower) {
            return Err(TokenIdError);
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| TokenIdError)?;
        Ok(Self(number.to_be_bytes()))
    }
}

/// What the credentials of one request prove. Which rights the caller has is not here: live rules decide that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// On whose behalf the request comes.
    pub caller: Caller,
    /// The scopes of the access token; `None` when the whole identity was proved (a password, a refresh token, an access
    /// token that stands for its user, or no credentials at all).
    pub scopes: Option<ScopeSet>,
    /// Whether the session stands for all of its caller: a password, a refresh token, or a token that was asked for
    /// without scopes in such a session.
    pub whole: bool,
    /// The access token, if one was shown.
    pub token: Option<TokenId>,
    /// Whether the access token is genuine but past its end. Such a session may only go on with what it began.
    pub expired: bool,
    /// When the access token ends; `None` without one. No token bought in this session lives longer.
    pub ends: Option<Timestamp>,
}

impl Session {
    /// A session without credentials.
    pub fn anonymous() -> Self {
        Self::whole(Caller::Anonymous)
    }

    /// A session of a user who proved the whole identity.
    pub fn user(user: Arc<User>) -> Self {
        Self::whole(Caller::User(user))
    }

    fn whole(caller: Caller) -> Self {
        Self { caller, scopes: None, whole: true, token: None, expired: false, ends: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_identifier_survives_its_text() {
        let id = TokenId::random().unwrap();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), 32);
    }

    #[test]
    fn other_texts_are_no_token_identifiers() {
        for text in ["", "00", &"0".repeat(33), &"A".repeat(32), &format!("+{}", "0".repeat(31))] {
            assert_eq!(text.parse::<TokenId>(), Err(TokenIdError), "{text}");
        }
    }
}

//! Access tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA-256 under the key of the records.
//!
//! Invariants: the algorithm is the one written here, whatever a header says, and keys named or carried by a header
//! (`jwk`, `jku`, `x5c`) are never looked at. A genuine token proves who asked for which scopes, once; whether that
//! user still exists and what they may do is asked of the records at every use, elsewhere.

use std::sync::Arc;

use hythe_oci::{RepositoryName, ScopeSet};
use hythe_store::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{IdentityError, TokenError};
use crate::refresh_token::REFRESH_PREFIX;
use crate::signing_key::SigningKey;
use crate::who::{TokenId, User, UserId};

/// Longest text that is looked at as a token, in bytes: what fits into the head of a request beside the rest.
const LONGEST_TOKEN: usize = 12 * 1024 + 512;
/// Scopes of one token at most, in bytes of JSON. What would go beyond is left out, as scopes without a right are.
const LONGEST_SCOPES: usize = 8 * 1024;
/// One scope in JSON without the repository's name.
const SCOPE_OVERHEAD: usize = r#"{"type":"repository","name":"","actions":["pull","push","delete"]},"#.len();
/// Memory for tokens whose signature was checked, in bytes.
const VERIFIED_BYTES: u64 = 16 * 1024 * 1024;
/// What one remembered token takes besides its scopes, in bytes, generously.
const VERIFIED_OVERHEAD: u64 = 512;

/// An access token that was just made.
pub struct AccessToken {
    /// The token as the client sends it.
    pub token: SecretString,
    /// Seconds until it ends, counted from its making.
    pub expires_in: u64,
    /// Its identifier.
    pub id: TokenId,
    /// The scopes it holds: those asked for that fit.
    pub scopes: ScopeSet,
}

/// What a token with a good signature says.
#[derive(Debug)]
pub(crate) struct Genuine {
    /// The user and the epoch the token was made under; `None` for a token of nobody.
    pub(crate) user: Option<(UserId, i64)>,
    pub(crate) scopes: ScopeSet,
    /// Whether it stands for the user rather than for the scopes.
    pub(crate) whole: bool,
    pub(crate) id: TokenId,
    /// From when on it is valid.
    pub(crate) begins: Timestamp,
    /// When it ends.
    pub(crate) ends: Timestamp,
    weight: u64,
}

/// The claims on the wire.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    /// The user's number, or empty for nobody.
    sub: String,
    aud: String,
    exp: i64,
    nbf: i64,
    iat: i64,
    jti: String,
    /// For people who read logs; nothing is decided by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<i64>,
    access: Vec<Access>,
    /// The token was asked for without scopes and stands for its user. An empty `access` does not say so: it is
    /// also what is left of scopes that were not granted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    whole: bool,
}

/// One scope, in the form of the Docker token specification.
#[derive(Serialize, Deserialize)]
struct Access {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    actions: Vec<String>,
}

/// Makes and checks access tokens.
pub(crate) struct AccessTokens {
    service: String,
    header: Header,
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    verified: Cache<[u8; 32], Arc<Genuine>, ByWeight>,
}

impl AccessTokens {
    /// Tokens of the service of this name under `key`.
    pub(crate) fn new(service: &str, key: &SigningKey) -> Self {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(key.id());
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[service]);
        validation.set_audience(&[service]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // Times are compared with the store's clock, and an expired token is still told from a forged one.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self {
            service: service.to_owned(),
            header,
            encoding: EncodingKey::from_secret(key.expose()),
            decoding: DecodingKey::from_secret(key.expose()),
            validation,
            verified: Cache::with_weighter(8_192, VERIFIED_BYTES, ByWeight),
        }
    }

    /// Makes a token for `user` (or nobody) that holds `scopes`, or stands for the user, from `now` until `ends`.
    pub(crate) fn issue(
        &self,
        user: Option<&User>,
        scopes: &ScopeSet,
        whole: bool,
        now: Timestamp,
        ends: Timestamp,
    ) -> Result<AccessToken, IdentityError> {
        let id = TokenId::random()?;
        let scopes = fitting(scopes);
        let claims = Claims {
            iss: self.service.clone(),
            sub: user.map(|user| user.id.0.to_string()).unwrap_or_default(),
            aud: self.service.clone(),
            exp: ends.as_secs(),
            nbf: now.as_secs(),
            iat: now.as_secs(),
            jti: id.to_string(),
            name: user.map(|user| user.name.to_string()),
            epoch: user.map(|user| user.epoch),
            access: access_of(&scopes),
            whole,
        };
        let token =
            jsonwebtoken::encode(&self.header, &claims, &self.encoding).map_err(IdentityError::Signing)?;
        let expires_in = u64::try_from(claims.exp - claims.iat).unwrap_or(0);
        Ok(AccessToken { token: SecretString::from(token), expires_in, id, scopes })
    }

    /// Reads a token whose signature, issuer and audience are good; times are not looked at. A token that was
    /// checked before costs one digest.
    pub(crate) fn read(&self, token: &str) -> Result<Arc<Genuine>, TokenError> {
        if token.starts_with(REFRESH_PREFIX) {
            return Err(TokenError::RefreshToken);
        }
        if token.len() > LONGEST_TOKEN {
            return Err(TokenError::Malformed);
        }
        let digest = Sha256::digest(token.as_bytes()).into();
        if let Some(genuine) = self.verified.get(&digest) {
            return Ok(genuine);
        }
        let genuine = Arc::new(self.check(token)?);
        self.verified.insert(digest, Arc::clone(&genuine));
        Ok(genuine)
    }

    fn check(&self, token: &str) -> Result<Genuine, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
        if header.kid != self.header.kid {
            return Err(TokenError::Signature);
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|error| match error.kind() {
                ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => TokenError::Signature,
                ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => TokenError::OtherService,
                _ => TokenError::Malformed,
            })?
            .claims;
        Genuine::from_claims(&claims).ok_or(TokenError::Malformed)
    }
}

impl Genuine {
    fn from_claims(claims: &Claims) -> Option<Self> {
        let user = match (claims.sub.as_str(), claims.epoch) {
            ("", None) => None,
            (number, Some(epoch)) => Some((UserId(number.parse().ok()?), epoch)),
            _ => return None,
        };
        let scopes: Vec<String> = claims.access.iter().map(Access::scope).collect();
        let weight = scopes.iter().map(|scope| scope.len() as u64 * 2).sum::<u64>() + VERIFIED_OVERHEAD;
        Some(Self {
            user,
            scopes: ScopeSet::parse(scopes.iter().map(String::as_str)),
            whole: claims.whole,
            id: claims.jti.parse().ok()?,
            begins: Timestamp::from_secs(claims.nbf),
            ends: Timestamp::from_secs(claims.exp),
            weight,
        })
    }
}

impl Access {
    fn scope(&self) -> String {
        format!("{}:{}:{}", self.kind, self.name, self.actions.join(","))
    }
}

fn access_of(scopes: &ScopeSet) -> Vec<Access> {
    let repository = |(name, actions): (&RepositoryName, hythe_oci::Actions)| Access {
        kind: "repository".to_owned(),
        name: name.to_string(),
        actions: actions.iter().map(|action| action.as_str().to_owned()).collect(),
    };
    let catalog = scopes.catalog().then(|| Access {
        kind: "registry".to_owned(),
        name: "catalog".to_owned(),
        actions: vec!["*".to_owned()],
    });
    scopes.repositories().map(repository).chain(catalog).collect()
}

/// The scopes up to [`LONGEST_SCOPES`] bytes of JSON.
fn fitting(scopes: &ScopeSet) -> ScopeSet {
    let mut fitting = ScopeSet::new();
    if scopes.catalog() {
        fitting.insert_catalog();
    }
    let mut bytes = 0;
    for (name, actions) in scopes.repositories() {
        bytes += name.as_str().len() + SCOPE_OVERHEAD;
        if bytes > LONGEST_SCOPES {
            break;
        }
        fitting.insert(name.clone(), actions);
    }
    fitting
}

#[derive(Clone)]
struct ByWeight;

impl Weighter<[u8; 32], Arc<Genuine>> for ByWeight {
    fn weight(&self, _: &[u8; 32], genuine: &Arc<Genuine>) -> u64 {
        genuine.weight
    }
}

#[cfg(test)]
#[path = "access_token_tests.rs"]
mod tests;

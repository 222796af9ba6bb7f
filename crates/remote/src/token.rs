//! Tokens: fetched from the confirmed realm, kept per scope, renewed before they end.
//!
//! Invariants: at most one fetch per scope is under way; a token that the registry has refused is not used
//! again; a sign-in that failed is not repeated by those who waited for it, so that one wrong password counts
//! as one; no token outlives the [`Tokens`] it was fetched by.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hythe_outbound::{
    Authorization, HeaderValue, Method, Outbound, Request, Response, StatusCode, Url, header,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::credentials::{Identity, RefreshToken};
use crate::scope::Scope;
use crate::{Refusal, RemoteError};

/// containers/image accepts so much; JWTs with many scopes grow to some kilobytes.
const MAX_TOKEN_ANSWER: usize = 1024 * 1024;

/// A shorter or absent `expires_in` means this (token specification).
const SHORTEST_LIFE: Duration = Duration::from_mins(1);

/// A longer one is not believed: the next 401 or this limit renews the token.
const LONGEST_LIFE: Duration = Duration::from_hours(24);

/// How we call ourselves at a token service.
const CLIENT_ID: &str = "hythe";

/// A token service, as a challenge named it and [`crate::realm::confirm`] accepted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenService {
    pub(crate) realm: Url,
    pub(crate) service: Option<String>,
}

/// The tokens of one identity at one registry, by scope.
pub(crate) struct Tokens {
    slots: Mutex<HashMap<Scope, Arc<tokio::sync::Mutex<Slot>>>>,
}

#[derive(Default)]
struct Slot {
    token: Option<Token>,
    /// What the registry asked for beside our own scope, in its last challenge.
    demanded: Option<String>,
    /// The last refusal of the token service, and when it came.
    failure: Option<(Refusal, Instant)>,
}

struct Token {
    value: SecretString,
    good_until: Instant,
}

/// The answer of a token service; both names of the token are in use.
#[derive(Deserialize)]
struct Answer {
    token: Option<SecretString>,
    access_token: Option<SecretString>,
    refresh_token: Option<SecretString>,
    expires_in: Option<u64>,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        Self { slots: Mutex::new(HashMap::new()) }
    }

    /// A token for `scope` that has not ended yet, fetched with `identity` if none is kept.
    pub(crate) async fn get(
        &self,
        outbound: &Outbound,
        service: &TokenService,
        identity: &Identity,
        scope: &Scope,
    ) -> Result<SecretString, RemoteError> {
        let slot = self.slot(scope);
        let began = Instant::now();
        let mut slot = slot.lock().await;
        if let Some(token) = slot.token.as_ref().filter(|token| Instant::now() < token.good_until) {
            return Ok(token.value.clone());
        }
        if let Some((refusal, _)) = slot.failure.as_ref().filter(|(_, when)| *when >= began) {
            return Err(RemoteError::Refused(Box::new(refusal.clone())));
        }
        let wanted = scope.clone().and_demanded(slot.demanded.as_deref());
        match fetch(outbound, service, identity, &wanted).await {
            Ok(token) => {
                let value = token.value.clone();
                slot.token = Some(token);
                Ok(value)
            }
            Err(error) => {
                if let RemoteError::Refused(refusal) = &error {
                    slot.failure = Some((Refusal::clone(refusal), Instant::now()));
                }
                Err(error)
            }
        }
    }

    /// Forgets a token that the registry refused, unless another request has renewed it already.
    pub(crate) async fn refused(
        &self,
        scope: &Scope,
        token: Option<&SecretString>,
        demanded: Option<String>,
    ) {
        let slot = self.slot(scope);
        let mut slot = slot.lock().await;
        let kept = slot.token.as_ref().map(|token| token.value.expose_secret());
        if kept == token.map(ExposeSecret::expose_secret) {
            slot.token = None;
        }
        slot.demanded = demanded;
    }

    fn slot(&self, scope: &Scope) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(scope) {
            return Arc::clone(slot);
        }
        // A long-lived upstream client meets ever new repositories: what has ended goes.
        slots.retain(|_, slot| slot.try_lock().map_or(true, |slot| slot.is_useful()));
        Arc::clone(slots.entry(scope.clone()).or_default())
    }
}

impl Slot {
    fn is_useful(&self) -> bool {
        self.token.as_ref().is_some_and(|token| Instant::now() < token.good_until)
    }
}

async fn fetch(
    outbound: &Outbound,
    service: &TokenService,
    identity: &Identity,
    scope: &Scope,
) -> Result<Token, RemoteError> {
    let asked = Instant::now();
    let response = match identity {
        Identity::Nobody => by_get(outbound, service, None, scope).await?,
        Identity::Password(password) => by_get(outbound, service, Some(password.clone()), scope).await?,
        Identity::RefreshToken(token) => by_refresh_token(outbound, service, token, scope).await?,
    };
    let origin = response.origin().to_string();
    if response.status() != StatusCode::OK {
        return Err(RemoteError::Refused(Box::new(Refusal::read(response).await)));
    }
    let answer: Answer = response.json(MAX_TOKEN_ANSWER).await?;
    if let (Identity::RefreshToken(kept), Some(next)) = (identity, answer.refresh_token) {
        kept.replace(next);
    }
    let value = answer.token.or(answer.access_token).ok_or_else(|| RemoteError::Protocol {
        registry: origin,
        problem: "its token service answered without a token".to_owned(),
    })?;
    Ok(Token { value, good_until: asked + usable_life(answer.expires_in, fastrand::f64()) })
}

/// The docker form: everything in the query, the identity in the header.
async fn by_get(
    outbound: &Outbound,
    service: &TokenService,
    identity: Option<Authorization>,
    scope: &Scope,
) -> Result<Response, RemoteError> {
    let mut url = service.realm.clone();
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = &service.service {
            query.append_pair("service", service);
        }
        for part in scope.parts() {
            query.append_pair("scope", part);
        }
    }
    Ok(outbound.send(asking(Method::GET, url).authorization(identity)).await?)
}

/// The OAuth 2 form (RFC 6749 section 6). Where there is no such POST, the token takes the place of a
/// password.
async fn by_refresh_token(
    outbound: &Outbound,
    service: &TokenService,
    token: &RefreshToken,
    scope: &Scope,
) -> Result<Response, RemoteError> {
    let (secret, scope_text) = (token.current(), scope.to_string());
    let mut form = vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", secret.expose_secret()),
        ("client_id", CLIENT_ID),
    ];
    form.extend(service.service.as_deref().map(|service| ("service", service)));
    form.extend((!scope_text.is_empty()).then_some(("scope", scope_text.as_str())));
    let response = outbound.send(asking(Method::POST, service.realm.clone()).form(form)).await?;
    if !matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
        return Ok(response);
    }
    let registry = response.origin().to_string();
    let identity = token.as_password().map_err(|problem| RemoteError::Credentials { registry, problem })?;
    by_get(outbound, service, Some(identity), scope).await
}

fn asking(method: Method, url: Url) -> Request {
    Request::new(method, url).header(header::ACCEPT, HeaderValue::from_static("application/json"))
}

/// How long a token is used: a tenth to a fifth of its life is left for requests under way, by chance, so
/// that many clients that began together do not renew together. `chance` is from 0 to 1.
fn usable_life(expires_in: Option<u64>, chance: f64) -> Duration {
    let life = Duration::from_secs(expires_in.unwrap_or(0)).clamp(SHORTEST_LIFE, LONGEST_LIFE);
    life.mul_f64(0.8 + 0.1 * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_lives_are_brought_into_range() {
        for short in [None, Some(0), Some(1), Some(59), Some(60)] {
            assert_eq!(usable_life(short, 0.0), Duration::from_secs(48));
            assert_eq!(usable_life(short, 1.0), Duration::from_secs(54));
        }
        assert_eq!(usable_life(Some(300), 1.0), Duration::from_secs(270));
        assert!(usable_life(Some(u64::MAX), 1.0) <= LONGEST_LIFE);
    }
}

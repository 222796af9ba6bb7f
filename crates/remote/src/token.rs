//! Tokens: fetched from the confirmed realm, kept per scope, renewed before they end.
//!
//! Invariants: at most one fetch per scope is under way; a token that the registry has refused is
//! not used again; no token outlives the [`Tokens`] it was fetched by.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hythe_outbound::{
    Authorization, Body, HeaderValue, Method, Outbound, Request, Response, StatusCode, Url, header,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::form_urlencoded;

use crate::{Refusal, RemoteError};

/// containers/image accepts so much; JWTs with many scopes grow to some kilobytes.
const MAX_TOKEN_ANSWER: usize = 1024 * 1024;

/// A shorter or absent `expires_in` means this (token specification).
const SHORTEST_LIFE: Duration = Duration::from_mins(1);

/// A longer one is not believed: the next 401 or this limit renews the token.
const LONGEST_LIFE: Duration = Duration::from_hours(24);

/// A token service, as a challenge named it and [`crate::realm::confirm`] accepted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenService {
    pub(crate) realm: Url,
    pub(crate) service: Option<String>,
}

/// How an identity proves itself to a token service.
pub(crate) enum Identity {
    Nobody,
    Password(Authorization),
    RefreshToken(SecretString),
}

/// The tokens of one identity at one registry, by scope.
pub(crate) struct Tokens {
    slots: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Slot>>>>,
}

#[derive(Default)]
struct Slot {
    token: Option<Token>,
    /// What the registry asked for beside our own scope, in its last challenge.
    demanded: Option<String>,
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
        scope: &str,
    ) -> Result<SecretString, RemoteError> {
        let slot = self.slot(scope);
        let mut slot = slot.lock().await;
        if let Some(token) = slot.token.as_ref().filter(|token| Instant::now() < token.good_until) {
            return Ok(token.value.clone());
        }
        let demanded = slot.demanded.as_deref().filter(|demanded| *demanded != scope);
        let token = fetch(outbound, service, identity, [Some(scope), demanded]).await?;
        let value = token.value.clone();
        slot.token = Some(token);
        Ok(value)
    }

    /// Forgets a token that the registry refused, unless another request has renewed it already.
    pub(crate) async fn refused(&self, scope: &str, token: Option<&SecretString>, demanded: Option<String>) {
        let slot = self.slot(scope);
        let mut slot = slot.lock().await;
        let kept = slot.token.as_ref().map(|token| token.value.expose_secret());
        if kept == token.map(ExposeSecret::expose_secret) {
            slot.token = None;
        }
        slot.demanded = demanded;
    }

    fn slot(&self, scope: &str) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(scope) {
            return Arc::clone(slot);
        }
        // A long-lived upstream client meets ever new repositories: what has ended goes.
        slots.retain(|_, slot| slot.try_lock().map_or(true, |slot| slot.is_useful()));
        Arc::clone(slots.entry(scope.to_owned()).or_default())
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
    scopes: [Option<&str>; 2],
) -> Result<Token, RemoteError> {
    let scopes = || scopes.into_iter().flatten().flat_map(str::split_ascii_whitespace);
    let asked = Instant::now();
    let response = match identity {
        Identity::RefreshToken(token) => redeem(outbound, service, token, scopes()).await?,
        Identity::Nobody => ask(outbound, service, None, scopes()).await?,
        Identity::Password(proof) => ask(outbound, service, Some(proof.clone()), scopes()).await?,
    };
    let origin = response.origin().to_string();
    if response.status() != StatusCode::OK {
        return Err(RemoteError::Refused(Box::new(Refusal::read(response).await)));
    }
    let answer: Answer = response.json(MAX_TOKEN_ANSWER).await?;
    let value = answer.token.or(answer.access_token).ok_or_else(|| RemoteError::Protocol {
        registry: origin,
        problem: "its token service answered without a token".to_owned(),
    })?;
    Ok(Token { value, good_until: asked + usable_life(answer.expires_in) })
}

/// A token by GET (the token specification).
async fn ask(
    outbound: &Outbound,
    service: &TokenService,
    proof: Option<Authorization>,
    scopes: impl Iterator<Item = &str>,
) -> Result<Response, RemoteError> {
    let mut url = service.realm.clone();
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = &service.service {
            query.append_pair("service", service);
        }
        for scope in scopes {
            query.append_pair("scope", scope);
        }
    }
    let request = Request::new(Method::GET, url)
        .header(header::ACCEPT, HeaderValue::from_static("application/json"))
        .authorization(proof);
    Ok(outbound.send(request).await?)
}

/// A token by POST (the OAuth 2 form of the token specification), for who holds a refresh token.
async fn redeem(
    outbound: &Outbound,
    service: &TokenService,
    token: &SecretString,
    scopes: impl Iterator<Item = &str>,
) -> Result<Response, RemoteError> {
    let scopes = scopes.collect::<Vec<_>>().join(" ");
    let request = Request::new(Method::POST, service.realm.clone())
        .header(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
        .header(header::ACCEPT, HeaderValue::from_static("application/json"))
        .body(Body::bytes(form(service, token, &scopes).into()));
    Ok(outbound.send(request).await?)
}

fn form(service: &TokenService, token: &SecretString, scopes: &str) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", token.expose_secret());
    form.append_pair("client_id", "hythe");
    if let Some(service) = &service.service {
        form.append_pair("service", service);
    }
    if !scopes.is_empty() {
        form.append_pair("scope", scopes);
    }
    form.finish()
}

/// How long a token is used: the rest of its life is left for requests under way. By chance a little less, so that many
/// clients do not renew at once.
fn usable_life(expires_in: Option<u64>) -> Duration {
    let life = Duration::from_secs(expires_in.unwrap_or(0)).clamp(SHORTEST_LIFE, LONGEST_LIFE);
    life.mul_f64(0.85 + 0.05 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_lives_are_brought_into_range() {
        for (expires_in, life) in [(None, 60), (Some(1), 60), (Some(300), 300)] {
            let used = usable_life(expires_in).as_secs_f64() / f64::from(life);
            assert!((0.85..=0.9).contains(&used), "{used} of {life}");
        }
        assert!(usable_life(Some(u64::MAX)) <= LONGEST_LIFE);
    }
}

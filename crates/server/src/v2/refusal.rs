//! Who may not, and what they are told: 401 with a challenge to whoever can still sign in or get
//! a better token, 403 to whoever cannot.
//!
//! The challenge is one `Bearer` line without blanks after commas, every value quoted, its realm on
//! the caller's own address of us: clients of the field split it by hand.

use std::borrow::Cow;

use http::{HeaderValue, header};
use hythe_identity::{Caller, IdentityError, SignInError, TokenError};
use hythe_oci::{Action, Actions, Endpoint, ErrorCode, RepositoryName, Route};
use hythe_registry::access::{AuthorizeError, Refused};

use super::fault::Fault;
use super::{Call, V2State};
use crate::authenticate::AuthenticateError;
use crate::request::Origin;

/// What a token would have to cover.
fn scope(name: &RepositoryName, actions: &[Action]) -> String {
    format!("repository:{name}:{}", Actions::of(actions))
}

struct Challenge<'a> {
    state: &'a V2State,
    origin: &'a Origin,
    scope: Option<String>,
    error: Option<(Cow<'static, str>, String)>,
}

impl Challenge<'_> {
    fn fault(self, code: ErrorCode, message: impl Into<String>) -> Fault {
        let mut parameters = vec![
            ("realm", format!("{}/token", self.origin.base())),
            ("service", self.state.service.to_string()),
        ];
        parameters.extend(self.scope.map(|scope| ("scope", scope)));
        if let Some((error, description)) = self.error {
            parameters.push(("error", error.into_owned()));
            parameters.push(("error_description", description));
        }
        let parameters: Vec<String> = parameters
            .into_iter()
            .map(|(name, value)| format!("{name}=\"{}\"", value.replace(['"', '\\'], "'")))
            .collect();
        let line = format!("Bearer {}", parameters.join(","));
        let fault = Fault::new(401, code, message);
        match HeaderValue::from_str(&line) {
            Ok(value) => fault.with_header(header::WWW_AUTHENTICATE, value),
            Err(_) => Fault::internal("a challenge is no header value"),
        }
    }
}

/// The scope that a challenge for this route offers, whatever the method: a client that keeps its
/// first token must be able to go on with it.
fn offered(route: Option<&Route>, endpoint: Option<Endpoint>) -> Option<String> {
    let route = route?;
    if matches!(route, Route::Catalog) {
        return Some("registry:catalog:*".to_owned());
    }
    let name = route.repository()?;
    Some(scope(name, endpoint.map_or(&[Action::Pull][..], Endpoint::challenge)))
}

/// Credentials that are wrong, whatever they were for.
pub(super) fn unauthenticated(
    error: AuthenticateError,
    state: &V2State,
    origin: &Origin,
    route: Option<&Route>,
    endpoint: Option<Endpoint>,
) -> Fault {
    let message = error.to_string();
    let challenge = |error| Challenge { state, origin, scope: offered(route, endpoint), error };
    match error {
        AuthenticateError::Token(TokenError::Unavailable(cause))
        | AuthenticateError::SignIn(SignInError::Unavailable(cause)) => unavailable(&cause),
        AuthenticateError::Token(_) => {
            challenge(Some(("invalid_token".into(), message.clone()))).fault(ErrorCode::Unauthorized, message)
        }
        AuthenticateError::SignIn(error) => match error.retry_after_seconds() {
            Some(seconds) => {
                let (status, code) = match error {
                    SignInError::Busy => (503, ErrorCode::Unavailable),
                    _ => (429, ErrorCode::TooManyRequests),
                };
                Fault::new(status, code, message).with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
            }
            None => challenge(None).fault(ErrorCode::Unauthorized, message),
        },
        AuthenticateError::Malformed(_) => challenge(None).fault(ErrorCode::Unauthorized, message),
    }
}

fn unavailable(cause: &IdentityError) -> Fault {
    if let Some(records) = cause.records() {
        return hythe_registry::Error::from(records.clone()).into();
    }
    tracing::error!(error = cause as &dyn std::error::Error, "credentials could not be checked");
    Fault::internal("credentials could not be checked")
}

/// Answers 401 to whoever shows neither password nor token; an anonymous token will do.
pub(super) fn require_credentials(call: &Call<'_>, scope: Option<String>) -> Result<(), Fault> {
    let anonymous = matches!(call.session.caller, Caller::Anonymous) && call.session.token.is_none();
    if !anonymous {
        return Ok(());
    }
    let challenge = Challenge { state: call.state, origin: &call.origin, scope, error: None };
    Err(challenge.fault(
        ErrorCode::Unauthorized,
        "This needs credentials: sign in with `docker login` (or your client's login), or get a token for public images.",
    ))
}

/// A token without the scope asked for.
pub(super) fn missing_scope(call: &Call<'_>, scope: String, message: &str) -> Fault {
    let error = Some((insufficient_scope(call, message), message.to_owned()));
    let challenge = Challenge { state: call.state, origin: &call.origin, scope: Some(scope), error };
    challenge.fault(ErrorCode::Unauthorized, message)
}

/// What the rules refuse.
pub(super) fn unauthorised(call: &Call<'_>, error: AuthorizeError) -> Fault {
    let refused = match error {
        AuthorizeError::Refused(refused) => refused,
        AuthorizeError::Failed(error) => return error.into(),
    };
    let message = refused.to_string();
    let challenge = |repository: &RepositoryName, error| Challenge {
        state: call.state,
        origin: &call.origin,
        scope: Some(scope(repository, call.endpoint.challenge())),
        error,
    };
    let insufficient = Some((insufficient_scope(call, &message), message.clone()));
    match &refused {
        Refused::SignIn { repository } => challenge(repository, None).fault(ErrorCode::Unauthorized, message),
        Refused::Scope { repository, .. } => {
            challenge(repository, insufficient).fault(ErrorCode::Unauthorized, message)
        }
        Refused::Right { repository, presented: true, .. }
        | Refused::Hidden { repository, presented: true, .. } => {
            challenge(repository, insufficient).fault(ErrorCode::Denied, message)
        }
        Refused::Right { .. } => Fault::new(403, ErrorCode::Denied, message),
        // No better credentials are to be had: what may not be known looks missing.
        Refused::Hidden { .. } | Refused::NoProject { .. } => {
            Fault::new(404, ErrorCode::NameUnknown, message)
        }
    }
}

/// The error code of RFC 6750 for a token that does not reach. containerd shows a person nothing but
/// this code, so to containerd the sentence goes with it; other clients compare the bare code.
fn insufficient_scope(call: &Call<'_>, sentence: &str) -> Cow<'static, str> {
    const CODE: &str = "insufficient_scope";
    match call.header(&header::USER_AGENT) {
        Some(agent) if agent.starts_with("containerd/") => format!("{CODE}: {sentence}").into(),
        _ => CODE.into(),
    }
}

/// An expired token is no token, but for finishing what it opened: its upload, the check of the
/// blob, the manifest.
pub(super) async fn check_expiry(call: &Call<'_>, route: &Route) -> Result<(), Fault> {
    if !call.session.expired {
        return Ok(());
    }
    let finishing = matches!(
        call.endpoint,
        Endpoint::PatchUpload
            | Endpoint::PutUpload
            | Endpoint::GetUpload
            | Endpoint::CancelUpload
            | Endpoint::HeadBlob
            | Endpoint::PutManifest
    );
    if finishing
        && let Some(name) = route.repository()
        && call.registry().outlives_expiry(&call.session, name).await?
    {
        return Ok(());
    }
    let message = "The access token has expired: get a new one from the token service.";
    let challenge = Challenge {
        state: call.state,
        origin: &call.origin,
        scope: offered(Some(route), Some(call.endpoint)),
        error: Some(("invalid_token".into(), message.to_owned())),
    };
    Err(challenge.fault(ErrorCode::Unauthorized, message))
}

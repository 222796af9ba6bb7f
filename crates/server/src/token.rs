//! The token service: `GET /token` in the manner of Docker and `POST /token` in the manner of OAuth.
//!
//! Whoever proves an identity (or none) gets a token with the asked scopes as far as the live rights go; asking for
//! more is no error, a wrong password is. Nothing here decides a right: `hythe_registry` does, for the token now and
//! for each use of it later. Answers are never cached and set no cookie.

mod refusal;
mod wish;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use http::{HeaderMap, HeaderValue, header};
use hythe_identity::{Caller, Identity, IdentityError, REFRESH_PREFIX, Session};
use hythe_registry::Registry;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::authenticate::{Credentials, credentials};
use crate::log_line::{Identified, RouteLabel};
use crate::request::{ClientAddress, RequestId};
use crate::whole_body::{NotWhole, Room, WholeBody};
use refusal::{Form, Refusal};
use wish::{Grant, Wish};

/// Largest form that is read, in bytes.
const FORM_BYTES: usize = 64 * 1024;

/// What the token service works with. A clone is the same service.
#[derive(Clone)]
pub struct TokenState {
    identity: Identity,
    registry: Registry,
    /// The challenge of a 401 here: only Basic credentials buy a token.
    challenge: HeaderValue,
}

impl TokenState {
    /// The token service of the registry that its tokens and challenges call `service`.
    pub fn new(identity: Identity, registry: Registry, service: &str) -> Self {
        let plain: String =
            service.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\')).collect();
        let challenge = HeaderValue::try_from(format!("Basic realm=\"{plain}\""))
            .expect("printable ASCII without quotes is a valid header value");
        Self { identity, registry, challenge }
    }
}

/// The routes of the token service.
pub fn router(state: TokenState) -> Router {
    Router::new().route("/token", get(get_token).post(post_token)).with_state(state)
}

/// A token in the answer. `token` and `access_token` are the same: clients read either.
#[derive(Serialize)]
struct Answer<'a> {
    token: &'a str,
    access_token: &'a str,
    /// Seconds. There is no `issued_at`: clients would compare it with their own clock.
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
}

/// `GET /token?service=&scope=&account=&client_id=&offline_token=` with Basic credentials or none.
pub async fn get_token(
    State(state): State<TokenState>,
    Extension(client): Extension<ClientAddress>,
    Extension(id): Extension<RequestId>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let wish = wish::of_query(query.as_deref().unwrap_or_default());
    let answer = async {
        match credentials(&headers).map_err(|error| Refusal::credentials(error.to_string()))? {
            Credentials::None => state.answer(Form::Docker, &Session::anonymous(), None, &wish).await,
            Credentials::Basic { name, secret } => {
                let session = state.identity.authenticate_basic(&name, &secret, client.0).await?;
                state.answer(Form::Docker, &session, Some(&secret), &wish).await
            }
            Credentials::Bearer(_) => Err(Refusal::credentials(
                "The token service takes Basic credentials (user name and password, or a token as password), or none \
                 for a token of an anonymous visitor."
                    .to_owned(),
            )),
        }
    };
    state.finish(Form::Docker, &id, answer.await)
}

/// `POST /token` with a form of the grant type `password` or `refresh_token`.
pub async fn post_token(
    State(state): State<TokenState>,
    Extension(client): Extension<ClientAddress>,
    Extension(id): Extension<RequestId>,
    Extension(room): Extension<Room>,
    body: Body,
) -> Response {
    let answer = async {
        let form = read_form(&room, body).await?;
        let (grant, wish) = wish::of_form(&form.bytes)?;
        let (session, secret) = match grant {
            Grant::Password { name, secret } => {
                (state.identity.authenticate_basic(&name, &secret, client.0).await?, secret)
            }
            Grant::RefreshToken(token) => {
                (Session::user(state.identity.redeem_refresh(&token, client.0).await?), token)
            }
        };
        state.answer(Form::OAuth, &session, Some(&secret), &wish).await
    };
    state.finish(Form::OAuth, &id, answer.await)
}

impl TokenState {
    /// The answer for a session that was opened with `secret`.
    async fn answer(
        &self,
        form: Form,
        session: &Session,
        secret: Option<&SecretString>,
        wish: &Wish,
    ) -> Result<Response, Refusal> {
        let granted = self.registry.granted(&session.caller, &wish.scopes).await;
        let granted = granted.map_err(|error| Refusal::storage(&error))?;
        let token = if wish.unscoped {
            self.identity.issue_identity(session)
        } else {
            self.identity.issue_access(session, &granted)
        };
        let token = token.map_err(|error| ended(&error))?;
        let refresh = self.refresh_token(session, secret, wish).await?;
        let text = token.token.expose_secret();
        let mut answer = Json(Answer {
            token: text,
            access_token: text,
            expires_in: token.expires_in,
            scope: (form == Form::OAuth).then(|| token.scopes.to_string()),
            refresh_token: refresh.as_ref().map(ExposeSecret::expose_secret),
        })
        .into_response();
        answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Caller::User(user) = &session.caller {
            answer.extensions_mut().insert(Identified(user.name.to_string()));
        }
        Ok(answer)
    }

    /// The refresh token that goes with the answer, if one is asked for and the session may have one: after a
    /// password or a refresh token only, and whoever came with a refresh token keeps that one, so that its end stays its end.
    async fn refresh_token(
        &self,
        session: &Session,
        secret: Option<&SecretString>,
        wish: &Wish,
    ) -> Result<Option<SecretString>, Refusal> {
        // An access token ends soon, so it buys nothing that lives on.
        let (true, None, Caller::User(user)) = (wish.offline, &session.token, &session.caller) else {
            return Ok(None);
        };
        if let Some(secret) = secret.filter(|secret| secret.expose_secret().starts_with(REFRESH_PREFIX)) {
            return Ok(Some(secret.clone()));
        }
        let issued = self.identity.issue_refresh(user, &wish.client).await;
        issued.map(Some).map_err(|error| ended(&error))
    }

    fn finish(&self, form: Form, id: &RequestId, answer: Result<Response, Refusal>) -> Response {
        let mut answer = answer.unwrap_or_else(|refusal| refusal.into_answer(form, id, &self.challenge));
        answer.extensions_mut().insert(RouteLabel("token"));
        answer
    }
}

/// A sign-in that ended between check and answer is the caller's to repeat; the rest is our fault.
fn ended(error: &IdentityError) -> Refusal {
    match error {
        IdentityError::Ended => Refusal::credentials(error.to_string()),
        fault => match fault.records() {
            Some(records) => Refusal::storage(&records.clone().into()),
            None => Refusal::fault(fault),
        },
    }
}

/// Reads a form of bounded size, with or without a `Content-Length`.
async fn read_form(room: &Room, body: Body) -> Result<WholeBody, Refusal> {
    room.read(body, FORM_BYTES).await.map_err(|error| match error {
        NotWhole::TooLong => Refusal::too_large(FORM_BYTES),
        NotWhole::NoRoom => Refusal::no_room(),
        NotWhole::Cut => Refusal::unreadable(),
    })
}

#[cfg(test)]
#[path = "token/tests.rs"]
mod tests;

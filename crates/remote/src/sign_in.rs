//! Signing in as the registry asks for it.
//!
//! Invariants: nothing is shown before the registry has asked; a proof goes to the registry's own origin
//! alone; a refused proof is renewed once and never repeated.

use std::sync::{Mutex, PoisonError};

use hythe_outbound::{Authorization, AuthorizationError, Origin, Request, Response, StatusCode, header};
use secrecy::SecretString;

use crate::challenge::{self, Challenge};
use crate::credentials::{Credentials, Identity};
use crate::scope::Scope;
use crate::token::{TokenService, Tokens};
use crate::{Remote, RemoteError, realm};

/// The way in, as far as it is known.
pub(crate) struct Entrance {
    pub(crate) identity: Identity,
    /// How the registry wants to be signed in to, as its last 401 said.
    gate: Mutex<Option<Gate>>,
    tokens: Tokens,
}

/// What opens the registry.
#[derive(Clone)]
pub(crate) enum Gate {
    Password,
    Token(TokenService),
}

/// What was sent to prove the identity, to recognise it when it is refused.
enum Proof {
    Nothing,
    Password(Authorization),
    Token(SecretString, Authorization),
}

impl Proof {
    fn header(&self) -> Option<Authorization> {
        match self {
            Self::Nothing => None,
            Self::Password(authorization) | Self::Token(_, authorization) => Some(authorization.clone()),
        }
    }
}

impl Entrance {
    pub(crate) fn new(credentials: &Credentials) -> Result<Self, AuthorizationError> {
        Ok(Self { identity: Identity::of(credentials)?, gate: Mutex::new(None), tokens: Tokens::new() })
    }

    pub(crate) fn gate(&self) -> Option<Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Remote {
    /// The refresh token that counts now, if the credentials are one: a token service may replace it with
    /// each use, and the one given to [`Remote::new`] may then be spent. Whoever stores it stores this one
    /// afterwards.
    pub fn refresh_token(&self) -> Option<SecretString> {
        match &self.shared.entrance.identity {
            Identity::RefreshToken(token) => Some(token.current()),
            Identity::Nobody | Identity::Password(_) => None,
        }
    }

    /// Sends a request with the rights of `scope`; on a 401 signs in as the challenge says and sends it once
    /// more. `build` makes the request each time. A request to another origin than the registry's goes
    /// without any proof.
    pub(crate) async fn signed(
        &self,
        scope: &Scope,
        build: impl Fn() -> Request,
    ) -> Result<Response, RemoteError> {
        let (response, proof) = self.signed_once(scope, build()).await?;
        if response.status() != StatusCode::UNAUTHORIZED
            || !self.answer_challenge(&response, scope, &proof).await?
        {
            return Ok(response);
        }
        // Its connection is of use again, and it counts as ended.
        drop(response);
        Ok(self.signed_once(scope, build()).await?.0)
    }

    async fn signed_once(&self, scope: &Scope, request: Request) -> Result<(Response, Proof), RemoteError> {
        let own = Origin::of(request.url()).as_ref() == Some(self.origin());
        let proof = if own { self.proof(scope).await? } else { Proof::Nothing };
        let response = self.shared.outbound.send(request.authorization(proof.header())).await?;
        self.note_answer();
        Ok((response, proof))
    }

    /// The proof to send with the next request: nothing, until the registry has asked.
    async fn proof(&self, scope: &Scope) -> Result<Proof, RemoteError> {
        let entrance = &self.shared.entrance;
        match entrance.gate() {
            None => Ok(Proof::Nothing),
            Some(Gate::Password) => {
                Ok(entrance.identity.password().map_or(Proof::Nothing, |own| Proof::Password(own.clone())))
            }
            Some(Gate::Token(service)) => {
                let outbound = &self.shared.outbound;
                let token = entrance.tokens.get(outbound, &service, &entrance.identity, scope).await?;
                let registry = self.origin().to_string();
                let authorization = Authorization::bearer(&token)
                    .map_err(|problem| RemoteError::Credentials { registry, problem })?;
                Ok(Proof::Token(token, authorization))
            }
        }
    }

    /// Learns from a 401 how to sign in. False when another try would be no different.
    async fn answer_challenge(
        &self,
        response: &Response,
        scope: &Scope,
        sent: &Proof,
    ) -> Result<bool, RemoteError> {
        let entrance = &self.shared.entrance;
        // A blob store we were redirected to may refuse too; its challenge is not the registry's.
        if *response.origin() != self.shared.origin {
            return Ok(false);
        }
        let lines = response.headers().get_all(header::WWW_AUTHENTICATE);
        let gate = match challenge::choose(lines.iter().filter_map(|line| line.to_str().ok())) {
            None => return Ok(false),
            Some(Challenge::Basic) => {
                if entrance.identity.password().is_none() || matches!(sent, Proof::Password(_)) {
                    return Ok(false);
                }
                Gate::Password
            }
            Some(Challenge::Bearer(bearer)) => {
                let realm = realm::confirm(&self.shared.origin, response.url(), &bearer.realm)?;
                let refused = match sent {
                    Proof::Token(token, _) => Some(token),
                    Proof::Nothing | Proof::Password(_) => None,
                };
                entrance.tokens.refused(scope, refused, bearer.scope).await;
                Gate::Token(TokenService { realm, service: bearer.service })
            }
        };
        *entrance.gate.lock().unwrap_or_else(PoisonError::into_inner) = Some(gate);
        Ok(true)
    }
}

//! One registry seen by one identity: addresses, and requests that sign themselves in.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use hythe_outbound::{Authorization, Origin, Outbound, Request, Response, StatusCode, Url, header};
use secrecy::SecretString;

use crate::challenge::{self, Challenge};
use crate::retry::{Retries, RetryObserver, RetryPolicy, passing};
use crate::token::{Identity, TokenService, Tokens};
use crate::{Refusal, RemoteError, realm};

/// Who asks.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Nobody in particular; public images need no more.
    Anonymous,
    /// A user name with a password or an access token in its place.
    Password {
        /// The user name.
        user: String,
        /// The password.
        secret: SecretString,
    },
    /// A refresh token of the registry's token service (docker keeps one as `identitytoken`).
    RefreshToken(SecretString),
}

/// A registry. Clones share connections and tokens.
#[derive(Clone)]
pub struct Remote {
    shared: Arc<Shared>,
    retries: Retries,
}

struct Shared {
    outbound: Outbound,
    base: Url,
    origin: Origin,
    identity: Identity,
    /// How the registry wants to be signed in to, as its last 401 said.
    gate: Mutex<Option<Gate>>,
    tokens: Tokens,
}

/// What opens the registry.
#[derive(Clone)]
enum Gate {
    Password,
    Token(TokenService),
}

/// What was sent to prove the identity, to recognise it when it is refused.
enum Proof {
    Nothing,
    Password(Authorization),
    Token(SecretString, Authorization),
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({})", self.shared.origin)
    }
}

impl Proof {
    fn header(&self) -> Option<Authorization> {
        match self {
            Self::Nothing => None,
            Self::Password(authorization) | Self::Token(_, authorization) => Some(authorization.clone()),
        }
    }
}

impl Remote {
    /// The registry at `base`, such as `http://127.0.0.1:5000`. Nothing is sent yet. The scheme is the caller's
    /// word: an `https` registry is never asked by `http`.
    ///
    /// # Errors
    /// The address has a path, a user name or another scheme, or the user name holds a colon.
    pub fn new(outbound: Outbound, base: &Url, credentials: &Credentials) -> Result<Self, RemoteError> {
        let wrong = |problem: &str| RemoteError::Address {
            address: Origin::of(base).map_or_else(|| base.scheme().to_owned(), |origin| origin.to_string()),
            problem: problem.to_owned(),
        };
        let origin = Origin::of(base).ok_or_else(|| wrong("it must begin with http:// or https://"))?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(wrong("user name and password do not belong into it"));
        }
        if base.path() != "/" || base.query().is_some() || base.fragment().is_some() {
            return Err(wrong("it must end after host and port"));
        }
        let identity = match credentials {
            Credentials::Anonymous => Identity::Nobody,
            Credentials::RefreshToken(token) => Identity::RefreshToken(token.clone()),
            Credentials::Password { user, secret } => {
                let made = Authorization::basic(user, secret);
                let registry = origin.to_string();
                Identity::Password(made.map_err(|problem| RemoteError::Credentials { registry, problem })?)
            }
        };
        let (gate, tokens) = (Mutex::new(None), Tokens::new());
        let shared = Arc::new(Shared { outbound, base: base.clone(), origin, identity, gate, tokens });
        Ok(Self { shared, retries: Retries::default() })
    }

    /// The same registry with another patience.
    pub fn with_policy(mut self, policy: RetryPolicy) -> Self {
        self.retries.policy = policy;
        self
    }

    /// The same registry, whose retries `observer` hears of.
    pub fn with_observer(mut self, observer: RetryObserver) -> Self {
        self.retries.observer = Some(observer);
        self
    }

    pub(crate) fn retries(&self) -> &Retries {
        &self.retries
    }

    /// The registry's origin, as it is shown in messages.
    pub fn origin(&self) -> &Origin {
        &self.shared.origin
    }

    pub(crate) fn url(&self, path: &str) -> Result<Url, RemoteError> {
        self.shared.base.join(path).map_err(|error| RemoteError::Address {
            address: self.shared.origin.to_string(),
            problem: format!("no address can be made for {path}: {error}"),
        })
    }

    /// Sends a request with the rights of `scope`; on a 401 signs in as the challenge says and sends it once more; what
    /// may pass by itself is waited for. `build` makes the request each time.
    pub(crate) async fn send(
        &self,
        scope: &str,
        build: impl Fn() -> Request,
    ) -> Result<Response, RemoteError> {
        let mut patience = self.retries.begin();
        loop {
            let outcome = self.send_signed(scope, &build).await;
            match passing(&outcome) {
                Some((reason, asked)) if patience.wait(&reason, asked).await => {}
                _ => return outcome,
            }
        }
    }

    /// Sends a request as nobody.
    pub(crate) async fn send_bare(&self, request: Request) -> Result<Response, RemoteError> {
        Ok(self.shared.outbound.send(request).await?)
    }

    async fn send_signed(&self, scope: &str, build: &impl Fn() -> Request) -> Result<Response, RemoteError> {
        let proof = self.proof(scope).await?;
        let response = self.shared.outbound.send(build().authorization(proof.header())).await?;
        if response.status() != StatusCode::UNAUTHORIZED
            || !self.answer_challenge(&response, scope, &proof).await?
        {
            return Ok(response);
        }
        let proof = self.proof(scope).await?;
        Ok(self.shared.outbound.send(build().authorization(proof.header())).await?)
    }

    /// Sends a request whose body exists only once. It goes with the credentials of `scope` if it
    /// goes to the registry itself, and without any if it goes elsewhere.
    pub(crate) async fn send_once(
        &self,
        scope: &str,
        request: Request,
        to: &Url,
    ) -> Result<Response, RemoteError> {
        let own = Origin::of(to).as_ref() == Some(&self.shared.origin);
        let proof = if own { self.proof(scope).await?.header() } else { None };
        Ok(self.shared.outbound.send(request.authorization(proof)).await?)
    }

    /// A refusal of this registry, read from its answer.
    pub(crate) async fn refusal(&self, response: Response) -> RemoteError {
        RemoteError::Refused(Box::new(Refusal::read(response).await))
    }

    /// An answer of this registry that breaks the protocol.
    pub(crate) fn protocol(&self, problem: impl Into<String>) -> RemoteError {
        RemoteError::Protocol { registry: self.shared.origin.to_string(), problem: problem.into() }
    }

    /// The proof to send with the next request: nothing, until the registry has asked.
    async fn proof(&self, scope: &str) -> Result<Proof, RemoteError> {
        let shared = &*self.shared;
        let gate = shared.gate.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (gate, &shared.identity) {
            (Some(Gate::Password), Identity::Password(identity)) => Ok(Proof::Password(identity.clone())),
            (None | Some(Gate::Password), _) => Ok(Proof::Nothing),
            (Some(Gate::Token(service)), identity) => {
                let token = shared.tokens.get(&shared.outbound, &service, identity, scope).await?;
                let registry = shared.origin.to_string();
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
        scope: &str,
        sent: &Proof,
    ) -> Result<bool, RemoteError> {
        let shared = &*self.shared;
        // A blob store we were redirected to may refuse too; its challenge is not the registry's.
        if *response.origin() != shared.origin {
            return Ok(false);
        }
        let lines = response.headers().get_all(header::WWW_AUTHENTICATE);
        let gate = match challenge::choose(lines.iter().filter_map(|line| line.to_str().ok())) {
            None => return Ok(false),
            Some(Challenge::Basic) => {
                if !matches!(shared.identity, Identity::Password(_)) || matches!(sent, Proof::Password(_)) {
                    return Ok(false);
                }
                Gate::Password
            }
            Some(Challenge::Bearer(bearer)) => {
                let realm = realm::confirm(&shared.origin, response.url(), &bearer.realm)?;
                let refused = match sent {
                    Proof::Token(token, _) => Some(token),
                    Proof::Nothing | Proof::Password(_) => None,
                };
                shared.tokens.refused(scope, refused, bearer.scope).await;
                Gate::Token(TokenService { realm, service: bearer.service })
            }
        };
        *shared.gate.lock().unwrap_or_else(PoisonError::into_inner) = Some(gate);
        Ok(true)
    }
}

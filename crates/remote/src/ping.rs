//! Is this a registry, how does it sign people in, and does it know me? (Distribution specification end-1.)

use hythe_oci::Route;
use hythe_outbound::{HeaderName, Method, Request, Response, StatusCode, header};

use crate::challenge::{self, Challenge};
use crate::credentials::Identity;
use crate::refusal::plain;
use crate::scope::Scope;
use crate::sign_in::Gate;
use crate::{Refusal, Remote, RemoteError};

/// What old registries and Hythe say of themselves at `/v2/`.
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// What [`Remote::ping`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ping {
    /// How the registry signs people in.
    pub sign_in: SignIn,
    /// What became of the credentials.
    pub standing: Standing,
    /// `Docker-Distribution-Api-Version`, where the registry sends it.
    pub api_version: Option<String>,
}

/// How a registry signs people in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// It lets everybody in, at this place at least; its repositories may still ask.
    Open,
    /// By user name and password with each request.
    Basic,
    /// By a token from this service.
    Bearer {
        /// The address of the token service.
        realm: String,
        /// The registry's name towards it.
        service: Option<String>,
    },
}

/// Whether the credentials are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The registry did not ask, so they were not shown and not checked.
    NotAsked,
    /// There are none, and the registry asks for some.
    Stranger,
    /// They are good.
    Accepted,
    /// They are not; this is what was said.
    Refused(Refusal),
}

impl Remote {
    /// Asks the registry for its front page and signs in if it wants that.
    ///
    /// # Errors
    /// Nobody answered, what answered is no registry, or its token service must not be shown our credentials.
    /// Credentials that are no good are no error.
    pub async fn ping(&self) -> Result<Ping, RemoteError> {
        let url = self.url(&Route::Base.path())?;
        let mut attempts = self.attempts(format_args!("ask {} how it signs people in", self.origin()));
        let sent = self.send(&mut attempts, &Scope::none(), &url, |url| Request::new(Method::GET, url)).await;
        let nobody = matches!(self.shared.entrance.identity, Identity::Nobody);
        let response = match sent {
            Ok(response) => response,
            // Whoever refuses here is the token service: what the registry says is an `Ok`.
            Err(RemoteError::Refused(refusal)) if matches!(refusal.status, 400 | 401 | 403) => {
                let standing = if nobody { Standing::Stranger } else { Standing::Refused(*refusal) };
                return Ok(Ping { sign_in: self.known_sign_in(), standing, api_version: None });
            }
            Err(error) => return Err(error),
        };
        let api_version = response.header(&API_VERSION).map(|text| plain(text, 100));
        let sign_in = self.known_sign_in();
        let standing = match response.status() {
            StatusCode::OK if sign_in == SignIn::Open => Standing::NotAsked,
            StatusCode::OK if nobody => Standing::Stranger,
            StatusCode::OK => Standing::Accepted,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if nobody => {
                let sign_in = challenged_sign_in(&response, sign_in);
                return Ok(Ping { sign_in, standing: Standing::Stranger, api_version });
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let sign_in = challenged_sign_in(&response, sign_in);
                let standing = Standing::Refused(Refusal::read(response).await);
                return Ok(Ping { sign_in, standing, api_version });
            }
            StatusCode::NOT_FOUND => return Err(self.protocol("there is nothing at /v2/")),
            _ => return Err(self.refusal(response).await),
        };
        Ok(Ping { sign_in, standing, api_version })
    }

    fn known_sign_in(&self) -> SignIn {
        match self.shared.entrance.gate() {
            None => SignIn::Open,
            Some(Gate::Password) => SignIn::Basic,
            Some(Gate::Token(service)) => {
                SignIn::Bearer { realm: service.realm.to_string(), service: service.service }
            }
        }
    }
}

/// A challenge that could not be answered has not become the gate, and still says what is wanted.
fn challenged_sign_in(response: &Response, known: SignIn) -> SignIn {
    let lines = response.headers().get_all(header::WWW_AUTHENTICATE);
    match challenge::choose(lines.iter().filter_map(|line| line.to_str().ok())) {
        Some(Challenge::Basic) => SignIn::Basic,
        _ => known,
    }
}

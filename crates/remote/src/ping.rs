//! Whether there is a registry, and how it wants to be signed in to (distribution specification end-1).

use hythe_oci::Route;
use hythe_outbound::{Method, Request, StatusCode, header};

use crate::challenge::{self, Challenge};
use crate::{Remote, RemoteError};

/// How a registry lets people in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// It asks nobody who they are.
    Open,
    /// By user name and password in every request.
    Basic,
    /// By a token of its token service.
    Bearer,
}

/// What a registry answers at its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ping {
    /// How it lets people in.
    pub sign_in: SignIn,
    /// Whether it lets us in, with our credentials or without any.
    pub accepted: bool,
}

impl Remote {
    /// Asks the registry's root, first as nobody, then as whoever we are.
    ///
    /// # Errors
    /// Nothing answers there, or what answers is no registry.
    pub async fn ping(&self) -> Result<Ping, RemoteError> {
        let url = self.url(&Route::Base.path())?;
        let first = self.send_bare(Request::new(Method::GET, url.clone())).await?;
        let sign_in = match first.status() {
            StatusCode::OK => return Ok(Ping { sign_in: SignIn::Open, accepted: true }),
            StatusCode::UNAUTHORIZED => {
                let lines = first.headers().get_all(header::WWW_AUTHENTICATE);
                match challenge::choose(lines.iter().filter_map(|line| line.to_str().ok())) {
                    Some(Challenge::Basic) => SignIn::Basic,
                    Some(Challenge::Bearer(_)) => SignIn::Bearer,
                    None => return Err(self.protocol("it asks to sign in and does not say how")),
                }
            }
            _ => return Err(self.refusal(first).await),
        };
        // A token without scopes says only who we are.
        let accepted = match self.send("", || Request::new(Method::GET, url.clone())).await {
            Ok(response) => response.status() == StatusCode::OK,
            Err(error) if error.is_denied() => false,
            Err(error) => return Err(error),
        };
        Ok(Ping { sign_in, accepted })
    }
}

//! What a token request asks for: the parameters of the query (GET) and of the form (POST), parsed into types.
//!
//! Unknown parameters are passed over, because clients forward whatever stood in the challenge; scopes are read from
//! every spelling in use (repeated, or joined by blanks).

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use hythe_oci::ScopeSet;
use secrecy::SecretString;
use url::form_urlencoded;

/// What a client calls itself when it does not say.
const UNNAMED: &str = "unnamed client";

/// The wish of either kind of request.
pub(super) struct Wish {
    pub(super) scopes: ScopeSet,
    /// Whether no scope was asked for at all. That is another wish than one of which nothing is left: scopes that
    /// are junk or not granted must not make a token that stands for its user.
    pub(super) unscoped: bool,
    /// The client's name for itself (`client_id`).
    pub(super) client: String,
    /// Whether a refresh token is wanted too.
    pub(super) offline: bool,
}

/// With what a form proves who asks (RFC 6749 sections 4.3 and 6).
pub(super) enum Grant {
    Password { name: String, secret: SecretString },
    RefreshToken(SecretString),
}

/// A form that cannot be answered with a token whoever sends it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadForm {
    #[error(
        "The form field `{0}` is missing. The token service takes `application/x-www-form-urlencoded` with `grant_type` \
         `password` (with `username` and `password`) or `refresh_token` (with `refresh_token`)."
    )]
    Missing(&'static str),
    #[error(
        "The token service knows the grant types `password` and `refresh_token` only; the form asks for another one."
    )]
    UnknownGrant,
}

/// Reads the query of a GET request.
pub(super) fn of_query(query: &str) -> Wish {
    let parameters = Parameters::parse(query.as_bytes());
    let offline = parameters.first("offline_token").is_some_and(|value| matches!(value, "true" | "1"));
    parameters.wish(offline)
}

/// Reads the form of a POST request.
pub(super) fn of_form(form: &[u8]) -> Result<(Grant, Wish), BadForm> {
    let parameters = Parameters::parse(form);
    let required = |name| parameters.first(name).ok_or(BadForm::Missing(name));
    let grant = match required("grant_type")? {
        "password" => Grant::Password {
            name: required("username")?.to_owned(),
            secret: SecretString::from(required("password")?),
        },
        "refresh_token" => Grant::RefreshToken(SecretString::from(required("refresh_token")?)),
        _ => return Err(BadForm::UnknownGrant),
    };
    let offline = parameters.first("access_type") == Some("offline");
    Ok((grant, parameters.wish(offline)))
}

/// Name and value pairs in the order of the request.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    fn all<'a>(&'a self, wanted: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    fn first<'a>(&'a self, wanted: &'a str) -> Option<&'a str> {
        self.all(wanted).next()
    }

    fn wish(&self, offline: bool) -> Wish {
        Wish {
            scopes: ScopeSet::parse(self.all("scope")),
            unscoped: self.first("scope").is_none(),
            client: self.first("client_id").unwrap_or(UNNAMED).to_owned(),
            offline,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn scopes_are_read_in_every_spelling() {
        let united = "repository:a/b:pull,push repository:c:pull";
        for query in [
            "scope=repository:a/b:pull&scope=repository:a/b:pull,push&scope=repository:c:pull",
            "scope=repository%3Aa%2Fb%3Apush%2Cpull+repository:c:pull",
            "scope=repository:a/b:pull,push%20repository:c:pull&scope=&scope=junk&scope=a:b",
        ] {
            assert_eq!(of_query(query).scopes.to_string(), united, "{query}");
        }
    }

    #[test]
    fn docker_asks_for_a_refresh_token() {
        let wish =
            of_query("account=ada&client_id=docker&offline_token=true&service=x&error=insufficient_scope");
        assert!(wish.offline);
        assert_eq!(wish.client, "docker");
        assert!(wish.scopes.is_empty());
        assert!(!of_query("offline_token=false").offline);
        assert_eq!(of_query("").client, UNNAMED);
    }

    #[test]
    fn a_password_form_is_read() {
        let form = b"grant_type=password&username=ada&password=a%26b+c%3D&scope=repository:a:pull&scope=repository:a:push\
                     &access_type=offline&client_id=containerd-client";
        let (grant, wish) = of_form(form).ok().unwrap();
        let Grant::Password { name, secret } = grant else { panic!("another grant") };
        assert_eq!((name.as_str(), secret.expose_secret()), ("ada", "a&b c="));
        assert_eq!(wish.scopes.to_string(), "repository:a:pull,push");
        assert!(wish.offline);
    }

    #[test]
    fn a_refresh_form_is_read() {
        let (grant, wish) = of_form(b"grant_type=refresh_token&refresh_token=hyr_x").ok().unwrap();
        assert!(matches!(grant, Grant::RefreshToken(token) if token.expose_secret() == "hyr_x"));
        assert!(!wish.offline);
    }

    #[test]
    fn other_forms_say_what_is_missing() {
        let fault = |form: &[u8]| of_form(form).err().unwrap();
        assert_eq!(fault(b""), BadForm::Missing("grant_type"));
        assert_eq!(fault(b"{\"grant_type\":\"password\"}"), BadForm::Missing("grant_type"));
        assert_eq!(fault(b"grant_type=password&username=ada"), BadForm::Missing("password"));
        assert_eq!(fault(b"grant_type=refresh_token"), BadForm::Missing("refresh_token"));
        assert_eq!(fault(b"grant_type=client_credentials"), BadForm::UnknownGrant);
    }

    proptest! {
        #[test]
        fn nothing_breaks_the_parsers(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = of_form(&bytes);
            let wish = of_query(&String::from_utf8_lossy(&bytes));
            let text = wish.scopes.to_string();
            prop_assert_eq!(ScopeSet::parse([text.as_str()]), wish.scopes);
        }
    }
}

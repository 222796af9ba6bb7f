//! Which token realm a registry may send us to with our credentials.
//!
//! A registry names its token service in a header, so a hostile or broken one could name any address:
//! the password must not travel unencrypted where the registry itself is encrypted, and a stranger
//! must not make us talk to a service on our own machine or network.

use hythe_outbound::{Origin, Url};

use crate::RemoteError;

/// The address of the token service, if our credentials may go there.
///
/// `asked` is the request that was refused; a relative realm is resolved against it. Accepted are
/// the registry's own host by any port, except from `https` to `http`, and any other host by
/// `https`, except addresses that mean this machine or a private network.
///
/// # Errors
/// [`RemoteError::Realm`] with the reason as a sentence.
pub fn confirm(registry: &Origin, asked: &Url, realm: &str) -> Result<Url, RemoteError> {
    let refuse = |problem: &str| RemoteError::Realm {
        registry: registry.to_string(),
        realm: realm.chars().filter(|c| !c.is_control()).take(200).collect(),
        problem: problem.to_owned(),
    };
    let url = asked.join(realm).map_err(|_| refuse("is not an address"))?;
    let origin = Origin::of(&url).ok_or_else(|| refuse("is neither http nor https"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("carries a user name of its own"));
    }
    if origin.same_host(registry) {
        if registry.is_secure() && !origin.is_secure() {
            return Err(refuse("is not encrypted although the registry is"));
        }
        return Ok(url);
    }
    if !origin.is_secure() {
        return Err(refuse("is on another host and not encrypted"));
    }
    if origin.is_local_address() {
        return Err(refuse("is an address of a private network that is not the registry's own"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(registry: &str, realm: &str) -> Option<String> {
        let asked = Url::parse(registry).unwrap().join("/v2/").unwrap();
        let origin = Origin::of(&asked).unwrap();
        confirm(&origin, &asked, realm).ok().map(String::from)
    }

    #[test]
    fn the_own_host_and_encrypted_strangers_are_accepted() {
        for (registry, realm) in [
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000/token"),
            ("http://registry.lan:5000", "http://registry.lan:5001/auth"),
            ("http://registry.lan:5000", "https://auth.example/token"),
            ("https://registry.example", "https://auth.example/token"),
        ] {
            assert_eq!(accepted(registry, realm).as_deref(), Some(realm));
        }
        assert_eq!(accepted("https://r.example", "/token").as_deref(), Some("https://r.example/token"));
    }

    #[test]
    fn lures_are_refused() {
        for (registry, realm) in [
            ("https://registry.example", "http://registry.example/token"),
            ("https://registry.example", "http://auth.example/token"),
            ("http://registry.lan:5000", "http://auth.lan/token"),
            ("https://registry.example", "https://127.0.0.1:8443/token"),
            ("https://registry.example", "https://localhost/token"),
            ("https://registry.example", "https://169.254.169.254/latest"),
            ("https://registry.example", "https://[::ffff:10.0.0.1]/token"),
            ("https://registry.example", "file:///etc/passwd"),
            ("https://registry.example", "https://other@registry.example/token"),
            ("https://registry.example", "//[bad"),
        ] {
            assert_eq!(accepted(registry, realm), None, "{realm}");
        }
    }
}

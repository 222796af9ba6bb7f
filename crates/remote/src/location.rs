//! Where a registry sends us on: the `Location` of an upload or a redirect, and the next page of a list.
//!
//! Invariants: never from `https` to `http`; never to an address of a private network that is not the
//! registry's own, for content must not be lured there either; a list stays at its registry. Whether the
//! credential goes along is not decided here but where requests are signed, by the origin alone.

use hythe_outbound::{Origin, Response, StatusCode, Url, header};

/// Where the answer's `Location` points: relative or absolute, on any path, its query kept.
///
/// # Errors
/// Why it cannot be followed, as the end of a sentence that begins with the registry.
pub(crate) fn follow(registry: &Origin, response: &Response) -> Result<Url, &'static str> {
    let location = response.header(&header::LOCATION).ok_or("sent no Location where one is needed")?;
    resolve(registry, response.url(), location)
}

/// Where a redirect of a request with a body points; `None` when it is none. Other redirects have been
/// followed or refused below.
pub(crate) fn redirect(registry: &Origin, response: &Response) -> Result<Option<Url>, &'static str> {
    match response.status() {
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
            follow(registry, response).map(Some)
        }
        _ => Ok(None),
    }
}

/// The next page of a list, which must be at the place where this one came from.
pub(crate) fn next_page(registry: &Origin, asked: &Url, target: &str) -> Result<Url, &'static str> {
    let mut url = asked.join(target).map_err(|_| "sent a Link that cannot be read")?;
    if Origin::of(&url).as_ref() != Some(registry) {
        return Err("sent a Link to the next page that leaves the registry, which is not followed");
    }
    url.set_fragment(None);
    Ok(url)
}

/// The same for a location that is written somewhere else; a relative one begins at `asked`.
pub(crate) fn resolve(registry: &Origin, asked: &Url, location: &str) -> Result<Url, &'static str> {
    let mut url = asked.join(location).map_err(|_| "sent a Location that cannot be read")?;
    let origin = Origin::of(&url).ok_or("sent a Location that is neither http nor https")?;
    let was_secure = registry.is_secure() || Origin::of(asked).is_some_and(|asked| asked.is_secure());
    if was_secure && !origin.is_secure() {
        return Err("sent a Location that leaves the encrypted connection, which is not followed");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("sent a Location with a user name in it, which is not followed");
    }
    if !origin.may_be_named_by(registry) {
        return Err("sent a Location in a private network that is not its own, which is not followed");
    }
    url.set_fragment(None);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(registry: &str, location: &str) -> Option<String> {
        let asked = Url::parse(registry).unwrap().join("/v2/lab/app/blobs/uploads/").unwrap();
        resolve(&Origin::of(&asked).unwrap(), &asked, location).ok().map(String::from)
    }

    #[test]
    fn every_honest_form_is_followed() {
        for (location, to) in [
            ("/v2/lab/app/blobs/uploads/1?s=x", "http://r.lan:5000/v2/lab/app/blobs/uploads/1?s=x"),
            ("1?s=%2F", "http://r.lan:5000/v2/lab/app/blobs/uploads/1?s=%2F"),
            ("http://r.lan:5000/up/1#top", "http://r.lan:5000/up/1"),
            ("https://store.example/up/1?sig=a", "https://store.example/up/1?sig=a"),
            ("//store.example/up", "http://store.example/up"),
        ] {
            assert_eq!(resolved("http://r.lan:5000", location).as_deref(), Some(to));
        }
        assert!(resolved("http://127.0.0.1:5000", "http://127.0.0.1:5001/up").is_some());
        assert!(resolved("http://10.0.0.1", "http://10.0.0.2/up").is_some());
        assert!(resolved("http://10.0.0.1", "http://169.254.169.254/up").is_none());
    }

    #[test]
    fn lures_are_not_followed() {
        for location in [
            "http://registry.example/up",
            "http://store.example/up",
            "https://169.254.169.254/latest",
            "https://localhost/up",
            "https://[fd00::1]/up",
            "https://ada@registry.example/up",
            "file:///etc/passwd",
            "//[bad",
        ] {
            assert_eq!(resolved("https://registry.example", location), None, "{location}");
        }
    }

    #[test]
    fn a_page_stays_at_its_registry() {
        let asked = Url::parse("https://r.example/v2/lab/app/tags/list?n=2").unwrap();
        let registry = Origin::of(&asked).unwrap();
        for target in ["/v2/lab/app/tags/list?n=2&last=b", "?n=2&last=b", "https://r.example:443/v2/x?last=b"]
        {
            assert!(next_page(&registry, &asked, target).is_ok(), "{target}");
        }
        for target in ["http://r.example/v2/", "https://evil.example/v2/", "//evil.example/", "file:///x"] {
            assert!(next_page(&registry, &asked, target).is_err(), "{target}");
        }
    }
}

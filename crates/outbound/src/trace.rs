//! What is said of each exchange: one event at its end, and at trace level its headers as they go by. Programs show
//! them for `-v` and `-vv`.
//!
//! Invariant: no event holds a secret. Bodies are counted and never shown; credentials, cookies, the values of query
//! parameters that are not known to be harmless, and user names in addresses are replaced, wherever they stand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use tokio::time::Instant;
use tracing::Level;
use url::Url;

use crate::OutboundError;

/// What stands for a secret.
const HIDDEN: &str = "hidden";

/// Query parameters whose values are shown: those of the registry protocol and of `/api/v1`. Any other may be a
/// signature or a token.
const HARMLESS: [&str; 14] = [
    "account",
    "artifactType",
    "client_id",
    "cursor",
    "digest",
    "from",
    "last",
    "limit",
    "mount",
    "n",
    "scope",
    "service",
    "wait",
    "offline_token",
];

/// Parts of the names of headers whose values are not shown.
const SECRET_HEADERS: [&str; 10] = [
    "auth",
    "cookie",
    "credential",
    "key",
    "password",
    "secret",
    "security",
    "session",
    "signature",
    "token",
];

/// Where request ids are found.
const REQUEST_IDS: [HeaderName; 2] =
    [HeaderName::from_static("x-request-id"), HeaderName::from_static("x-amz-request-id")];

/// One exchange as it is told. Dropped, it has come to its end at the latest.
#[derive(Debug)]
pub(crate) struct Told(Option<Telling>);

#[derive(Debug)]
struct Telling {
    method: Method,
    url: String,
    begun: Instant,
    sent: Arc<AtomicU64>,
    received: u64,
    /// Where the answer has come.
    answer: Option<(StatusCode, String)>,
    failure: Option<String>,
}

impl Told {
    /// An exchange that begins now. Where nobody listens, nothing is noted.
    pub(crate) fn begin(method: &Method, url: &Url, headers: &HeaderMap) -> Self {
        if !tracing::enabled!(Level::DEBUG) {
            return Self(None);
        }
        let url = scrubbed(url.as_str());
        if tracing::enabled!(Level::TRACE) {
            tracing::trace!("{method} {url} is sent with {}", shown(headers));
        }
        Self(Some(Telling {
            method: method.clone(),
            url,
            begun: Instant::now(),
            sent: Arc::default(),
            received: 0,
            answer: None,
            failure: None,
        }))
    }

    /// Counts what is sent.
    pub(crate) fn sender(&self) -> impl Fn(usize) + Send + Sync + 'static {
        let sent = self.0.as_ref().map(|telling| Arc::clone(&telling.sent));
        move |bytes| {
            if let Some(sent) = &sent {
                sent.fetch_add(bytes as u64, Ordering::Relaxed);
            }
        }
    }

    /// The head of the answer is here.
    pub(crate) fn answered(&mut self, status: StatusCode, headers: &HeaderMap) {
        let Some(telling) = &mut self.0 else { return };
        let id = REQUEST_IDS.iter().find_map(|name| headers.get(name)?.to_str().ok());
        telling.answer = Some((status, id.map(scrubbed).unwrap_or_default()));
        if tracing::enabled!(Level::TRACE) {
            let (method, url) = (&telling.method, &telling.url);
            tracing::trace!("{method} {url} is answered {status} with {}", shown(headers));
        }
        // Where no body follows, this is the end, however long the answer is held.
        let empty = headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0");
        if telling.method == Method::HEAD
            || empty
            || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status)
        {
            self.end();
        }
    }

    /// Counts what is received.
    pub(crate) fn received(&mut self, bytes: usize) {
        if let Some(telling) = &mut self.0 {
            telling.received += bytes as u64;
        }
    }

    /// The exchange broke off.
    pub(crate) fn failed(&mut self, error: &OutboundError) {
        if let Some(telling) = &mut self.0 {
            telling.failure = Some(scrubbed(&error.to_string()));
        }
    }
}

impl Told {
    /// Tells the whole exchange, once.
    fn end(&mut self) {
        let Some(telling) = self.0.take() else { return };
        let Telling { method, url, begun, sent, received, answer, failure } = telling;
        let ms = begun.elapsed().as_millis();
        let sent = sent.load(Ordering::Relaxed);
        match (answer, failure) {
            (Some((status, request_id)), None) => {
                let status = status.as_u16();
                tracing::debug!(status, ms, sent, received, %request_id, "{method} {url}");
            }
            (Some((status, request_id)), Some(error)) => {
                let status = status.as_u16();
                tracing::debug!(status, ms, sent, received, %request_id, %error, "{method} {url}");
            }
            (None, Some(error)) => tracing::debug!(ms, sent, %error, "{method} {url}"),
            (None, None) => tracing::debug!(ms, sent, "{method} {url} was given up"),
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.end();
    }
}

/// Headers in one line.
fn shown(headers: &HeaderMap) -> String {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        let secret = value.is_sensitive() || SECRET_HEADERS.iter().any(|part| name.as_str().contains(part));
        // What a registry asks for is no secret, and what one wants to see.
        if secret && name != reqwest::header::WWW_AUTHENTICATE {
            let scheme =
                value.to_str().ok().and_then(|value| value.split_once(' ')).map(|(scheme, _)| scheme);
            let scheme = scheme.filter(|scheme| ["Basic", "Bearer"].contains(scheme)).unwrap_or_default();
            return format!("{name}: {scheme} {HIDDEN}");
        }
        format!("{name}: {}", scrubbed(&String::from_utf8_lossy(value.as_bytes())))
    };
    let lines: Vec<String> = headers.iter().map(line).collect();
    if lines.is_empty() { "no header".to_owned() } else { lines.join("; ") }
}

/// Text that may hold addresses, absolute or relative, without user names and without the values of queries that could
/// be secrets; fit for a terminal.
fn scrubbed(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['?', ':']) {
        let (before, from) = rest.split_at(at);
        shown.push_str(before);
        if let Some(after) = from.strip_prefix("://") {
            shown.push_str("://");
            let end = after.find(['/', '?', '#', '"', '<', '>', ' ']).unwrap_or(after.len());
            let (authority, after) = after.split_at(end);
            match authority.rsplit_once('@') {
                Some((_, host)) => shown.extend([HIDDEN, "@", host]),
                None => shown.push_str(authority),
            }
            rest = after;
        } else if let Some(after) = from.strip_prefix('?') {
            shown.push('?');
            let end = after.find(['"', '<', '>', ' ']).unwrap_or(after.len());
            let (query, after) = after.split_at(end);
            shown.push_str(&parameters(query));
            rest = after;
        } else {
            shown.push(':');
            rest = &from[1..];
        }
    }
    shown.push_str(rest);
    shown.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// A query, or what follows it, without the values that are not known to be harmless.
fn parameters(query: &str) -> String {
    let parameter = |parameter: &str| match parameter.split_once('=') {
        Some((name, _)) if HARMLESS.contains(&name) => parameter.to_owned(),
        Some((name, _)) => format!("{name}={HIDDEN}"),
        // A bare word could be the secret itself.
        None if parameter.is_empty() => String::new(),
        None => HIDDEN.to_owned(),
    };
    query.split('&').map(parameter).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_known_is_shown_and_the_rest_is_hidden() {
        for (text, shown_as) in [
            ("http://h:5000/v2/lab/tags/list?n=5&last=v1", "http://h:5000/v2/lab/tags/list?n=5&last=v1"),
            ("https://u:p@h/x", "https://hidden@h/x"),
            (
                "https://s3.example/b?X-Amz-Signature=abc&digest=sha256:0",
                "https://s3.example/b?X-Amz-Signature=hidden&digest=sha256:0",
            ),
            ("</v2/x?last=a&token=b>; rel=\"next\"", "</v2/x?last=a&token=hidden>; rel=\"next\""),
            ("/v2/lab/blobs/uploads/1?_state=abc", "/v2/lab/blobs/uploads/1?_state=hidden"),
            ("/x?secret", "/x?hidden"),
            ("a: b\u{1b}[2J", "a: b [2J"),
        ] {
            assert_eq!(scrubbed(text), shown_as);
        }
    }

    #[test]
    fn headers_that_carry_secrets_are_named_and_hidden() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer top"),
            ("x-registry-auth", "top"),
            ("set-cookie", "id=top"),
            ("x-amz-security-token", "top"),
            ("docker-upload-session", "top"),
            ("location", "https://h/?sig=top"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert("www-authenticate", HeaderValue::from_static("Bearer realm=\"http://h/token\""));
        let shown = shown(&headers);
        assert!(!shown.contains("top"), "{shown}");
        assert!(shown.contains("authorization: Bearer hidden"), "{shown}");
        assert!(shown.contains("realm=\"http://h/token\""), "{shown}");
    }

    proptest! {
        #[test]
        fn no_secret_gets_through(secret in "[A-Za-z0-9%:_.~-]{12,40}", name in "[a-zA-Z_-]{1,12}", before in "[ -~]{0,20}") {
            prop_assume!(!HARMLESS.contains(&name.as_str()));
            for text in [
                format!("{before} https://user:{secret}@host/path"),
                format!("/path?{name}={secret}"),
                format!("</path?n=1&{name}={secret}>; rel=\"next\""),
                format!("https://host/path?{name}={secret}#there"),
                format!("https://host/path?{secret}"),
            ] {
                prop_assert!(!scrubbed(&text).contains(&secret), "{} in {}", secret, scrubbed(&text));
            }
        }

        #[test]
        fn any_text_is_taken(text: String) {
            prop_assert!(!scrubbed(&text).contains(char::is_control));
        }
    }
}

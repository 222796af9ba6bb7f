//! The parser of `WWW-Authenticate` (RFC 9110 section 11.6.1), as registries write it.
//!
//! The header is hostile until parsed. The parser accepts every well-formed header, keeps what it
//! understands of a broken one, never fails and never panics; of a parameter given twice the first
//! counts. Nothing here decides whom to trust: see [`crate::realm`].

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

/// One challenge that a registry may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// Fetch a token from the realm first.
    Bearer(Bearer),
    /// Send user name and password with every request.
    Basic,
}

/// The parameters of a `Bearer` challenge (the distribution project's token specification).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The address of the token service, as written: absolute, or relative to the request.
    pub realm: String,
    /// The name of the registry towards the token service.
    pub service: Option<String>,
    /// The rights that the refused request needs, several joined by blanks.
    pub scope: Option<String>,
    /// Why a token that was sent is not enough: `insufficient_scope` or `invalid_token`.
    pub error: Option<String>,
}

/// Reads every challenge of one header line; those of schemes a registry client does not speak, and
/// `Bearer` challenges without a realm, are left out.
pub fn parse(header: &str) -> Vec<Challenge> {
    let mut scanner = Scanner { rest: header };
    let mut found: Vec<Raw> = Vec::new();
    while let Some(name) = scanner.next_token() {
        if scanner.eat_equals() {
            let value = scanner.value();
            if let Some(current) = found.last_mut() {
                current.set(name, value);
            }
        } else {
            found.push(Raw { scheme: name, ..Raw::default() });
        }
    }
    found.into_iter().filter_map(Raw::understood).collect()
}

/// The challenge to answer among all lines of a response: a token is preferred to a password.
pub fn choose<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Challenge> {
    let mut basic = None;
    for challenge in headers.into_iter().flat_map(parse) {
        match challenge {
            Challenge::Bearer(_) => return Some(challenge),
            Challenge::Basic => basic = Some(challenge),
        }
    }
    basic
}

/// A challenge while it is read.
#[derive(Default)]
struct Raw<'a> {
    scheme: &'a str,
    realm: Option<String>,
    service: Option<String>,
    scope: Option<String>,
    error: Option<String>,
}

impl Raw<'_> {
    fn set(&mut self, name: &str, value: String) {
        let slot = match name.to_ascii_lowercase().as_str() {
            "realm" => &mut self.realm,
            "service" => &mut self.service,
            "scope" => &mut self.scope,
            "error" => &mut self.error,
            _ => return,
        };
        slot.get_or_insert(value);
    }

    fn understood(self) -> Option<Challenge> {
        if self.scheme.eq_ignore_ascii_case("bearer") {
            let realm = self.realm.filter(|realm| !realm.is_empty())?;
            let Self { service, scope, error, .. } = self;
            Some(Challenge::Bearer(Bearer { realm, service, scope, error }))
        } else if self.scheme.eq_ignore_ascii_case("basic") {
            Some(Challenge::Basic)
        } else {
            None
        }
    }
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    /// The next token (a scheme or a parameter's name), after blanks, commas and anything that
    /// cannot begin one.
    fn next_token(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start_matches(|c| !is_token(c));
        let token = self.take_while(is_token);
        (!token.is_empty()).then_some(token)
    }

    /// Steps over `=` and the blanks around it.
    fn eat_equals(&mut self) -> bool {
        let Some(after) = self.rest.trim_start_matches(is_blank).strip_prefix('=') else { return false };
        self.rest = after.trim_start_matches(is_blank);
        true
    }

    /// A parameter's value: a quoted string, or everything up to a blank or comma.
    fn value(&mut self) -> String {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            return self.take_while(|c| c != ',' && !is_blank(c)).to_owned();
        };
        let mut value = String::new();
        let mut chars = quoted.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                // An escape at the very end escapes nothing.
                '\\' => value.extend(chars.next()),
                other => value.push(other),
            }
        }
        self.rest = chars.as_str();
        value
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }
}

fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// `tchar` of RFC 9110 section 5.6.2.
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer(Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
            error: None,
        })
    }

    #[test]
    fn the_line_a_registry_sends() {
        let header = r#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:lab/app:pull,push""#;
        let expected = bearer(
            "https://auth.example/token",
            Some("registry.example"),
            Some("repository:lab/app:pull,push"),
        );
        assert_eq!(parse(header), [expected]);
    }

    #[test]
    fn several_challenges_in_one_line() {
        let header = r#"Negotiate, Basic realm="a, b", BEARER  realm = "/token" , Service=plain"#;
        assert_eq!(parse(header), [Challenge::Basic, bearer("/token", Some("plain"), None)]);
        assert_eq!(choose([header]), Some(bearer("/token", Some("plain"), None)));
    }

    #[test]
    fn a_password_is_offered_only_when_asked_for() {
        assert_eq!(choose(["Basic realm=\"x\""]), Some(Challenge::Basic));
        assert_eq!(choose(["Negotiate YWJj==", "Digest realm=\"x\""]), None);
    }

    #[test]
    fn of_a_repeated_parameter_the_first_counts() {
        let header = r#"Bearer realm="https://good.example/",realm="https://evil.example/""#;
        assert_eq!(parse(header), [bearer("https://good.example/", None, None)]);
    }

    #[test]
    fn a_bearer_challenge_needs_a_realm() {
        assert_eq!(parse("Bearer service=\"x\""), []);
        assert_eq!(parse("Bearer realm=\"\""), []);
    }

    fn quoted(value: &str) -> String {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    }

    proptest! {
        #[test]
        fn anything_is_survived(header in ".*") {
            for challenge in parse(&header) {
                if let Challenge::Bearer(bearer) = challenge {
                    prop_assert!(bearer.realm.len() <= header.len());
                }
            }
        }

        #[test]
        fn what_is_written_by_the_rules_is_read_back(
            entries in prop::collection::vec(("[^\r\n]{1,30}", prop::option::of("[^\r\n]{0,30}"), "[ \t]{0,3}"), 1..4),
        ) {
            let mut expected = Vec::new();
            let mut lines = Vec::new();
            for (realm, service, blanks) in &entries {
                let service_part = service.as_deref().map(|service| {
                    format!("{blanks},{blanks}service={}", quoted(service))
                });
                let realm_part = format!("Bearer realm{blanks}={blanks}{}", quoted(realm));
                lines.push(realm_part + &service_part.unwrap_or_default());
                expected.push(bearer(realm, service.as_deref(), None));
            }
            prop_assert_eq!(parse(&lines.join(", ")), expected);
        }
    }
}

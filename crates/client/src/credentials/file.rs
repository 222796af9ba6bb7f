//! One file of logins: docker's `config.json`, or the `auth.json` of podman and skopeo, which has its form.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hythe_oci::RepositoryName;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::key::LoginKey;
use super::login::Login;
use crate::image::{Registry, Scheme};

/// Most bytes of a file of logins.
pub const FILE_BYTES: u64 = 1024 * 1024;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The parts of a file that are about logins; whatever else is in it is passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthFile {
    #[serde(default)]
    auths: Option<BTreeMap<String, Entry>>,
    #[serde(default)]
    cred_helpers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    creds_store: Option<String>,
}

/// A login as it is kept. Most have `auth` alone.
#[derive(Debug, Default, Deserialize)]
struct Entry {
    auth: Option<SecretString>,
    username: Option<String>,
    password: Option<SecretString>,
    identitytoken: Option<SecretString>,
    registrytoken: Option<SecretString>,
}

/// One way to a login, found in a file.
#[derive(Debug)]
pub(super) enum Way<'a> {
    /// Ask this helper for this server.
    Helper { name: &'a str, server: String },
    /// It stands in the file under this key.
    Kept { key: &'a str, login: Result<Login, &'static str> },
}

impl AuthFile {
    /// Reads a file; `None` when there is none. The error is a phrase that shows nothing of the content.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, String> {
        let missing = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        };
        match std::fs::metadata(path) {
            Err(error) if missing(&error) => return Ok(None),
            Err(error) => return Err(error.to_string()),
            // A pipe or a device might never end.
            Ok(found) if !found.is_file() => return Err("it is not a file".to_owned()),
            Ok(_) => {}
        }
        let mut text = Zeroizing::new(Vec::new());
        let file = File::open(path).map_err(|error| error.to_string())?;
        file.take(FILE_BYTES + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
        if text.len() as u64 > FILE_BYTES {
            return Err(format!("it is larger than {FILE_BYTES} bytes"));
        }
        if text.trim_ascii().is_empty() {
            return Ok(None);
        }
        Self::parse(&text).map(Some)
    }

    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        // The error's own words may quote a value, which may be a secret.
        serde_json::from_slice(text).map_err(|error| {
            format!("line {}, column {} is not as it should be in such a file", error.line(), error.column())
        })
    }

    /// The ways to a login for a repository, the most precise first: what is kept for the longest path, down
    /// to the registry as such. For one path a helper goes before the file, as with docker.
    pub(super) fn ways(&self, registry: &Registry, repository: Option<&RepositoryName>) -> Vec<Way<'_>> {
        let depth = |text: &str| {
            // A login that was made over TLS is not sent without.
            let in_the_clear = registry.scheme() == Scheme::Http && text.starts_with("https://");
            let key = LoginKey::parse(text).ok().filter(|_| !in_the_clear)?;
            key.is_for(registry, repository).then(|| key.depth())
        };
        let helpers = self.cred_helpers.iter().flatten().filter(|(_, name)| !name.is_empty());
        let helpers = helpers.filter_map(|(server, name)| {
            Some((depth(server)?, 0, Way::Helper { name, server: server.clone() }))
        });
        let store = self.creds_store.iter().filter(|name| !name.is_empty());
        let store = store.map(|name| {
            let server = LoginKey::of(registry).as_docker_server();
            (0, 1, Way::Helper { name, server })
        });
        let kept = self.auths.iter().flatten().filter_map(|(key, entry)| {
            let depth = depth(key)?;
            Some((depth, 2, Way::Kept { key, login: entry.login()? }))
        });
        let mut ways: Vec<_> = helpers.chain(store).chain(kept).collect();
        ways.sort_by_key(|(depth, kind, _)| (usize::MAX - depth, *kind));
        // A registry's own helper stands in for the store of all.
        let own_helper = ways.iter().any(|(depth, kind, _)| (*depth, *kind) == (0, 0));
        ways.retain(|(_, kind, _)| !(own_helper && *kind == 1));
        ways.into_iter().map(|(_, _, way)| way).collect()
    }
}

impl Entry {
    /// The login, if the entry has one: docker keeps empty entries for what a helper has.
    fn login(&self) -> Option<Result<Login, &'static str>> {
        let some = |secret: &Option<SecretString>| {
            secret.as_ref().filter(|secret| !secret.expose_secret().is_empty()).cloned()
        };
        if let Some(token) = some(&self.registrytoken) {
            return Some(Ok(Login::RegistryToken(token)));
        }
        if let Some(token) = some(&self.identitytoken) {
            return Some(Ok(Login::IdentityToken(token)));
        }
        if let Some(auth) = some(&self.auth) {
            return Some(decode(&auth));
        }
        let user = self.username.clone().filter(|user| !user.is_empty())?;
        Some(Ok(Login::Password { user, secret: some(&self.password)? }))
    }
}

/// `user:password` in base64. Docker pads some passwords with NUL bytes.
fn decode(auth: &SecretString) -> Result<Login, &'static str> {
    let plain = BASE64.decode(auth.expose_secret().trim_ascii()).map(Zeroizing::new);
    let plain = plain.map_err(|_| "it is not base64")?;
    let plain = str::from_utf8(&plain).map_err(|_| "it is not text")?;
    let (user, password) = plain.split_once(':').ok_or("it has no `:` between user and password")?;
    let password = password.trim_end_matches('\0');
    if user.is_empty() || password.is_empty() {
        return Err("it lacks the user or the password");
    }
    Ok(Login::Password { user: user.to_owned(), secret: password.into() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::arbitrary;

    fn ways(file: &str, registry: &str, repository: Option<&str>) -> Vec<String> {
        let registry = Registry::parse(registry).unwrap();
        let repository = repository.map(|name| RepositoryName::parse(name).unwrap());
        let file = AuthFile::parse(file.as_bytes()).unwrap();
        let ways = file.ways(&registry, repository.as_ref());
        ways.iter()
            .map(|way| match way {
                Way::Helper { name, server } => format!("{name} for {server}"),
                Way::Kept { key, login: Err(problem) } => format!("{key}: {problem}"),
                Way::Kept { key, login: Ok(login) } => match login {
                    Login::Anonymous => unreachable!("an entry without a login is no way"),
                    Login::Password { user, secret } => format!("{key}: {user}:{}", secret.expose_secret()),
                    Login::IdentityToken(token) => format!("{key}: identity {}", token.expose_secret()),
                    Login::RegistryToken(token) => format!("{key}: registry {}", token.expose_secret()),
                },
            })
            .collect()
    }

    fn auth(login: &str) -> String {
        BASE64.encode(login)
    }

    #[test]
    fn the_longest_path_goes_first() {
        let file = format!(
            r#"{{"auths":{{"a.example":{{"auth":"{}"}},"a.example/lab":{{"auth":"{}"}},
                "a.example/lab/gpu":{{"auth":"{}"}},"a.example/la":{{"auth":"{}"}},"b.example":{{"auth":"{}"}}}}}}"#,
            auth("host:1"),
            auth("lab:2"),
            auth("gpu:3"),
            auth("other:4"),
            auth("stranger:5")
        );
        assert_eq!(
            ways(&file, "a.example", Some("lab/gpu/train")),
            ["a.example/lab/gpu: gpu:3", "a.example/lab: lab:2", "a.example: host:1"]
        );
        assert_eq!(ways(&file, "a.example", Some("lab")), ["a.example/lab: lab:2", "a.example: host:1"]);
        assert_eq!(ways(&file, "a.example", None), ["a.example: host:1"]);
        assert_eq!(ways(&file, "a.example:5000", Some("lab/gpu")), [""; 0]);
    }

    #[test]
    fn a_host_is_found_with_its_port_and_docker_hub_by_its_key() {
        let file = format!(
            r#"{{"auths":{{"localhost:5000":{{"auth":"{}"}},"https://index.docker.io/v1/":{{"auth":"{}"}}}}}}"#,
            auth("ada:pw:with:colons"),
            auth("hub:pw\0\0")
        );
        assert_eq!(ways(&file, "localhost:5000", None), ["localhost:5000: ada:pw:with:colons"]);
        assert_eq!(ways(&file, "localhost:5001", None), [""; 0]);
        assert_eq!(ways(&file, "docker.io", Some("library/alpine")), ["https://index.docker.io/v1/: hub:pw"]);
    }

    #[test]
    fn a_helper_goes_before_the_file() {
        let file = format!(
            r#"{{"auths":{{"a.example":{{}},"b.example":{{"auth":"{}"}},"a.example/lab":{{"auth":"{}"}}}},
                "credsStore":"desktop","credHelpers":{{"a.example":"ecr-login","c.example":"","a.example/lab":"x"}}}}"#,
            auth("b:1"),
            auth("lab:2")
        );
        assert_eq!(ways(&file, "a.example", None), ["ecr-login for a.example"]);
        assert_eq!(ways(&file, "b.example", None), ["desktop for b.example", "b.example: b:1"]);
        assert_eq!(ways(&file, "c.example", None), ["desktop for c.example"]);
        assert_eq!(ways(&file, "docker.io", None), ["desktop for https://index.docker.io/v1/"]);
        assert_eq!(
            ways(&file, "a.example", Some("lab/x")),
            ["x for a.example/lab", "a.example/lab: lab:2", "ecr-login for a.example"]
        );
    }

    #[test]
    fn every_form_of_an_entry_is_read() {
        for (entry, expected) in [
            (r#"{"auth":"YWRhOg==","identitytoken":"it"}"#, vec!["a.example: identity it"]),
            (r#"{"registrytoken":"rt","identitytoken":"it"}"#, vec!["a.example: registry rt"]),
            (r#"{"username":"ada","password":"pw"}"#, vec!["a.example: ada:pw"]),
            (r#"{"auth":"YWRhOnB3","email":"a@b"}"#, vec!["a.example: ada:pw"]),
            (r#"{"auth":"YWRhOnB3ISE"}"#, vec!["a.example: ada:pw!!"]),
            (r"{}", vec![]),
            (r#"{"auth":"","identitytoken":""}"#, vec![]),
            (r#"{"username":"ada"}"#, vec![]),
            (r#"{"auth":"!"}"#, vec!["a.example: it is not base64"]),
            (r#"{"auth":"YWRh"}"#, vec!["a.example: it has no `:` between user and password"]),
            (r#"{"auth":"YWRhOg=="}"#, vec!["a.example: it lacks the user or the password"]),
            (r#"{"auth":"/zo6"}"#, vec!["a.example: it is not text"]),
        ] {
            let file = format!(r#"{{"auths":{{"a.example":{entry}}},"HttpHeaders":{{"x":1}}}}"#);
            assert_eq!(ways(&file, "a.example", None), expected, "{entry}");
        }
    }

    #[test]
    fn a_login_made_over_tls_is_not_sent_without() {
        let file = format!(r#"{{"auths":{{"https://a.example:5000":{{"auth":"{}"}}}}}}"#, auth("ada:pw"));
        assert_eq!(ways(&file, "https://a.example:5000", None).len(), 1);
        assert_eq!(ways(&file, "http://a.example:5000", None).len(), 0);
    }

    #[test]
    fn an_error_shows_nothing_of_the_file() {
        let error = AuthFile::parse(br#"{"auths": "topsecret"}"#).unwrap_err();
        assert!(!error.contains("topsecret") && error.contains("line 1"), "{error}");
        let shown = format!(
            "{:?}",
            AuthFile::parse(br#"{"auths":{"a":{"auth":"topsecret","password":"topsecret"}}}"#)
        );
        assert!(!shown.contains("topsecret"), "{shown}");
    }

    #[test]
    fn only_small_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        assert!(AuthFile::read(&path).unwrap().is_none());
        std::fs::write(&path, "\n").unwrap();
        assert!(AuthFile::read(&path).unwrap().is_none());
        std::fs::write(&path, " ".repeat(usize::try_from(FILE_BYTES).unwrap()) + "{}").unwrap();
        assert!(AuthFile::read(&path).unwrap_err().contains("larger"));
        std::fs::write(&path, "{}").unwrap();
        assert!(AuthFile::read(&path).unwrap().is_some());
        assert!(AuthFile::read(&path.join("below")).unwrap().is_none());
        assert!(AuthFile::read(folder.path()).unwrap_err().contains("not a file"));
    }

    proptest! {
        #[test]
        fn no_other_registry_has_a_way(
            kept in prop::collection::vec((arbitrary::registry(), prop::option::of(arbitrary::repository())), 0..6),
            asked in arbitrary::registry(),
            repository in arbitrary::repository(),
        ) {
            let auths: serde_json::Map<_, _> = kept
                .iter()
                .map(|(registry, path)| {
                    let path = path.as_ref().map(|path| format!("/{path}")).unwrap_or_default();
                    let entry = serde_json::json!({ "auth": auth("ada:pw") });
                    (format!("{registry}{path}"), entry)
                })
                .collect();
            let file = serde_json::json!({ "auths": auths }).to_string();
            let file = AuthFile::parse(file.as_bytes()).unwrap();
            for way in file.ways(&asked, Some(&repository)) {
                let Way::Kept { key, .. } = way else { panic!("there is no helper") };
                let key = LoginKey::parse(key).unwrap();
                prop_assert!(key.is_for(&asked, Some(&repository)));
            }
        }

        #[test]
        fn any_file_is_read_or_refused(text in r#"\{"(auths|credHelpers)":\{.{0,40}\}\}|.{0,60}"#) {
            if let Ok(file) = AuthFile::parse(text.as_bytes()) {
                let _ = file.ways(&Registry::docker_hub(), None);
            }
        }

        #[test]
        fn any_login_is_decoded_or_refused(text in "[A-Za-z0-9+/= ]{0,40}|.{0,20}") {
            let _ = decode(&text.into());
        }

        #[test]
        fn a_login_is_decoded(user in "[^:\0]{1,20}", password in "[^\0]{1,20}") {
            let Login::Password { user: read, secret } = decode(&auth(&format!("{user}:{password}")).into()).unwrap()
            else {
                panic!("it is a password")
            };
            prop_assert_eq!((read, secret.expose_secret()), (user, password.as_str()));
        }
    }
}

//! Logins that are kept by credential helpers, which here are scripts: good ones, broken ones and hostile ones.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use hythe_client::credentials::{FoundLogin, Login, LoginPlaces, Logins};
use hythe_client::image::Registry;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

/// What stands in for the secret that must reach nobody but `b.example`.
const OTHERS: &str = "topsecret";

/// A home with docker's file, and helpers beside it.
struct Home(TempDir);

impl Home {
    /// Writes every script before any is run: a program whose file is open for writing cannot be started.
    fn new(helpers: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("bin")).unwrap();
        fs::create_dir(home.path().join(".docker")).unwrap();
        for (name, script) in helpers {
            let path = home.path().join("bin").join(format!("docker-credential-{name}"));
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self(home)
    }

    async fn find(&self, config: serde_json::Value, registry: &str, repository: Option<&str>) -> FoundLogin {
        fs::write(self.0.path().join(".docker/config.json"), config.to_string()).unwrap();
        let places = LoginPlaces {
            home: Some(self.0.path().into()),
            search_path: Some(self.0.path().join("bin").into()),
            ..LoginPlaces::default()
        };
        let logins = Logins::read(&places).with_helper_time(Duration::from_secs(2));
        let repository = repository.map(|name| name.parse().unwrap());
        logins.find(&Registry::parse(registry).unwrap(), repository.as_ref()).await
    }
}

fn shown(found: &FoundLogin) -> (String, Vec<String>) {
    let login = match &found.login {
        Login::Anonymous => "anonymous".to_owned(),
        Login::Password { user, secret } => format!("{user}:{}", secret.expose_secret()),
        Login::IdentityToken(token) => format!("token {}", token.expose_secret()),
        other => format!("{other:?}"),
    };
    (login, found.warnings.iter().map(ToString::to_string).collect())
}

/// In one test, because starting a program while another test writes a script would fail now and then.
#[tokio::test]
async fn helpers_are_asked_and_never_trusted_too_far() {
    let home = Home::new(&[
        // Answers with what it was asked, so that argument and input are seen.
        (
            "echo",
            r#"server=$(cat); printf '{"ServerURL":"%s","Username":"%s","Secret":"pw"}' "$server" "$1""#,
        ),
        ("token", r#"cat >/dev/null; echo '{"ServerURL":"","Username":"<token>","Secret":"it"}'"#),
        ("nothing", "cat >/dev/null; echo 'credentials not found in native keychain'; exit 1"),
        ("deaf", r#"exec <&-; echo '{"Username":"ada","Secret":"pw"}'"#),
        ("locked", "cat >/dev/null; printf 'the key ring\\033[2J is locked'; exit 1"),
        ("leaky", r#"cat >/dev/null; echo '{"Username":"ada","Secret":"topsecret"}'; exit 3"#),
        (
            "other",
            r#"cat >/dev/null; echo '{"ServerURL":"b.example","Username":"bob","Secret":"topsecret"}'"#,
        ),
        ("hanging", "exec sleep 1000"),
        ("endless", "exec yes topsecret"),
        ("silent", "exit 0"),
    ]);

    let with_helper = |name: &str| serde_json::json!({ "credHelpers": { "a.example:5000": name } });
    for (name, login) in
        [("echo", "get:pw"), ("token", "token it"), ("nothing", "anonymous"), ("deaf", "ada:pw")]
    {
        let found = home.find(with_helper(name), "a.example:5000", Some("lab/app")).await;
        assert_eq!(shown(&found), (login.to_owned(), vec![]), "{name}");
        assert_eq!(found.source.is_some(), login != "anonymous");
    }

    // The store of all is asked for docker's names of registries, and what it does not have may stand in the file.
    let store = |name: &str| serde_json::json!({ "credsStore": name, "auths": { "a.example": { "auth": "YWRhOmtlcHQ=" } } });
    let found = home.find(store("echo"), "alpine.example", None).await;
    assert_eq!(found.source.unwrap().key, "alpine.example");
    let found = home.find(store("echo"), "docker.io", Some("library/alpine")).await;
    assert_eq!(found.source.unwrap().key, "https://index.docker.io/v1/");
    let found = home.find(store("nothing"), "a.example", None).await;
    assert_eq!(shown(&found), ("ada:kept".to_owned(), vec![]));

    // Whatever fails, the login of another registry is not used, nor shown, nor is one that the helper stands before.
    for (name, problem) in [
        ("locked", "it said \u{201c}the key ring [2J is locked\u{201d}"),
        ("leaky", "it ended with exit status: 3"),
        ("other", "it answered with the login of b.example"),
        ("hanging", "it did not answer within 2 s"),
        ("endless", "its answer is longer than 65536 bytes"),
        ("silent", "its answer is not a login in JSON"),
        ("absent", "there is no program docker-credential-absent in the search path"),
        ("../bin/docker-credential-echo", "its name is not a plain word"),
    ] {
        let config = serde_json::json!({
            "credHelpers": { "a.example": name },
            "auths": {
                "a.example": { "auth": "YWRhOnRvcHNlY3JldA==" },
                "b.example": { "username": "bob", "password": OTHERS },
                "https://index.docker.io/v1/": { "username": "bob", "password": OTHERS },
            },
        });
        let found = home.find(config, "a.example", Some("lab/app")).await;
        let (login, warnings) = shown(&found);
        assert_eq!((login.as_str(), warnings.len()), ("anonymous", 1), "{name}");
        assert!(
            warnings[0].contains(&format!("failed: {problem}. No login is used for a.example.")),
            "{warnings:?}"
        );
        assert!(!format!("{found:?}{warnings:?}").contains(OTHERS), "{found:?}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_told_and_passed_over() {
    let home = tempfile::tempdir().unwrap();
    let podman = home.path().join("auth.json");
    fs::write(&podman, r#"{"auths": "topsecret"}"#).unwrap();
    fs::create_dir(home.path().join(".docker")).unwrap();
    let docker = r#"{"auths":{"a.example":{"auth":"YWRhOnB3"},"b.example":{"auth":"topsecret"}}}"#;
    fs::write(home.path().join(".docker/config.json"), docker).unwrap();
    let places = LoginPlaces {
        registry_auth_file: Some(podman),
        home: Some(home.path().into()),
        ..LoginPlaces::default()
    };
    let logins = Logins::read(&places);

    let (login, warnings) = shown(&logins.find(&Registry::parse("a.example").unwrap(), None).await);
    assert_eq!((login.as_str(), warnings.len()), ("ada:pw", 1));
    assert!(warnings[0].contains("auth.json cannot be read: line 1, column"), "{warnings:?}");

    let (login, warnings) = shown(&logins.find(&Registry::parse("b.example").unwrap(), None).await);
    assert_eq!((login.as_str(), warnings.len()), ("anonymous", 2));
    assert!(warnings[1].contains("The login for b.example in "), "{warnings:?}");
    assert!(!format!("{warnings:?}{logins:?}").contains(OTHERS));
}

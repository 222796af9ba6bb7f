//! Running a credential helper: `docker-credential-NAME get`, the server on its standard input.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use super::key::LoginKey;
use super::login::Login;

/// Most bytes of a helper's answer.
pub const ANSWER_BYTES: usize = 64 * 1024;

/// How long a helper may take unless another time is set: a person may have to unlock a key ring.
pub const HELPER_TIME: Duration = Duration::from_secs(30);

/// Most bytes of a helper's name.
const NAME_BYTES: usize = 64;

/// Most characters of a helper's own words that are passed on.
const WORDS: usize = 200;

/// The user name that says that the secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// What helpers say when they have nothing; they have no other sign for it.
pub(super) const NOT_FOUND: &str = "credentials not found in native keychain";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default, rename = "ServerURL")]
    server_url: String,
    #[serde(default)]
    username: String,
    secret: SecretString,
}

/// Asks a helper for a login; [`Login::Anonymous`] when it says that it has none. The error is a phrase.
pub(super) async fn ask(
    name: &str,
    server: &str,
    search_path: Option<&OsStr>,
    limit: Duration,
) -> Result<Login, String> {
    let program = find(name, search_path)?;
    let run = run(&program, server);
    let (status, output) = timeout(limit, run)
        .await
        .map_err(|_| format!("it did not answer within {} s", limit.as_secs_f32()))??;
    if !status.success() {
        return refusal(status, &output);
    }
    login(&output, server)
}

/// The program of a helper. The name comes from a file: it must not name a path, and the program not lie in a folder
/// that changes with the current one.
fn find(name: &str, search_path: Option<&OsStr>) -> Result<PathBuf, String> {
    let plain = name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.len() <= NAME_BYTES
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !plain {
        return Err("its name is not a plain word".to_owned());
    }
    let program = format!("docker-credential-{name}");
    let folders = search_path.into_iter().flat_map(env::split_paths);
    let mut candidates = folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join(&program));
    candidates
        .find(|candidate| is_executable(candidate))
        .ok_or_else(|| format!("there is no program {program} in the search path"))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// Runs the helper. If this future is dropped, the helper is killed.
async fn run(program: &Path, server: &str) -> Result<(ExitStatus, Zeroizing<Vec<u8>>), String> {
    let mut helper = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("it cannot be started ({error})"))?;
    let (Some(mut input), Some(output)) = (helper.stdin.take(), helper.stdout.take()) else {
        return Err("it has no input and output".to_owned());
    };
    // One that knows its answer without reading may be gone already, which is no failure.
    let _ = input.write_all(server.as_bytes()).await;
    drop(input);
    // As large as it may become, so that no copy of a secret stays behind where it grew.
    let mut answer = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES + 1));
    let mut output = output.take(ANSWER_BYTES as u64 + 1);
    output.read_to_end(&mut answer).await.map_err(|error| format!("its answer cannot be read ({error})"))?;
    if answer.len() > ANSWER_BYTES {
        return Err(format!("its answer is longer than {ANSWER_BYTES} bytes"));
    }
    let status = helper.wait().await.map_err(|error| format!("its end cannot be awaited ({error})"))?;
    Ok((status, answer))
}

/// What a helper that failed said: that it has nothing, or what went wrong.
fn refusal(status: ExitStatus, output: &[u8]) -> Result<Login, String> {
    let words = String::from_utf8_lossy(output);
    let words = words.trim();
    if words.eq_ignore_ascii_case(NOT_FOUND) || words.starts_with("credentials not found") {
        return Ok(Login::Anonymous);
    }
    // An object may be a login that came with a failure; no word of it is repeated.
    if words.is_empty() || words.contains('{') {
        return Err(format!("it ended with {status}"));
    }
    let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS).collect();
    Err(format!("it said \u{201c}{words}\u{201d}"))
}

fn login(output: &[u8], server: &str) -> Result<Login, String> {
    let answer: Answer =
        serde_json::from_slice(output).map_err(|_| "its answer is not a login in JSON".to_owned())?;
    // Helpers echo the server in several spellings, but a login of another one is not for us.
    if let (Ok(answered), Ok(asked)) = (LoginKey::parse(&answer.server_url), LoginKey::parse(server))
        && !asked.and_wider().any(|key| key == answered)
    {
        return Err(format!("it answered with the login of {answered}"));
    }
    let Answer { username: user, secret, .. } = answer;
    let no_secret = secrecy::ExposeSecret::expose_secret(&secret).is_empty();
    match user.as_str() {
        _ if no_secret && user.is_empty() => Ok(Login::Anonymous),
        _ if no_secret => Err("its answer has no secret".to_owned()),
        "" => Err("its answer has no user name".to_owned()),
        TOKEN_USER => Ok(Login::IdentityToken(secret)),
        _ => Ok(Login::Password { user, secret }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_helper_is_a_plain_word() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["", "-x", "a/b", "../x", "a b", "a;b", "$(x)", "a\0", ".x", &"a".repeat(65)] {
            let error = find(name, Some(folder.path().as_os_str())).unwrap_err();
            assert_eq!(error, "its name is not a plain word", "{name:?}");
        }
        for path in [Some("."), Some(""), Some("bin:../x"), None] {
            let error = find("pass", path.map(OsStr::new)).unwrap_err();
            assert_eq!(error, "there is no program docker-credential-pass in the search path");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_helper_lies_in_an_absolute_folder() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir_in(".").unwrap();
        let program = folder.path().join("docker-credential-pass");
        std::fs::write(&program, "").unwrap();
        let absolute = folder.path().canonicalize().unwrap();
        assert!(find("pass", Some(absolute.as_os_str())).is_err(), "it is not executable");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(find("pass", Some(absolute.as_os_str())).is_ok());
        assert!(find("pass", folder.path().file_name()).is_err(), "it depends on the current folder");
    }

    #[test]
    fn an_answer_is_a_login_of_the_server_asked_for() {
        let read = |output: &str, server: &str| login(output.as_bytes(), server);
        let Ok(Login::Password { user, secret }) =
            read(r#"{"ServerURL":"https://a.example","Username":"ada","Secret":"pw"}"#, "a.example")
        else {
            panic!("it is a password")
        };
        assert_eq!((user.as_str(), secret.expose_secret()), ("ada", "pw"));
        assert!(matches!(
            read(r#"{"ServerURL":"a.example","Username":"<token>","Secret":"t"}"#, "a.example/lab"),
            Ok(Login::IdentityToken(_))
        ));
        assert!(read(r#"{"Username":"ada","Secret":"pw"}"#, "a.example").is_ok());
        assert!(matches!(read(r#"{"Username":"","Secret":""}"#, "a.example"), Ok(Login::Anonymous)));
        for (output, problem) in [
            (
                r#"{"ServerURL":"b.example","Username":"ada","Secret":"topsecret"}"#,
                "it answered with the login of b.example",
            ),
            (
                r#"{"ServerURL":"a.example/lab","Username":"ada","Secret":"topsecret"}"#,
                "it answered with the login of a.example/lab",
            ),
            (r#"{"Username":"ada","Secret":""}"#, "its answer has no secret"),
            (r#"{"Username":"","Secret":"topsecret"}"#, "its answer has no user name"),
            (r#"{"Username":"ada","Secret":7}"#, "its answer is not a login in JSON"),
            ("topsecret", "its answer is not a login in JSON"),
        ] {
            assert_eq!(read(output, "a.example").unwrap_err(), problem);
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(output in r#"\{"(Username|Secret)":.{0,30}\}|.{0,60}"#) {
            let _ = login(output.as_bytes(), "a.example");
        }
    }
}

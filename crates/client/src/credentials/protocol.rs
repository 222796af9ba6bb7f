//! The protocol of credential helpers, from the helper's side: `get`, `store`, `erase` and `list`.
//!
//! A program `docker-credential-NAME` is [`answer`] over its arguments and streams and a [`HelperStore`]. Docker
//! asks for `host:port`, podman for `host:port/path` as well; a login that is kept for a path above or for
//! the registry answers for what lies below, and never the other way round.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, Read, Write};

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::key::LoginKey;
use super::program::{ANSWER_BYTES, NOT_FOUND};

/// What a helper is asked to do; its one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HelperVerb {
    /// Give the login for the server on the input.
    Get,
    /// Keep the login on the input.
    Store,
    /// Forget the login for the server on the input.
    Erase,
    /// Name every server and its user.
    List,
}

impl HelperVerb {
    /// Reads the argument; `None` for one that helpers do not have.
    pub fn parse(argument: &str) -> Option<Self> {
        match argument {
            "get" => Some(Self::Get),
            "store" => Some(Self::Store),
            "erase" => Some(Self::Erase),
            "list" => Some(Self::List),
            _ => None,
        }
    }
}

/// A login as a helper keeps it.
#[derive(Clone, Debug)]
pub struct StoredLogin {
    /// The user name; `<token>` says that the secret is an identity token.
    pub user: String,
    /// The password or token.
    pub secret: SecretString,
}

/// Where a helper keeps logins. Each call is for exactly the key it names.
pub trait HelperStore {
    /// Why something could not be done, in words without a secret.
    type Error: Display;

    /// The login under a key, renewed if need be.
    fn get(&mut self, key: &LoginKey) -> Result<Option<StoredLogin>, Self::Error>;

    /// Keeps a login under a key, in place of what was there.
    fn store(&mut self, key: &LoginKey, login: StoredLogin) -> Result<(), Self::Error>;

    /// Forgets the login under a key. That there was none is no error.
    fn erase(&mut self, key: &LoginKey) -> Result<(), Self::Error>;

    /// Every key and the name of its user.
    fn list(&mut self) -> Result<Vec<(LoginKey, String)>, Self::Error>;
}

/// How a helper ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the caller of a helper knows by its exit code alone whether it failed"]
pub enum HelperAnswer {
    /// It was done.
    Done,
    /// It was not, and the output says why.
    Refused,
}

impl HelperAnswer {
    /// The exit code of the program.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message<Secret> {
    #[serde(default, rename = "ServerURL")]
    server_url: String,
    #[serde(default)]
    username: String,
    secret: Secret,
}

/// Answers one request: reads `input` to its end (at most 64 KiB) and writes the answer.
///
/// # Errors
/// Those of `input` and `output` alone; whatever else goes wrong is a [`HelperAnswer::Refused`] and told to the
/// caller on `output`, as the protocol wants it.
pub fn answer(
    verb: HelperVerb,
    input: &mut impl Read,
    output: &mut impl Write,
    store: &mut impl HelperStore,
) -> io::Result<HelperAnswer> {
    let answered = match verb {
        HelperVerb::List => list(store),
        HelperVerb::Get => read(input)?.and_then(|text| get(&text, store)),
        HelperVerb::Store => read(input)?.and_then(|text| keep(&text, store)),
        HelperVerb::Erase => read(input)?.and_then(|text| erase(&text, store)),
    };
    match answered {
        Ok(text) => {
            output.write_all(&text)?;
            output.flush()?;
            Ok(HelperAnswer::Done)
        }
        Err(reason) => {
            writeln!(output, "{reason}")?;
            output.flush()?;
            Ok(HelperAnswer::Refused)
        }
    }
}

type Answer = Result<Zeroizing<Vec<u8>>, String>;

fn read(input: &mut impl Read) -> io::Result<Result<Zeroizing<String>, String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES + 1));
    input.take(ANSWER_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > ANSWER_BYTES {
        return Ok(Err(format!("The input is longer than {ANSWER_BYTES} bytes.")));
    }
    Ok(match str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.trim().to_owned())),
        Err(_) => Err("The input is not text.".to_owned()),
    })
}

fn key(server: &str) -> Result<LoginKey, String> {
    if server.is_empty() {
        // The words that docker's own library looks for.
        return Err("no credentials server URL".to_owned());
    }
    LoginKey::parse(server).map_err(|error| error.to_string())
}

fn get(server: &str, store: &mut impl HelperStore) -> Answer {
    for key in key(server)?.and_wider() {
        if let Some(StoredLogin { user, secret }) = store.get(&key).map_err(in_words)? {
            let message =
                Message { server_url: server.to_owned(), username: user, secret: secret.expose_secret() };
            return json(&message);
        }
    }
    Err(NOT_FOUND.to_owned())
}

fn keep(text: &str, store: &mut impl HelperStore) -> Answer {
    let message: Message<SecretString> =
        serde_json::from_str(text).map_err(|_| "The input is not a login in JSON.".to_owned())?;
    let key = key(message.server_url.trim())?;
    if message.username.is_empty() {
        return Err("no credentials username".to_owned());
    }
    let login = StoredLogin { user: message.username, secret: message.secret };
    store.store(&key, login).map_err(in_words)?;
    Ok(Zeroizing::default())
}

fn erase(server: &str, store: &mut impl HelperStore) -> Answer {
    store.erase(&key(server)?).map_err(in_words)?;
    Ok(Zeroizing::default())
}

fn list(store: &mut impl HelperStore) -> Answer {
    let logins = store.list().map_err(in_words)?;
    let users: BTreeMap<_, _> =
        logins.into_iter().map(|(key, user)| (key.as_docker_server(), user)).collect();
    json(&users)
}

fn json(answer: &impl Serialize) -> Answer {
    let mut text = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES));
    serde_json::to_writer(&mut *text, answer).map_err(|_| "The answer cannot be written.".to_owned())?;
    text.push(b'\n');
    Ok(text)
}

fn in_words(error: impl Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Memory {
        logins: BTreeMap<LoginKey, StoredLogin>,
        broken: bool,
    }

    impl Memory {
        fn check(&self) -> Result<(), &'static str> {
            if self.broken { Err("The key ring is locked.") } else { Ok(()) }
        }
    }

    impl HelperStore for Memory {
        type Error = &'static str;

        fn get(&mut self, key: &LoginKey) -> Result<Option<StoredLogin>, Self::Error> {
            self.check()?;
            Ok(self.logins.get(key).cloned())
        }

        fn store(&mut self, key: &LoginKey, login: StoredLogin) -> Result<(), Self::Error> {
            self.check()?;
            self.logins.insert(key.clone(), login);
            Ok(())
        }

        fn erase(&mut self, key: &LoginKey) -> Result<(), Self::Error> {
            self.check()?;
            self.logins.remove(key);
            Ok(())
        }

        fn list(&mut self) -> Result<Vec<(LoginKey, String)>, Self::Error> {
            self.check()?;
            Ok(self.logins.iter().map(|(key, login)| (key.clone(), login.user.clone())).collect())
        }
    }

    fn ask(store: &mut Memory, verb: &str, input: &str) -> (u8, String) {
        let mut output = Vec::new();
        let verb = HelperVerb::parse(verb).unwrap();
        let answered = answer(verb, &mut input.as_bytes(), &mut output, store).unwrap();
        (answered.exit_code(), String::from_utf8(output).unwrap().trim_end().to_owned())
    }

    fn keep(store: &mut Memory, server: &str, user: &str) {
        let message =
            serde_json::json!({ "ServerURL": server, "Username": user, "Secret": "pw" }).to_string();
        assert_eq!(ask(store, "store", &message), (0, String::new()));
    }

    #[test]
    fn what_is_stored_is_given_back_until_it_is_erased() {
        let mut store = Memory::default();
        keep(&mut store, "localhost:5000", "ada");
        let given = r#"{"ServerURL":"http://localhost:5000/","Username":"ada","Secret":"pw"}"#.to_owned();
        assert_eq!(ask(&mut store, "get", "http://localhost:5000/\n"), (0, given));
        assert_eq!(ask(&mut store, "list", ""), (0, r#"{"localhost:5000":"ada"}"#.to_owned()));
        assert_eq!(ask(&mut store, "erase", "localhost:5000\n"), (0, String::new()));
        assert_eq!(ask(&mut store, "erase", "localhost:5000"), (0, String::new()));
        assert_eq!(ask(&mut store, "get", "localhost:5000"), (1, NOT_FOUND.to_owned()));
        assert_eq!(ask(&mut store, "list", ""), (0, "{}".to_owned()));
    }

    #[test]
    fn a_wider_login_answers_for_what_lies_below_and_not_above() {
        let mut store = Memory::default();
        keep(&mut store, "a.example:5000/lab", "lab");
        let user = |store: &mut Memory, server: &str| {
            let (code, text) = ask(store, "get", server);
            let answer: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            (code, answer["Username"].as_str().unwrap_or_default().to_owned())
        };
        assert_eq!(user(&mut store, "a.example:5000/lab/gpu"), (0, "lab".into()));
        assert_eq!(user(&mut store, "a.example:5000/lab"), (0, "lab".into()));
        for other in ["a.example:5000", "a.example:5000/labour", "a.example/lab", "a.example:5001/lab"] {
            assert_eq!(user(&mut store, other), (1, String::new()), "{other}");
        }
        keep(&mut store, "a.example:5000", "host");
        assert_eq!(user(&mut store, "a.example:5000/labour"), (0, "host".into()));
        assert_eq!(user(&mut store, "a.example:5000/lab/x"), (0, "lab".into()));
    }

    #[test]
    fn docker_hub_is_listed_as_docker_knows_it() {
        let mut store = Memory::default();
        keep(&mut store, "docker.io", "hub");
        assert_eq!(ask(&mut store, "list", "").1, r#"{"https://index.docker.io/v1/":"hub"}"#);
        assert_eq!(ask(&mut store, "get", "https://index.docker.io/v1/").0, 0);
    }

    #[test]
    fn a_refusal_has_its_exit_code_and_shows_no_secret() {
        let mut store = Memory::default();
        for (verb, input, words) in [
            ("get", "", "no credentials server URL"),
            ("erase", " \n", "no credentials server URL"),
            ("store", r#"{"ServerURL":"","Username":"a","Secret":"topsecret"}"#, "no credentials server URL"),
            (
                "store",
                r#"{"ServerURL":"a.example","Username":"","Secret":"topsecret"}"#,
                "no credentials username",
            ),
            (
                "store",
                r#"{"ServerURL":"a.example","Username":["topsecret"]}"#,
                "The input is not a login in JSON.",
            ),
            ("store", "topsecret", "The input is not a login in JSON."),
            ("get", "https://ada:topsecret@a.example", "leave them out"),
            ("get", &"x".repeat(ANSWER_BYTES + 1), "longer than"),
        ] {
            let (code, text) = ask(&mut store, verb, input);
            assert_eq!(code, 1, "{text}");
            assert!(text.contains(words) && !text.contains("topsecret"), "{text}");
        }
        assert!(store.logins.is_empty());
        store.broken = true;
        assert_eq!(ask(&mut store, "list", ""), (1, "The key ring is locked.".to_owned()));
        assert_eq!(HelperVerb::parse("version"), None);
        let mut output = Vec::new();
        let refused = answer(HelperVerb::Get, &mut &b"\xff"[..], &mut output, &mut store).unwrap();
        assert_eq!((refused, output.as_slice()), (HelperAnswer::Refused, &b"The input is not text.\n"[..]));
    }

    proptest! {
        #[test]
        fn any_input_is_answered(verb in prop::sample::select(vec!["get", "store", "erase"]), input in any::<String>()) {
            let (code, text) = ask(&mut Memory::default(), verb, &input);
            prop_assert_eq!(code == 0, text.is_empty(), "{}", text);
        }

        #[test]
        fn any_login_is_given_back(user in ".{1,20}", secret in ".{0,20}") {
            let mut store = Memory::default();
            let message = serde_json::json!({ "ServerURL": "a.example", "Username": user, "Secret": secret });
            prop_assert_eq!(ask(&mut store, "store", &message.to_string()).0, 0);
            let given: serde_json::Value = serde_json::from_str(&ask(&mut store, "get", "a.example").1).unwrap();
            prop_assert_eq!(given, message);
        }
    }
}

//! Reading the configuration of an image for people: what is null, absent or unknown counts as not said.

use std::collections::BTreeMap;

use hythe_oci::Digest;
use serde::{Deserialize, Deserializer};

use super::Configuration;

/// The configuration document, as far as it is told.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    created: Option<String>,
    author: Option<String>,
    architecture: Option<String>,
    os: Option<String>,
    variant: Option<String>,
    #[serde(deserialize_with = "or_default")]
    config: Run,
    #[serde(deserialize_with = "or_default")]
    rootfs: RootFs,
    #[serde(deserialize_with = "or_default")]
    pub(super) history: Vec<Step>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Run {
    user: Option<String>,
    working_dir: Option<String>,
    #[serde(deserialize_with = "words")]
    entrypoint: Vec<String>,
    #[serde(deserialize_with = "words")]
    cmd: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    env: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    labels: BTreeMap<String, Option<String>>,
    #[serde(deserialize_with = "or_default")]
    exposed_ports: BTreeMap<String, serde_json::Value>,
    #[serde(deserialize_with = "or_default")]
    volumes: BTreeMap<String, serde_json::Value>,
    stop_signal: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RootFs {
    #[serde(deserialize_with = "or_default")]
    diff_ids: Vec<Digest>,
}

/// One entry of the history.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Step {
    pub(super) created: Option<String>,
    pub(super) created_by: Option<String>,
    pub(super) comment: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) empty_layer: bool,
}

impl Document {
    /// Reads a configuration.
    ///
    /// # Errors
    /// It is no JSON object, or one of its members is not what the specification says.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        // A list would be read as the members in their order.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err(serde::de::Error::custom("it is no JSON object"));
        }
        serde_json::from_slice(bytes)
    }

    /// What it runs on; `None` when it does not say.
    pub(super) fn platform(&self) -> Option<String> {
        let (os, architecture) = (said(self.os.as_ref())?, said(self.architecture.as_ref())?);
        let parts = [Some(os), Some(architecture), said(self.variant.as_ref())];
        Some(parts.into_iter().flatten().collect::<Vec<_>>().join("/"))
    }

    /// The digests of the uncompressed layers, lowest first.
    pub(super) fn diff_ids(&self) -> &[Digest] {
        &self.rootfs.diff_ids
    }

    /// What is told of it.
    pub(super) fn told(self) -> Configuration {
        let run = self.config;
        Configuration {
            created: self.created.filter(|text| !text.is_empty()),
            author: self.author.filter(|text| !text.is_empty()),
            user: run.user.filter(|text| !text.is_empty()),
            workdir: run.working_dir.filter(|text| !text.is_empty()),
            entrypoint: run.entrypoint,
            cmd: run.cmd,
            env: run.env,
            labels: run.labels.into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect(),
            ports: run.exposed_ports.into_keys().collect(),
            volumes: run.volumes.into_keys().collect(),
            stop_signal: run.stop_signal.filter(|text| !text.is_empty()),
        }
    }
}

fn said(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

/// What Go writes for an empty list or object is `null`.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(document: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(document)?.unwrap_or_default())
}

/// A command as a list of words; builders of old wrote a single text.
fn words<'de, D: Deserializer<'de>>(document: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Words {
        Many(Vec<String>),
        One(String),
    }
    Ok(match Option::deserialize(document)? {
        None => Vec::new(),
        Some(Words::Many(words)) => words,
        Some(Words::One(words)) => vec![words],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_writes_is_read() {
        let text = r#"{"architecture":"arm64","variant":"v8","os":"linux","created":"2026-01-02T03:04:05Z",
            "config":{"User":"nobody","Env":["A=b"],"Entrypoint":null,"Cmd":["sh"],"Labels":{"a":"b","c":null},
            "ExposedPorts":{"80/tcp":{}},"Volumes":null,"OnBuild":null,"ArgsEscaped":true},
            "rootfs":{"type":"layers","diff_ids":null},"history":[{"created_by":"x","empty_layer":true},{}]}"#;
        let read = Document::parse(text.as_bytes()).unwrap();
        assert_eq!(read.platform().as_deref(), Some("linux/arm64/v8"));
        assert_eq!((read.history.len(), read.history[0].empty_layer), (2, true));
        let told = read.told();
        assert_eq!(
            (told.user.as_deref(), &told.cmd[..], &told.ports[..]),
            (Some("nobody"), &["sh".to_owned()][..], &["80/tcp".to_owned()][..])
        );
        assert_eq!(told.labels["c"], "");
    }

    #[test]
    fn nothing_said_is_nothing_told() {
        for text in ["{}", r#"{"config":null,"history":null,"rootfs":null}"#] {
            let read = Document::parse(text.as_bytes()).unwrap();
            assert_eq!((read.platform(), read.told()), (None, Configuration::default()));
        }
        for text in ["", "[]", "7", r#"{"config":7}"#, r#"{"history":[7]}"#] {
            assert!(Document::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_end_the_program(bytes: Vec<u8>) {
            drop(Document::parse(&bytes).map(Document::told));
        }

        #[test]
        fn a_text_comes_through_as_it_is(user in "\\PC{1,40}", word: String) {
            let text = serde_json::json!({ "config": { "User": user, "Cmd": [word] } }).to_string();
            let told = Document::parse(text.as_bytes()).unwrap().told();
            proptest::prop_assert_eq!((told.user, told.cmd), (Some(user), vec![word]));
        }
    }
}

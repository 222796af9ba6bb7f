//! Laying the layers over each other: defaults, file, environment, flags.
//!
//! Invariant: everything that is wrong is found in one go and each problem names its origin and key, so
//! nobody mends a file line by line. Nothing here touches the network or the data folder.

use std::path::{Path, PathBuf};

use config::builder::DefaultState;
use config::{ConfigBuilder, ConfigError, Map, Source, Value, ValueKind};
use toml::de::{DeTable, DeValue};

use super::environment::Environment;
use super::keys::{KEYS, Key, SECTIONS, find};
use super::nearest::nearest;
use super::{Config, Tls};
use crate::failure::{Exit, Failure};

/// Where the file is looked for when none is named.
const DEFAULT_FILE: &str = "/etc/hythe/hythe.toml";

/// The uppermost layer: settings given as flags, by key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags(Vec<(&'static str, String)>);

impl Flags {
    /// Sets `path` if the flag was given.
    pub(crate) fn with(mut self, path: &'static str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.0.push((path, value.to_string()));
        }
        self
    }
}

impl Source for Flags {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let value = |path: &str, text: &String| {
            let origin = format!("flag --{}", path.replace(['.', '_'], "-"));
            Value::new(Some(&origin), text.clone())
        };
        Ok(self.0.iter().map(|(path, text)| ((*path).to_owned(), value(path, text))).collect())
    }
}

/// The configuration in force, and what is worth saying about it.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The settings.
    pub(crate) config: Config,
    /// Complete sentences for the log.
    pub(crate) warnings: Vec<String>,
    /// Every value with its origin, for telling where each setting came from.
    pub(super) values: Values,
}

/// Values by section and name, each with its origin. (The library's own look-up loses the origin.)
#[derive(Debug)]
pub(super) struct Values(Map<String, Value>);

impl Values {
    fn of(layers: &config::Config) -> Self {
        Values(layers.collect().expect("a built configuration is a table"))
    }

    /// The value of a key, if it has one.
    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        match key.section() {
            None => self.0.get(key.name()),
            Some(section) => match &self.0.get(section)?.kind {
                ValueKind::Table(table) => table.get(key.name()),
                _ => None,
            },
        }
    }
}

/// Loads the configuration of this process.
///
/// `file` is the file named by flag or environment; without one the default file is read if it exists.
pub(crate) fn load(file: Option<&Path>, flags: &Flags) -> Result<Loaded, Failure> {
    let environment = Environment::of_process().map_err(|sentence| Failure::new(Exit::Usage, sentence))?;
    let default = Path::new(DEFAULT_FILE);
    let file = file.or_else(|| default.exists().then_some(default));
    layered(file, &environment, flags)
}

/// Checks one file by itself, without environment and flags.
pub(crate) fn check_file(file: &Path) -> Result<Config, Failure> {
    layered(Some(file), &Environment::default(), &Flags::default()).map(|loaded| loaded.config)
}

fn layered(file: Option<&Path>, environment: &Environment, flags: &Flags) -> Result<Loaded, Failure> {
    let mut problems = Vec::new();
    let defaults = defaults();
    let mut builder = config::Config::builder().add_source(defaults.clone());
    if let Some(path) = file {
        let text = read(path)?;
        problems.extend(unknown_keys(path, &text)?);
        builder = builder.add_source(FileLayer { path: path.to_owned(), text });
    }
    let layers =
        builder.add_source(environment.clone()).add_source(flags.clone()).build().map_err(|error| {
            Failure::new(Exit::Usage, format!("The configuration cannot be read: {error}"))
        })?;
    match typed(&layers, &defaults) {
        Ok(config) => {
            problems.extend(contradictions(&config));
            if problems.is_empty() {
                return Ok(Loaded { config, warnings: environment.strangers(), values: Values::of(&layers) });
            }
        }
        Err(wrong) => problems.extend(wrong),
    }
    let hint = "`hythe config example` shows every setting with its meaning";
    Err(Failure::new(Exit::Usage, problems.join("\n       ")).hint(hint))
}

/// The lowest layer.
fn defaults() -> config::Config {
    // By way of TOML, because the library's own serialiser leaves out empty lists.
    let text =
        toml::to_string(&Config::default()).expect("the defaults are tables of texts, numbers and switches");
    let source = config::File::from_str(&text, config::FileFormat::Toml);
    config::Config::builder().add_source(source).build().expect("TOML that was just written is valid")
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("The configuration file {} cannot be read: {error}", path.display()),
        )
    })
}

/// The layer of the TOML file; its unknown keys were refused before.
#[derive(Debug, Clone)]
struct FileLayer {
    path: PathBuf,
    text: String,
}

impl Source for FileLayer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let parsed = Values(config::File::from_str(&self.text, config::FileFormat::Toml).collect()?);
        let origin = format!("file {}", self.path.display());
        let mut layer = Map::new();
        for key in KEYS {
            if let Some(value) = parsed.get(key) {
                layer.insert(key.path.to_owned(), relabel(value.clone(), &origin));
            }
        }
        Ok(layer)
    }
}

/// The same value with this origin, inner values included.
fn relabel(value: Value, origin: &String) -> Value {
    let kind = match value.kind {
        ValueKind::Array(items) => {
            ValueKind::Array(items.into_iter().map(|item| relabel(item, origin)).collect())
        }
        other => other,
    };
    Value::new(Some(origin), kind)
}

/// A sentence for each key of the file that is not in the list.
fn unknown_keys(path: &Path, text: &str) -> Result<Vec<String>, Failure> {
    let table = DeTable::parse(text).map_err(|error| {
        let sentence = format!("The configuration file {} is not valid TOML: {error}", path.display());
        Failure::new(Exit::Usage, sentence.trim_end())
    })?;
    let line_of = |start: usize| text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
    let mut problems = Vec::new();
    let mut complain = |start: usize, what: String, near: Option<&str>| {
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        problems.push(format!("{}, line {}: {what}{near}", path.display(), line_of(start)));
    };
    for (name, value) in table.get_ref() {
        let (key, start) = (name.get_ref().as_ref(), name.span().start);
        let is_section = SECTIONS.iter().any(|(section, _)| *section == key);
        match value.get_ref() {
            DeValue::Table(inner) if is_section => {
                for name in inner.keys() {
                    let full = format!("{key}.{}", name.get_ref());
                    if find(&full).is_none() {
                        let what = format!("the key `{full}` is not known");
                        complain(name.span().start, what, nearest_key(&full));
                    }
                }
            }
            DeValue::Table(_) => {
                let near = nearest(key, SECTIONS.iter().map(|(name, _)| *name));
                complain(start, format!("the section `{key}` is not known"), near);
            }
            _ if is_section => complain(start, format!("`{key}` is a section, written as [{key}]"), None),
            _ if find(key).is_none() => {
                complain(start, format!("the key `{key}` is not known"), nearest_key(key));
            }
            _ => {}
        }
    }
    Ok(problems)
}

/// The key that was meant: the same name in another section, else a like one in this section.
fn nearest_key(full: &str) -> Option<&'static str> {
    let (section, name) = full.split_once('.').map_or((None, full), |(section, name)| (Some(section), name));
    if let Some(moved) = KEYS.iter().find(|key| key.name() == name) {
        return Some(moved.path);
    }
    let Some(section) = section else { return nearest(full, KEYS.iter().map(|key| key.path)) };
    let siblings = || KEYS.iter().filter(|key| key.section() == Some(section));
    let near = nearest(name, siblings().map(Key::name))?;
    siblings().find(|key| key.name() == near).map(|key| key.path)
}

/// Turns the layers into settings, or tells of every value that does not fit.
fn typed(layers: &config::Config, defaults: &config::Config) -> Result<Config, Vec<String>> {
    let mut problems = Vec::new();
    let mut layers = layers.clone();
    // A wrong value is replaced by its default so that the next wrong one comes to light.
    while problems.len() <= KEYS.len() {
        let error = match layers.clone().try_deserialize::<Config>() {
            Ok(config) if problems.is_empty() => return Ok(config),
            Ok(_) => break,
            Err(error) => error,
        };
        let key = key_of(&error).and_then(find);
        let Some(key) = key else {
            problems.push(error.to_string());
            break;
        };
        let values = Values::of(&layers);
        let origin = values.get(key).and_then(Value::origin).unwrap_or("default");
        problems.push(format!("{origin}: the value of `{}` does not fit: {}", key.path, reason(&error)));
        let default = Values::of(defaults).get(key).cloned().unwrap_or_else(|| Value::from(ValueKind::Nil));
        let mended = config::Config::builder().add_source(layers).set_override(key.path, default);
        layers = match mended.and_then(ConfigBuilder::<DefaultState>::build) {
            Ok(layers) => layers,
            Err(error) => {
                problems.push(error.to_string());
                break;
            }
        };
    }
    Err(problems)
}

/// The key an error is about, list positions dropped.
fn key_of(error: &ConfigError) -> Option<&str> {
    match error {
        ConfigError::Type { key: Some(key), .. } | ConfigError::At { key: Some(key), .. } => {
            key.split('[').next()
        }
        _ => None,
    }
}

/// What is wrong, without the origin and key the library appends.
fn reason(error: &ConfigError) -> String {
    match error {
        ConfigError::Type { unexpected, expected, .. } => format!("{unexpected} where {expected} belongs"),
        ConfigError::At { error, .. } => reason(error),
        other => other.to_string(),
    }
}

/// What is wrong with settings that are each fine by themselves.
fn contradictions(config: &Config) -> Vec<String> {
    match &config.tls {
        Tls { cert: Some(_), key: None, .. } => {
            vec!["`tls.cert` is set and `tls.key` is not: TLS needs both".to_owned()]
        }
        Tls { cert: None, key: Some(_), .. } => {
            vec!["`tls.key` is set and `tls.cert` is not: TLS needs both".to_owned()]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hythe.toml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn each_layer_wins_over_the_one_before() {
        let (_folder, file) = in_file("listen = \"127.0.0.1:1\"\n[uploads]\nexpire_hours = 7\n");
        let environment =
            Environment::of(&[("HYTHE_LISTEN", "127.0.0.1:2"), ("HYTHE_TOKENS_REFRESH_DAYS", "9")]);
        let flags = Flags::default().with("listen", Some("127.0.0.1:3"));

        let config = layered(None, &Environment::default(), &Flags::default()).unwrap().config;
        assert_eq!(config, Config::default());
        let config = layered(Some(&file), &Environment::default(), &Flags::default()).unwrap().config;
        assert_eq!((config.listen.port(), config.uploads.expire_hours.get()), (1, 7));
        let config = layered(Some(&file), &environment, &Flags::default()).unwrap().config;
        assert_eq!((config.listen.port(), config.tokens.refresh_days.get()), (2, 9));
        let config = layered(Some(&file), &environment, &flags).unwrap().config;
        assert_eq!((config.listen.port(), config.uploads.expire_hours.get()), (3, 7));
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let (_folder, file) =
            in_file("lisen = \"x\"\n[tokens]\nacces_minutes = 5\nrefresh_days = 0\n[tsl]\ncert = \"x\"\n");
        let environment = Environment::of(&[
            ("HYTHE_LIMITS_CONNECTIONS", "many"),
            ("HYTHE_TRUSTED_PROXIES", "10.0.0.0/8, nonsense"),
        ]);
        let failure = layered(Some(&file), &environment, &Flags::default()).unwrap_err().to_string();
        for part in [
            "line 1: the key `lisen` is not known; did you mean `listen`?",
            "line 3: the key `tokens.acces_minutes` is not known; did you mean `tokens.access_minutes`?",
            "line 5: the section `tsl` is not known; did you mean `tls`?",
            "the value of `tokens.refresh_days` does not fit: 0 is out of range: it must be from 1 to 3650",
            "environment HYTHE_LIMITS_CONNECTIONS: the value of `limits.connections` does not fit",
            "environment HYTHE_TRUSTED_PROXIES: the value of `trusted_proxies` does not fit: `nonsense`",
        ] {
            assert!(failure.contains(part), "{part}\nis not in\n{failure}");
        }
    }

    #[test]
    fn a_key_in_the_wrong_section_is_sent_to_the_right_one() {
        let (_folder, file) = in_file("[log]\nexpire_hours = 3\n");
        let failure = check_file(&file).unwrap_err().to_string();
        assert!(failure.contains("did you mean `uploads.expire_hours`?"), "{failure}");
    }

    #[test]
    fn half_of_a_key_pair_is_refused() {
        let (_folder, file) = in_file("[tls]\ncert = \"x\"\n");
        assert!(check_file(&file).unwrap_err().to_string().contains("TLS needs both"));
    }

    #[test]
    fn a_section_written_as_a_value_is_explained() {
        let (_folder, file) = in_file("tls = true\n");
        assert!(check_file(&file).unwrap_err().to_string().contains("written as [tls]"));
    }
}

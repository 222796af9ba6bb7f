//! The layer of `HYTHE_…` environment variables.
//!
//! The names come from the key list, so `HYTHE_UPLOADS_EXPIRE_HOURS` is unambiguous. A `HYTHE_` variable
//! nobody knows is worth a warning, not a refusal: it may belong to another version or program.

use std::collections::BTreeMap;

use config::{ConfigError, Map, Source, Value, ValueKind};

use super::keys::{KEYS, Key};
use super::nearest::nearest;

/// Variables that are no configuration keys.
const OTHERS: &[&str] = &[
    "HYTHE_ADMIN_PASSWORD",
    "HYTHE_CA",
    "HYTHE_CONFIG",
    "HYTHE_FAILPOINTS",
    "HYTHE_LOG",
    "HYTHE_NEW_PASSWORD",
    "HYTHE_PASSWORD",
    "HYTHE_PROFILE",
    "HYTHE_PROJECT",
    "HYTHE_SERVER",
    "HYTHE_USERNAME",
];

/// The variables that begin with `HYTHE_`, as they were when the program started.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Reads the process's environment; a value that is no text is refused by name.
    pub(super) fn of_process() -> Result<Self, String> {
        let mut variables = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            if !name.starts_with("HYTHE_") {
                continue;
            }
            let value = value
                .into_string()
                .map_err(|_| format!("The environment variable {name} is not valid UTF-8"))?;
            variables.insert(name, value);
        }
        Ok(Environment(variables))
    }

    /// An environment made of these variables.
    #[cfg(test)]
    pub(super) fn of(variables: &[(&str, &str)]) -> Self {
        Environment(variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    /// One sentence for each variable nobody knows.
    pub(super) fn strangers(&self) -> Vec<String> {
        let known: Vec<String> = KEYS
            .iter()
            .map(Key::environment_name)
            .chain(OTHERS.iter().map(|name| (*name).to_owned()))
            .collect();
        self.0
            .keys()
            .filter(|name| !known.contains(name))
            .map(|name| match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("The environment variable {name} is not known and has no effect; the nearest known one is {near}"),
                None => format!("The environment variable {name} is not known and has no effect"),
            })
            .collect()
    }
}

impl Source for Environment {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let mut layer = Map::new();
        for key in KEYS {
            let name = key.environment_name();
            let Some(text) = self.0.get(&name) else { continue };
            let origin = format!("environment {name}");
            let value = if key.list {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                let items = items.map(|item| Value::new(Some(&origin), ValueKind::String(item.to_owned())));
                ValueKind::Array(items.collect())
            } else {
                ValueKind::String(text.clone())
            };
            layer.insert(key.path.to_owned(), Value::new(Some(&origin), value));
        }
        Ok(layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_is_named_with_its_nearest() {
        let environment =
            Environment::of(&[("HYTHE_LISEN", "x"), ("HYTHE_LISTEN", "x"), ("HYTHE_LOG", "debug")]);
        let strangers = environment.strangers();
        assert_eq!(strangers.len(), 1, "{strangers:?}");
        assert!(
            strangers[0].contains("HYTHE_LISEN ") && strangers[0].ends_with("HYTHE_LISTEN"),
            "{strangers:?}"
        );
    }
}

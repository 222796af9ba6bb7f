//! The settings in force, each with the layer it came from.

use config::{Value, ValueKind};
use serde::Serialize;

use super::Loaded;
use super::keys::KEYS;

/// One setting as `config print` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Setting {
    /// The key, section first.
    pub(crate) key: String,
    /// The value as text; empty when unset.
    pub(crate) value: String,
    /// The layer: `default`, `file …`, `environment …` or `flag …`.
    pub(crate) from: String,
}

/// Every setting in the order of the example file.
///
/// The one secret a server is given at start, the first admin's password, is shown as present only.
pub(crate) fn settings(loaded: &Loaded) -> Vec<Setting> {
    let mut settings: Vec<Setting> = KEYS
        .iter()
        .map(|key| {
            let value = loaded.values.get(key);
            let from = value.and_then(Value::origin).unwrap_or("default").to_owned();
            Setting { key: key.path.to_owned(), value: value.map(text).unwrap_or_default(), from }
        })
        .collect();
    if std::env::var_os("HYTHE_ADMIN_PASSWORD").is_some() {
        settings.push(Setting {
            key: "admin password".to_owned(),
            value: "(hidden)".to_owned(),
            from: "environment HYTHE_ADMIN_PASSWORD".to_owned(),
        });
    }
    settings
}

fn text(value: &Value) -> String {
    match &value.kind {
        ValueKind::Nil => String::new(),
        ValueKind::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        _ => value.to_string(),
    }
}

//! The example file: every key, its default, its environment name and what it means.
//!
//! It is made from the defaults and the key list, so it is right by construction; a test reads it back.

use super::Config;
use super::keys::{KEYS, Key, SECTIONS};

const HEAD: &str = "\
# Configuration of hythe. Every setting is shown with its default; delete what you do not change.
#
# Layers, each winning over the one before: defaults, this file, environment variables, flags.
# A setting's environment variable is HYTHE_, then the section, then the name, joined by `_`
# and in capitals: [uploads] expire_hours is HYTHE_UPLOADS_EXPIRE_HOURS.
";

/// The text of the example file.
pub(crate) fn example() -> String {
    let defaults = toml::Table::try_from(Config::default())
        .expect("the default configuration is a table of plain values");
    let mut text = HEAD.to_owned();
    for key in KEYS.iter().filter(|key| key.section().is_none()) {
        write_key(&mut text, key, defaults.get(key.name()));
    }
    for (section, about) in SECTIONS {
        text.push_str(&["\n# ", about, "\n[", section, "]\n"].concat());
        let values = defaults.get(*section).and_then(toml::Value::as_table);
        for key in KEYS.iter().filter(|key| key.section() == Some(section)) {
            write_key(&mut text, key, values.and_then(|values| values.get(key.name())));
        }
    }
    text
}

fn write_key(text: &mut String, key: &Key, default: Option<&toml::Value>) {
    text.push('\n');
    for line in key.about {
        text.push_str(&["# ", line, "\n"].concat());
    }
    let setting = match default {
        Some(value) => format!("{} = {value}", key.name()),
        None => format!("# {} = {:?}", key.name(), key.sample.unwrap_or_default()),
    };
    text.push_str(&["# Environment: ", &key.environment_name(), "\n", &setting, "\n"].concat());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::check_file;

    fn parsed(text: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("example.toml");
        std::fs::write(&path, text).unwrap();
        check_file(&path).unwrap()
    }

    #[test]
    fn the_example_reads_back_as_the_defaults() {
        assert_eq!(parsed(&example()), Config::default());
    }

    #[test]
    fn the_example_shows_every_key_and_its_samples_are_valid() {
        let uncommented: String = example()
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.contains(" = \"") => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let config = parsed(&uncommented);
        assert!(config.external_url.is_some() && config.tls.cert.is_some() && config.tls.key.is_some());
        for key in KEYS {
            assert!(uncommented.contains(&format!("\n{} = ", key.name())), "{}", key.path);
        }
    }
}

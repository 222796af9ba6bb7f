//! The one list of configuration keys: path, environment name, meaning.
//!
//! The example file, the environment layer, the unknown-key check and `config print` all read it. A test
//! holds it equal to the fields of [`Config`](super::Config), so a setting cannot exist without words.

/// One setting.
#[derive(Debug)]
pub(super) struct Key {
    /// The key in the TOML file, with its section: `tls.cert`.
    pub(super) path: &'static str,
    /// Whether its value is a list, written with commas in the environment.
    pub(super) list: bool,
    /// What the example file shows when there is no default.
    pub(super) sample: Option<&'static str>,
    /// What it means, in lines short enough for a comment.
    pub(super) about: &'static [&'static str],
}

impl Key {
    /// The environment variable that sets it: `HYTHE_TLS_CERT`.
    pub(super) fn environment_name(&self) -> String {
        format!("HYTHE_{}", self.path.replace('.', "_").to_uppercase())
    }

    /// The section, or nothing for a key at the top of the file.
    pub(super) fn section(&self) -> Option<&'static str> {
        self.path.split_once('.').map(|(section, _)| section)
    }

    /// The name within the section.
    pub(super) fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }
}

/// A key with a default.
const fn key(path: &'static str, about: &'static [&'static str]) -> Key {
    Key { path, list: false, sample: None, about }
}

/// A key that is unset by default.
const fn optional(path: &'static str, sample: &'static str, about: &'static [&'static str]) -> Key {
    Key { path, list: false, sample: Some(sample), about }
}

/// What each section is about.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("tls", "TLS. Without a certificate the server speaks plain HTTP."),
    ("log", "The log, on standard error."),
    ("metrics", "The numbers at /metrics. They name no project, no repository and no user."),
    ("tokens", "Lifetimes of what the token service hands out."),
    ("projects", "Rules for projects."),
    ("uploads", "Unfinished uploads."),
    ("collection", "The background collector: removes what no manifest refers to any more."),
    ("scrub", "The background scrub: reads what is stored and compares it with its digests."),
    ("limits", "What one server takes on at a time."),
];

/// Every key, in the order of the example file.
pub(super) const KEYS: &[Key] = &[
    key("data_dir", &["The folder everything that is kept lies under."]),
    key("listen", &["Address and port to listen on. Port 0 lets the system choose a free one."]),
    optional(
        "external_url",
        "https://registry.example.org",
        &[
            "The URL clients reach this registry under. Unset, it follows from a trusted proxy's",
            "headers, else from the request itself.",
        ],
    ),
    Key {
        path: "trusted_proxies",
        list: true,
        sample: None,
        about: &[
            "Networks whose X-Forwarded-For, -Proto and -Host headers are believed, for example",
            "[\"10.0.0.0/8\"]. In the environment: separated by commas.",
        ],
    },
    optional(
        "tls.cert",
        "/etc/hythe/tls.crt",
        &["Certificate chain, PEM. It is read again when the file changes."],
    ),
    optional("tls.key", "/etc/hythe/tls.key", &["Private key of the certificate, PEM."]),
    key("tls.http2", &["Whether to offer HTTP/2 besides HTTP/1.1."]),
    key("log.format", &["\"text\" for people, \"json\" for programs: one object per line."]),
    key(
        "log.level",
        &[
            "The least important event logged: \"error\", \"warn\", \"info\", \"debug\" or \"trace\".",
            "HYTHE_LOG takes filters per module as well, for example hythe_registry=debug,info.",
        ],
    ),
    optional(
        "metrics.listen",
        "127.0.0.1:9464",
        &[
            "An address and port of its own for /metrics, in plain HTTP. Unset, /metrics is served beside",
            "everything else; set, it is served there alone.",
        ],
    ),
    key("tokens.access_minutes", &["How long an access token is good for, 5 to 1440."]),
    key("tokens.refresh_days", &["How long a stored login is good for, 1 to 3650."]),
    key("projects.creation", &["Who may create projects: \"everyone\" who is signed in, or \"admins\"."]),
    key("uploads.expire_hours", &["After how long an unfinished upload is thrown away, 1 to 8760."]),
    key("collection.enabled", &["Whether it runs by itself. `hythe gc` works either way."]),
    key("collection.every_minutes", &["How often it runs, 1 to 10080."]),
    key(
        "collection.grace_hours",
        &["How long something must have been without use before it is removed, 1 to 8760."],
    ),
    key("collection.rate", &["The most deletions per second, 1 to 100000."]),
    key("scrub.enabled", &["Whether it runs by itself. `hythe fsck` works either way."]),
    key("scrub.rate_mib", &["The most MiB read per second, 1 to 100000."]),
    key(
        "scrub.age_days",
        &[
            "How long a verification is relied on, 0 to 3650. The scrub verifies everything again before that;",
            "an older blob is verified while it is pulled. 0 verifies each blob on each pull.",
        ],
    ),
    key("limits.connections", &["The most connections open at once, 1 to 1000000."]),
    key(
        "limits.connections_per_address",
        &["The most connections from one address (IPv6: one /64); trusted proxies are exempt."],
    ),
    key("limits.idle_seconds", &["How long a connection may rest between two requests, 1 to 86400."]),
    key("limits.head_seconds", &["How long the head of a request may take to arrive, 1 to 3600."]),
    key(
        "limits.body_stall_seconds",
        &["How long the body of a request may stand still before it is given up, 1 to 3600."],
    ),
    key(
        "limits.body_bytes_per_second",
        &[
            "The least mean rate of a request's body, 1 to 1000000. Only waiting for the client counts,",
            "and only after body_grace_seconds of it.",
        ],
    ),
    key(
        "limits.body_grace_seconds",
        &["How long a body may be waited for altogether before its rate counts, 1 to 3600."],
    ),
    key(
        "limits.answer_stall_seconds",
        &["How long a client may take no byte of its answer before it is cut, 1 to 3600."],
    ),
    key(
        "limits.answer_bytes_per_second",
        &[
            "The least mean rate at which an answer must be taken, 1 to 1000000. Only waiting for the client",
            "counts, and only after answer_stall_seconds of it.",
        ],
    ),
    key(
        "limits.uploads_per_user",
        &["The most uploads one user may have open, 1 to 1000000; one more is answered 429."],
    ),
    key("limits.password_checks", &["The most passwords checked at once, 1 to 1024; each takes 19 MiB."]),
    key(
        "limits.password_queue",
        &["How many sign-ins may wait for a password check, 0 to 1000000; one more is answered 503."],
    ),
    key(
        "limits.drain_seconds",
        &["How long requests under way may take to finish when the server stops, 0 to 3600."],
    ),
];

/// The key with this path.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::configuration::Config;

    #[test]
    fn the_list_holds_exactly_the_fields_of_the_configuration() {
        let value = serde_json::to_value(Config::default()).unwrap();
        let mut fields = BTreeSet::new();
        for (name, value) in value.as_object().unwrap() {
            match value.as_object() {
                Some(section) => fields.extend(section.keys().map(|key| format!("{name}.{key}"))),
                None => drop(fields.insert(name.clone())),
            }
        }
        let listed: BTreeSet<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
        assert_eq!(listed, fields);
    }

    #[test]
    fn no_two_keys_share_an_environment_name() {
        let names: BTreeSet<String> = KEYS.iter().map(Key::environment_name).collect();
        assert_eq!(names.len(), KEYS.len());
    }

    #[test]
    fn every_section_has_words() {
        let used: BTreeSet<&str> = KEYS.iter().filter_map(Key::section).collect();
        assert_eq!(used, SECTIONS.iter().map(|(name, _)| *name).collect());
    }
}

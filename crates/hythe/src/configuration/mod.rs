//! The configuration: what an operator may set, as types that cannot hold a value out of range.
//!
//! Layers, each winning over the one before: defaults, the TOML file, `HYTHE_…` environment variables,
//! command-line flags ([`load`]). Invariant: a key nobody knows is refused, never ignored; [`keys`] is
//! the one list of keys, and a test holds it equal to the fields below.

mod environment;
mod example;
mod keys;
mod load;
mod nearest;
mod show;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use example::example;
pub(crate) use load::{Flags, Loaded, check_file, load};
pub(crate) use show::settings;
pub(crate) use values::{Creation, ExternalUrl, Format, Level, Network, Number};

/// Every setting of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) external_url: Option<ExternalUrl>,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) tls: Tls,
    pub(crate) log: Log,
    pub(crate) metrics: Metrics,
    pub(crate) tokens: Tokens,
    pub(crate) projects: Projects,
    pub(crate) uploads: Uploads,
    pub(crate) collection: Collection,
    pub(crate) scrub: Scrub,
    pub(crate) limits: Limits,
}

/// `[tls]`: certificate files; without them the server speaks plain HTTP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) http2: bool,
}

/// `[log]`: the form and the amount of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) format: Format,
    pub(crate) level: Level,
}

/// `[metrics]`: where the numbers are served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metrics {
    pub(crate) listen: Option<SocketAddr>,
}

/// `[tokens]`: lifetimes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tokens {
    /// Five minutes is what some clients assume when they are told less.
    pub(crate) access_minutes: Number<5, 1440>,
    pub(crate) refresh_days: Number<1, 3650>,
}

/// `[projects]`: who may create them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Projects {
    pub(crate) creation: Creation,
}

/// `[uploads]`: how long an unfinished upload is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Uploads {
    pub(crate) expire_hours: Number<1, 8760>,
}

/// `[collection]`: the background collector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Collection {
    pub(crate) enabled: bool,
    pub(crate) every_minutes: Number<1, 10080>,
    pub(crate) grace_hours: Number<1, 8760>,
    /// Deletions per second.
    pub(crate) rate: Number<1, 100_000>,
}

/// `[scrub]`: the background verification of what is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scrub {
    pub(crate) enabled: bool,
    /// MiB per second.
    pub(crate) rate_mib: Number<1, 100_000>,
    pub(crate) age_days: Number<0, 3650>,
}

/// `[limits]`: what one server takes on at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) connections: Number<1, 1_000_000>,
    pub(crate) connections_per_address: Number<1, 1_000_000>,
    pub(crate) idle_seconds: Number<1, 86_400>,
    pub(crate) head_seconds: Number<1, 3600>,
    pub(crate) body_stall_seconds: Number<1, 3600>,
    pub(crate) body_bytes_per_second: Number<1, 1_000_000>,
    pub(crate) body_grace_seconds: Number<1, 3600>,
    pub(crate) answer_stall_seconds: Number<1, 3600>,
    pub(crate) answer_bytes_per_second: Number<1, 1_000_000>,
    pub(crate) uploads_per_user: Number<1, 1_000_000>,
    pub(crate) password_checks: Number<1, 1024>,
    pub(crate) password_queue: Number<0, 1_000_000>,
    pub(crate) drain_seconds: Number<0, 3600>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            data_dir: PathBuf::from("/var/lib/hythe"),
            listen: SocketAddr::from(([127, 0, 0, 1], 5000)),
            external_url: None,
            trusted_proxies: Vec::new(),
            tls: Tls::default(),
            log: Log { format: Format::Text, level: Level::Info },
            metrics: Metrics::default(),
            tokens: Tokens { access_minutes: Number::of::<5>(), refresh_days: Number::of::<90>() },
            projects: Projects { creation: Creation::Everyone },
            uploads: Uploads { expire_hours: Number::of::<48>() },
            collection: Collection {
                enabled: true,
                every_minutes: Number::of::<60>(),
                grace_hours: Number::of::<24>(),
                rate: Number::of::<200>(),
            },
            scrub: Scrub { enabled: true, rate_mib: Number::of::<20>(), age_days: Number::of::<30>() },
            limits: Limits {
                connections: Number::of::<16_384>(),
                connections_per_address: Number::of::<4_096>(),
                idle_seconds: Number::of::<75>(),
                head_seconds: Number::of::<15>(),
                body_stall_seconds: Number::of::<60>(),
                body_bytes_per_second: Number::of::<1_024>(),
                body_grace_seconds: Number::of::<30>(),
                answer_stall_seconds: Number::of::<120>(),
                answer_bytes_per_second: Number::of::<1024>(),
                uploads_per_user: Number::of::<1_000>(),
                password_checks: Number::of::<2>(),
                password_queue: Number::of::<64>(),
                drain_seconds: Number::of::<30>(),
            },
        }
    }
}

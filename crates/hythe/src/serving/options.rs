//! Turning the configuration into the options of the rooms, and their start-up errors into failures.

use std::path::Path;
use std::time::Duration;

use hythe_identity::IdentityOptions;
use hythe_registry::{CollectionOptions, ProjectCreation, RegistryOptions, ScrubOptions};
use hythe_server::BodyPace;
use hythe_server::limits::ListenLimits;
use hythe_store::{FolderError, StoreError};

use crate::configuration::{Config, Creation};
use crate::failure::{Exit, Failure, chain};

/// The name of this registry in tokens and challenges; the same on every replica.
pub(crate) const SERVICE: &str = "hythe";

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The rules' options.
pub(crate) fn registry_options(config: &Config) -> RegistryOptions {
    let collection = &config.collection;
    RegistryOptions {
        project_creation: match config.projects.creation {
            Creation::Everyone => ProjectCreation::Everyone,
            Creation::Admins => ProjectCreation::Admins,
        },
        upload_lifetime: Duration::from_secs(config.uploads.expire_hours.get() * HOUR),
        uploads_per_user: u32::try_from(config.limits.uploads_per_user.get())
            .expect("limits are at most a million"),
        collection: CollectionOptions {
            enabled: collection.enabled,
            every: Duration::from_secs(collection.every_minutes.get() * MINUTE),
            grace: Duration::from_secs(collection.grace_hours.get() * HOUR),
            rate: u32::try_from(collection.rate.get()).expect("the rate is at most 100,000"),
        },
        scrub: ScrubOptions {
            enabled: config.scrub.enabled,
            rate: config.scrub.rate_mib.get() << 20,
            age: Duration::from_secs(config.scrub.age_days.get() * DAY),
        },
        ..RegistryOptions::default()
    }
}

/// The options of sign-in.
pub(crate) fn identity_options(config: &Config) -> IdentityOptions {
    let defaults = IdentityOptions::new(SERVICE);
    let short = short_access_lifetime();
    let configured = Duration::from_secs(config.tokens.access_minutes.get() * MINUTE);
    IdentityOptions {
        access_lifetime: short.unwrap_or(configured),
        shortest_access_lifetime: short.unwrap_or(defaults.shortest_access_lifetime),
        refresh_lifetime: Duration::from_secs(config.tokens.refresh_days.get() * DAY),
        concurrent_checks: count(config.limits.password_checks.get()),
        waiting_checks: count(config.limits.password_queue.get()),
        ..defaults
    }
}

/// The life of access tokens that a test asks for with `HYTHE_FAILPOINTS="access-seconds=return(N)"`: real clients outlive
/// it while the test waits. In builds with the feature `failpoints` alone.
#[cfg(feature = "failpoints")]
fn short_access_lifetime() -> Option<Duration> {
    let seconds = fail::eval("access-seconds", |seconds| seconds.and_then(|text| text.parse().ok()));
    seconds.flatten().map(Duration::from_secs)
}

/// None, in a build that is used.
#[cfg(not(feature = "failpoints"))]
const fn short_access_lifetime() -> Option<Duration> {
    None
}

/// The limits of the listener on the network.
pub(crate) fn listen_limits(config: &Config) -> ListenLimits {
    let limits = &config.limits;
    ListenLimits {
        connections: count(limits.connections.get()),
        connections_per_address: count(limits.connections_per_address.get()),
        keep_alive: Duration::from_secs(limits.idle_seconds.get()),
        head_time: Duration::from_secs(limits.head_seconds.get()),
        write_stall: Duration::from_secs(limits.answer_stall_seconds.get()),
        write_rate: limits.answer_bytes_per_second.get(),
    }
}

/// How slowly a request's body may come.
pub(crate) fn body_pace(config: &Config) -> BodyPace {
    let limits = &config.limits;
    BodyPace {
        stall: Duration::from_secs(limits.body_stall_seconds.get()),
        rate: limits.body_bytes_per_second.get(),
        grace: Duration::from_secs(limits.body_grace_seconds.get()),
    }
}

fn count(number: u64) -> usize {
    usize::try_from(number).expect("limits are at most a million")
}

/// Why the data folder could not be taken.
pub(crate) fn folder_failure(dir: &Path, error: &FolderError) -> Failure {
    let dir = dir.display();
    match error {
        FolderError::Busy { pid: Some(pid) } => {
            Failure::new(Exit::FolderBusy, format!("The data folder {dir} is in use by process {pid}")).hint(
                "one server at a time may hold a data folder: stop that process, or name another folder",
            )
        }
        FolderError::Busy { pid: None } => {
            Failure::new(Exit::FolderBusy, format!("The data folder {dir} is in use by another process"))
                .hint(
                    "one server at a time may hold a data folder: stop that process, or name another folder",
                )
        }
        FolderError::Io(_) => {
            Failure::new(Exit::Failed, format!("The data folder {dir} cannot be used: {}", chain(error)))
                .hint("the folder and its file system must be writable by the user the server runs as")
        }
    }
}

/// Why the store in a locked folder could not be opened.
pub(crate) fn store_failure(dir: &Path, error: &StoreError) -> Failure {
    Failure::new(Exit::Failed, format!("The store in {} cannot be opened: {}", dir.display(), chain(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example file shows our defaults; they must be those of the rooms.
    #[test]
    fn the_default_configuration_is_what_the_rooms_do_by_default() {
        let config = Config::default();
        assert_eq!(identity_options(&config), IdentityOptions::new(SERVICE));
        assert_eq!(listen_limits(&config), ListenLimits::default());
        assert_eq!(body_pace(&config), BodyPace::default());
        assert_eq!(format!("{:?}", registry_options(&config)), format!("{:?}", RegistryOptions::default()));
    }
}

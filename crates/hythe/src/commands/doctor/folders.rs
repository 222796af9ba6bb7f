//! The folders of `hythe` on this machine: room for what is remembered, a private place for logins, the names of registries.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use hythe_client::account::OwnLogins;
use hythe_client::profiles::StoredProfile;

use super::finding::{Check, Finding, Report};
use crate::arguments::Server;
use crate::commands::session;
use crate::failure::sentence;

/// With less than this left, in bytes, the next large thing fills the disk.
const LITTLE: u64 = 1 << 30;

/// With less than this left, in bytes, nothing can be kept.
const NOTHING: u64 = 16 << 20;

/// The stored logins. When they cannot be read, that is told, and they count as none.
pub(super) fn logins(report: &Report) -> Option<OwnLogins> {
    match OwnLogins::load() {
        Ok(logins) => Some(logins),
        Err(error) => {
            let fix = "set it right or delete it, then run `hythe login` again";
            report.tell(Finding::failed(Check::Configuration, sentence(error), fix));
            None
        }
    }
}

/// The profile that is used, if one is. When profiles cannot be read, that is told, and they count as none.
pub(super) fn profile(named: &Server, report: &Report) -> Option<StoredProfile> {
    let check = Check::Profiles;
    match session::profile(named) {
        Ok(Some(profile)) => {
            let message = format!("The profile `{}` names the server {}", profile.name, profile.server);
            report.tell(Finding::ok(check, message));
            Some(profile)
        }
        Ok(None) => {
            report.tell(Finding::ok(check, "No profile says which server is meant"));
            None
        }
        Err(failure) => {
            let fix = failure.hint_text().unwrap_or("make the file readable for you, or move it away");
            report.tell(Finding::failed(check, failure.to_string(), fix));
            None
        }
    }
}

/// Both folders.
pub(super) fn check(report: &Report) {
    report.tell(cache(folder("XDG_CACHE_HOME", ".cache")));
    // When the logins cannot be read, that was told already.
    if let Ok(logins) = OwnLogins::load() {
        report.tell(configuration(logins.path()));
    }
}

fn folder(variable: &str, usual: &str) -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set(variable).or_else(|| set("HOME").map(|home| home.join(usual)))?;
    Some(base.join("hythe"))
}

fn cache(folder: Option<PathBuf>) -> Finding {
    let check = Check::Cache;
    let Some(folder) = folder else {
        return Finding::warning(
            check,
            "There is no place for a cache, so layers are compressed again with each push",
            "set HOME or XDG_CACHE_HOME",
        );
    };
    let shown = folder.display();
    if let Err(error) = try_writing(&folder) {
        let message =
            format!("{shown} cannot be written ({error}), so layers are compressed again with each push");
        return Finding::warning(
            check,
            message,
            "make the folder yours, or set XDG_CACHE_HOME to another one",
        );
    }
    let left = match rustix::fs::statvfs(existing(&folder)) {
        Ok(state) => state.f_bavail.saturating_mul(state.f_frsize),
        Err(error) => {
            return Finding::not_checked(check, format!("The disk of {shown} does not tell: {error}"));
        }
    };
    room(&folder, left)
}

fn room(folder: &Path, left: u64) -> Finding {
    let (check, shown, mebibytes) = (Check::Cache, folder.display(), left >> 20);
    let fix = "remove what is not needed from that disk, or set XDG_CACHE_HOME to another one";
    if left < NOTHING {
        Finding::failed(check, format!("The disk of {shown} is full: {mebibytes} MiB are left"), fix)
    } else if left < LITTLE {
        Finding::warning(check, format!("The disk of {shown} is nearly full: {mebibytes} MiB are left"), fix)
    } else {
        Finding::ok(check, format!("{shown} has {} GiB left", left >> 30))
    }
}

fn configuration(file: &Path) -> Finding {
    let check = Check::Configuration;
    let folder = file.parent().unwrap_or(file);
    if let Err(error) = try_writing(folder) {
        let message = format!("{} cannot be written ({error}), so no login can be kept", folder.display());
        return Finding::failed(
            check,
            message,
            "make the folder yours, or set XDG_CONFIG_HOME to another one",
        );
    }
    match file.metadata() {
        Ok(state) if state.permissions().mode() & 0o077 != 0 => Finding::warning(
            check,
            format!("Others on this machine may read the logins in {}", file.display()),
            format!("run `chmod 600 {}`", file.display()),
        ),
        Ok(_) => Finding::ok(check, format!("Logins are kept in {}", file.display())),
        Err(_) => Finding::ok(check, format!("Logins will be kept in {}", file.display())),
    }
}

/// Writes and removes a file where the folder is or will be.
fn try_writing(folder: &Path) -> io::Result<()> {
    tempfile::Builder::new().prefix(".hythe-doctor").tempfile_in(existing(folder)).map(drop)
}

/// The folder, or the nearest one above it that is there.
fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|folder| folder.exists()).unwrap_or(folder)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn room_is_judged_by_what_is_left() {
        for (left, verdict) in [
            (0, Verdict::Failed),
            (NOTHING, Verdict::Warning),
            (LITTLE, Verdict::Ok),
            (u64::MAX, Verdict::Ok),
        ] {
            assert_eq!(room(Path::new("/c"), left).verdict, verdict, "{left}");
        }
    }
}

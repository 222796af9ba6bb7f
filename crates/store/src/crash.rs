//! Arming the fail points from the environment, for tests that kill the process at a durable step.
//! Compiled only with the feature `failpoints`.
//!
//! `HYTHE_FAILPOINTS` holds entries `point=action`, separated by `;`. The action `abort(N)` ends the
//! process, as kill -9 would, when the point is passed for the Nth time (`abort` is `abort(1)`); any
//! other action is one of the crate `fail`, such as `return(enospc)`.

use std::sync::atomic::{AtomicU64, Ordering};

/// The variable that is read.
pub const VARIABLE: &str = "HYTHE_FAILPOINTS";

/// An entry that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("{VARIABLE} cannot be understood at `{0}`: write `point=abort(N)` or `point=ACTION`")]
pub struct CrashPointError(String);

/// Arms what the environment names; nothing without the variable.
pub fn arm_from_environment() -> Result<(), CrashPointError> {
    match std::env::var(VARIABLE) {
        Ok(entries) => entries.split(';').filter(|entry| !entry.trim().is_empty()).try_for_each(arm),
        Err(_) => Ok(()),
    }
}

fn arm(entry: &str) -> Result<(), CrashPointError> {
    let refused = || CrashPointError(entry.to_owned());
    let (point, action) = entry.trim().split_once('=').ok_or_else(refused)?;
    let Some(rest) = action.strip_prefix("abort") else {
        return fail::cfg(point, action).map_err(|_| refused());
    };
    let number = if rest.is_empty() { "1" } else { rest.trim_start_matches('(').trim_end_matches(')') };
    let at: u64 = number.parse().map_err(|_| refused())?;
    let passed = AtomicU64::new(0);
    fail::cfg_callback(point, move || {
        if passed.fetch_add(1, Ordering::SeqCst) + 1 == at {
            std::process::abort();
        }
    })
    .map_err(|_| refused())
}

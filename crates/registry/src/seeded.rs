//! Seeded defects: a check left out on purpose, to prove that a test would notice. They exist in builds with the
//! feature `failpoints` alone, where `HYTHE_FAILPOINTS="defect-NAME=return"` switches one on.

/// Whether the defect of this name is switched on.
#[cfg(feature = "failpoints")]
pub(crate) fn defect(name: &str) -> bool {
    fail::eval(name, |_| ()).is_some()
}

/// Never, in a build that is used.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn defect(_: &str) -> bool {
    false
}

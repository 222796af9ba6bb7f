//! What an operator may set about the rules.

use std::time::Duration;

/// Who may create projects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectCreation {
    /// Any signed-in user, who then owns the project.
    Everyone,
    /// Administrators only.
    Admins,
}

/// Settings of the rules.
#[derive(Clone, Debug)]
pub struct RegistryOptions {
    /// Who may create projects.
    pub project_creation: ProjectCreation,
    /// How long an upload session may stay open.
    pub upload_lifetime: Duration,
    /// How many uploads one user may have open.
    pub uploads_per_user: u32,
    /// How long "this blob exists" may be relied on: by whoever asked, pushed or mounted it.
    pub lease: Duration,
    /// The background collection.
    pub collection: CollectionOptions,
    /// The background verification of what is stored.
    pub scrub: ScrubOptions,
}

/// Settings of the background collection.
#[derive(Clone, Debug)]
pub struct CollectionOptions {
    /// Whether it runs at all.
    pub enabled: bool,
    /// The pause between two runs.
    pub every: Duration,
    /// How long something unreferenced is kept.
    pub grace: Duration,
    /// At most so many removals a second.
    pub rate: u32,
}

/// Settings of the background verification.
#[derive(Clone, Debug)]
pub struct ScrubOptions {
    /// Whether it runs at all.
    pub enabled: bool,
    /// At most so many bytes are read a second.
    pub rate: u64,
    /// How long a verification is relied on; everything is verified again before that. Nought relies on none.
    pub age: Duration,
}

impl Default for ScrubOptions {
    fn default() -> Self {
        Self { enabled: true, rate: 20 << 20, age: Duration::from_hours(30 * 24) }
    }
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            project_creation: ProjectCreation::Everyone,
            upload_lifetime: Duration::from_hours(48),
            uploads_per_user: 1_000,
            lease: Duration::from_hours(1),
            collection: CollectionOptions::default(),
            scrub: ScrubOptions::default(),
        }
    }
}

impl Default for CollectionOptions {
    fn default() -> Self {
        Self { enabled: true, every: Duration::from_hours(1), grace: Duration::from_hours(24), rate: 200 }
    }
}

//! Why profiles could not be read or changed.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Profiles that could not be read or changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProfilesError {
    /// The text is no file of profiles.
    #[error("The profiles in {} cannot be read: {problem}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was probably meant.
        problem: String,
    },
    /// The file cannot be read or written.
    #[error("{} cannot be used: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Neither the folder nor a home is known.
    #[error("There is no place for profiles: set XDG_CONFIG_HOME or HOME")]
    NoPlace,
    /// There is no profile of that name.
    #[error("There is no profile `{name}`: {} {known}", path.display())]
    Unknown {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
        /// Which ones there are, as the end of the sentence.
        known: String,
    },
}

//! Why an engine did not do what it was asked.

use std::path::PathBuf;

use thiserror::Error;

use super::EngineKind;

/// An engine that could not be used, or that refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Nothing answers there.
    #[error("{engine} does not answer at {}: {reason}; check that it runs and that you may use its socket", socket.display())]
    Absent {
        /// Which engine.
        engine: EngineKind,
        /// Where it was looked for.
        socket: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The engine said no.
    #[error("{engine} refused: {message}")]
    Refused {
        /// Which engine.
        engine: EngineKind,
        /// Its HTTP status, from those that have one.
        status: Option<u16>,
        /// Its words.
        message: String,
    },
    /// The engine's answer makes no sense.
    #[error("{engine} gave an answer that cannot be understood: {what}")]
    Unreadable {
        /// Which engine.
        engine: EngineKind,
        /// What is wrong with it.
        what: String,
    },
    /// The exchange broke off.
    #[error("the exchange with {engine} broke off: {reason}")]
    Broken {
        /// Which engine.
        engine: EngineKind,
        /// Why.
        reason: String,
    },
    /// This engine cannot do it.
    #[error("{engine} cannot {what}: use docker or podman for it")]
    Unsupported {
        /// Which engine.
        engine: EngineKind,
        /// What was asked.
        what: &'static str,
    },
}

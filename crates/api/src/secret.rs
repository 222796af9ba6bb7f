//! A password on its way from a person to the server: readable by code, invisible to logs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A secret text inside a request; its `Debug` form hides the value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = Password)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The secret itself: for checking and hashing, never for printing.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Gives the secret away, for a type that wipes its memory.
    pub fn into_inner(self) -> String {
        self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_the_secret() {
        let shown = format!("{:?}", Secret::new("correct horse"));
        assert!(!shown.contains("horse"), "{shown}");
    }
}

//! Brings the schema to this version's: numbered files in `migrations/`, each applied once, in a transaction
//! of its own. A database that a newer version has changed is refused rather than guessed at.

use std::sync::Arc;

use super::RecordError;

mod embedded {
    refinery::embed_migrations!("src/records/migrations");
}

pub(super) fn run(connection: &mut rusqlite::Connection) -> Result<(), RecordError> {
    embedded::migrations::runner()
        .set_abort_divergent(true)
        .set_abort_missing(true)
        .run(connection)
        .map(|_report| ())
        .map_err(|error| RecordError::Migration(Arc::new(error)))
}

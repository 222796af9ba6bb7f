//! Brings the schema to this version's: numbered files in `migrations/`, each applied once, all that are due and the notes of
//! that in one transaction. A database that a newer version has changed is refused rather than guessed at.

use std::sync::Arc;

use super::RecordError;

mod embedded {
    refinery::embed_migrations!("src/records/migrations");
}

/// Applies what is due, or refuses if `upgrade` does not allow it. New records are always made.
pub(super) fn run(connection: &mut rusqlite::Connection, upgrade: bool) -> Result<(), RecordError> {
    let runner = embedded::migrations::runner().set_abort_divergent(true).set_abort_missing(true);
    // Apart, an end between a change and its note would leave a change that cannot be made twice.
    let runner = runner.set_grouped(true);
    let failed = |error| RecordError::Migration(Arc::new(error));
    let ours = runner.get_migrations().iter().map(refinery::Migration::version).max().unwrap_or(0);
    let known = "SELECT 1 FROM sqlite_schema WHERE name = 'refinery_schema_history'";
    let found = if connection.prepare(known)?.exists([])? {
        runner.get_last_applied_migration(connection).map_err(failed)?.map_or(0, |last| last.version())
    } else {
        0
    };
    if found > ours {
        return Err(RecordError::Newer { found: found.into(), ours: ours.into() });
    }
    if 0 < found && found < ours {
        if !upgrade {
            return Err(RecordError::Older { found: found.into(), ours: ours.into() });
        }
        tracing::info!(found, ours, "bringing the records to the schema of this version");
    }
    runner.run(connection).map(drop).map_err(failed)
}

#[cfg(test)]
mod tests {
    use refinery::Target;
    use rusqlite::Connection;

    use super::*;

    /// Records as the first version made them.
    fn first() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        let runner = embedded::migrations::runner().set_target(Target::Version(1));
        runner.run(&mut connection).unwrap();
        connection
    }

    #[test]
    fn a_change_without_its_note_is_undone() {
        let mut connection = first();
        let trap = "CREATE TRIGGER trap BEFORE INSERT ON refinery_schema_history WHEN new.version > 2
                    BEGIN SELECT raise(ABORT, 'the disk is full'); END";
        connection.execute_batch(trap).unwrap();
        assert!(matches!(run(&mut connection, true), Err(RecordError::Migration(_))));
        connection.execute_batch("DROP TRIGGER trap").unwrap();
        run(&mut connection, true).unwrap();
        run(&mut connection, false).unwrap();
    }

    #[test]
    fn older_records_are_changed_only_where_that_is_allowed_and_newer_ones_never() {
        let mut connection = first();
        assert!(matches!(run(&mut connection, false), Err(RecordError::Older { found: 1, .. })));
        run(&mut connection, true).unwrap();
        let newer = "INSERT INTO refinery_schema_history SELECT 999, name, applied_on, checksum
                     FROM refinery_schema_history LIMIT 1";
        connection.execute_batch(newer).unwrap();
        assert!(matches!(run(&mut connection, true), Err(RecordError::Newer { found: 999, .. })));
        run(&mut Connection::open_in_memory().unwrap(), false).unwrap();
    }
}

//! Opens the database: one connection that writes, several that only read.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::log::Log;
use super::reserve::Reserve;
use super::{RecordError, RecordsOptions, migrate};
use crate::condition::Condition;
use crate::durable;
use crate::folder::DataFolder;

/// Prepared statements kept per connection.
const STATEMENTS: usize = 256;

/// The folder is this process's alone, so the log's index lies in its memory: in a mapped file of its own, a file
/// cut behind our back would end the process.
const VFS: &str = "unix-excl";

/// The connections of one database.
pub(super) struct Opened {
    pub(super) writer: Connection,
    pub(super) log: Log,
    pub(super) readers: Vec<Connection>,
}

/// Opens the writer's connection and the readers'. If the disk is too full even for that, the reserve set
/// aside by an earlier start is given up for it.
pub(super) fn all(folder: &DataFolder, options: RecordsOptions) -> Result<Opened, RecordError> {
    let reserve = Reserve::in_folder(folder);
    let opened = match connections(folder, options) {
        Err(RecordError::NoSpace | RecordError::Io(_)) if reserve.give_up() => connections(folder, options)?,
        opened => opened?,
    };
    reserve.set_aside();
    Ok(opened)
}

fn connections(folder: &DataFolder, options: RecordsOptions) -> Result<Opened, RecordError> {
    let path = folder.records_path();
    create_private(&path, folder.dir()).map_err(RecordError::opening)?;
    let mut writer = open(&path, OpenFlags::SQLITE_OPEN_READ_WRITE, options.writer_cache_kib)?;
    writer.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))?;
    // Every commit is on disk before it is answered; group commit is what makes this cheap.
    writer.pragma_update(None, "synchronous", durable::synchronous())?;
    writer.pragma_update(None, "foreign_keys", true)?;
    let log = Log::follow(&mut writer, Arc::new(Condition::of("records")))?;
    migrate::run(&mut writer, options.upgrade)?;
    // The folder's lock proves that whoever held a job here has ended. On a full disk their time runs out.
    if let Err(error) = writer.execute("DELETE FROM job_leases", []) {
        tracing::warn!(%error, "the jobs of an ended process stay claimed for a minute");
    }
    let readers = (0..options.readers.max(1))
        .map(|_| {
            let reader = open(&path, OpenFlags::SQLITE_OPEN_READ_ONLY, options.reader_cache_kib)?;
            reader.pragma_update(None, "query_only", true)?;
            // Touches the log's shared index now, so that a disk too full for it shows here.
            reader.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
            Ok(reader)
        })
        .collect::<Result<_, RecordError>>()?;
    // SQLite makes the log's entry in the folder durable, but does not look whether that worked.
    durable::sync_directory(folder.dir()).map_err(RecordError::opening)?;
    Ok(Opened { writer, log, readers })
}

/// Creates the database file for the owner alone (its log files inherit the mode), durable in its folder.
fn create_private(path: &Path, dir: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => durable::sync_directory(dir),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn open(path: &Path, mode: OpenFlags, cache_kib: u32) -> Result<Connection, RecordError> {
    // Each connection is used by one thread at a time, which is what NO_MUTEX asks for.
    let connection = Connection::open_with_flags_and_vfs(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX, VFS)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Else a plan may hang on a bound value (any LIMIT does), and the statement is compiled anew for each.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    connection.pragma_update(None, "temp_store", "memory")?;
    // A mapped page of a file cut behind our back would end the process.
    connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_bound_limit_does_not_compile_a_statement_again() {
        let home = tempfile::tempdir().unwrap();
        let folder = DataFolder::lock(home.path()).unwrap();
        let opened = connections(&folder, RecordsOptions::default()).unwrap();
        for connection in opened.readers.iter().chain([&opened.writer]) {
            let mut statement = connection.prepare("SELECT id FROM users WHERE id > ?1 LIMIT ?2").unwrap();
            for limit in 1..4 {
                statement.query_map([0, limit], |row| row.get::<_, i64>(0)).unwrap().for_each(drop);
            }
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
        }
    }

    #[test]
    fn no_cursor_is_optional() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/records");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = if path.is_file() { std::fs::read_to_string(&path).unwrap() } else { String::new() };
            for (_, rest) in
                text.match_indices("IS NULL OR ").map(|(at, found)| text.split_at(at + found.len()))
            {
                let condition = rest.split([')', '\n']).next().unwrap_or_default();
                // SQLite would scan from the beginning for each page: see `DigestKey::after`.
                assert!(!condition.contains(" > ?"), "{}: IS NULL OR {condition}", path.display());
            }
        }
    }
}

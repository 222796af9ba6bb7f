//! Group commit: many writes share one transaction, hence one wait for the disk.
//!
//! Invariants: a write is answered only after the commit that holds it; a write that fails or panics is
//! undone alone; when the transaction itself is lost, every write of the group is run again in its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::engine::{Counters, Message};
use super::epochs::{Epochs, Touched};
use super::job::Job;
use super::log::Log;
use super::{Reader, RecordError, Writer};

/// A group takes in waiting writes up to this many …
const MOST_JOBS: usize = 256;
/// … or until this long after it began, so that its first write is not kept waiting.
const MOST_WORK: Duration = Duration::from_millis(5);

/// What became of one write inside the open transaction.
enum Attempt {
    Kept,
    Undone,
    /// The transaction is gone, and with it the writes before this one. `None` when the write's own outcome
    /// already says why.
    Lost(Option<RecordError>),
}

pub(super) struct Group {
    connection: Connection,
    log: Log,
    epochs: Arc<Epochs>,
    counters: Arc<Counters>,
    touched: Touched,
}

impl Group {
    pub(super) fn new(
        connection: Connection,
        log: Log,
        epochs: Arc<Epochs>,
        counters: Arc<Counters>,
    ) -> Self {
        Self { connection, log, epochs, counters, touched: Touched::default() }
    }

    /// Runs `first` and whatever waits behind it in one transaction, and answers all of them.
    pub(super) fn commit_with_followers(
        &mut self,
        first: Box<dyn Job>,
        messages: &mut mpsc::Receiver<Message>,
    ) {
        let began = Instant::now();
        let mut jobs: Vec<Box<dyn Job>> = Vec::new();
        if let Err(error) = self.run("BEGIN IMMEDIATE") {
            return self.fail_all(vec![first], &error);
        }
        let mut next = Some(first);
        while let Some(mut job) = next {
            let attempt = self.attempt(job.as_mut());
            jobs.push(job);
            if let Attempt::Lost(error) = attempt {
                return self.alone(jobs, error);
            }
            let full = jobs.len() >= MOST_JOBS || began.elapsed() >= MOST_WORK;
            next = if full { None } else { follower(messages) };
        }
        match self.commit() {
            Ok(()) => self.answer_all(jobs),
            // A deferred rule of the schema: find out whose change breaks it.
            Err(error @ RecordError::Constraint(_)) => self.alone(jobs, Some(error)),
            Err(error) => self.fail_all(jobs, &error),
        }
    }

    /// Runs each of a lost group's writes in a transaction of its own, so that the one that lost it fails
    /// alone. A group of one has had its turn: it fails with what ended it.
    fn alone(&mut self, jobs: Vec<Box<dyn Job>>, error: Option<RecordError>) {
        self.abandon();
        let had_its_turn = jobs.len() == 1;
        for mut job in jobs {
            let failure = if had_its_turn { error.clone() } else { self.in_its_own(job.as_mut()) };
            self.abandon();
            if let Some(failure) = failure {
                job.fail(failure);
            }
            self.answer_all(vec![job]);
        }
    }

    /// Runs one write in a transaction of its own. `None` when its own outcome stands.
    fn in_its_own(&mut self, job: &mut dyn Job) -> Option<RecordError> {
        if let Err(error) = self.run("BEGIN IMMEDIATE") {
            return Some(error);
        }
        match self.attempt(job) {
            Attempt::Kept => self.commit().err(),
            Attempt::Undone => None,
            Attempt::Lost(error) => error,
        }
    }

    fn attempt(&mut self, job: &mut dyn Job) -> Attempt {
        if let Err(error) = self.run("SAVEPOINT write") {
            return Attempt::Lost(Some(error));
        }
        let mark = self.touched.mark();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            job.run(&mut Writer {
                reader: Reader { connection: &self.connection },
                touched: &mut self.touched,
            })
        }));
        let keep = outcome.unwrap_or_else(|_reported_by_the_hook| {
            job.fail(RecordError::Panicked);
            false
        });
        // SQLite itself rolls back on some faults (a full disk, an input/output error).
        if self.connection.is_autocommit() {
            return Attempt::Lost(keep.then_some(RecordError::Lost));
        }
        let undone = if keep {
            Ok(())
        } else {
            self.touched.forget_since(mark);
            self.run("ROLLBACK TO write")
        };
        match undone.and_then(|()| self.run("RELEASE write")) {
            Ok(()) if keep => Attempt::Kept,
            Ok(()) => Attempt::Undone,
            Err(error) => Attempt::Lost(Some(error)),
        }
    }

    fn commit(&mut self) -> Result<(), RecordError> {
        fail::fail_point!("records-before-commit");
        // Odd from here until the outcome is known and, if it failed, undone.
        let changing = self.epochs.begin(std::mem::take(&mut self.touched));
        let began = Instant::now();
        let committed = self.run("COMMIT");
        let microseconds = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.counters.commit_microseconds.fetch_add(microseconds, Ordering::Relaxed);
        if let Err(error) = &committed {
            self.abandon_transaction();
            self.log.failed(error);
        } else {
            self.counters.commits.fetch_add(1, Ordering::Relaxed);
        }
        drop(changing);
        fail::fail_point!("records-after-commit");
        committed
    }

    /// Leaves whatever transaction is open, with nothing kept of it.
    fn abandon(&mut self) {
        self.touched.forget_since(0);
        self.abandon_transaction();
    }

    fn abandon_transaction(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.run("ROLLBACK")
        {
            tracing::error!(%error, "the records' writer cannot leave a failed transaction");
        }
    }

    fn answer_all(&self, jobs: Vec<Box<dyn Job>>) {
        self.counters.writes.fetch_add(jobs.len() as u64, Ordering::Relaxed);
        for job in jobs {
            job.answer();
        }
    }

    fn fail_all(&self, mut jobs: Vec<Box<dyn Job>>, error: &RecordError) {
        for job in &mut jobs {
            job.fail(error.clone());
        }
        self.answer_all(jobs);
    }

    fn run(&self, statement: &str) -> Result<(), RecordError> {
        self.connection.prepare_cached(statement)?.execute([])?;
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.log.before_close(&self.connection);
    }
}

/// The next waiting write, if one waits.
fn follower(messages: &mut mpsc::Receiver<Message>) -> Option<Box<dyn Job>> {
    loop {
        match messages.try_recv().ok()? {
            Message::Run(job) => return Some(job),
            Message::Close => messages.close(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use crate::folder::DataFolder;
    use crate::records::{RecordError, Records, RecordsOptions, Topic, Writer};

    struct Bench {
        records: Records,
        _home: tempfile::TempDir,
    }

    impl Bench {
        async fn new(table: &'static str) -> Self {
            let home = tempfile::tempdir().unwrap();
            let folder = DataFolder::lock(home.path()).unwrap();
            let records = Records::open(&folder, RecordsOptions::default()).unwrap();
            records.write(move |w| Ok::<_, RecordError>(w.conn().execute_batch(table)?)).await.unwrap();
            Self { records, _home: home }
        }

        /// Queues these writes behind one that holds the writer up, so that they form one group.
        async fn in_one_group<F>(&self, works: Vec<F>) -> Vec<Result<(), RecordError>>
        where
            F: FnMut(&mut Writer<'_>) -> Result<(), RecordError> + Send + 'static,
        {
            let (go, wait) = channel::<()>();
            let (began, has_begun) = channel();
            let records = self.records.clone();
            let holding = tokio::spawn(async move {
                records
                    .write(move |_| {
                        began.send(()).unwrap();
                        wait.recv().unwrap();
                        std::thread::sleep(super::MOST_WORK);
                        Ok::<_, RecordError>(())
                    })
                    .await
            });
            tokio::task::spawn_blocking(move || has_begun.recv().unwrap()).await.unwrap();
            let waiting =
                futures_util::future::join_all(works.into_iter().map(|work| self.records.write(work)));
            let release = async move {
                // The writes above are polled first, which queues them.
                go.send(()).unwrap();
            };
            let (outcomes, ()) = tokio::join!(biased; waiting, release);
            holding.await.unwrap().unwrap();
            outcomes
        }

        async fn rows(&self) -> Vec<i64> {
            self.records
                .read(|r| {
                    let mut rows = r.conn().prepare("SELECT n FROM t ORDER BY n")?;
                    let rows = rows.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
                    Ok::<_, RecordError>(rows)
                })
                .await
                .unwrap()
        }
    }

    fn insert(w: &Writer<'_>, n: i64) -> Result<(), RecordError> {
        w.conn().execute("INSERT INTO t VALUES (?1)", [n])?;
        Ok(())
    }

    #[tokio::test]
    async fn a_group_shares_one_commit() {
        let bench = Bench::new("CREATE TABLE t (n BIGINT NOT NULL)").await;
        let before = bench.records.figures();
        let outcomes =
            bench.in_one_group((0..100).map(|n| move |w: &mut Writer<'_>| insert(w, n)).collect()).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        let after = bench.records.figures();
        assert_eq!(after.writes - before.writes, 101);
        // A group also ends when its time is over, so how many there are is the machine's affair.
        assert!(after.commits - before.commits < 50, "{after:?}");
        assert_eq!(bench.rows().await.len(), 100);
    }

    #[tokio::test]
    async fn the_write_that_loses_the_transaction_fails_alone() {
        let bench = Bench::new("CREATE TABLE t (n BIGINT NOT NULL)").await;
        let work = |n: i64| {
            move |w: &mut Writer<'_>| {
                insert(w, n)?;
                // As SQLite does on some faults: the transaction is gone, and the write does not notice.
                if n == 2 { Ok(w.conn().execute_batch("ROLLBACK")?) } else { Ok(()) }
            }
        };
        let outcomes = bench.in_one_group((0..5).map(work).collect()).await;
        for (n, outcome) in outcomes.iter().enumerate() {
            match outcome {
                Ok(()) => assert_ne!(n, 2),
                Err(error) => assert!(n == 2 && matches!(error, RecordError::Lost), "{n}: {error}"),
            }
        }
        assert_eq!(bench.rows().await, [0, 1, 3, 4]);
    }

    #[tokio::test]
    async fn a_rule_checked_at_the_commit_fails_only_the_write_that_breaks_it() {
        let tables = "CREATE TABLE parent (n BIGINT PRIMARY KEY);
                      INSERT INTO parent VALUES (0), (1), (3), (4);
                      CREATE TABLE t (n BIGINT REFERENCES parent (n) DEFERRABLE INITIALLY DEFERRED)";
        let bench = Bench::new(tables).await;
        let outcomes =
            bench.in_one_group((0..5).map(|n| move |w: &mut Writer<'_>| insert(w, n)).collect()).await;
        for (n, outcome) in outcomes.iter().enumerate() {
            match outcome {
                Ok(()) => assert_ne!(n, 2),
                Err(error) => assert!(n == 2 && matches!(error, RecordError::Constraint(_)), "{n}: {error}"),
            }
        }
        assert_eq!(bench.rows().await, [0, 1, 3, 4]);
    }

    #[tokio::test]
    async fn a_write_run_again_still_makes_caches_forget() {
        let bench = Bench::new("CREATE TABLE t (n BIGINT NOT NULL)").await;
        let topic = Topic::new("rows", &());
        let cached = bench.records.cached::<(), i64>(8);
        let count = |r: &crate::records::Reader<'_>| {
            Ok::<_, RecordError>(r.conn().query_row("SELECT count(*) FROM t", [], |row| row.get(0))?)
        };
        assert_eq!(cached.get(&(), &[topic], count).await.unwrap(), 0);
        assert_eq!(cached.get_if_fresh(&()), Some(0));
        let work = |n: i64| {
            move |w: &mut Writer<'_>| {
                insert(w, n)?;
                if n == 1 {
                    return Ok(w.conn().execute_batch("ROLLBACK")?);
                }
                w.touch(topic);
                Ok(())
            }
        };
        let outcomes = bench.in_one_group((0..2).map(work).collect()).await;
        assert!(outcomes[0].is_ok() && outcomes[1].is_err(), "{outcomes:?}");
        assert_eq!(cached.get_if_fresh(&()), None);
        assert_eq!(cached.get(&(), &[topic], count).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn closing_answers_what_was_queued_and_refuses_the_rest() {
        let bench = Bench::new("CREATE TABLE t (n BIGINT NOT NULL)").await;
        let queued =
            futures_util::future::join_all((0..20).map(|n| bench.records.write(move |w| insert(w, n))));
        let (outcomes, ()) = tokio::join!(biased; queued, bench.records.close());
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        let late = bench.records.write(|w| insert(w, 21)).await;
        assert!(matches!(late, Err(RecordError::Closed)), "{late:?}");
        let late = bench.records.read(|_| Ok::<_, RecordError>(())).await;
        assert!(matches!(late, Err(RecordError::Closed)), "{late:?}");
        bench.records.close().await;
    }
}

//! Group commit keeps jobs apart, and no cache outlives the commit that changes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use hythe_oci::ProjectName;
use hythe_store::records::projects::{Compression, ProjectId, ProjectRow, Visibility, project_topic};
use hythe_store::{RecordError, Store, Timestamp};

use crate::Bench;

fn project(id: i64, name: &str) -> ProjectRow {
    ProjectRow {
        id: ProjectId(id),
        name: name.parse().unwrap(),
        visibility: Visibility::Private,
        untagged_days: None,
        compression: Compression::Gzip,
        created: Timestamp::from_secs(1_800_000_000),
    }
}

async fn insert(store: &Store, row: ProjectRow) -> Result<bool, RecordError> {
    store.records.write(move |w| w.insert_project(&row)).await
}

async fn count(store: &Store) -> usize {
    store.records.read(|r| r.projects(None, true, None, 10_000)).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writes_share_few_commits_and_all_are_there_after_a_restart() {
    let bench = Bench::new();
    let before = bench.store.records.figures();
    let jobs: Vec<_> = (0..300)
        .map(|number| {
            let store = bench.store.clone();
            tokio::spawn(async move { insert(&store, project(number, &format!("p{number}"))).await })
        })
        .collect();
    for job in jobs {
        assert!(job.await.unwrap().unwrap());
    }
    let after = bench.store.records.figures();
    assert_eq!(after.writes - before.writes, 300);
    assert!(after.commits - before.commits < 300, "{after:?}");
    let bench = bench.restart().await;
    assert_eq!(count(&bench.store).await, 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_job_undoes_itself_and_nobody_else() {
    let bench = Bench::new();
    let jobs: Vec<_> = (0..90)
        .map(|number| {
            let records = bench.store.records.clone();
            tokio::spawn(async move {
                records
                    .write(move |w| {
                        w.insert_project(&project(number, &format!("p{number}")))?;
                        match number % 3 {
                            0 => Ok(()),
                            1 => Err(RecordError::Lost),
                            _ => panic!("a mistake in a rule"),
                        }
                    })
                    .await
            })
        })
        .collect();
    for (number, job) in jobs.into_iter().enumerate() {
        match (number % 3, job.await.unwrap()) {
            (0, Ok(())) | (1, Err(RecordError::Lost)) | (2, Err(RecordError::Panicked)) => {}
            (_, other) => panic!("job {number}: {other:?}"),
        }
    }
    assert_eq!(count(&bench.store).await, 30);
    assert!(insert(&bench.store, project(1_000, "after")).await.unwrap());
}

#[tokio::test]
async fn a_rule_of_the_schema_refuses_and_changes_nothing() {
    let bench = Bench::new();
    let refused = bench
        .store
        .records
        .write(|w| {
            w.insert_project(&project(1, "lab"))?;
            w.set_member(
                ProjectId(1),
                99,
                hythe_store::records::projects::Role::Owner,
                Timestamp::from_secs(1),
            )
        })
        .await;
    assert!(matches!(refused, Err(RecordError::Constraint(_))), "{refused:?}");
    assert_eq!(count(&bench.store).await, 0);
}

#[tokio::test]
async fn a_read_sees_one_snapshot() {
    let bench = Bench::new();
    insert(&bench.store, project(1, "a")).await.unwrap();
    let (looked, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let reader = {
        let (looked, written) = (Arc::clone(&looked), Arc::clone(&written));
        let records = bench.store.records.clone();
        tokio::spawn(async move {
            records
                .read(move |r| {
                    let before = r.projects(None, true, None, 10)?.len();
                    looked.store(true, Ordering::SeqCst);
                    while !written.load(Ordering::SeqCst) {
                        std::thread::yield_now();
                    }
                    Ok::<_, RecordError>((before, r.projects(None, true, None, 10)?.len()))
                })
                .await
        })
    };
    while !looked.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    // The writer does not wait for the reader, nor the reader for the writer.
    insert(&bench.store, project(2, "b")).await.unwrap();
    written.store(true, Ordering::SeqCst);
    assert_eq!(reader.await.unwrap().unwrap(), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_never_answers_less_than_was_acknowledged() {
    let bench = Bench::new();
    insert(&bench.store, project(1, "lab")).await.unwrap();
    let cache = Arc::new(bench.store.records.cached::<ProjectName, Option<u32>>(16));
    let acknowledged = Arc::new(AtomicU32::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let name: ProjectName = "lab".parse().unwrap();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (cache, acknowledged, stop) =
                (Arc::clone(&cache), Arc::clone(&acknowledged), Arc::clone(&stop));
            let name = name.clone();
            tokio::spawn(async move {
                let mut hits = 0_u32;
                while !stop.load(Ordering::SeqCst) {
                    let least = acknowledged.load(Ordering::SeqCst);
                    hits += u32::from(cache.get_if_fresh(&name).is_some());
                    let wanted = name.clone();
                    let days = cache
                        .get(&name, &[project_topic(&name)], move |r| {
                            Ok::<_, RecordError>(r.project(&wanted)?.and_then(|row| row.untagged_days))
                        })
                        .await
                        .unwrap();
                    let seen = days.unwrap_or(0);
                    assert!(seen >= least, "the cache says {seen} after {least} was acknowledged");
                    tokio::task::yield_now().await;
                }
                hits
            })
        })
        .collect();
    for days in 1..=300 {
        let mut row = project(1, "lab");
        row.untagged_days = Some(days);
        assert!(bench.store.records.write(move |w| w.update_project(&row)).await.unwrap());
        acknowledged.store(days, Ordering::SeqCst);
        if days % 10 == 0 {
            // Long enough for the readers to fill the cache now and then.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }
    stop.store(true, Ordering::SeqCst);
    let mut hits = 0;
    for reader in readers {
        hits += reader.await.unwrap();
    }
    assert!(hits > 0, "the cache was never used");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_misses_no_change_and_sleeps_without_one() {
    use hythe_store::records::announcements::readiness_topic;
    let bench = Bench::new();
    let name = "lab/app".parse().unwrap();
    let digest = hythe_oci::Digest::of(hythe_oci::Algorithm::Sha256, b"x");
    let touch = |repository: &str| {
        let (records, name) = (bench.store.records.clone(), repository.parse().unwrap());
        async move { records.write(move |w| w.end_announcement(&name, &digest)).await.unwrap() }
    };
    let mut watch = bench.store.records.watch(readiness_topic(&name));
    let idle = tokio::time::timeout(std::time::Duration::from_millis(30), watch.changed()).await;
    assert!(idle.is_err(), "nothing was written");
    for _ in 0..200 {
        // Before the wait begins, and while it is under way.
        touch("lab/app").await;
        watch.changed().await;
        let (_, ()) = tokio::join!(touch("lab/app"), watch.changed());
    }
}

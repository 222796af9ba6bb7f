//! A server that keeps much: how soon it answers after a start, and what a collection of half of its blobs takes
//! while others push and pull.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::http::{Connection, Take, Target};
use crate::load::{Amount, Round, drive};
use crate::registry::{
    INDEX, MANIFEST, Way, check_blob, digest, empty_index, image_of, noise, push_blob, put_manifest,
};
use crate::servers::{Place, Server, basic, collect};
use crate::table::{Line, Mark, Reach, show, show_limit};

const REPOSITORIES: usize = 100_000;

/// Layers of an image; every second image is deleted before the collection.
const LAYERS: usize = 500;

/// How long the load runs where it is not as long as the collection.
const A_WHILE: Duration = Duration::from_secs(15);

pub(crate) fn all(place: &Place, blobs: usize) {
    // Whole images and as much garbage.
    let blobs = blobs.next_multiple_of(2 * LAYERS);
    let folder = place.fresh("large");
    fill(&folder, blobs);
    let line = Line {
        work: format!("start with {REPOSITORIES} repositories and {blobs} blobs"),
        server: "hythe".to_owned(),
        figures: (0..5).map(|_| first_answer(&folder)).collect(),
        unit: "s to the first answer",
        conditions: "a private manifest pulled with a password (Argon2 included)".to_owned(),
    };
    show_limit(&line, 0.5);
    collection(place, &folder, blobs);
}

fn fill(folder: &Path, blobs: usize) {
    let server = Place::hythe_on(folder, false);
    let target = server.target.with(basic());
    let mut connection = Connection::open(&target).expect("Hythe listens");
    let body = br#"{"name":"lab","visibility":"private"}"#;
    let header = "Content-Type: application/json\r\n";
    let made = connection.ask("POST", "/api/v1/projects", header, body, Take::Nothing);
    assert_eq!(made.expect("Hythe answers").status, 201);
    let manifest = empty_index("one");
    let begin = Instant::now();
    parallel(&target, 0, REPOSITORIES, |connection, number| {
        put_manifest(connection, &format!("lab/repository-{number:06}"), "v1", INDEX, &manifest)
    });
    parallel(&target, 0, blobs, |connection, number| {
        let bytes = blob(number);
        let path = format!("/v2/lab/blobs/blobs/uploads/?digest={}", digest(&bytes));
        let octets = "Content-Type: application/octet-stream\r\n";
        Ok((connection.ask("POST", &path, octets, &bytes, Take::Nothing)?.status, 64))
    });
    // The first one has rested for too long.
    let mut connection = Connection::open(&target).expect("Hythe listens");
    for image in 0..blobs / LAYERS {
        let layers: Vec<_> = (0..LAYERS).map(|layer| (digest(&blob(image * LAYERS + layer)), 64)).collect();
        let manifest = image_of(&mut connection, "lab/blobs", &layers).expect("Hythe takes an image");
        let put = put_manifest(&mut connection, "lab/blobs", &format!("v{image}"), MANIFEST, &manifest);
        assert_eq!(put.expect("Hythe answers").0, 201, "the manifest of {LAYERS} layers is taken");
        if image % 2 == 1 {
            let path = format!("/v2/lab/blobs/manifests/{}", digest(&manifest));
            let deleted = connection.ask("DELETE", &path, "", &[], Take::Nothing);
            assert_eq!(deleted.expect("Hythe answers").status, 202, "every second image is deleted");
        }
    }
    eprintln!("filled in {:.0} s", begin.elapsed().as_secs_f64());
}

fn blob(number: usize) -> Vec<u8> {
    noise(number as u64, 64)
}

/// A blob that an image keeps: one for every number below half of all.
fn kept(number: usize) -> String {
    digest(&blob(number / LAYERS * 2 * LAYERS + number % LAYERS))
}

fn first_answer(folder: &Path) -> f64 {
    let begin = Instant::now();
    let server: Server = Place::hythe_on(folder, false);
    let mut connection = Connection::open(&server.target.with(basic())).expect("Hythe listens");
    let path = "/v2/lab/repository-077777/manifests/v1";
    let answer = connection.ask("GET", path, "", &[], Take::Nothing).expect("Hythe answers");
    assert_eq!(answer.status, 200);
    begin.elapsed().as_secs_f64()
}

fn collection(place: &Place, folder: &Path, blobs: usize) {
    // At the rate an operator gets who sets nothing: what does a pull feel of it?
    let server = Place::hythe_on(folder, false);
    let target = server.target.with(basic());
    let without = beside(&target, blobs, || std::thread::sleep(A_WHILE));
    let with = beside(&target, blobs, || {
        let collector = collect(folder, &[]);
        std::thread::sleep(A_WHILE);
        collector.leave();
    });
    drop(server);
    let line = |server: &str, round: &Round| Line {
        work: "GET of a 64-byte blob, 4 at once, beside 4 pushing 4 KiB".to_owned(),
        server: server.to_owned(),
        figures: vec![round.p99()],
        unit: "ms p99",
        conditions: format!("200×{}", round.requests),
    };
    let lines = [line("hythe, collecting at the default rate", &with), line("hythe, at rest", &without)];
    show(&lines, &[Mark { of: 0, against: 1, reach: Reach::AtMost(2.0) }]);

    let server = Place::hythe_with(folder, false, &[("HYTHE_COLLECTION_RATE", "100000")]);
    let target = server.target.with(basic());
    // What of it is garbage: the mark of a collector that marks and sweeps.
    let (mut seconds, mut links) = (0.0, 0);
    let round = beside(&target, blobs, || {
        let begin = Instant::now();
        (links, _) = collect(folder, &["--dry-run"]).garbage();
        seconds = begin.elapsed().as_secs_f64();
    });
    let line = Line {
        work: format!("find what of {blobs} blobs is garbage, beside 4 pulling and 4 pushing"),
        server: "hythe".to_owned(),
        figures: vec![seconds],
        unit: "s",
        conditions: format!("`gc --dry-run`; {links} links found; GET p99 {:.1} ms", round.p99()),
    };
    show_limit(&line, 30.0);

    // As fast as it can.
    let before = server.process.cpu();
    let mut removed = 0;
    let round = beside(&target, blobs, || {
        let begin = Instant::now();
        (_, removed) = collect(folder, &[]).garbage();
        seconds = begin.elapsed().as_secs_f64();
    });
    let cpu = server.process.cpu() - before;
    let mut connection = Connection::open(&target).expect("Hythe listens");
    for number in (0..blobs / 2).step_by(blobs / 1000) {
        let kept = kept(number);
        check_blob(&mut connection, &format!("/v2/lab/blobs/blobs/{kept}"), &kept)
            .expect("a kept blob is whole");
    }
    let gone = format!("/v2/lab/blobs/blobs/{}", digest(&blob(LAYERS)));
    let answer = connection.ask("GET", &gone, "", &[], Take::Nothing).expect("Hythe answers");
    assert_eq!(answer.status, 404, "garbage is gone");
    let line = Line {
        work: format!("collection of {blobs} blobs, half of them garbage, beside 4 pulling and 4 pushing"),
        server: "hythe, at the highest rate".to_owned(),
        figures: vec![seconds],
        unit: "s",
        conditions: format!(
            "{removed} removed; 500 of the others read back, digest checked; GET p99 {:.1} ms; {cpu:.0} CPU-s in all",
            round.p99()
        ),
    };
    let floor = Line {
        work: line.work.clone(),
        server: "floor: as many files unlinked, 8 at once".to_owned(),
        figures: vec![unlink(place, usize::try_from(removed).expect("a count of blobs"))],
        unit: "s",
        conditions: "the same disk, no records, no load".to_owned(),
    };
    show(&[line, floor], &[Mark { of: 0, against: 1, reach: Reach::Told }]);
}

/// Seconds that the removal of so many small files takes, in as many directories as a store has.
fn unlink(place: &Place, files: usize) -> f64 {
    const AT_ONCE: usize = 8;
    let folder = place.fresh("unlink");
    let path = |number: usize| folder.join(format!("{:02x}", number % 256)).join(number.to_string());
    for directory in 0..256 {
        let made = path(directory);
        fs::create_dir(made.parent().expect("it has one")).expect("the folder of the bench is writable");
    }
    for number in 0..files {
        fs::write(path(number), [0; 64]).expect("the folder of the bench is writable");
    }
    rustix::fs::sync();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for worker in 0..AT_ONCE {
            let path = &path;
            scope.spawn(move || {
                for number in (worker..files).step_by(AT_ONCE) {
                    fs::remove_file(path(number)).expect("it was made above");
                }
            });
        }
    });
    begin.elapsed().as_secs_f64()
}

/// Pulls and pushes while `work` is done; what the pulls saw.
fn beside(target: &Target, blobs: usize, work: impl FnOnce()) -> Round {
    static PUSHED: AtomicUsize = AtomicUsize::new(0);
    let (over, pulls) = (AtomicBool::new(false), Mutex::new(Round::default()));
    std::thread::scope(|scope| {
        for client in 0..4 {
            let (over, pulls) = (&over, &pulls);
            scope.spawn(move || {
                let mut connection = Connection::open(target).expect("the server takes connections");
                let mut latencies = Vec::new();
                let mut number = client * 7919;
                while !over.load(Ordering::Relaxed) {
                    number = (number + 104_729) % (blobs / 2);
                    let path = format!("/v2/lab/blobs/blobs/{}", kept(number));
                    let begin = Instant::now();
                    let answer = connection.ask("GET", &path, "", &[], Take::Nothing).expect("Hythe answers");
                    assert_eq!(answer.status, 200, "a kept blob is served");
                    latencies.push(begin.elapsed().as_secs_f64() * 1e3);
                }
                let mut all = pulls.lock().expect("no client panicked while it added up");
                all.requests += latencies.len() as u64;
                all.latencies.append(&mut latencies);
            });
            scope.spawn(move || {
                let mut connection = Connection::open(target).expect("the server takes connections");
                while !over.load(Ordering::Relaxed) {
                    let number = PUSHED.fetch_add(1, Ordering::Relaxed);
                    let bytes = noise((1 << 40) + number as u64, 4096);
                    let pushed =
                        push_blob(&mut connection, "lab/beside", &digest(&bytes), &bytes, Way::Monolithic);
                    assert_eq!(pushed.expect("Hythe answers").0, 201, "a push goes on");
                }
            });
        }
        work();
        over.store(true, Ordering::Relaxed);
    });
    let mut round = pulls.into_inner().expect("all clients have ended");
    round.latencies.sort_by(f64::total_cmp);
    round
}

/// Runs `request` once for every number, over 16 connections, and insists on 201.
pub(crate) fn parallel(
    target: &Target,
    from: usize,
    to: usize,
    request: impl Fn(&mut Connection, usize) -> crate::load::Outcome + Sync,
) {
    const CLIENTS: usize = 16;
    let amount = Amount { clients: CLIENTS, each: (to - from).div_ceil(CLIENTS) };
    let done = drive(target, amount, |connection, client, number| {
        request(connection, (from + number * CLIENTS + client).min(to - 1))
    });
    assert!(done.statuses.keys().eq([&201]), "everything is taken: {:?}", done.statuses);
}

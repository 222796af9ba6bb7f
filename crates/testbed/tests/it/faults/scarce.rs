//! Too few file descriptors, and a limit on memory: the server sheds what it cannot do and goes on.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use hythe_testbed::http::{Body, Connection};
use hythe_testbed::run_folder::{self, Source};
use hythe_testbed::{Options, noise};

use super::{Scene, refused_in_words};

fn open_descriptors(scene: &Scene) -> usize {
    fs::read_dir(format!("/proc/{}/fd", scene.server.pid())).unwrap().count()
}

/// Lets the server have so many descriptors.
fn limit_descriptors(scene: &Scene, most: usize) {
    let pid = scene.server.pid().to_string();
    let limited = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={most}:")]).status();
    assert!(limited.unwrap().success(), "prlimit belongs to every Debian");
}

#[test]
fn a_server_takes_the_descriptors_it_may_have() {
    let through = ["prlimit", "--nofile=1024:4096"].map(str::to_owned).to_vec();
    let scene = Scene::start(Options { through, ..Options::default() });
    let limits = fs::read_to_string(format!("/proc/{}/limits", scene.server.pid())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert!(files.contains("4096") && !files.contains("1024"), "{files}");
    // It is not enough for the connections that the configuration allows.
    assert!(scene.server.log().contains("LimitNOFILE"), "{}", scene.server.log());
}

#[test]
fn a_server_without_descriptors_refuses_and_recovers() {
    let mut scene = Scene::start(Options::default());
    let bytes = noise("large enough to need its file", 200_000);
    assert_eq!(scene.push(&bytes).status, 201);
    let admin = scene.server.admin();
    let mut kept = Connection::open(scene.server.addr());
    admin.ask("GET", "/v2/").attempt_on(&mut kept).unwrap().is(200);
    limit_descriptors(&scene, open_descriptors(&scene) + 4);
    // The kernel completes these by itself; those the server could not accept wait in its queue.
    let crowd: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(scene.server.addr()).unwrap()).collect();
    let begin = Instant::now();
    while !scene.server.log().contains("cannot accept connections for the moment") {
        assert!(begin.elapsed() < Duration::from_secs(30), "the descriptors did not run out");
        std::thread::sleep(Duration::from_millis(10));
    }
    // Whoever is connected is answered: what needs no descriptor is done, the rest is put off.
    let digest = &scene.acknowledged[0].0;
    let pull = admin.ask("GET", &format!("/v2/lab/app/blobs/{digest}")).attempt_on(&mut kept).unwrap();
    refused_in_words(&pull, 503);
    admin.ask("GET", "/v2/lab/app/manifests/v1").attempt_on(&mut kept).unwrap().is(200);
    let location = admin.ask("POST", "/v2/lab/app/blobs/uploads/").attempt_on(&mut kept).unwrap().is(202);
    let location = hythe_testbed::location_path(&location);
    let patch = admin.ask("PATCH", &location).body(Body::Whole(bytes.clone()));
    refused_in_words(&patch.attempt_on(&mut kept).unwrap(), 503);

    drop(crowd);
    limit_descriptors(&scene, 1024);
    scene.pulls_go_on();
    assert_eq!(scene.push(&noise("after", 50_000)).status, 201);
    scene.is_ready();
    scene.server.stop();
    let said = scene.server.log().matches("requests fail for want of").count();
    assert_eq!(said, 1, "{}", scene.server.log());
}

/// A group of processes with a limit on its memory; removed when this is dropped.
struct MemoryLimit(PathBuf);

impl MemoryLimit {
    fn of(mib: u64) -> Option<Self> {
        let group = PathBuf::from(format!("/sys/fs/cgroup/memory/hythe-test-{}", std::process::id()));
        let made = fs::create_dir(&group)
            .and_then(|()| fs::write(group.join("memory.limit_in_bytes"), (mib << 20).to_string()));
        if let Err(error) = made {
            let why = format!("this machine has no memory groups to make: {error}");
            run_folder::not_run("faults::scarce::memory", Source::Debian, &why);
            return None;
        }
        Some(Self(group))
    }

    fn take_in(&self, pid: i32) {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).unwrap();
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        // Its processes have ended by then, or belong to a test that failed.
        let _ = fs::remove_dir(&self.0);
    }
}

/// The formula of docs/operations.md holds for its terms together: 64 pushes and 64 pulls at once.
#[test]
fn memory_stays_within_a_limit() {
    const AT_ONCE: usize = 64;
    let Some(limit) = MemoryLimit::of(256) else { return };
    let mut scene = Scene::start(Options::default());
    limit.take_in(scene.server.pid());
    let pulled = noise("pulled", 8 << 20);
    assert_eq!(scene.push(&pulled).status, 201);
    let (admin, digest) = (scene.server.admin(), hythe_testbed::digest(&pulled));
    std::thread::scope(|scope| {
        for number in 0..AT_ONCE {
            let (admin, pulled, digest) = (&admin, &pulled, &digest);
            scope.spawn(move || {
                admin.push_blob("lab/app", &noise(&format!("pushed-{number}"), 4 << 20));
            });
            scope.spawn(move || {
                assert!(&admin.get(&format!("/v2/lab/app/blobs/{digest}")).is(200).body == pulled);
            });
        }
    });
    scene.pulls_go_on();
    scene.server.stop();
}

//! The real command line, ended in the middle of a large layer by `kill -9` or Ctrl-C, and begun again: it goes on, and
//! whoever waits for the image sees it come.

use std::fs::File;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use hythe_testbed::{
    Content, Family, Image, Outcome, Relay, Role, Signal, Tool, Way, digest, layout_folder, noise, run_folder,
};
use rustix::process::{Pid, kill_process};
use serde_json::Value;

use super::{Scene, cli_at, listing};

const MIB: u64 = 1 << 20;

/// The layer that is interrupted.
const LAYER: u64 = 64 * MIB;

/// Parts of a layer that a pull has under way: four that come, and three on their way to the disk (being written, waiting for
/// that, being handed on).
const PARTS: u64 = (4 + 3) * 4 * MIB;

/// Requests and answers beside the bytes of blobs.
const TALK: u64 = 256 * 1024;

fn image(seed: &str) -> Image {
    let media_type = "application/vnd.oci.image.layer.v1.tar+gzip".to_owned();
    let layer = Content { media_type, bytes: noise(seed, usize::try_from(LAYER).unwrap()) };
    Image::of_blobs(Family::Oci, vec![layer], "amd64")
}

fn layout(image: &Image) -> String {
    let folder = layout_folder(&[("v1", &image.manifest)], &image.blobs.iter().collect::<Vec<_>>());
    format!("oci:{}", folder.display())
}

/// A command under way.
struct Running {
    child: Child,
    folder: std::path::PathBuf,
}

impl Running {
    fn start(cli: &Tool, arguments: &[&str]) -> Self {
        let folder = run_folder::fresh("running");
        let mut command = cli.command(arguments);
        command
            .stdin(Stdio::null())
            .stdout(File::create(folder.join("out")).unwrap())
            .stderr(File::create(folder.join("err")).unwrap());
        Self { child: command.spawn().unwrap(), folder }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// How it ended: its exit code, what it printed, what it said.
    fn ended(mut self) -> (Option<i32>, String, String) {
        let status = self.child.wait().unwrap().code();
        let read = |name: &str| std::fs::read_to_string(self.folder.join(name)).unwrap();
        (status, read("out"), read("err"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already, unless the test failed before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Asks until the answer is the one that is waited for.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begin.elapsed() < Duration::from_secs(100), "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn percent(status: &Outcome) -> Option<u64> {
    let status: Value = serde_json::from_str(&status.stdout).ok()?;
    (status["status"] == "PENDING").then(|| status["places"][0]["percent"].as_u64()).flatten()
}

#[test]
fn a_push_goes_on_after_a_kill_and_who_waits_sees_it_come() {
    let scene = Scene::new();
    let image = image(&scene.bench.project);
    let (one, two) = (layout(&image), layout(&image));
    let relay = Relay::start(scene.bench.server.addr());
    let slow = |scene: &Scene| cli_at(hythe_testbed::Hythe::binary(), &relay.host(), Some(&scene.pusher));
    let name = format!("{}@{}", scene.bench.repository, image.manifest.digest());
    let tagged = format!("{}:v1", scene.bench.repository);
    let direct = scene.cli();
    let status = || direct.run(&["--output", "json", "status", &name]);
    assert_eq!(status().status, Some(5), "{}", status());
    let waiting = Running::start(&scene.cli(), &["--output", "json", "wait", "--timeout", "180s", &name]);
    relay.hold_after(Way::Up, 24 * MIB);
    let pushing = Running::start(&slow(&scene), &["push", "--progress", "none", &one, &tagged]);
    relay.wait_for_hold(Way::Up);
    until("the announcement", || percent(&status()));
    pushing.signal(Signal::KILL);
    assert_eq!(pushing.ended().0, None);
    relay.release();
    let reached = until("what had arrived", || percent(&status()).filter(|percent| *percent >= 20));
    assert!(reached < 100, "{reached}");
    println!("{reached} % after the kill, {} bytes", relay.passed(Way::Up));
    // From another folder, by another process, with another home.
    let again = slow(&scene).run(&["--output", "json", "push", "--progress", "none", &two, &tagged]).ok();
    let pushed: Value = serde_json::from_str(&again.stdout).unwrap();
    let sent = relay.passed(Way::Up);
    println!("{sent} bytes sent in all for {LAYER}, {} of them the second time", pushed["bytes_sent"]);
    assert!(sent <= LAYER + 4 * MIB + TALK, "{sent} bytes");
    let (ended, out, err) = waiting.ended();
    assert_eq!(ended, Some(0), "{err}");
    let out: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (out["status"].as_str(), out["digest"].as_str()),
        (Some("READY"), Some(&*image.manifest.digest()))
    );
    assert_eq!(scene.whole("v1"), image.manifest.digest());
}

#[test]
fn a_pull_goes_on_after_a_kill() {
    let scene = Scene::new();
    let image = image(&scene.bench.project);
    scene.bench.admin.push_image(&scene.bench.repository, "v1", &image);
    let relay = Relay::start(scene.bench.server.addr());
    let folder = run_folder::fresh("pulled").join("layout");
    let cli = cli_at(hythe_testbed::Hythe::binary(), &relay.host(), Some(&scene.pusher));
    let (name, to) = (format!("{}:v1", scene.bench.repository), format!("oci:{}", folder.display()));
    let arguments = ["pull", "--progress", "none", &name, &to];
    relay.hold_after(Way::Down, 40 * MIB);
    let pulling = Running::start(&cli, &arguments);
    relay.wait_for_hold(Way::Down);
    pulling.signal(Signal::KILL);
    assert_eq!(pulling.ended().0, None);
    relay.release();
    // Nothing has its name that is not whole.
    assert!(!folder.join("index.json").exists());
    for path in listing(&folder).into_keys().filter(|path| path.is_file()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            name == "oci-layout"
                || name.ends_with(".partial")
                || digest(&std::fs::read(&path).unwrap()) == format!("sha256:{name}"),
            "{name}"
        );
    }
    let before = relay.passed(Way::Down);
    cli.run(&arguments).ok();
    let received = relay.passed(Way::Down);
    println!("{received} bytes received in all for {LAYER}, {} of them the second time", received - before);
    assert!(received <= LAYER + PARTS + TALK, "{received} bytes");
    let layer = folder.join("blobs/sha256").join(image.blobs[1].digest().replace("sha256:", ""));
    assert_eq!(digest(&std::fs::read(layer).unwrap()), image.blobs[1].digest());
    assert!(folder.join("index.json").exists());
}

#[test]
fn a_person_may_end_a_transfer() {
    let scene = Scene::new();
    let image = image(&scene.bench.project);
    let relay = Relay::start(scene.bench.server.addr());
    let cli = cli_at(hythe_testbed::Hythe::binary(), &relay.host(), Some(&scene.pusher));
    let name = format!("{}:v1", scene.bench.repository);
    let source = layout(&image);
    let folder = run_folder::fresh("pulled");
    let (to_layout, to_archive) =
        (format!("oci:{}/layout", folder.display()), format!("archive:{}/image.tar", folder.display()));
    let push = ["push", "--progress", "none", &source, &name];
    let into_layout = ["pull", "--progress", "none", &name, &to_layout];
    let into_archive = ["pull", "--progress", "none", &name, &to_archive];
    for (arguments, way, signal, code, word) in [
        (push, Way::Up, Signal::INT, 130, "Interrupted"),
        (push, Way::Up, Signal::TERM, 143, "Terminated"),
        (into_layout, Way::Down, Signal::INT, 130, "Interrupted"),
        (into_archive, Way::Down, Signal::INT, 130, "Interrupted"),
    ] {
        if way == Way::Down {
            scene.bench.admin.push_image(&scene.bench.repository, "v1", &image);
        }
        relay.hold_after(way, 8 * MIB);
        let running = Running::start(&cli, &arguments);
        relay.wait_for_hold(way);
        running.signal(signal);
        let (ended, out, err) = running.ended();
        relay.release();
        println!("{arguments:?}: {err}");
        assert_eq!((ended, out.as_str()), (Some(code), ""), "{err}");
        assert!(err.contains(word) && err.contains("hint: run the same command again"), "{err}");
        assert!(!folder.join("layout/index.json").exists());
        let files = listing(&folder).into_keys().filter(|path| !path.starts_with(folder.join("layout")));
        assert_eq!(files.collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());
        if way == Way::Up {
            scene.bench.admin.get(&scene.bench.path("manifests/v1")).is(404);
        }
        std::fs::remove_dir_all(folder.join("layout")).ok();
    }
    for arguments in [into_layout, into_archive] {
        cli.run(&arguments).ok();
    }
    assert!(folder.join("image.tar").exists() && folder.join("layout/index.json").exists());
    // Somebody who may not push is told at once, and not after the layer.
    let reader = scene.bench.member(Role::Reader);
    let cli = cli_at(hythe_testbed::Hythe::binary(), &relay.host(), Some(&reader));
    let before = relay.passed(Way::Up);
    let refused = cli.run(&push);
    assert_eq!(refused.status, Some(4), "{refused}");
    assert!(relay.passed(Way::Up) - before < MIB);
}

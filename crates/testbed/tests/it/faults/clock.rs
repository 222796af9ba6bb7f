//! A clock that is set a day ahead or back under a running server: rights fail closed, nothing goes that an image
//! needs, and work goes on.

use std::fs;
use std::path::{Path, PathBuf};

use hythe_testbed::http::Body;
use hythe_testbed::run_folder::{self, Source};
use hythe_testbed::{Actor, Control, Family, Options, Packing, digest, image, location_path, noise};

use super::Scene;

const DAY: i64 = 24 * 60 * 60;

/// Where Debian puts the library that tells programs another time.
const LIBRARIES: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
];

/// The server's wall clock; its monotonic clock goes on as it is.
struct WallClock(PathBuf);

impl WallClock {
    fn of_a_server() -> Option<(Self, Options)> {
        let Some(library) = LIBRARIES.iter().find(|path| Path::new(path).exists()) else {
            run_folder::not_run("faults::clock", Source::Debian, "faketime is not installed");
            return None;
        };
        let clock = Self(run_folder::fresh("clock").join("offset"));
        clock.set(0);
        let variables = [
            ("LD_PRELOAD", (*library).to_owned()),
            ("FAKETIME_TIMESTAMP_FILE", clock.0.to_str().unwrap().to_owned()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        let environment = variables.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Some((clock, Options { environment, ..Options::default() }))
    }

    /// Sets the clock so many seconds away from the real time.
    fn set(&self, seconds: i64) {
        let draft = self.0.with_extension("new");
        fs::write(&draft, format!("{seconds:+}")).unwrap();
        fs::rename(draft, &self.0).unwrap();
    }
}

fn token(scene: &Scene) -> Actor {
    let answer = scene.server.admin().get("/token?scope=repository:lab/app:pull,push").is(200);
    Actor::bearer(scene.server.addr(), answer.json()["token"].as_str().unwrap())
}

#[test]
fn a_day_ahead_and_a_day_back() {
    let Some((clock, options)) = WallClock::of_a_server() else { return };
    let mut scene = Scene::start(options);
    let manifest = "/v2/lab/app/manifests/v1";
    let bytes = noise("begun before", 50_000);
    for (step, name) in [(DAY, "ahead"), (-DAY, "back"), (0, "right")] {
        let before = token(&scene);
        before.get(manifest).is(200);
        let location = scene.server.admin().open_upload("lab/app");
        let first = scene.server.admin().ask("PATCH", &location).body(Body::Whole(bytes[..20_000].to_vec()));
        let location = location_path(&first.send().is(202));
        clock.set(step);
        // A token of another day has expired, or its time has not come; it is never good by accident.
        before.get(manifest).is(401);
        token(&scene).get(manifest).is(200);
        // A collection that believes the clock removes nothing that an image needs.
        Control::of(&scene.server.data_folder()).collect().unwrap();
        scene.pulls_go_on();
        // An upload goes on, or is over and says so.
        let status = scene.server.admin().get(&location).one_of(&[204, 404]);
        if status.status == 204 {
            let closed = scene.server.admin().close_upload(&location, &digest(&bytes), &bytes[20_000..]);
            assert_eq!(closed.is(201).must("docker-content-digest"), digest(&bytes));
        }
        let pushed = image(Family::Oci, Packing::Gzip, name, "amd64");
        scene.server.admin().push_image("lab/app", name, &pushed);
        for blob in pushed.blobs {
            scene.acknowledged.push((blob.digest(), blob.bytes));
        }
        scene.pulls_go_on();
        scene.is_ready();
        let metrics = scene.server.anonymous().get("/metrics").is(200).body;
        let negative =
            String::from_utf8(metrics).unwrap().lines().find(|line| line.contains(" -")).map(str::to_owned);
        // The comment lines are prose, and may hold a dash.
        assert!(negative.as_ref().is_none_or(|line| line.starts_with('#')), "{negative:?}");
    }
    assert_eq!(scene.server.stop(), 0);
}

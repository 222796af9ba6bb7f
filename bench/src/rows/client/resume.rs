//! A push that is killed at half of a layer of a GiB, and again from another folder by another process: what is sent twice.

use std::fs;
use std::time::Duration;

use super::{Client, relay};
use crate::command::{run, run_and_kill};
use crate::relay::{Line as LongLine, Relay};
use crate::servers::Place;
use crate::table::{Line, show_limit};

/// No delay and no limit: the line only counts.
const COUNTING: LongLine = LongLine { round_trip: Duration::ZERO, rate: None };

/// What may be sent twice: one piece on the way.
const PIECE: f64 = 8.0;

pub(crate) fn push(place: &Place) {
    let layout = relay::large(place);
    let server = place.hythe(false);
    let line = Relay::start(server.target.address, COUNTING);
    let half = layout.bytes() / 2;
    let first = Client::hythe(place);
    run_and_kill(&mut first.push(&layout.folder, line.address, "lab/app:v1"), &first.log(), |_| {
        while line.sent() < half {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let elsewhere = place.fresh("elsewhere").join("image");
    fs::rename(&layout.folder, &elsewhere).expect("the folder of the bench is writable");
    let killed_at = line.sent();
    // Another process with another home: it knows nothing but the image.
    let second = Client::hythe(place);
    let ran = run(&mut second.push(&elsewhere, line.address, "lab/app:v1"), &second.log());
    let again = line.sent().saturating_sub(layout.bytes());
    #[expect(clippy::cast_precision_loss, reason = "a layer has less than 2^53 bytes")]
    let mib = again as f64 / f64::from(1 << 20);
    let line = Line {
        work: "kill -9 at half of a layer, push again from another folder: sent twice".to_owned(),
        server: "hythe".to_owned(),
        figures: vec![mib],
        unit: "MiB",
        conditions: format!(
            "layer of {} MiB, killed after {} MiB, headers and manifests counted; {:.1} s for the rest; resending everything: {} MiB",
            layout.bytes() >> 20,
            killed_at >> 20,
            ran.wall,
            killed_at >> 20
        ),
    };
    show_limit(&line, PIECE);
}

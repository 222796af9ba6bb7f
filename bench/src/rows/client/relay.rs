//! A pull of one large layer over a long line: ten milliseconds of delay, and no connection faster than 50 MB/s.

use std::fs;
use std::time::Duration;

use super::{Client, Kind, best, lines};
use crate::command::{Ran, run};
use crate::image::{Layout, Text, check, layer};
use crate::relay::{Line as LongLine, Relay};
use crate::servers::Place;
use crate::table::{Mark, Reach, show};

/// Of each file in the layer: the noise and what is left of the text are about a GiB.
const HALF: usize = 850 << 20;

const LINE: LongLine = LongLine { round_trip: Duration::from_millis(10), rate: Some(50e6) };

/// An image of one layer of about a GiB.
pub(super) fn large(place: &Place) -> Layout {
    let work = place.fresh("layers");
    let text = Text::gather(100 << 20);
    let mut layout = Layout::new(work.join("image"));
    let tar = layer(&work, 7, HALF, &text);
    layout.add(&tar);
    layout.finish();
    layout
}

pub(crate) fn pull(place: &Place, rounds: usize) {
    let layout = large(place);
    let server = place.hythe(false);
    let clients = Client::all(place);
    run(&mut clients[0].push(&layout.folder, server.target.address, "open/app:v1"), &clients[0].log());
    let relay = Relay::start(server.target.address, LINE);
    let clients: Vec<_> = clients.into_iter().filter(|client| client.kind != Kind::Regctl).collect();
    let mut pulled: Vec<Vec<Ran>> = vec![Vec::new(); clients.len()];
    // The line is what takes the time: a few rounds are enough, and none is needed to warm up.
    for _ in 0..rounds.min(3) {
        for (side, client) in clients.iter().enumerate() {
            let folder = place.fresh("pulled").join("image");
            pulled[side].push(run(&mut client.pull(&folder, relay.address, "open/app:v1"), &client.log()));
            check(&folder, layout.layers());
            fs::remove_dir_all(folder).expect("the folder of the bench is writable");
        }
    }
    let conditions = "10 ms, 50 MB/s a connection; one layer, digest checked";
    let lines: Vec<_> = clients
        .iter()
        .zip(&pulled)
        .map(|(client, rounds)| {
            let [time, _] = lines(
                "pull of one layer over a long line",
                client.kind.name(),
                rounds,
                layout.bytes(),
                conditions,
            );
            time
        })
        .collect();
    let marks =
        best(&lines, 1..lines.len()).map(|against| Mark { of: 0, against, reach: Reach::AtMost(0.5) });
    show(&lines, marks.as_slice());
}

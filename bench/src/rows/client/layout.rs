//! An image of twelve layers and a GiB, from and to an OCI layout: `hythe` beside skopeo, crane and regctl.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Client, Kind, best, lines};
use crate::command::{Ran, run};
use crate::image::{Layout, Text, check, layer};
use crate::servers::Place;
use crate::table::{Line, Mark, Reach, show};

const LAYERS: u64 = 12;

/// Of each file in a layer: noise does not shrink, the text to about a fifth.
const HALF: usize = 72 << 20;

/// The image that all of them move.
pub(super) fn made(place: &Place) -> (Layout, String) {
    let work = place.fresh("layers");
    let text = Text::gather(2 * HALF);
    let mut layout = Layout::new(work.join("image"));
    for seed in 0..LAYERS {
        let tar = layer(&work, 1000 + seed, HALF, &text);
        layout.add(&tar);
    }
    let digest = layout.finish();
    (layout, digest)
}

pub(crate) fn push_and_pull(place: &Place, rounds: usize) {
    let (layout, digest) = made(place);
    let clients = Client::all(place);
    let with = |floors: &[&'static str]| -> Vec<(&str, Vec<Ran>)> {
        let names = clients.iter().map(|client| client.kind.name()).chain(floors.iter().copied());
        names.map(|name| (name, Vec::new())).collect()
    };
    let (mut pushed, mut pulled) = (with(&["floor", "sendfile alone"]), with(&["floor"]));
    let floor = clients.len();
    for round in 0..=rounds {
        // Nobody is always the first, or always behind the same one.
        for side in (0..clients.len()).map(|turn| (turn + round) % clients.len()) {
            let client = &clients[side];
            // A fresh registry each time: nothing is there yet, and the disk never holds more than one image.
            let server = place.hythe(false);
            let address = server.target.address;
            let image = "open/app:v1";
            touch_memory(layout.bytes());
            read_all(&layout.folder.join("blobs/sha256"));
            let ran = run(&mut client.push(&layout.folder, address, image), &client.log());
            let folder = place.fresh("pulled").join("image");
            touch_memory(layout.bytes());
            let back = run(&mut client.pull(&folder, address, image), &client.log());
            check(&folder, layout.layers());
            if round > 0 {
                pushed[side].1.push(ran);
                pulled[side].1.push(back);
            }
            if client.kind == Kind::Hythe {
                for (nth, kind) in ["send", "sendfile"].into_iter().enumerate() {
                    touch_memory(layout.bytes());
                    let ran = floor_push(place, &layout, kind);
                    if round > 0 {
                        pushed[floor + nth].1.push(ran);
                    }
                }
                touch_memory(layout.bytes());
                let back = floor_pull(place, &layout, address);
                if round > 0 {
                    pulled[floor].1.push(back);
                }
            }
            let folder_of = server.folder.clone();
            drop(server);
            fs::remove_dir_all(folder_of).expect("the folder of the bench is writable");
            fs::remove_dir_all(folder).expect("the folder of the bench is writable");
        }
    }
    let conditions = format!("twelve layers, digests checked, {}", &digest[..19]);
    for (work, rounds) in [("push from a layout", &pushed), ("pull to a layout", &pulled)] {
        compare(work, rounds, floor, layout.bytes(), &conditions);
    }
}

/// Has the machine hold memory for what is to be written, as much again besides. The host of a virtual machine takes back
/// what was free for a second or two, and giving it again would be counted as the CPU of whoever writes next.
fn touch_memory(bytes: u64) {
    let size = usize::try_from(2 * bytes).expect("an image of the bench fits into memory");
    drop(std::hint::black_box(vec![1_u8; size]));
}

/// What is sent is in the page cache, for everybody.
fn read_all(folder: &Path) {
    for entry in fs::read_dir(folder).expect("the image is there") {
        let file = entry.and_then(|entry| fs::File::open(entry.path()));
        let read = file.and_then(|mut file| std::io::copy(&mut file, &mut std::io::sink()));
        read.expect("the image can be read");
    }
}

/// Prints times, then CPU: Hythe against the best of the others, and against what stands from `floor` on.
fn compare(work: &str, rounds: &[(&str, Vec<Ran>)], floor: usize, bytes: u64, conditions: &str) {
    let both = rounds.iter().map(|(name, rounds)| lines(work, name, rounds, bytes, conditions));
    let (times, cpus): (Vec<Line>, Vec<Line>) = both.map(|[time, cpu]| (time, cpu)).unzip();
    for (lines, most) in [(times, 1.0), (cpus, 0.8)] {
        let best = best(&lines, 1..floor);
        let told = (1..lines.len()).filter(|against| Some(*against) != best);
        let mut marks: Vec<_> = told.map(|against| Mark { of: 0, against, reach: Reach::Told }).collect();
        marks.extend(best.map(|against| Mark { of: 0, against, reach: Reach::AtMost(most) }));
        show(&lines, &marks);
    }
}

fn floor(kind: &str, address: std::net::SocketAddr, files: &Path, folder: &Path, log: &Path) -> Ran {
    let mut command = Command::new(std::env::current_exe().expect("a running program has a path"));
    run(command.args(["floor", kind, &address.to_string()]).arg(files).arg(folder), log)
}

fn floor_push(place: &Place, layout: &Layout, kind: &str) -> Ran {
    let folder = place.fresh("floor-push");
    let server = place.floor("push", &folder);
    let ran =
        floor(kind, server.target.address, &layout.folder.join("blobs/sha256"), &folder, &folder.join("log"));
    let stored = server.folder.clone();
    drop(server);
    fs::remove_dir_all(stored).expect("the folder of the bench is writable");
    ran
}

fn floor_pull(place: &Place, layout: &Layout, registry: std::net::SocketAddr) -> Ran {
    let folder = place.fresh("floor-pull");
    let list = folder.join("list");
    let paths: Vec<_> =
        layout.layers().iter().map(|layer| format!("/v2/open/app/blobs/{}", layer.digest)).collect();
    fs::write(&list, paths.join("\n")).expect("the folder of the bench is writable");
    let ran = floor("fetch", registry, &list, &folder, &folder.join("log"));
    fs::remove_dir_all(folder).expect("the folder of the bench is writable");
    ran
}

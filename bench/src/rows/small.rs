//! Many small durable writes: 4 KiB blobs and moving tags, 16 at once.

use super::{Side, interleaved};
use crate::http::Connection;
use crate::load::{Amount, Round, median, run};
use crate::registry::{INDEX, Way, check_blob, digest, empty_index, noise, push_blob, put_manifest};
use crate::servers::{Place, Server, basic};
use crate::table::{Line, Mark, Reach, checked, show};

const CLIENTS: usize = 16;

pub(crate) fn blobs(place: &Place, rounds: usize) {
    let (hythe, peers) = (place.hythe(false), Peers::start(place));
    let sides = peers.beside(&hythe);
    let each = 60;
    let amount = Amount { clients: CLIENTS, each };
    let blob = |client: usize, number: usize| noise((number * 64 + client) as u64, 4096);
    let push = |side: usize, connection: &mut Connection, client: usize, number: usize| {
        let bytes = blob(client, number);
        push_blob(connection, repository(side), &digest(&bytes), &bytes, Way::Monolithic)
    };
    let measured = interleaved(rounds, &sides, amount, push);
    for (index, side) in sides.iter().enumerate() {
        let mut connection = Connection::open(&side.target).expect("the server takes connections");
        let digest = digest(&blob(3, rounds * 1_000_000 + 5));
        let path = format!("/v2/{}/blobs/{digest}", repository(index));
        check_blob(&mut connection, &path, &digest).expect("what was pushed can be pulled");
    }
    let syncs =
        syncs(&sides, |index, connection, number| push(index, connection, 40, 50_000_000 + number).map(drop));
    two_tables("push 4 KiB blob, 16 at once", &sides, &measured, &syncs);
}

pub(crate) fn tags(place: &Place, rounds: usize) {
    let (hythe, peers) = (place.hythe(false), Peers::start(place));
    let sides = peers.beside(&hythe);
    // Two manifests, between which every tag moves.
    let manifests = [empty_index("one"), empty_index("two")];
    fill(&sides, &manifests[0], 0, 100);
    let movement = |side: usize, connection: &mut Connection, client: usize, number: usize| {
        let tag = format!("tag-{}", (client * 37 + number) % 100);
        put_manifest(connection, repository(side), &tag, INDEX, &manifests[number % 2])
    };
    let amount = Amount { clients: CLIENTS, each: 60 };
    let measured = interleaved(rounds, &sides, amount, movement);
    let syncs = syncs(&sides, |index, connection, number| movement(index, connection, 0, number).map(drop));
    two_tables("move a tag among 100, 16 at once", &sides, &measured, &syncs);

    fill(&sides[..1], &manifests[0], 100, 100_000);
    let many = interleaved(
        rounds,
        &sides[..1],
        Amount { clients: CLIENTS, each: 600 },
        |_, connection, client, number| {
            let tag = format!("tag-{}", (client * 6007 + number * 97) % 100_000);
            put_manifest(connection, "lab/app", &tag, INDEX, &manifests[number % 2])
        },
    );
    let few = interleaved(rounds, &sides[..1], Amount { clients: CLIENTS, each: 600 }, movement);
    let line = |work: &str, rounds: &[Round]| Line {
        work: work.to_owned(),
        server: work.to_owned(),
        figures: rounds.iter().map(Round::rate).collect(),
        unit: "per second",
        conditions: checked(&rounds[0], "signed in; synced"),
    };
    let lines = [line("hythe, any of 100,000 tags", &many[0]), line("hythe, the same 100 of them", &few[0])];
    show(&lines, &[Mark { of: 0, against: 1, reach: Reach::Told }]);
}

/// Whoever takes pushes besides us.
struct Peers(Vec<Server>);

impl Peers {
    fn start(place: &Place) -> Self {
        let zot = place.zot();
        if zot.is_none() {
            println!("| | zot | not measured: `ZOT` names no program | | |");
        }
        Self(place.distribution(None).into_iter().chain(zot).collect())
    }

    fn beside<'a>(&'a self, hythe: &'a Server) -> Vec<Side<'a>> {
        let peer = |peer: &'a Server| Side::new(peer, peer.target.clone(), &peer.name, "no sign-in");
        let hythe = Side::new(hythe, hythe.target.with(basic()), "hythe", "signed in: nobody pushes without");
        [hythe].into_iter().chain(self.0.iter().map(peer)).collect()
    }
}

fn repository(side: usize) -> &'static str {
    if side == 0 { "lab/app" } else { "app" }
}

fn fill(sides: &[Side<'_>], manifest: &[u8], from: usize, to: usize) {
    for (index, side) in sides.iter().enumerate() {
        let clients = CLIENTS.min(to - from);
        let amount = Amount { clients, each: (to - from).div_ceil(clients) };
        let filled = run(&side.server.process, &side.target, amount, |connection, client, number| {
            let tag = format!("tag-{}", (from + number * clients + client).min(to - 1));
            put_manifest(connection, repository(index), &tag, INDEX, manifest)
        });
        assert!(filled.statuses.keys().eq([&201]), "tags are taken: {:?}", filled.statuses);
    }
}

/// Syncs per write of each side when 16 write at once, counted apart from the measured rounds.
fn syncs(
    sides: &[Side<'_>],
    write: impl Fn(usize, &mut Connection, usize) -> std::io::Result<()> + Sync,
) -> Vec<String> {
    let count = |(index, side): (usize, &Side<'_>)| {
        let each = 20;
        let counted = side.server.process.syncs(|| {
            std::thread::scope(|scope| {
                for client in 0..CLIENTS {
                    let write = &write;
                    scope.spawn(move || {
                        let mut connection =
                            Connection::open(&side.target).expect("the server takes connections");
                        for number in 0..each {
                            write(index, &mut connection, client * each + number)
                                .expect("the server answers");
                        }
                    });
                }
            });
        });
        #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
        let each_write = |count: u64| count as f64 / (CLIENTS * each) as f64;
        counted.map_or_else(
            || "syncs not counted (no strace)".to_owned(),
            |count| format!("{:.2} syncs a write", each_write(count)),
        )
    };
    sides.iter().enumerate().map(count).collect()
}

fn two_tables(work: &str, sides: &[Side<'_>], measured: &[Vec<Round>], syncs: &[String]) {
    let lines = |unit: &'static str, figure: fn(&Round) -> f64| -> Vec<Line> {
        let sides = sides.iter().zip(measured).zip(syncs);
        sides
            .map(|((side, rounds), syncs)| {
                let p99 = median(rounds.iter().map(Round::p99).collect());
                let conditions = format!("{}; {syncs}; p99 {p99:.1} ms", side.conditions);
                Line {
                    work: work.to_owned(),
                    server: side.label.clone(),
                    figures: rounds.iter().map(figure).collect(),
                    unit,
                    conditions: checked(&rounds[0], &conditions),
                }
            })
            .collect()
    };
    let against = |reach| (1..sides.len()).map(move |against| Mark { of: 0, against, reach });
    let faster: Vec<Mark> = against(Reach::AtLeast(5.0)).collect();
    show(&lines("per second", Round::rate), &faster);
    let cheaper: Vec<Mark> = against(Reach::AtMost(0.1)).collect();
    show(&lines("µs CPU each", Round::cpu_per_request), &cheaper);
}

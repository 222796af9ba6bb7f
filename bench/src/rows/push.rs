//! Push of large blobs, synced: docker's way and monolithic, beside distribution and the floor.

use super::{Side, interleaved};
use crate::http::{Connection, Take};
use crate::load::{Amount, Round, median};
use crate::registry::{Way, digest, noise, push_blob};
use crate::servers::{Place, basic};
use crate::table::{Line, Mark, Reach, checked, show};

const BLOB: usize = 100 << 20;
const EACH: usize = 4;

/// The blobs of one round: each round pushes new ones.
struct Batch(Vec<(String, Vec<u8>)>);

fn batch(round: usize) -> Batch {
    let blobs = (0..EACH).map(|number| {
        let bytes = noise((round * 100 + number) as u64, BLOB);
        (digest(&bytes), bytes)
    });
    Batch(blobs.collect())
}

pub(crate) fn large(place: &Place, rounds: usize) {
    let hythe = place.hythe(false);
    let floor = place.floor("push", &hythe.folder);
    let distribution = place.distribution(None);
    for way in [Way::Patch, Way::Monolithic] {
        let mut sides = vec![
            Side::new(&hythe, hythe.target.with(basic()), "hythe", "signed in: nobody pushes without"),
            Side::new(&floor, floor.target.clone(), "floor: receive, hash, write, sync", "no rules"),
        ];
        if let Some(distribution) = &distribution {
            sides.push(Side::new(
                distribution,
                distribution.target.clone(),
                &distribution.name,
                "no sign-in",
            ));
        }
        let name = if way == Way::Patch { "PATCH stream" } else { "monolithic" };
        let base = if way == Way::Patch { 0 } else { 50 };
        // Made before anything is measured: the noise takes longer than the push.
        let batches: Vec<Batch> = (0..=rounds + 1).map(|round| batch(base + round)).collect();
        let push = |side: usize, connection: &mut Connection, round: usize, number: usize| {
            let (digest, bytes) = &batches[round].0[number];
            if side == 1 {
                let answer = connection.ask("PUT", "/", "", bytes, Take::Nothing)?;
                return Ok((answer.status, bytes.len() as u64));
            }
            let repository = if side == 0 { "lab/app" } else { "app" };
            push_blob(connection, repository, digest, bytes, way)
        };
        let amount = Amount { clients: 1, each: EACH };
        let measured = interleaved(rounds, &sides, amount, |side, connection, _, number| {
            push(side, connection, number / 1_000_000, number % 1_000_000)
        });
        let syncs: Vec<String> = (0..sides.len())
            .map(|index| {
                // Counted apart: being watched costs time.
                let counted = sides[index].server.process.syncs(|| {
                    let target = &sides[index].target;
                    let mut connection = Connection::open(target).expect("the server takes connections");
                    push(index, &mut connection, rounds + 1, 0).expect("the server answers");
                });
                counted.map_or_else(
                    || "syncs not counted (no strace)".to_owned(),
                    |count| format!("{count} syncs a push"),
                )
            })
            .collect();
        for (side, repository) in [(0, "lab/app"), (2, "app")] {
            let Some(side) = sides.get(side) else { continue };
            let mut connection = Connection::open(&side.target).expect("the server takes connections");
            let (digest, _) = &batches[rounds].0[0];
            let path = format!("/v2/{repository}/blobs/{digest}");
            crate::registry::check_blob(&mut connection, &path, digest)
                .expect("what was pushed can be pulled");
        }
        let lines: Vec<Line> = sides
            .iter()
            .zip(&measured)
            .zip(&syncs)
            .map(|((side, rounds), syncs)| {
                let seconds = median(rounds.iter().map(|round| round.wall).collect());
                let cores = median(rounds.iter().map(|round| round.cpu / round.wall).collect());
                let conditions = format!(
                    "digest checked; {}; {syncs}; {seconds:.2} s wall, {cores:.2} cores",
                    side.conditions
                );
                Line {
                    work: format!("push 100 MiB, {name}"),
                    server: side.label.clone(),
                    figures: rounds.iter().map(Round::cpu_per_gib).collect(),
                    unit: "CPU-s/GiB",
                    conditions: checked(&rounds[0], &conditions),
                }
            })
            .collect();
        let mut marks = vec![Mark { of: 0, against: 1, reach: Reach::Told }];
        if distribution.is_some() {
            marks.push(Mark { of: 0, against: 2, reach: Reach::AtMost(0.6) });
        }
        show(&lines, &marks);
    }
}

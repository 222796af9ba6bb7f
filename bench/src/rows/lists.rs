//! Pages of long lists, and the start of a server that keeps much.

use std::time::Instant;

use crate::http::{Connection, Take, Target};
use crate::load::{Amount, Round, drive, run};
use crate::registry::{INDEX, digest, empty_index, noise, put_manifest};
use crate::servers::{Place, Server, basic};
use crate::table::{Line, checked, show_limit};

/// Pages of 100 at 1,000 and at 100,000.
pub(crate) fn pages(place: &Place, rounds: usize) {
    let hythe = place.hythe(false);
    let target = hythe.target.with(basic());
    let manifest = empty_index("one");
    let mut reached = 0;
    for total in [1_000, 100_000] {
        parallel(&target, reached, total, |connection, number| {
            let tag = format!("tag-{number:06}");
            put_manifest(connection, "lab/tags", &tag, INDEX, &manifest)?;
            put_manifest(connection, &format!("lab/repository-{number:06}"), "v1", INDEX, &manifest)
        });
        reached = total;
        for (what, path) in [
            ("tags page", "/v2/lab/tags/tags/list?n=100&last=tag-000500"),
            ("catalogue page", "/v2/_catalog?n=100&last=lab/repository-000500"),
            ("/api/v1 repositories page", "/api/v1/projects/lab/repositories?limit=100"),
        ] {
            let figures: Vec<Round> = (0..=rounds)
                .map(|_| {
                    run(&hythe.process, &target, Amount { clients: 4, each: 500 }, |connection, _, _| {
                        let answer = connection.ask("GET", path, "", &[], Take::Nothing)?;
                        Ok((answer.status, answer.length))
                    })
                })
                .skip(1)
                .collect();
            let line = Line {
                work: format!("{what}, 100 of {total}"),
                server: "hythe".to_owned(),
                figures: figures.iter().map(|round| round.cpu_per_request() / 1e3).collect(),
                unit: "ms CPU",
                conditions: checked(&figures[0], "signed in"),
            };
            show_limit(&line, 0.3);
        }
    }
}

/// The start with 100,000 repositories and `blobs` blobs, and a collection of half of them meanwhile used.
pub(crate) fn start(place: &Place, blobs: usize) {
    let folder = place.fresh("large");
    let filled = Place::hythe_on(&folder, false);
    let target = filled.target.with(basic());
    let mut connection = Connection::open(&target).expect("Hythe listens");
    let body = br#"{"name":"lab","visibility":"private"}"#;
    let header = "Content-Type: application/json\r\n";
    let made = connection.ask("POST", "/api/v1/projects", header, body, Take::Nothing);
    assert_eq!(made.expect("Hythe answers").status, 201);
    let manifest = empty_index("one");
    let begin = Instant::now();
    parallel(&target, 0, 100_000, |connection, number| {
        put_manifest(connection, &format!("lab/repository-{number:06}"), "v1", INDEX, &manifest)
    });
    parallel(&target, 0, blobs, |connection, number| {
        let bytes = noise(number as u64, 64);
        let path = format!("/v2/lab/blobs/blobs/uploads/?digest={}", digest(&bytes));
        let octets = "Content-Type: application/octet-stream\r\n";
        Ok((connection.ask("POST", &path, octets, &bytes, Take::Nothing)?.status, 64))
    });
    eprintln!("filled in {:.0} s", begin.elapsed().as_secs_f64());
    drop(connection);
    drop(filled);
    let starts: Vec<f64> = (0..5).map(|_| first_answer(&folder)).collect();
    let line = Line {
        work: format!("start with 100,000 repositories and {blobs} blobs"),
        server: "hythe".to_owned(),
        figures: starts,
        unit: "s to the first answer",
        conditions: "a private manifest pulled with a password (Argon2 included)".to_owned(),
    };
    show_limit(&line, 0.5);
}

fn first_answer(folder: &std::path::Path) -> f64 {
    let begin = Instant::now();
    let server: Server = Place::hythe_on(folder, false);
    let mut connection = Connection::open(&server.target.with(basic())).expect("Hythe listens");
    let path = "/v2/lab/repository-077777/manifests/v1";
    let answer = connection.ask("GET", path, "", &[], Take::Nothing).expect("Hythe answers");
    assert_eq!(answer.status, 200);
    begin.elapsed().as_secs_f64()
}

/// Runs `request` once for every number, over 16 connections, and insists on 201.
fn parallel(
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

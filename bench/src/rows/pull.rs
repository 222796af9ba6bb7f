//! Blob GET: whole and in ranges, plain and over TLS.

use std::fs;

use super::{Side, interleaved};
use crate::http::{Connection, Take};
use crate::load::{Amount, Round, median};
use crate::registry::{Way, check_blob, digest, noise, push_blob};
use crate::servers::{Place, Server, basic, bearer};
use crate::table::{Line, Mark, Reach, checked, show};

const BLOB: usize = 100 << 20;

/// Plain HTTP against nginx and distribution.
pub(crate) fn plain(place: &Place, rounds: usize) {
    let blob = noise(1, BLOB);
    let digest = digest(&blob);
    let hythe = place.hythe(false);
    let nginx = place.nginx();
    let distribution = place.distribution(None);
    for project in ["lab", "open"] {
        push(&hythe, &format!("{project}/app"), &digest, &blob, true);
    }
    let mut sides = vec![
        Side::new(
            &hythe,
            hythe.target.with(bearer(&hythe, "lab/app:pull")),
            "hythe, bearer token",
            "signed in",
        ),
        Side::new(&hythe, hythe.target.clone(), "hythe, anonymous", "no sign-in, as the peers"),
    ];
    let mut paths = vec![format!("/v2/lab/app/blobs/{digest}"), format!("/v2/open/app/blobs/{digest}")];
    if let Some(nginx) = &nginx {
        fs::write(nginx.folder.join("www/blob"), &blob).expect("the folder of the bench is writable");
        sides.push(Side::new(
            nginx,
            nginx.target.clone(),
            &nginx.name,
            "a file server: no sign-in, no rules",
        ));
        paths.push("/blob".to_owned());
    }
    if let Some(distribution) = &distribution {
        push(distribution, "app", &digest, &blob, false);
        sides.push(Side::new(distribution, distribution.target.clone(), &distribution.name, "no sign-in"));
        paths.push(format!("/v2/app/blobs/{digest}"));
    }
    check(&sides, &paths, &digest);
    for (clients, each) in [(1, 8), (8, 2), (64, 1)] {
        let amount = Amount { clients, each };
        let measured = interleaved(rounds, &sides, amount, |side, connection, _, _| {
            let answer = connection.ask("GET", &paths[side], "", &[], Take::Nothing)?;
            Ok((answer.status, answer.length))
        });
        report(&format!("GET 100 MiB, {clients} connections"), &sides, &measured, nginx.is_some());
    }
    let measured =
        interleaved(rounds, &sides, Amount { clients: 16, each: 12 }, |side, connection, client, number| {
            let first = ((client * 7 + number) % 12) * (8 << 20);
            let range = format!("Range: bytes={first}-{}\r\n", first + (8 << 20) - 1);
            let answer = connection.ask("GET", &paths[side], &range, &[], Take::Nothing)?;
            Ok((answer.status, answer.length))
        });
    report("GET ranges of 8 MiB, 16 connections", &sides, &measured, nginx.is_some());
}

/// Over TLS against distribution and the floor.
pub(crate) fn tls(place: &Place, rounds: usize) {
    let blob = noise(1, BLOB);
    let digest = digest(&blob);
    let hythe = place.hythe(true);
    let distribution = place.distribution(Some(&hythe));
    fs::write(hythe.folder.join("payload"), &blob).expect("the folder of the bench is writable");
    let mut floor = place.floor("tls", &hythe.folder);
    floor.target.tls.clone_from(&hythe.target.tls);
    push(&hythe, "lab/app", &digest, &blob, true);
    push(&hythe, "open/app", &digest, &blob, true);
    let token = bearer(&hythe, "lab/app:pull");
    let mut sides = vec![
        Side::new(&hythe, hythe.target.with(token), "hythe, bearer token", "signed in; TLS"),
        Side::new(&hythe, hythe.target.clone(), "hythe, anonymous", "no sign-in, as the peer; TLS"),
        Side::new(&floor, floor.target.clone(), "floor: rustls from memory", "no rules; TLS"),
    ];
    let path = |repository: &str| format!("/v2/{repository}/blobs/{digest}");
    let mut paths = vec![path("lab/app"), path("open/app"), "/".to_owned()];
    if let Some(distribution) = &distribution {
        push(distribution, "app", &digest, &blob, false);
        sides.push(Side::new(
            distribution,
            distribution.target.clone(),
            &distribution.name,
            "no sign-in; TLS",
        ));
        paths.push(path("app"));
    }
    check(&sides, &paths, &digest);
    for (clients, each) in [(1, 8), (8, 2)] {
        let measured = interleaved(rounds, &sides, Amount { clients, each }, |side, connection, _, _| {
            let answer = connection.ask("GET", &paths[side], "", &[], Take::Nothing)?;
            Ok((answer.status, answer.length))
        });
        let lines = lines(&format!("TLS GET 100 MiB, {clients} connections"), &sides, &measured);
        let mut marks = vec![Mark { of: 0, against: 2, reach: Reach::Told }];
        if distribution.is_some() {
            marks.push(Mark { of: 0, against: 3, reach: Reach::AtMost(0.75) });
            marks.push(Mark { of: 1, against: 3, reach: Reach::AtMost(0.75) });
        }
        show(&lines, &marks);
    }
}

fn push(server: &Server, repository: &str, digest: &str, blob: &[u8], sign_in: bool) {
    let target = if sign_in { server.target.with(basic()) } else { server.target.clone() };
    let mut connection = Connection::open(&target).expect("the server takes connections");
    let pushed = push_blob(&mut connection, repository, digest, blob, Way::Monolithic);
    assert_eq!(pushed.expect("the server answers").0, 201, "{} takes the blob", server.name);
}

fn check(sides: &[Side<'_>], paths: &[String], digest: &str) {
    for (side, path) in sides.iter().zip(paths) {
        let mut connection = Connection::open(&side.target).expect("the server takes connections");
        check_blob(&mut connection, path, digest).unwrap_or_else(|error| panic!("{}: {error}", side.label));
    }
}

fn lines(work: &str, sides: &[Side<'_>], measured: &[Vec<Round>]) -> Vec<Line> {
    let line = |(side, rounds): (&Side<'_>, &Vec<Round>)| {
        let growth = median(rounds.iter().map(|round| round.peak - round.before).collect());
        let conditions = format!("digest checked; {}; warm; memory +{growth:.1} MiB", side.conditions);
        Line {
            work: work.to_owned(),
            server: side.label.clone(),
            figures: rounds.iter().map(Round::cpu_per_gib).collect(),
            unit: "CPU-s/GiB",
            conditions: checked(&rounds[0], &conditions),
        }
    };
    sides.iter().zip(measured).map(line).collect()
}

fn report(work: &str, sides: &[Side<'_>], measured: &[Vec<Round>], nginx: bool) {
    let marks: &[Mark] = if nginx {
        &[
            Mark { of: 0, against: 2, reach: Reach::AtMost(0.9) },
            Mark { of: 1, against: 2, reach: Reach::AtMost(0.9) },
        ]
    } else {
        &[]
    };
    show(&lines(work, sides, measured), marks);
}

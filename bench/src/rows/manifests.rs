//! Manifest GET by tag and by digest, and the issue of tokens.

use std::fs;

use super::{Side, interleaved};
use crate::http::{Connection, Take};
use crate::load::{Amount, Round};
use crate::registry::{MANIFEST, digest, image, put_manifest};
use crate::servers::{Place, Server, basic, bearer};
use crate::table::{Line, Mark, Reach, checked, show, show_limit};

/// Near the length of the manifest that is pulled.
const MANIFEST_BYTES: usize = 480;

pub(crate) fn get(place: &Place, rounds: usize) {
    let hythe = place.hythe(false);
    let distribution = place.distribution(None);
    let nginx = place.nginx();
    let digest = push(&hythe, "lab/app", true);
    push(&hythe, "open/app", true);
    let mut sides = vec![
        Side::new(
            &hythe,
            hythe.target.with(bearer(&hythe, "lab/app:pull")),
            "hythe, bearer token",
            "token checked",
        ),
        Side::new(&hythe, hythe.target.clone(), "hythe, anonymous", "no sign-in, as the peer"),
    ];
    let mut paths = vec!["/v2/lab/app/manifests/", "/v2/open/app/manifests/"];
    if let Some(distribution) = &distribution {
        push(distribution, "app", false);
        sides.push(Side::new(distribution, distribution.target.clone(), &distribution.name, "no sign-in"));
        paths.push("/v2/app/manifests/");
    }
    if let Some(nginx) = &nginx {
        for name in ["v1", &digest] {
            let file = nginx.folder.join("www").join(name);
            fs::write(file, vec![b'x'; MANIFEST_BYTES]).expect("the folder of the bench is writable");
        }
        sides.push(Side::new(
            nginx,
            nginx.target.clone(),
            &nginx.name,
            "a file as long: no sign-in, no rules",
        ));
        paths.push("/");
    }
    let accept = format!("Accept: {MANIFEST}\r\n");
    for (what, reference) in [("tag", "v1"), ("digest", digest.as_str())] {
        for clients in [1, 16] {
            let amount = Amount { clients, each: 16_000 / clients };
            let measured = interleaved(rounds, &sides, amount, |side, connection, _, _| {
                let path = format!("{}{reference}", paths[side]);
                let answer = connection.ask("GET", &path, &accept, &[], Take::Nothing)?;
                Ok((answer.status, answer.length))
            });
            let lines: Vec<Line> = sides
                .iter()
                .zip(&measured)
                .map(|(side, rounds)| Line {
                    work: format!("manifest GET by {what}, {clients} connections"),
                    server: side.label.clone(),
                    figures: rounds.iter().map(|round| 1e6 / round.cpu_per_request()).collect(),
                    unit: "requests per CPU-s",
                    conditions: checked(&rounds[0], &side.conditions),
                })
                .collect();
            let mut marks = Vec::new();
            if distribution.is_some() {
                marks.push(Mark { of: 0, against: 2, reach: Reach::AtLeast(10.0) });
            }
            if nginx.is_some() {
                // What sending a few hundred bytes costs a server that does nothing else.
                marks.push(Mark { of: 0, against: lines.len() - 1, reach: Reach::Told });
            }
            show(&lines, &marks);
        }
    }
}

pub(crate) fn token(place: &Place, rounds: usize) {
    let hythe = place.hythe(false);
    push(&hythe, "lab/app", true);
    let sides = [Side::new(&hythe, hythe.target.with(basic()), "hythe", "password verified once before")];
    let measured = interleaved(rounds, &sides, Amount { clients: 4, each: 2_000 }, |_, connection, _, _| {
        let path = "/token?service=hythe&scope=repository:lab/app:pull";
        let answer = connection.ask("GET", path, "", &[], Take::Nothing)?;
        Ok((answer.status, answer.length))
    });
    let line = Line {
        work: "token issue".to_owned(),
        server: "hythe".to_owned(),
        figures: measured[0].iter().map(Round::cpu_per_request).collect(),
        unit: "µs CPU",
        conditions: checked(&measured[0][0], &sides[0].conditions),
    };
    show_limit(&line, 200.0);
}

/// Pushes an image as `v1` and answers its digest.
fn push(server: &Server, repository: &str, sign_in: bool) -> String {
    let target = if sign_in { server.target.with(basic()) } else { server.target.clone() };
    let mut connection = Connection::open(&target).expect("the server takes connections");
    let manifest = image(&mut connection, repository, "bench").expect("the server takes an image");
    let put = put_manifest(&mut connection, repository, "v1", MANIFEST, &manifest);
    assert_eq!(put.expect("the server answers").0, 201, "{} takes the manifest", server.name);
    digest(&manifest)
}

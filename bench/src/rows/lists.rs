//! Pages of long lists.

use super::large::parallel;
use crate::http::Take;
use crate::load::{Amount, Round, run};
use crate::registry::{INDEX, empty_index, put_manifest};
use crate::servers::{Place, basic};
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

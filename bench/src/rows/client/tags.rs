//! A list of 20,000 tags with digests and sizes: `hythe ls` beside `skopeo list-tags` and an `inspect` for each.

use std::time::Duration;

use super::{Client, Kind};
use crate::command::run;
use crate::http::{Connection, Take};
use crate::load::{Amount, drive};
use crate::registry::{MANIFEST, image, put_manifest};
use crate::servers::{Place, Server, basic};
use crate::table::{Line, Mark, Reach, show, show_limit};

const TAGS: usize = 20_000;

/// So many are inspected; the time of all of them is reckoned from theirs.
const INSPECTED: usize = 20;

pub(crate) fn list(place: &Place) {
    let server = place.hythe(false);
    let admin = server.target.with(basic());
    let mut connection = Connection::open(&admin).expect("Hythe listens");
    let manifest = image(&mut connection, "lab/app", "tags").expect("an image is pushed");
    let amount = Amount { clients: 16, each: TAGS / 16 };
    drive(&admin, amount, |connection, client, number| {
        put_manifest(connection, "lab/app", &format!("v{client:02}-{number:05}"), MANIFEST, &manifest)
    });
    let mut clients = Client::all(place).into_iter();
    let own = clients.next().expect("Hythe is the first");
    let before = requests(&server);
    let mut command = own.command(server.target.address);
    let ran = run(command.args(["ls", "lab/app", "--output", "json"]), &own.log());
    // One of them asked for the count itself.
    let asked = requests(&server) - before - 1;
    let listed: serde_json::Value = serde_json::from_str(&ran.output).expect("the list is JSON");
    let listed = listed.as_array().expect("the list is one");
    assert_eq!(listed.len(), TAGS, "every tag is listed");
    assert!(
        listed.iter().all(|tag| tag["digest"].is_string() && tag["size"].is_u64()),
        "with digest and size"
    );
    let conditions = format!("digests and sizes checked to be there; peak {:.0} MiB", ran.peak);
    #[expect(clippy::cast_precision_loss, reason = "requests are few")]
    let line = Line {
        work: format!("list {TAGS} tags with digests and sizes: requests"),
        server: "hythe ls".to_owned(),
        figures: vec![asked as f64],
        unit: "requests",
        conditions: conditions.clone(),
    };
    // One for each thousand, one to sign in, and one to learn that it is a Hythe.
    show_limit(&line, 22.0);
    let time = |side: &str, seconds: f64, conditions: String| Line {
        work: format!("list {TAGS} tags with digests and sizes: time"),
        server: side.to_owned(),
        figures: vec![seconds],
        unit: "s",
        conditions,
    };
    let mut lines = vec![time("hythe ls", ran.wall, conditions)];
    if let Some(skopeo) = clients.find(|client| client.kind == Kind::Skopeo) {
        let address = server.target.address;
        let mut command = skopeo.command(address);
        let list = run(
            command.args(["list-tags", "--tls-verify=false", &format!("docker://{address}/lab/app")]),
            &skopeo.log(),
        );
        let mut each = Duration::ZERO;
        for number in 0..INSPECTED {
            let mut command = skopeo.command(address);
            let name = format!("docker://{address}/lab/app:v00-{number:05}");
            let ran = run(command.args(["inspect", "--no-tags", "--tls-verify=false", &name]), &skopeo.log());
            each += Duration::from_secs_f64(ran.wall);
        }
        #[expect(clippy::cast_precision_loss, reason = "tags are few")]
        let all = list.wall + each.as_secs_f64() / INSPECTED as f64 * TAGS as f64;
        let reckoned = format!("list-tags, and inspect of {INSPECTED} reckoned up to {TAGS}");
        lines.push(time("skopeo", all, reckoned));
    }
    let marks = (lines.len() > 1).then_some(Mark { of: 0, against: 1, reach: Reach::Told });
    show(&lines, marks.as_slice());
}

/// Requests that the server has answered so far.
fn requests(server: &Server) -> u64 {
    let mut connection = Connection::open(&server.target).expect("Hythe listens");
    let mut text = Vec::new();
    let answer = connection.ask("GET", "/metrics", "", &[], Take::Keep(&mut text)).expect("Hythe answers");
    assert_eq!(answer.status, 200, "the metrics are open");
    let text = String::from_utf8(text).expect("metrics are text");
    let counters = text.lines().filter(|line| line.starts_with("hythe_http_requests_total"));
    counters.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

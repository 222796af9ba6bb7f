//! Memory: at rest, with ten thousand idle connections, under 64 pulls and 64 pushes.

use std::net::TcpStream;

use crate::http::Take;
use crate::load::{Amount, run};
use crate::registry::{Way, digest, noise, push_blob};
use crate::servers::{Place, basic};
use crate::table::{Line, show_limit};

const IDLE: usize = 10_000;

pub(crate) fn all(place: &Place) {
    let hythe = place.hythe(false);
    let target = hythe.target.with(basic());
    limit("memory at rest", hythe.process.resident(), 25.0, "after the first requests");

    let blob = noise(3, 16 << 20);
    let digest = digest(&blob);
    let once = Amount { clients: 1, each: 1 };
    run(&hythe.process, &target, once, |connection, _, _| {
        push_blob(connection, "lab/app", &digest, &blob, Way::Monolithic)
    });
    let path = format!("/v2/lab/app/blobs/{digest}");
    let pulls = run(&hythe.process, &target, Amount { clients: 64, each: 8 }, |connection, _, _| {
        let answer = connection.ask("GET", &path, "", &[], Take::Nothing)?;
        Ok((answer.status, answer.length))
    });
    limit("64 pulls at once", pulls.peak, 40.0, &crate::table::checked(&pulls, "peak"));
    let pushes =
        run(&hythe.process, &target, Amount { clients: 64, each: 2 }, |connection, client, number| {
            let bytes = noise((client * 10 + number) as u64, 8 << 20);
            push_blob(connection, "lab/app", &crate::registry::digest(&bytes), &bytes, Way::Patch)
        });
    limit("64 pushes at once", pushes.peak, 100.0, &crate::table::checked(&pushes, "peak"));

    // An address may hold 4,096: three of them, as three client machines would.
    let connections: Vec<TcpStream> = (0..IDLE).map(|number| idle(&hythe.target, number)).collect();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let resident = hythe.process.resident();
    limit("10,000 idle connections", resident, 200.0, &format!("{} held open", connections.len()));
}

fn idle(target: &crate::http::Target, number: usize) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

    let from = std::net::Ipv4Addr::new(127, 0, 0, 2 + u8::try_from(number / 4_000).expect("a few addresses"));
    let client =
        socket(AddressFamily::INET, SocketType::STREAM, None).expect("the limit of open files is high");
    bind(&client, &std::net::SocketAddrV4::new(from, 0)).expect("all of 127.0.0.0/8 is ours");
    connect(&client, &target.address).expect("the server takes connections");
    TcpStream::from(client)
}

fn limit(work: &str, figure: f64, most: f64, conditions: &str) {
    let line = Line {
        work: work.to_owned(),
        server: "hythe".to_owned(),
        figures: vec![figure],
        unit: "MiB resident",
        conditions: conditions.to_owned(),
    };
    show_limit(&line, most);
}

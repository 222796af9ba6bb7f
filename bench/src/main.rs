//! Measures Hythe beside its peers: `bench/run` builds and starts this.
//!
//! This program is the load generator; the servers are processes of their own, and what they used is read
//! from the kernel, so the load's own work is in no figure. Peers and Hythe take turns, round by round, and
//! the median counts: a noisy neighbour meets all of them.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the table is what this program is for")]

mod command;
mod floor;
mod http;
mod image;
mod load;
mod machine;
mod process;
mod registry;
mod relay;
mod rows;
mod servers;
mod table;

use std::process::ExitCode;

use servers::Place;

const FAMILIES: &[&str] = &[
    "pull",
    "tls",
    "manifests",
    "token",
    "push",
    "small-blobs",
    "tags",
    "pages",
    "memory",
    "start",
    "client-docker",
    "client-layout",
    "client-relay",
    "client-resume",
    "client-tags",
    "client-memory",
    "large",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, kind, address, files, folder] = &arguments[..]
        && first == "floor"
    {
        floor::run(kind, address, files.as_ref(), folder.as_ref());
        return ExitCode::SUCCESS;
    }
    let asked: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let Some(unknown) = asked.iter().find(|family| !FAMILIES.contains(family)) {
        eprintln!("{unknown} is no workload; there are: {}", FAMILIES.join(" "));
        return ExitCode::from(2);
    }
    let rounds = number("HYTHE_BENCH_ROUNDS", 5);
    let place = Place::new();
    machine::age(place.path());
    table::heading();
    for family in FAMILIES.iter().filter(|family| asked.is_empty() || asked.contains(family)) {
        match *family {
            "pull" => rows::pull::plain(&place, rounds),
            "tls" => rows::pull::tls(&place, rounds),
            "manifests" => rows::manifests::get(&place, rounds),
            "token" => rows::manifests::token(&place, rounds),
            "push" => rows::push::large(&place, rounds),
            "small-blobs" => rows::small::blobs(&place, rounds),
            "tags" => rows::small::tags(&place, rounds),
            "pages" => rows::lists::pages(&place, rounds),
            "memory" => rows::memory::all(&place),
            "start" => rows::start::all(&place, rounds),
            "client-docker" => rows::client::docker::push(&place, rounds),
            "client-layout" => rows::client::layout::push_and_pull(&place, rounds),
            "client-relay" => rows::client::relay::pull(&place, rounds),
            "client-resume" => rows::client::resume::push(&place),
            "client-tags" => rows::client::tags::list(&place),
            "client-memory" => rows::client::memory::all(&place),
            _ => rows::large::all(&place, number("HYTHE_BENCH_BLOBS", 1_000_000)),
        }
    }
    ExitCode::SUCCESS
}

fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

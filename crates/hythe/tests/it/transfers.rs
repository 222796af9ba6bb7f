//! What is told of a transfer while it runs and when it ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use hythe_testbed::{Content, Family, Hythe, Image, Options, Outcome, layout_folder, layout_tar, noise};

use crate::images::layout;
use crate::{admin_of, exits, hythe, text};

/// An image of one layer that no buffer holds, as a folder and as an archive.
fn large(seed: &str) -> (PathBuf, PathBuf) {
    let media_type = "application/vnd.oci.image.layer.v1.tar+gzip".to_owned();
    let mut bytes = noise(seed, 48 << 20);
    bytes[..2].copy_from_slice(&[0x1f, 0x8b]);
    let image = Image::of_blobs(Family::Oci, vec![Content { media_type, bytes }], "amd64");
    let blobs: Vec<_> = image.blobs.iter().collect();
    let names = [("v1", &image.manifest)];
    (layout_folder(&names, &blobs), layout_tar(&names, &blobs))
}

/// A registry that refuses what it is sent before it has read it, and then neither reads nor hangs up.
fn refusing_early() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let host = listener.local_addr().expect("it listens").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(&stream));
        }
    });
    host
}

fn answer(stream: &TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut head = Vec::new();
        let mut length = 0_u64;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().ok()?;
            }
            head.push(line);
        }
        let method = head.first()?.split(' ').next()?.to_owned();
        let large = length > 1 << 20 || head.iter().any(|line| line.starts_with("transfer-encoding"));
        let status = match method.as_str() {
            _ if large => "403 Forbidden",
            "post" => "202 Accepted\r\nLocation: /v2/lab/app/blobs/uploads/1",
            "put" | "patch" => "201 Created\r\nLocation: /v2/lab/app/blobs/uploads/1",
            _ if head[0].contains(" /v2/ ") => "200 OK",
            _ => "404 Not Found",
        };
        let mut out = stream;
        write!(out, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").ok()?;
        if large {
            // The connection stands, and nobody reads from it, for longer than anybody waits.
            std::thread::sleep(Duration::from_secs(300));
            return None;
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink()).ok()?;
    }
}

#[test]
fn a_registry_that_stops_reading_holds_no_push_up() {
    let (folder, archive) = large("refused early");
    for source in [format!("oci:{}", text(&folder)), format!("archive:{}", text(&archive))] {
        let program = hythe().env("HYTHE_SERVER", format!("http://{}", refusing_early()));
        for progress in ["plain", "json"] {
            let outcome = exits(program.run(&["push", &source, "lab/app:v1", "--progress", progress]), 4);
            if progress == "json" {
                assert!(outcome.stderr.contains(r#""event":"failed""#), "{source}: {outcome}");
            }
        }
    }
}

/// The kinds of the events on standard error, in their order.
fn told(outcome: &Outcome) -> Vec<String> {
    let events =
        outcome.stderr.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    events.map(|event| event["event"].to_string().trim_matches('"').to_owned()).collect()
}

#[test]
fn the_last_word_of_every_transfer_is_how_it_ended() {
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    admin.run(&["project", "create", "lab"]).ok();
    let (_, folder) = layout("last words");
    admin.run(&["push", &format!("oci:{}", text(&folder)), "lab/app:v1"]).ok();
    let file = folder.with_extension("out.tar");
    let archive = format!("archive:{}", text(&file));
    let json = |arguments: &[&str]| admin.run(&[arguments, &["--progress", "json"]].concat());
    for arguments in [
        &["pull", "lab/app:v1", &archive][..],
        &["pull", "lab/app:v1", "-"],
        &["save", "lab/app:v1", text(&file)],
        &["save", "lab/app:v1", "-"],
        &["copy", "lab/app:v1", "lab/other:v1"],
    ] {
        let told = told(&json(arguments).ok());
        let ends = told.iter().filter(|event| ["finished", "failed"].contains(&event.as_str())).count();
        assert_eq!((told.first().unwrap().as_str(), ends), ("plan", 1), "{arguments:?}: {told:?}");
        assert_eq!(told.last().unwrap(), "finished", "{arguments:?}: {told:?}");
    }
    let nowhere = "archive:/no/such/folder/image.tar";
    for (arguments, code) in [
        (&["pull", "lab/app:v1", nowhere][..], 1),
        (&["pull", "lab/app:v2", &archive], 5),
        (&["save", "lab/app:v1", "/no/such/folder/image.tar"], 1),
        (&["push", "archive:/no/such/image.tar", "lab/app:v3"], 1),
        (&["push", "oci:/no/such/folder", "lab/app:v3"], 1),
    ] {
        let outcome = exits(json(arguments), code);
        let told = told(&outcome);
        assert_eq!(told.iter().filter(|event| *event == "failed").count(), 1, "{arguments:?}: {outcome}");
        assert_eq!(told.last().unwrap(), "failed", "{arguments:?}: {told:?}");
    }
}

//! What is told of a transfer while it runs and when it ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use hythe_testbed::{Content, Family, Image, layout_folder, layout_tar, noise};

use crate::{exits, hythe, text};

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
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
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

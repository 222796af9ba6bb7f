//! What docker keeps of a layer's archive besides the files in it: lines of JSON, packed by gzip, each of them either bytes
//! as they were, or "here was the content of this file". Put together they are the archive again, byte for byte.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;

/// The most bytes of a line: the headers of one file, which may hold long names and attributes.
const LONGEST: u64 = 8 * 1024 * 1024;

/// A part of an archive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Bytes as they were.
    Bytes(Vec<u8>),
    /// The content of a file that is kept elsewhere, so many bytes.
    File(PathBuf, u64),
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: u8,
    name: Option<String>,
    /// Where the name is no UTF-8.
    name_raw: Option<String>,
    #[serde(default)]
    size: u64,
    payload: Option<String>,
}

/// The parts in their order.
pub(super) fn parts(packed: impl Read) -> impl Iterator<Item = io::Result<Part>> {
    unpacked_parts(BufReader::with_capacity(64 * 1024, MultiGzDecoder::new(packed)))
}

/// The same of lines that are not packed.
pub(crate) fn unpacked_parts(mut lines: impl BufRead) -> impl Iterator<Item = io::Result<Part>> {
    let mut line = Vec::new();
    std::iter::from_fn(move || {
        line.clear();
        match lines.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(part(&line)),
            Err(error) => Some(Err(error)),
        }
    })
}

fn part(line: &[u8]) -> io::Result<Part> {
    let line: Line = serde_json::from_slice(line)?;
    let decoded = |text: String| STANDARD.decode(text).map_err(io::Error::other);
    match line.kind {
        1 => {
            let name = match (line.name_raw, line.name) {
                (Some(raw), _) => decoded(raw)?,
                (None, Some(name)) => name.into_bytes(),
                (None, None) => return Err(io::Error::other("a file without a name")),
            };
            Ok(Part::File(OsString::from_vec(name).into(), line.size))
        }
        2 => Ok(Part::Bytes(decoded(line.payload.unwrap_or_default())?)),
        other => Err(io::Error::other(format!("a part of the unknown type {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(text).unwrap();
        packed.finish().unwrap()
    }

    fn read(text: &[u8]) -> io::Result<Vec<Part>> {
        parts(packed(text).as_slice()).collect()
    }

    #[test]
    fn parts_are_bytes_or_files_in_their_order() {
        let lines = concat!(
            r#"{"type":2,"payload":"aGVhZA==","position":0}"#,
            "\n",
            r#"{"type":1,"name":"./etc/motd","size":7,"payload":"AAAAAAAAAAA=","position":1}"#,
            "\n",
            r#"{"type":1,"name_raw":"/w==","size":1,"payload":null,"position":2}"#,
            "\n",
            r#"{"type":1,"name":"empty","payload":null,"position":3}"#,
        );
        let raw = OsString::from_vec(vec![0xff]).into();
        let expected = [
            Part::Bytes(b"head".to_vec()),
            Part::File("./etc/motd".into(), 7),
            Part::File(raw, 1),
            Part::File("empty".into(), 0),
        ];
        assert_eq!(read(lines.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for line in [r#"{"type":3}"#, r#"{"type":1,"size":1}"#, r#"{"type":2,"payload":"*"}"#, "[]", "x"] {
            assert!(read(line.as_bytes()).is_err(), "{line}");
        }
        assert!(parts(&b"no gzip"[..]).next().unwrap().is_err());
        let endless = vec![b' '; usize::try_from(LONGEST).unwrap() + 1];
        assert!(read(&endless).is_err());
    }

    proptest! {
        #[test]
        fn any_lines_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            drop(read(&bytes));
            parts(bytes.as_slice()).take(3).for_each(drop);
        }
    }
}

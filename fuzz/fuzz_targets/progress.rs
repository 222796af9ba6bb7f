//! Events of another program are read or refused; what was read is written so that it reads back as the same, and a
//! board that is told of anything shows something.
#![no_main]

use hythe_client::progress::{Board, ndjson};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut board = Board::default();
    for line in text.lines() {
        let Ok(event) = ndjson::parse(line) else { continue };
        let mut written = Vec::new();
        ndjson::write(&event, &mut written).expect("memory takes everything");
        let written = String::from_utf8(written).expect("JSON is text");
        assert_eq!(ndjson::parse(&written).expect("our own line"), event);
        board.apply(&event);
        let totals = board.totals();
        assert!(totals.settled <= totals.layers);
    }
});

//! What every client does: whole files, ranges, one answer behind another, at any speed.

use std::time::Duration;

use proptest::prelude::*;
use tokio::io::AsyncReadExt;

use crate::scene::{ask, ask_all, connect, file_of, noise, read_answer};

const MEGABYTE: usize = 1 << 20;

#[tokio::test]
async fn a_whole_file_arrives_unchanged() {
    let bytes = noise(5 * MEGABYTE + 3);
    let (mut client, _served) = connect(&file_of(&bytes)).await;
    ask(&mut client, 0..bytes.len()).await;
    assert!(read_answer(&mut client, bytes.len()).await == bytes);
}

#[tokio::test]
async fn an_empty_range_is_an_empty_answer() {
    let (mut client, _served) = connect(&file_of(b"something")).await;
    ask_all(&mut client, &[3..3, 0..9]).await;
    assert!(read_answer(&mut client, 0).await.is_empty());
    assert_eq!(read_answer(&mut client, 9).await, b"something");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let bytes = noise(3 * MEGABYTE);
    let (mut client, _served) = connect(&file_of(&bytes)).await;
    let ranges = [0..1, MEGABYTE - 1..MEGABYTE + 1, 5..2 * MEGABYTE + 7, 0..3 * MEGABYTE, 10..20];
    ask_all(&mut client, &ranges).await;
    for range in ranges {
        assert!(read_answer(&mut client, range.len()).await == bytes[range]);
    }
}

#[tokio::test]
async fn a_slow_reader_gets_everything() {
    let bytes = noise(24 * MEGABYTE);
    let (mut client, _served) = connect(&file_of(&bytes)).await;
    ask(&mut client, 0..bytes.len()).await;
    // More than the buffers of both sockets hold, so that writes stop in the middle of a window.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut head = vec![0; 4096];
    let mut got = Vec::new();
    while !head.is_empty() {
        let read = client.read(&mut head).await.unwrap();
        got.extend_from_slice(&head[..read]);
        if let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") {
            got.drain(..end + 4);
            head.clear();
        }
    }
    let mut piece = vec![0; 77_777];
    while got.len() < bytes.len() {
        let read = client.read(&mut piece).await.unwrap();
        assert!(read > 0, "cut after {} bytes", got.len());
        got.extend_from_slice(&piece[..read]);
        tokio::task::yield_now().await;
    }
    assert!(got == bytes);
}

#[tokio::test]
async fn a_cold_file_arrives_unchanged() {
    let bytes = noise(9 * MEGABYTE);
    let file = file_of(&bytes);
    file.sync_all().unwrap();
    rustix::fs::fadvise(&*file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let (mut client, _served) = connect(&file).await;
    ask(&mut client, 0..bytes.len()).await;
    assert!(read_answer(&mut client, bytes.len()).await == bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Any ranges, in any order, on one connection.
    #[test]
    fn any_ranges_arrive_unchanged(
        ends in prop::collection::vec((0..=3 * MEGABYTE, 0..=3 * MEGABYTE), 1..8)
    ) {
        let bytes = noise(3 * MEGABYTE);
        let ranges: Vec<_> = ends.into_iter().map(|(one, two)| one.min(two)..one.max(two)).collect();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let (mut client, _served) = connect(&file_of(&bytes)).await;
            ask_all(&mut client, &ranges).await;
            for range in ranges {
                assert!(read_answer(&mut client, range.len()).await == bytes[range]);
            }
        });
    }
}

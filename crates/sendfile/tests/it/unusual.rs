//! Files that are cut behind our back, files that cannot be sent so, and placeholders that go astray.

use std::fs::File;
use std::sync::Arc;

use hythe_sendfile::FileSender;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::scene::{ask, connect, file_of, noise, read_answer};

const LENGTH: usize = 32 << 20;

/// Everything the client gets until the connection ends.
async fn rest(client: &mut TcpStream) -> Vec<u8> {
    let mut got = Vec::new();
    // A reset is an end as well; what came before it counts.
    let _ = client.read_to_end(&mut got).await;
    got
}

/// Cuts the file to `left` bytes while it is being sent and tells how many bytes arrived.
async fn cut_while_sent(left: u64) -> usize {
    let bytes = noise(LENGTH);
    let file = file_of(&bytes);
    let (mut client, served) = connect(&file).await;
    ask(&mut client, 0..LENGTH).await;
    let mut first = vec![0; 1 << 20];
    client.read_exact(&mut first).await.unwrap();
    file.set_len(left).unwrap();
    let got = rest(&mut client).await;
    assert!(served.await.unwrap().is_err(), "the connection counts as broken");
    first.len() + got.len()
}

#[tokio::test]
async fn a_file_cut_while_it_is_sent_breaks_the_connection() {
    assert!(cut_while_sent(20 << 20).await < LENGTH);
}

#[tokio::test]
async fn a_file_emptied_while_it_is_sent_breaks_the_connection() {
    assert!(cut_while_sent(0).await < LENGTH);
}

#[tokio::test]
async fn a_file_shorter_than_promised_breaks_the_connection() {
    let (mut client, served) = connect(&file_of(b"only this")).await;
    ask(&mut client, 0..1000).await;
    let got = rest(&mut client).await;
    assert!(!got.ends_with(&[0]), "nothing is padded");
    assert!(served.await.unwrap().is_err());
}

#[tokio::test]
async fn a_file_that_cannot_be_sent_so_is_copied() {
    // The kernel keeps this file in no page cache and has no sendfile for it.
    let path = "/proc/self/environ";
    let file = Arc::new(File::open(path).unwrap());
    let expected = std::fs::read(path).unwrap();
    let (mut client, _served) = connect(&file).await;
    ask(&mut client, 1..expected.len()).await;
    assert_eq!(read_answer(&mut client, expected.len() - 1).await, expected[1..]);
}

#[tokio::test]
async fn a_placeholder_of_another_connection_never_goes_out() {
    use futures_util::StreamExt;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let mut ours = FileSender::new(stream);
    let elsewhere = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let theirs = FileSender::new(elsewhere).lane();
    let stray = theirs.body(file_of(b"not for you"), 0..11).next().await.unwrap().unwrap();
    assert!(ours.write_all(&stray).await.is_err());
    drop(ours);
    assert!(rest(&mut client).await.is_empty());
}

#[tokio::test]
async fn where_files_cannot_be_sent_they_are_read() {
    use futures_util::TryStreamExt;

    let bytes = noise(3 << 20);
    let file = file_of(&bytes);
    let length = bytes.len() as u64;
    let pieces: Vec<_> = hythe_sendfile::read(Arc::clone(&file), 5..length).try_collect().await.unwrap();
    assert!(pieces.concat() == bytes[5..]);
    assert!(pieces.iter().all(|piece| piece.len() <= 256 << 10), "a little at a time");
    assert!(hythe_sendfile::read(Arc::clone(&file), 5..5).try_next().await.unwrap().is_none());
    let cut = hythe_sendfile::read(Arc::clone(&file), 0..length);
    file.set_len(100).unwrap();
    assert!(cut.try_collect::<Vec<_>>().await.is_err(), "a file that was cut");
}

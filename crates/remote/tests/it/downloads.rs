//! Pulling blobs over connections that break, from registries that know ranges, know none, or lie about them.

use std::sync::Mutex;

use futures_util::TryStreamExt as _;
use hythe_remote::{RangedPull, RemoteError};

use crate::scripted::{Reply, Scripted, Seen};
use crate::{ada, digest, open, remote, repository, was_trusted};

const HELLO: &[u8] = b"hello world";

/// The whole of `HELLO`, or what its Range header asks for.
fn ranged(request: &Seen) -> Reply {
    let Some(range) = request.header("range") else {
        return Reply::new(200).header("ETag", "\"h\"").body(HELLO);
    };
    let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let (first, last) = (first.parse::<usize>().unwrap(), last.parse().unwrap_or(HELLO.len() - 1));
    Reply::new(206)
        .header("Content-Range", format!("bytes {first}-{last}/{}", HELLO.len()))
        .body(&HELLO[first..=last])
}

/// Sends `bytes` of what was announced and hangs up.
fn cut(reply: &Reply, bytes: usize) -> Reply {
    reply.clone().cut(bytes)
}

async fn pull(registry: &Scripted, size: Option<u64>) -> Result<Vec<u8>, RemoteError> {
    let download = open(registry).pull_blob(&repository(), &digest(HELLO), size).await?;
    let pieces: Vec<_> = download.into_stream().try_collect().await?;
    Ok(pieces.concat())
}

/// Answers the first request by `first`, the others by `then`.
fn in_turn(
    first: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    then: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> Scripted {
    let turn = Mutex::new(0);
    Scripted::start(move |request| {
        let mut turn = turn.lock().unwrap();
        *turn += 1;
        if *turn == 1 { first(request) } else { then(request) }
    })
}

#[tokio::test]
async fn a_body_cut_at_any_byte_is_resumed() {
    for at in 0..HELLO.len() {
        let registry = in_turn(move |request| cut(&ranged(request), at), ranged);
        assert_eq!(pull(&registry, Some(11)).await.unwrap(), HELLO, "cut at {at}");
        let seen = registry.seen();
        let range = (at > 0).then(|| format!("bytes={at}-"));
        assert_eq!(seen[1].header("range"), range.as_deref());
        assert_eq!(seen[1].header("if-range"), range.map(|_| "\"h\""));
    }
}

#[tokio::test]
async fn a_body_without_a_known_size_is_resumed_too() {
    let registry = in_turn(|request| cut(&ranged(request), 4), ranged);
    assert_eq!(pull(&registry, None).await.unwrap(), HELLO);
}

#[tokio::test]
async fn a_registry_without_ranges_sends_all_again_and_the_beginning_is_passed_over() {
    let whole = |_: &Seen| Reply::new(200).header("ETag", "W/\"weak\"").body(HELLO);
    let registry = in_turn(move |request| cut(&whole(request), 6), whole);
    assert_eq!(pull(&registry, Some(11)).await.unwrap(), HELLO);
    assert_eq!(registry.seen()[1].header("if-range"), None, "a weak tag promises too little");
}

#[tokio::test]
async fn a_registry_that_always_hangs_up_is_given_up() {
    let registry = Scripted::start(|_| Reply::new(200).body(HELLO).cut(3));
    let broken = pull(&registry, Some(11)).await.unwrap_err();
    assert!(broken.is_retryable(), "{broken}");
    assert_eq!(registry.seen().len(), 4);
}

#[tokio::test]
async fn a_large_blob_outlives_more_breaks_than_attempts_while_it_moves_on() {
    let large: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let digest = digest(&large);
    let registry = Scripted::start(move |request| {
        let range = request.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        let first: usize = range.map_or(0, |first| first.parse().unwrap());
        let reply = Reply::new(if first == 0 { 200 } else { 206 });
        let said = format!("bytes {first}-{}/{}", large.len() - 1, large.len());
        reply.header("Content-Range", said).body(&large[first..]).cut(100_000)
    });
    let download = open(&registry).pull_blob(&repository(), &digest, Some(1_000_000)).await.unwrap();
    let pieces: Vec<_> = download.into_stream().try_collect().await.unwrap();
    assert_eq!(pieces.concat().len(), 1_000_000);
    assert_eq!(registry.seen().len(), 10);
}

#[tokio::test]
async fn a_server_that_hangs_up_after_a_few_bytes_each_time_is_not_followed_for_ever() {
    let registry = Scripted::start(|request| cut(&ranged(request), 1));
    assert!(pull(&registry, Some(11)).await.unwrap_err().is_retryable());
    assert_eq!(registry.seen().len(), 4);
}

#[tokio::test]
async fn a_resumed_blob_of_other_bytes_is_found_out() {
    let registry = in_turn(
        |request| cut(&ranged(request), 6),
        |_| Reply::new(206).header("Content-Range", "bytes 6-10/11").body("earth"),
    );
    let wrong = pull(&registry, Some(11)).await.unwrap_err();
    assert!(matches!(wrong, RemoteError::WrongDigest { .. }), "{wrong}");
}

#[tokio::test]
async fn lies_about_the_range_are_found_out() {
    for (range, body) in [
        ("bytes 7-10/11", "orld"),
        ("bytes 6-11/12", "world!"),
        ("bytes 6-10/99", "world"),
        ("bytes 6-4/11", "world"),
        ("bytes 0-5/11", "hello "),
        ("nonsense", "world"),
    ] {
        let registry = in_turn(
            |request| cut(&ranged(request), 6),
            move |_| Reply::new(206).header("Content-Range", range).body(body),
        );
        let lie = pull(&registry, Some(11)).await.unwrap_err();
        let told = matches!(lie, RemoteError::Protocol { .. } | RemoteError::WrongSize { .. });
        assert!(told, "{range}: {lie}");
    }
}

#[tokio::test]
async fn a_part_that_nobody_asked_for_is_refused() {
    let registry = Scripted::start(|_| Reply::new(206).header("Content-Range", "bytes 0-10/11").body(HELLO));
    assert!(matches!(pull(&registry, Some(11)).await, Err(RemoteError::Protocol { .. })));
}

#[tokio::test]
async fn a_lying_size_is_found_out() {
    for size in [10, 12, u64::MAX] {
        let registry = Scripted::start(ranged);
        assert!(matches!(pull(&registry, Some(size)).await, Err(RemoteError::WrongSize { .. })), "{size}");
        assert_eq!(registry.seen().len(), 1);
    }
}

async fn part(registry: &Scripted, range: std::ops::Range<u64>) -> Result<Option<Vec<u8>>, RemoteError> {
    match open(registry).pull_blob_range(&repository(), &digest(HELLO), range.clone()).await? {
        RangedPull::NoRanges => Ok(None),
        RangedPull::Part(part) => {
            assert_eq!(part.size(), range.end - range.start);
            let pieces: Vec<_> = part.into_stream().try_collect().await?;
            Ok(Some(pieces.concat()))
        }
    }
}

#[tokio::test]
async fn a_part_is_exactly_what_was_asked_for() {
    let registry = Scripted::start(ranged);
    assert_eq!(part(&registry, 3..8).await.unwrap().as_deref(), Some(&HELLO[3..8]));
    assert_eq!(registry.seen()[0].header("range"), Some("bytes=3-7"));
    assert!(matches!(part(&registry, 3..3).await, Err(RemoteError::Protocol { .. })));
}

#[tokio::test]
async fn a_part_that_breaks_off_is_resumed() {
    let registry = in_turn(|request| cut(&ranged(request), 2), ranged);
    assert_eq!(part(&registry, 3..8).await.unwrap().as_deref(), Some(&HELLO[3..8]));
    assert_eq!(registry.seen()[1].header("range"), Some("bytes=5-7"));
}

#[tokio::test]
async fn a_registry_that_sends_less_than_it_was_asked_for_is_asked_for_the_rest() {
    let registry = Scripted::start(|request| {
        let range = request.header("range").unwrap();
        let first: usize = range["bytes=".len()..].split_once('-').unwrap().0.parse().unwrap();
        let last = (first + 1).min(7);
        let said = format!("bytes {first}-{last}/11");
        Reply::new(206).header("Content-Range", said).body(&HELLO[first..=last])
    });
    assert_eq!(part(&registry, 3..8).await.unwrap().as_deref(), Some(&HELLO[3..8]));
}

#[tokio::test]
async fn no_ranges_and_wrong_ranges_are_told_apart() {
    let registry = Scripted::start(|_| Reply::new(200).body(HELLO));
    assert_eq!(part(&registry, 3..8).await.unwrap(), None);
    let registry = Scripted::start(|_| Reply::new(416).header("Content-Range", "bytes */11"));
    assert_eq!(part(&registry, 30..80).await.unwrap_err().status(), Some(416));
    let lie = |range: &'static str, body: &'static str| {
        Scripted::start(move |_| Reply::new(206).header("Content-Range", range).body(body))
    };
    assert!(matches!(part(&lie("bytes 4-8/11", "o wor"), 3..8).await, Err(RemoteError::Protocol { .. })));
    assert!(matches!(part(&lie("bytes 3-5/6", "lo "), 3..8).await, Err(RemoteError::WrongSize { .. })));
    assert!(matches!(
        part(&lie("bytes 3-7/11", "lo wor and more"), 3..8).await,
        Err(RemoteError::WrongSize { .. })
    ));
}

#[tokio::test]
async fn a_blob_store_gets_no_credential_on_any_connection() {
    let store = in_turn(|request| cut(&ranged(request), 5), ranged);
    let target = format!("{}/blob?sig=1", store.base);
    let registry = Scripted::start(move |request| match request.header("authorization") {
        None => Reply::new(401).header("WWW-Authenticate", r#"Basic realm="registry""#),
        Some(_) => Reply::new(307).header("Location", target.clone()),
    });
    let download =
        remote(&registry, &ada()).pull_blob(&repository(), &digest(HELLO), Some(11)).await.unwrap();
    let pieces: Vec<_> = download.into_stream().try_collect().await.unwrap();
    assert_eq!(pieces.concat(), HELLO);
    assert_eq!(store.seen().len(), 2);
    assert!(was_trusted(&registry) && !was_trusted(&store));
}

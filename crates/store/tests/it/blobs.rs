//! Uploads in any pieces, across any interruptions, become the blob of their bytes.

use std::fs;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use hythe_oci::{Algorithm, Digest, UploadId};
use hythe_store::blobs::Whole;
use hythe_store::{BlobError, Blobs, Upload, Verdict};
use proptest::prelude::*;

use crate::Bench;

const ID: [u8; 16] = [7; 16];

fn id() -> UploadId {
    UploadId::from_bytes(ID)
}

/// What happens to an upload between two pieces.
#[derive(Clone, Copy, Debug)]
enum Between {
    Nothing,
    Checkpoint,
    /// Checkpoint, then take it up again from the disk.
    Resume,
    /// The same in a new process.
    Restart,
}

fn between() -> impl Strategy<Value = Between> {
    prop_oneof![
        4 => Just(Between::Nothing),
        2 => Just(Between::Checkpoint),
        2 => Just(Between::Resume),
        1 => Just(Between::Restart),
    ]
}

fn pieces() -> impl Strategy<Value = Vec<(Vec<u8>, Between)>> {
    // Sizes on both sides of the limits of one trip and of one batch.
    let size = prop_oneof![0..64_usize, 60_000..70_000_usize, 1_000_000..1_200_000_usize];
    let piece = (size, any::<u8>()).prop_map(|(size, seed)| {
        (0..size).map(|at| seed.wrapping_add(u8::try_from(at % 251).unwrap())).collect::<Vec<u8>>()
    });
    prop::collection::vec((piece, between()), 0..8)
}

async fn content(blobs: &Blobs, digest: &Digest) -> Vec<u8> {
    let file = blobs.open(digest).await.unwrap().unwrap();
    let pieces: Vec<Bytes> = file.read(0..file.size()).try_collect().await.unwrap();
    pieces.concat()
}

async fn place(blobs: &Blobs, upload: Upload) -> Digest {
    let staged = upload.finish().await.unwrap();
    let digest = staged.digest();
    let latch = blobs.latch(&digest).await;
    staged.place(&latch).await.unwrap();
    digest
}

async fn run(pieces: Vec<(Vec<u8>, Between)>, algorithm: Algorithm) {
    let mut bench = Bench::new();
    let whole: Vec<u8> = pieces.iter().flat_map(|(piece, _)| piece.clone()).collect();
    let mut upload = bench.store.blobs.begin(id(), algorithm).await.unwrap();
    for (piece, between) in pieces {
        upload.append(Bytes::from(piece)).await.unwrap();
        if matches!(between, Between::Nothing) {
            continue;
        }
        let offset = upload.checkpoint().await.unwrap();
        assert_eq!(offset, upload.offset());
        if matches!(between, Between::Restart) {
            drop(upload);
            bench = bench.restart().await;
        } else if matches!(between, Between::Resume) {
            drop(upload);
        } else {
            continue;
        }
        upload = bench.store.blobs.resume(id()).await.unwrap().unwrap();
        assert_eq!(upload.offset(), offset);
        assert_eq!(upload.algorithm(), algorithm);
    }
    let digest = place(&bench.store.blobs, upload).await;
    assert_eq!(digest, Digest::of(algorithm, &whole));
    assert!(content(&bench.store.blobs, &digest).await == whole);
    assert!(bench.store.blobs.staged().await.unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_pieces_and_interruptions_make_the_same_blob(pieces in pieces(), wide in any::<bool>()) {
        let algorithm = if wide { Algorithm::Sha512 } else { Algorithm::Sha256 };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(run(pieces, algorithm));
    }

    #[test]
    fn any_range_reads_its_own_bytes(size in 1..600_000_usize, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at % 253).unwrap()).collect();
            let mut upload = bench.store.blobs.begin(id(), Algorithm::Sha256).await.unwrap();
            upload.append(Bytes::from(bytes.clone())).await.unwrap();
            let digest = place(&bench.store.blobs, upload).await;
            let (a, b) = (a.index(size), b.index(size));
            let (first, end) = (a.min(b), a.max(b) + 1);
            let file = bench.store.blobs.open(&digest).await.unwrap().unwrap();
            let read: Vec<Bytes> = file.read(first as u64..end as u64).try_collect().await.unwrap();
            assert!(read.concat() == bytes[first..end]);
        });
    }
}

async fn staged(bench: &Bench, bytes: &'static [u8]) {
    let mut upload = bench.store.blobs.begin(id(), Algorithm::Sha256).await.unwrap();
    upload.append(Bytes::from_static(bytes)).await.unwrap();
    upload.checkpoint().await.unwrap();
}

fn state(bench: &Bench) -> std::path::PathBuf {
    bench.folder.path().join("uploads").join(format!("{}.state", id()))
}

fn file(bench: &Bench) -> std::path::PathBuf {
    bench.folder.path().join("uploads").join(id().to_string())
}

#[tokio::test]
async fn bytes_behind_the_checkpoint_are_cut_off() {
    let bench = Bench::new();
    staged(&bench, b"acknowledged").await;
    fs::write(file(&bench), b"acknowledged and written by a request that died").unwrap();
    let upload = bench.store.blobs.resume(id()).await.unwrap().unwrap();
    assert_eq!(upload.offset(), 12);
    let digest = place(&bench.store.blobs, upload).await;
    assert_eq!(digest, Digest::of(Algorithm::Sha256, b"acknowledged"));
}

#[tokio::test]
async fn what_a_power_cut_took_is_not_claimed() {
    let bench = Bench::new();
    staged(&bench, b"acknowledged").await;
    // Another boot: the file lost its end, and the checkpoint does not know.
    let text = fs::read(state(&bench)).unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let other = "00000000-0000-0000-0000-000000000000";
    let at = text.windows(boot.trim().len()).position(|window| window == boot.trim().as_bytes()).unwrap();
    let mut text = text;
    text.splice(at..at + other.len(), other.bytes());
    fs::write(state(&bench), text).unwrap();
    fs::write(file(&bench), b"acknow").unwrap();
    let mut upload = bench.store.blobs.resume(id()).await.unwrap().unwrap();
    assert_eq!(upload.offset(), 6);
    upload.append(Bytes::from_static(b"ledged")).await.unwrap();
    assert_eq!(place(&bench.store.blobs, upload).await, Digest::of(Algorithm::Sha256, b"acknowledged"));
}

#[tokio::test]
async fn a_damaged_checkpoint_costs_a_pass_over_the_bytes() {
    for damage in [&b""[..], b"nonsense", &[0xff; 300]] {
        let bench = Bench::new();
        staged(&bench, b"still here").await;
        fs::write(state(&bench), damage).unwrap();
        let upload = bench.store.blobs.resume(id()).await.unwrap().unwrap();
        assert_eq!(place(&bench.store.blobs, upload).await, Digest::of(Algorithm::Sha256, b"still here"));
    }
}

#[tokio::test]
async fn one_request_at_a_time() {
    let bench = Bench::new();
    let upload = bench.store.blobs.begin(id(), Algorithm::Sha256).await.unwrap();
    assert!(bench.store.blobs.in_hand(&id()));
    let blobs = bench.store.blobs.clone();
    let second = tokio::spawn(async move { blobs.resume(id()).await });
    assert!(matches!(second.await.unwrap(), Err(BlobError::InUse)));
    drop(upload);
    bench.store.blobs.resume(id()).await.unwrap().unwrap();
    assert!(!bench.store.blobs.in_hand(&id()));
}

#[tokio::test]
async fn placing_again_heals_and_readers_are_not_disturbed() {
    let bench = Bench::new();
    let blobs = &bench.store.blobs;
    let mut upload = blobs.begin(id(), Algorithm::Sha256).await.unwrap();
    upload.append(Bytes::from_static(b"good bytes")).await.unwrap();
    let digest = place(blobs, upload).await;
    let hex = digest.hex();
    let path = bench.folder.path().join("blobs/sha256").join(&hex[..2]).join(&hex);
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"rotten byt").unwrap();
    assert_eq!(blobs.verify(&digest, 10).await.unwrap(), Verdict::Corrupt);
    let mut upload = blobs.begin(id(), Algorithm::Sha256).await.unwrap();
    upload.append(Bytes::from_static(b"good bytes")).await.unwrap();
    place(blobs, upload).await;
    assert!(matches!(blobs.verify(&digest, 10).await.unwrap(), Verdict::Intact(_)));

    let open = blobs.open(&digest).await.unwrap().unwrap();
    let latch = blobs.latch(&digest).await;
    assert!(blobs.remove(&latch, &digest).await.unwrap());
    assert!(!blobs.remove(&latch, &digest).await.unwrap());
    let read: Vec<Bytes> = open.read(0..open.size()).try_collect().await.unwrap();
    assert_eq!(read.concat(), b"good bytes");
}

#[tokio::test]
async fn a_file_cut_behind_our_back_is_an_error_and_never_a_short_answer() {
    let bench = Bench::new();
    let blobs = &bench.store.blobs;
    let bytes = vec![3; 700_000];
    let mut upload = blobs.begin(id(), Algorithm::Sha256).await.unwrap();
    upload.append(Bytes::from(bytes)).await.unwrap();
    let digest = place(blobs, upload).await;
    let open = blobs.open(&digest).await.unwrap().unwrap();
    let hex = digest.hex();
    let path = bench.folder.path().join("blobs/sha256").join(&hex[..2]).join(&hex);
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "a test damages its own file")]
    permissions.set_readonly(false);
    fs::set_permissions(&path, permissions).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(400_000).unwrap();
    let outcome: Result<Vec<Bytes>, _> = open.read(0..open.size()).try_collect().await;
    assert!(outcome.is_err());
}

#[tokio::test]
async fn many_are_removed_at_once_and_the_others_stay() {
    let bench = Bench::new();
    let blobs = &bench.store.blobs;
    let mut digests = Vec::new();
    for number in 0..40_u8 {
        let whole = Whole::of(Algorithm::Sha256, Bytes::from(vec![number; 10]));
        let latch = blobs.latch(&whole.digest()).await;
        digests.push(whole.digest());
        let seat = blobs.seat(UploadId::from_bytes([number; 16])).await.unwrap();
        seat.place(whole, &latch).await.unwrap().unwrap();
    }
    let kept = digests.split_off(30);
    let mut latches = Vec::new();
    for digest in &digests {
        latches.push(blobs.latch(digest).await);
    }
    blobs.remove_all(&latches).await.unwrap();
    // Those that are gone already are no error.
    blobs.remove_all(&latches).await.unwrap();
    blobs.remove_all(&[]).await.unwrap();
    for digest in &digests {
        assert!(blobs.open(digest).await.unwrap().is_none());
    }
    for digest in &kept {
        assert!(matches!(blobs.verify(digest, 10).await.unwrap(), Verdict::Intact(_)));
    }
}

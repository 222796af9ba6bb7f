//! The whole protocol against a real registry, whichever it is: `HYTHE_TEST_REGISTRY` names it, and
//! `HYTHE_TEST_USER` with `HYTHE_TEST_PASSWORD` sign in where that is needed. The repositories `lab/app` and
//! `lab/other` are written to.

use std::env;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use hythe_oci::{Reference, Tag, media_type};
use hythe_outbound::{Outbound, Url};
use hythe_remote::{Credentials, Expected, Mount, RangedPull, Remote, RemoteError, Standing, in_memory};

use crate::{digest, repository};

fn address() -> Url {
    Url::parse(&env::var("HYTHE_TEST_REGISTRY").unwrap()).unwrap()
}

fn real(base: &Url) -> Remote {
    let credentials = match (env::var("HYTHE_TEST_USER"), env::var("HYTHE_TEST_PASSWORD")) {
        (Ok(user), Ok(secret)) => Credentials::Password { user, secret: secret.into() },
        _ => Credentials::Anonymous,
    };
    Remote::new(Outbound::builder().build().unwrap(), base, &credentials).unwrap()
}

#[tokio::test]
#[ignore = "needs a registry, named by HYTHE_TEST_REGISTRY"]
async fn everything_that_a_client_does() {
    let remote = real(&address());
    let ping = remote.ping().await.unwrap();
    println!("{ping:?}");
    assert!(matches!(ping.standing, Standing::Accepted | Standing::NotAsked | Standing::Stranger));
    let layer = Bytes::from((0..3_000_000_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>());
    let config = Bytes::from_static(b"{}");

    // In pieces, resumed by location in the middle.
    let expected = Expected { digest: digest(&layer), size: layer.len() as u64 };
    let mut upload = remote.start_upload(&repository(), Some(expected)).await.unwrap();
    upload.append(1_000_000, in_memory(layer.slice(..1_000_000))).await.unwrap();
    let location = upload.location().to_string();
    let mut upload = remote.resume_upload(&repository(), &location).await.unwrap();
    assert_eq!(upload.confirmed(), 1_000_000);
    let unsized_piece = in_memory(layer.slice(1_000_000..2_000_000));
    assert_eq!(upload.append_unsized(unsized_piece).await.unwrap(), 2_000_000);
    upload.finish_with(&digest(&layer), 1_000_000, in_memory(layer.slice(2_000_000..))).await.unwrap();
    remote.push_blob(&repository(), &digest(&config), 2, in_memory(config.clone())).await.unwrap();
    let given_up = remote.start_upload(&repository(), None).await.unwrap();
    println!("cancel: {:?}", given_up.cancel().await);

    // Mounted elsewhere.
    let other = "lab/other".parse().unwrap();
    match remote
        .mount_blob(
            &other,
            Expected { digest: digest(&layer), size: layer.len() as u64 },
            Some(&repository()),
        )
        .await
        .unwrap()
    {
        Mount::Mounted => {}
        Mount::Opened(_) => panic!("not mounted"),
    }
    let stat = remote.stat_blob(&other, &digest(&layer)).await.unwrap().unwrap();
    assert_eq!(stat.size, Some(3_000_000));

    // Pulled whole and in part.
    let whole = remote.pull_blob(&repository(), &digest(&layer), Some(3_000_000)).await.unwrap();
    assert_eq!(whole.into_stream().try_collect::<Vec<_>>().await.unwrap().concat(), layer);
    match remote.pull_blob_range(&repository(), &digest(&layer), 5..2_500_000).await.unwrap() {
        RangedPull::Part(part) => {
            assert_eq!(
                part.into_stream().try_collect::<Vec<_>>().await.unwrap().concat(),
                layer[5..2_500_000]
            );
        }
        RangedPull::NoRanges => panic!("no ranges"),
    }
    let beyond = remote.pull_blob_range(&repository(), &digest(&layer), 3_000_000..3_000_001).await;
    assert_eq!(beyond.err().unwrap().status(), Some(416));

    // Manifests and lists.
    let kind = media_type::OCI_MANIFEST.parse().unwrap();
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{}","size":2}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}","size":3000000}}]}}"#,
        digest(&config),
        digest(&layer)
    );
    let tag: Tag = "v1".parse().unwrap();
    let by_tag = Reference::Tag(tag.clone());
    let pushed = remote.push_manifest(&repository(), &by_tag, &kind, manifest.clone().into()).await.unwrap();
    let resolved = remote.resolve(&repository(), &by_tag).await.unwrap();
    assert_eq!((resolved.digest, resolved.size), (pushed.digest, manifest.len() as u64));
    let pulled = remote.pull_manifest(&repository(), &Reference::Digest(pushed.digest)).await.unwrap();
    assert_eq!(pulled.bytes, manifest.as_bytes());
    let tags: Vec<Tag> = remote.tags(&repository()).unwrap().into_stream().try_collect().await.unwrap();
    assert!(tags.contains(&tag));
    println!("referrers: {:?}", remote.referrers(&repository(), &pushed.digest, None).await.unwrap().source);
    println!("catalogue: {:?}", remote.catalogue().unwrap().next_page().await);

    // Refused and removed.
    let missing =
        remote.resolve(&repository(), &Reference::Tag("nowhere".parse().unwrap())).await.unwrap_err();
    assert!(missing.is_not_found(), "{missing}");
    let wrong =
        remote.push_blob(&repository(), &digest(b"other"), 5, in_memory("hello".into())).await.unwrap_err();
    assert_eq!(wrong.status(), Some(400), "{wrong}");
    for removed in [
        remote.delete_tag(&repository(), &tag).await,
        remote.delete_manifest(&repository(), &pushed.digest).await,
        remote.delete_blob(&other, &digest(&layer)).await,
    ] {
        println!("removed: {removed:?}");
        assert!(matches!(removed, Ok(()) | Err(RemoteError::Unsupported { .. })), "{removed:?}");
    }
}

/// A relay to the registry that breaks so many connections off, each after a million bytes in one direction.
fn breaking(breaks: usize) -> Url {
    let upstream = address().socket_addrs(|| None).unwrap()[0];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let left = Arc::new(AtomicUsize::new(breaks));
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let (near, far) = (near.unwrap(), TcpStream::connect(upstream).unwrap());
            for (from, to) in [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))] {
                let (from, to, left) = (from.unwrap(), to.unwrap(), Arc::clone(&left));
                std::thread::spawn(move || relay(from, to, &left));
            }
        }
    });
    base
}

fn relay(mut from: TcpStream, mut to: TcpStream, left: &AtomicUsize) {
    let (mut buffer, mut moved) = (vec![0; 64 * 1024], 0);
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
        moved += read;
        let less = |left: usize| left.checked_sub(1);
        if moved > 1_000_000 && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            break;
        }
    }
    for end in [&from, &to] {
        // The other direction may have closed both already.
        drop(end.shutdown(Shutdown::Both));
    }
}

#[tokio::test]
#[ignore = "needs a registry, named by HYTHE_TEST_REGISTRY"]
async fn connections_that_break_lose_nothing() {
    let seed = std::process::id();
    let blob = Bytes::from((0..5_000_000_u32).map(|n| ((n ^ seed) % 253) as u8).collect::<Vec<_>>());
    let piece = Bytes::from((0..5_000_000_u32).map(|n| ((n ^ seed) % 241) as u8).collect::<Vec<_>>());
    let told = |remote: Remote| {
        remote.with_observer(|retry| println!("{} again in {:?}: {}", retry.what, retry.delay, retry.reason))
    };
    let remote = told(real(&breaking(2)));
    remote.push_blob(&repository(), &digest(&blob), 5_000_000, in_memory(blob.clone())).await.unwrap();
    let remote = told(real(&breaking(1)));
    let mut upload = remote.start_upload(&repository(), None).await.unwrap();
    upload.append(5_000_000, in_memory(piece.clone())).await.unwrap();
    upload.finish(&digest(&piece)).await.unwrap();
    let remote = told(real(&breaking(3)));
    for content in [&blob, &piece] {
        let pulled = remote.pull_blob(&repository(), &digest(content), Some(5_000_000)).await.unwrap();
        assert_eq!(pulled.into_stream().try_collect::<Vec<_>>().await.unwrap().concat(), **content);
    }
}

//! Blobs and manifests: what is sent, and that wrong bytes never pass.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use hythe_oci::{MediaType, Reference, media_type};
use hythe_remote::{Credentials, RemoteError, in_memory};

use crate::scripted::{Reply, Scripted};
use crate::{digest, remote, repository};

#[tokio::test]
async fn a_blob_is_posted_and_put_to_a_relative_location() {
    let registry = Scripted::start(|request| match request.method.as_str() {
        "POST" => Reply::new(202).header("Location", "/v2/lab/app/blobs/uploads/1?state=x"),
        _ => Reply::new(201).header("Docker-Content-Digest", digest(b"hello").to_string()),
    });
    let remote = remote(&registry, &Credentials::Anonymous);
    remote.push_blob(&repository(), &digest(b"hello"), 5, in_memory("hello".into())).await.unwrap();
    let seen = registry.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].target.as_str()), ("POST", "/v2/lab/app/blobs/uploads/"));
    assert_eq!(seen[0].header("content-length"), Some("0"));
    let put = format!("/v2/lab/app/blobs/uploads/1?state=x&digest=sha256%3A{}", digest(b"hello").hex());
    assert_eq!((seen[1].method.as_str(), seen[1].target.as_str()), ("PUT", put.as_str()));
    assert_eq!(seen[1].body, b"hello");
}

#[tokio::test]
async fn an_empty_blob_can_be_pushed() {
    let registry = Scripted::start(|request| match request.method.as_str() {
        "POST" => Reply::new(202).header("Location", "/upload"),
        _ => Reply::new(201),
    });
    let remote = remote(&registry, &Credentials::Anonymous);
    remote.push_blob(&repository(), &digest(b""), 0, in_memory(Bytes::new())).await.unwrap();
    assert_eq!(registry.seen()[1].header("content-length"), Some("0"));
}

#[tokio::test]
async fn a_registry_that_stored_something_else_is_found_out() {
    let registry = Scripted::start(|request| match request.method.as_str() {
        "POST" => Reply::new(202).header("Location", "/upload"),
        _ => Reply::new(201).header("Docker-Content-Digest", digest(b"other").to_string()),
    });
    let remote = remote(&registry, &Credentials::Anonymous);
    let pushed = remote.push_blob(&repository(), &digest(b"hello"), 5, in_memory("hello".into())).await;
    assert!(matches!(pushed, Err(RemoteError::WrongDigest { .. })), "{pushed:?}");
}

#[tokio::test]
async fn the_sentence_of_a_refused_push_reaches_the_caller() {
    let body = r#"{"errors":[{"code":"DENIED","message":"ada may pull from lab but not push","detail":{}}]}"#;
    let registry = Scripted::start(move |_| Reply::new(403).header("X-Request-Id", "r1").body(body));
    let remote = remote(&registry, &Credentials::Anonymous);
    let refused = remote.push_blob(&repository(), &digest(b"a"), 1, in_memory("a".into())).await.unwrap_err();
    let expected =
        format!("{} answered 403 DENIED: ada may pull from lab but not push (request r1)", registry.base);
    assert_eq!(refused.to_string(), expected);
}

#[tokio::test]
async fn a_refusal_without_an_envelope_still_tells_its_status() {
    let registry = Scripted::start(|_| Reply::new(502).body("<html>Bad Gateway</html>"));
    let refused =
        remote(&registry, &Credentials::Anonymous).has_blob(&repository(), &digest(b"a")).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("{} answered 502", registry.base));
}

async fn pull(reply: Reply, size: Option<u64>) -> Result<Vec<u8>, RemoteError> {
    let registry = Scripted::start(move |_| reply.clone());
    let remote = remote(&registry, &Credentials::Anonymous);
    let download = remote.pull_blob(&repository(), &digest(b"hello"), size).await?;
    let pieces: Vec<_> = download.into_stream().try_collect().await?;
    Ok(pieces.concat())
}

#[tokio::test]
async fn only_the_right_blob_is_pulled() {
    let reply = |body: &str| Reply::new(200).body(body);
    assert_eq!(pull(reply("hello"), Some(5)).await.unwrap(), b"hello");
    assert_eq!(pull(reply("hello"), None).await.unwrap(), b"hello");
    assert!(matches!(pull(reply("hallo"), Some(5)).await, Err(RemoteError::WrongDigest { .. })));
    assert!(matches!(pull(reply("hallo"), None).await, Err(RemoteError::WrongDigest { .. })));
    assert!(matches!(pull(reply("hello!"), Some(5)).await, Err(RemoteError::WrongSize { .. })));
    assert!(matches!(pull(reply("hel").announce(5), Some(5)).await, Err(RemoteError::Outbound(_))));
    assert!(matches!(pull(Reply::new(204), Some(5)).await, Err(RemoteError::Refused(_))));
}

#[tokio::test]
async fn a_manifest_is_pushed_and_pulled_byte_for_byte() {
    let bytes = "{ \"schemaVersion\":2, \"config\":{} }\n";
    let registry = Scripted::start(move |request| match request.method.as_str() {
        "PUT" => Reply::new(201).header("Docker-Content-Digest", digest(bytes.as_bytes()).to_string()),
        _ => Reply::new(200).header("Content-Type", media_type::OCI_MANIFEST).body(bytes),
    });
    let remote = remote(&registry, &Credentials::Anonymous);
    let tag = Reference::Tag("v1".parse().unwrap());
    let kind = MediaType::parse(media_type::OCI_MANIFEST).unwrap();
    let pushed = remote.push_manifest(&repository(), &tag, &kind, bytes.into()).await.unwrap();
    let pulled = remote.pull_manifest(&repository(), &tag).await.unwrap();
    assert_eq!((pulled.digest, pulled.media_type, &*pulled.bytes), (pushed.digest, kind, bytes.as_bytes()));
    let seen = registry.seen();
    assert_eq!(seen[0].body, bytes.as_bytes());
    assert_eq!(seen[0].header("content-type"), Some(media_type::OCI_MANIFEST));
}

#[tokio::test]
async fn another_manifest_than_the_one_asked_for_is_refused() {
    let registry = Scripted::start(|_| {
        let other = digest(b"something else");
        Reply::new(200)
            .header("Content-Type", media_type::OCI_MANIFEST)
            .header("Docker-Content-Digest", other.to_string())
            .body("{}")
    });
    let remote = remote(&registry, &Credentials::Anonymous);
    for reference in [Reference::Digest(digest(b"asked for")), Reference::Tag("v1".parse().unwrap())] {
        let pulled = remote.pull_manifest(&repository(), &reference).await;
        assert!(matches!(pulled, Err(RemoteError::WrongDigest { .. })), "{pulled:?}");
    }
}

#[tokio::test]
async fn a_manifest_larger_than_any_real_one_is_not_read() {
    let registry = Scripted::start(|_| {
        Reply::new(200).header("Content-Type", media_type::OCI_MANIFEST).body(vec![b' '; 5 * 1024 * 1024])
    });
    let remote = remote(&registry, &Credentials::Anonymous);
    let pulled = remote.pull_manifest(&repository(), &Reference::Tag("v1".parse().unwrap())).await;
    assert!(matches!(pulled, Err(RemoteError::Outbound(_))), "{pulled:?}");
}

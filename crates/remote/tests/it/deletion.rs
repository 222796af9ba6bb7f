//! Removing, from registries that do it in part.

use std::sync::atomic::{AtomicBool, Ordering};

use hythe_remote::RemoteError;

use crate::scripted::{Reply, Scripted};
use crate::{ada, digest, open, remote, repository};

#[tokio::test]
async fn manifests_tags_and_blobs_are_removed() {
    let registry = Scripted::start(|request| match request.header("authorization") {
        _ if request.target.starts_with("/token") => Reply::new(200).body(r#"{"token":"t"}"#),
        None => Reply::new(401).header("WWW-Authenticate", r#"Bearer realm="/token""#),
        _ => Reply::new(202),
    });
    let remote = remote(&registry, &ada());
    remote.delete_manifest(&repository(), &digest(b"m")).await.unwrap();
    remote.delete_tag(&repository(), &"v1".parse().unwrap()).await.unwrap();
    remote.delete_blob(&repository(), &digest(b"b")).await.unwrap();
    let seen = registry.seen();
    assert_eq!(seen[1].target, "/token?scope=repository%3Alab%2Fapp%3Adelete");
    let removed: Vec<_> = seen[2..].iter().map(|seen| format!("{} {}", seen.method, seen.target)).collect();
    let (manifest, blob) = (digest(b"m"), digest(b"b"));
    assert_eq!(
        removed,
        [
            format!("DELETE /v2/lab/app/manifests/{manifest}"),
            "DELETE /v2/lab/app/manifests/v1".to_owned(),
            format!("DELETE /v2/lab/app/blobs/{blob}"),
        ]
    );
}

#[tokio::test]
async fn a_registry_that_does_not_remove_is_told_apart() {
    let tag = "v1".parse().unwrap();
    for (status, code) in
        [(405, "UNSUPPORTED"), (400, "DIGEST_INVALID"), (400, "UNSUPPORTED"), (501, "UNKNOWN")]
    {
        let body = format!(r#"{{"errors":[{{"code":"{code}"}}]}}"#);
        let registry = Scripted::start(move |_| Reply::new(status).body(body.clone()));
        let refused = open(&registry).delete_tag(&repository(), &tag).await.unwrap_err();
        assert!(matches!(refused, RemoteError::Unsupported { .. }), "{status} {code}: {refused}");
        assert_eq!(refused.status(), Some(status));
    }
    let registry = Scripted::start(|_| Reply::new(400).body(r#"{"errors":[{"code":"DIGEST_INVALID"}]}"#));
    let refused = open(&registry).delete_manifest(&repository(), &digest(b"m")).await.unwrap_err();
    assert!(matches!(refused, RemoteError::Refused(_)), "a digest is not taken for a tag: {refused}");
    let registry = Scripted::start(|_| Reply::new(403));
    assert!(open(&registry).delete_tag(&repository(), &tag).await.unwrap_err().is_denied());
}

#[tokio::test]
async fn what_is_not_there_is_said_unless_we_removed_it_ourselves() {
    let registry = Scripted::start(|_| Reply::new(404));
    assert!(open(&registry).delete_blob(&repository(), &digest(b"b")).await.unwrap_err().is_not_found());
    let done = AtomicBool::new(false);
    let registry =
        Scripted::start(
            move |_| {
                if done.swap(true, Ordering::SeqCst) { Reply::new(404) } else { Reply::hang_up() }
            },
        );
    open(&registry).delete_blob(&repository(), &digest(b"b")).await.unwrap();
}

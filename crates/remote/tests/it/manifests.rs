//! Resolving references, and manifests that are not what they say.

use hythe_oci::{Reference, media_type};
use hythe_remote::RemoteError;

use crate::scripted::{Reply, Scripted};
use crate::{digest, open, repository};

const IMAGE: &str = r#"{"schemaVersion":2,"config":{},"layers":[]}"#;

fn image() -> Reply {
    Reply::new(200).header("Content-Type", media_type::OCI_MANIFEST).body(IMAGE)
}

fn tag() -> Reference {
    Reference::Tag("v1".parse().unwrap())
}

#[tokio::test]
async fn a_head_resolves_a_tag() {
    let registry =
        Scripted::start(|_| image().header("Docker-Content-Digest", digest(IMAGE.as_bytes()).to_string()));
    let resolved = open(&registry).resolve(&repository(), &tag()).await.unwrap();
    assert_eq!((resolved.digest, resolved.size), (digest(IMAGE.as_bytes()), IMAGE.len() as u64));
    assert_eq!(resolved.media_type.as_str(), media_type::OCI_MANIFEST);
    let seen = registry.seen();
    assert_eq!((seen.len(), seen[0].method.as_str()), (1, "HEAD"));
}

#[tokio::test]
async fn a_head_that_says_too_little_or_too_much_is_followed_by_a_get() {
    let good = digest(IMAGE.as_bytes()).to_string();
    for (case, head) in [
        ("no digest", image()),
        ("refused", Reply::new(405)),
        ("no such page", Reply::new(404)),
        ("no type", Reply::new(200).body(IMAGE).header("Docker-Content-Digest", good.clone())),
        ("no size", image().announce(0).header("Docker-Content-Digest", good.clone())),
        ("absurd size", image().announce(1 << 40).header("Docker-Content-Digest", good.clone())),
        ("no manifest", image().header("Docker-Content-Digest", "sha256:x")),
    ] {
        let registry =
            Scripted::start(move |request| if request.method == "HEAD" { head.clone() } else { image() });
        let resolved = open(&registry).resolve(&repository(), &tag()).await.unwrap();
        assert_eq!(
            (resolved.digest, resolved.size),
            (digest(IMAGE.as_bytes()), IMAGE.len() as u64),
            "{case}"
        );
        assert_eq!(registry.seen().len(), 2, "{case}");
    }
}

#[tokio::test]
async fn a_pinned_digest_is_not_resolved_to_another() {
    let other = digest(b"other");
    let registry = Scripted::start(move |_| image().header("Docker-Content-Digest", other.to_string()));
    let pinned = Reference::Digest(digest(b"asked for"));
    let refused = open(&registry).resolve(&repository(), &pinned).await.unwrap_err();
    assert!(matches!(refused, RemoteError::WrongDigest { .. }), "{refused}");
    // The head lies, and the bytes are right.
    let pinned = Reference::Digest(digest(IMAGE.as_bytes()));
    assert_eq!(
        open(&registry).resolve(&repository(), &pinned).await.unwrap().digest,
        digest(IMAGE.as_bytes())
    );
}

#[tokio::test]
async fn a_missing_manifest_is_explained() {
    let registry = Scripted::start(|_| {
        Reply::new(404)
            .body(r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"there is no v1 in lab/app"}]}"#)
    });
    let missing = open(&registry).resolve(&repository(), &tag()).await.unwrap_err();
    assert!(missing.is_not_found() && missing.to_string().contains("no v1 in lab/app"), "{missing}");
}

#[tokio::test]
async fn a_manifest_of_two_kinds_is_refused() {
    let index = format!(r#"{{"mediaType":"{}","manifests":[]}}"#, media_type::OCI_INDEX);
    let both = r#"{"config":{},"layers":[],"manifests":[]}"#.to_owned();
    for body in [index, both, "<html>Sign in</html>".to_owned()] {
        let sent = body.clone();
        let registry = Scripted::start(move |_| {
            Reply::new(200).header("Content-Type", media_type::OCI_MANIFEST).body(sent.clone())
        });
        let refused = open(&registry).pull_manifest(&repository(), &tag()).await.unwrap_err();
        assert!(matches!(refused, RemoteError::Protocol { .. }), "{body}: {refused}");
    }
}

#[tokio::test]
async fn a_registry_that_notes_the_subject_says_so() {
    let registry = Scripted::start(|_| Reply::new(201).header("OCI-Subject", digest(b"s").to_string()));
    let kind = media_type::OCI_MANIFEST.parse().unwrap();
    let pushed = open(&registry).push_manifest(&repository(), &tag(), &kind, IMAGE.into()).await.unwrap();
    assert_eq!(pushed.subject, Some(digest(b"s")));
}

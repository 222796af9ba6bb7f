//! Mounting, and what becomes of a mount that does not come about.

use hythe_remote::{Expected, Mount};

use crate::scripted::{Reply, Scripted};
use crate::session::{HELLO, Location, Session, hello};
use crate::{ada, digest, open, remote, repository};

fn hello_blob() -> Expected {
    Expected { digest: digest(HELLO), size: HELLO.len() as u64 }
}

#[tokio::test]
async fn a_blob_is_mounted_with_the_rights_to_read_its_source() {
    let registry = Scripted::start(|request| match request.header("authorization") {
        _ if request.target.starts_with("/token") => Reply::new(200).body(r#"{"token":"t"}"#),
        None => Reply::new(401).header("WWW-Authenticate", r#"Bearer realm="/token""#),
        _ => Reply::new(201),
    });
    let from = "lab/base".parse().unwrap();
    let mounted =
        remote(&registry, &ada()).mount_blob(&repository(), hello_blob(), Some(&from)).await.unwrap();
    assert!(matches!(mounted, Mount::Mounted));
    let seen = registry.seen();
    assert!(seen[1].target.contains("repository%3Alab%2Fapp%3Apull%2Cpush"), "{}", seen[1].target);
    assert!(seen[1].target.contains("repository%3Alab%2Fbase%3Apull"), "{}", seen[1].target);
    let mount = format!("/v2/lab/app/blobs/uploads/?mount=sha256%3A{}&from=lab%2Fbase", digest(HELLO).hex());
    assert_eq!(seen[2].target, mount);
}

#[tokio::test]
async fn an_upload_that_a_mount_opened_is_used() {
    let session = Session::new(Location::Relative);
    let script = session.clone();
    let registry = Scripted::start(move |request| script.answer(request));
    let Mount::Opened(upload) = open(&registry).mount_blob(&repository(), hello_blob(), None).await.unwrap()
    else {
        panic!("nothing to mount");
    };
    let (size, content) = hello(0, 11);
    upload.finish_with(&digest(HELLO), size, content).await.unwrap();
    assert_eq!((session.stored().as_deref(), session.opened()), (Some(HELLO), 1));
}

#[tokio::test]
async fn a_registry_that_refuses_to_mount_is_asked_for_an_upload() {
    let registry = Scripted::start(|request| {
        if request.target.contains("mount=") {
            Reply::new(403)
        } else {
            Reply::new(202).header("Location", "/up")
        }
    });
    let from = "secret/base".parse().unwrap();
    let mount = open(&registry).mount_blob(&repository(), hello_blob(), Some(&from)).await.unwrap();
    assert!(matches!(mount, Mount::Opened(_)));
    let registry = Scripted::start(|_| Reply::new(403));
    let refused = open(&registry).mount_blob(&repository(), hello_blob(), Some(&from)).await.err().unwrap();
    assert!(refused.is_denied(), "{refused}");
}

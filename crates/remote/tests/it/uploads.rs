//! Upload sessions: every form of `Location`, pieces, and registries that lie about what they hold.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hythe_remote::{Expected, RemoteError, in_memory};

use crate::scripted::{Reply, Scripted};
use crate::session::{HELLO, Location, Session, hello, methods, started};
use crate::{ada, digest, open, remote, repository, was_trusted};

#[tokio::test]
async fn pieces_follow_the_location_wherever_it_goes() {
    for location in [Location::Relative, Location::Absolute] {
        let session = Session::new(location);
        let script = session.clone();
        let registry = Scripted::start(move |request| script.answer(request));
        let mut upload = started(&registry).await;
        let ((first, one), (second, two)) = (hello(0, 5), hello(5, 8));
        assert_eq!(upload.append(first, one).await.unwrap(), 5);
        assert_eq!(upload.append(second, two).await.unwrap(), 8);
        assert_eq!(upload.offset().await.unwrap(), 8);
        let (rest, three) = hello(8, 11);
        upload.finish_with(&digest(HELLO), rest, three).await.unwrap();
        assert_eq!(session.stored().as_deref(), Some(HELLO));
        let seen = registry.seen();
        let ranges: Vec<_> = seen.iter().filter_map(|seen| seen.header("content-range")).collect();
        assert_eq!(ranges, ["0-4", "5-7", "8-10"]);
    }
}

#[tokio::test]
async fn an_upload_can_be_closed_without_more_bytes_and_cancelled() {
    let session = Session::new(Location::Relative);
    let script = session.clone();
    let registry = Scripted::start(move |request| script.answer(request));
    let mut upload = started(&registry).await;
    let (size, content) = hello(0, 11);
    upload.append(size, content).await.unwrap();
    upload.finish(&digest(HELLO)).await.unwrap();
    assert_eq!(session.stored().as_deref(), Some(HELLO));
    let other = Session::new(Location::Relative);
    let script = other.clone();
    let registry = Scripted::start(move |request| script.answer(request));
    let upload = started(&registry).await;
    let location = upload.location().to_string();
    upload.cancel().await.unwrap();
    let gone = open(&registry).resume_upload(&repository(), &location).await.unwrap_err();
    assert!(gone.is_not_found(), "{gone}");
}

#[tokio::test]
async fn what_is_uploaded_is_announced() {
    let registry = Scripted::start(|_| Reply::new(202).header("Location", "/up"));
    let expected = Expected { digest: digest(HELLO), size: 11 };
    open(&registry).start_upload(&repository(), Some(expected)).await.unwrap();
    let seen = &registry.seen()[0];
    assert_eq!(seen.header("hythe-blob-digest"), Some(digest(HELLO).to_string().as_str()));
    assert_eq!(seen.header("hythe-blob-size"), Some("11"));
}

#[tokio::test]
async fn another_run_goes_on_where_the_first_was_killed() {
    let session = Session::new(Location::Relative);
    let script = session.clone();
    let registry = Scripted::start(move |request| script.answer(request));
    let mut upload = started(&registry).await;
    let (size, content) = hello(0, 6);
    upload.append(size, content).await.unwrap();
    let location = upload.location().to_string();
    drop(upload);
    let relative = location.strip_prefix(&registry.base).unwrap();
    for location in [location.as_str(), relative] {
        let upload = open(&registry).resume_upload(&repository(), location).await.unwrap();
        assert_eq!(upload.confirmed(), 6);
    }
    let upload = open(&registry).resume_upload(&repository(), &location).await.unwrap();
    let (rest, content) = hello(6, 11);
    upload.finish_with(&digest(HELLO), rest, content).await.unwrap();
    assert_eq!(session.stored().as_deref(), Some(HELLO));
}

#[tokio::test]
async fn a_piece_smaller_than_the_registry_takes_is_not_sent() {
    let session = Session::new(Location::Relative);
    let script = session.clone();
    let registry = Scripted::start(move |request| {
        let reply = script.answer(request);
        if request.method == "POST" { reply.header("OCI-Chunk-Min-Length", "8") } else { reply }
    });
    let mut upload = started(&registry).await;
    assert_eq!(upload.smallest_piece(), 8);
    let (size, content) = hello(0, 7);
    let refused = upload.append(size, content).await.unwrap_err();
    assert!(matches!(refused, RemoteError::PieceTooSmall { smallest: 8, size: 7, .. }), "{refused}");
    let ((size, content), (rest, last)) = (hello(0, 8), hello(8, 11));
    upload.append(size, content).await.unwrap();
    upload.finish_with(&digest(HELLO), rest, last).await.unwrap();
    assert_eq!(session.stored().as_deref(), Some(HELLO));
}

#[tokio::test]
async fn bytes_without_a_known_end_are_sent_in_chunks_and_counted() {
    let session = Session::new(Location::Relative);
    let script = session.clone();
    let registry = Scripted::start(move |request| script.answer(request));
    let mut upload = started(&registry).await;
    let pieces = |_| stream::iter([Ok(Bytes::from_static(&HELLO[..5])), Ok(Bytes::from_static(&HELLO[5..]))]);
    assert_eq!(upload.append_unsized(pieces).await.unwrap(), 11);
    assert_eq!(registry.seen()[1].header("transfer-encoding"), Some("chunked"));
    upload.finish(&digest(HELLO)).await.unwrap();
    assert_eq!(session.stored().as_deref(), Some(HELLO));
}

#[tokio::test]
async fn a_source_that_fails_is_no_fault_of_the_registry() {
    let session = Session::new(Location::Relative);
    let script = session.clone();
    let registry = Scripted::start(move |request| script.answer(request));
    let remote = open(&registry);
    let torn = |_| stream::iter([Ok(Bytes::from_static(b"hel")), Err(io::Error::other("the disk is gone"))]);
    let short = |_| stream::iter([Ok(Bytes::from_static(b"hel"))]);
    let long = |_| stream::iter([Ok(Bytes::from_static(b"hello world and more"))]);
    let said = [
        remote.push_blob(&repository(), &digest(HELLO), 11, torn).await.unwrap_err(),
        remote.push_blob(&repository(), &digest(HELLO), 11, short).await.unwrap_err(),
        remote.push_blob(&repository(), &digest(HELLO), 11, long).await.unwrap_err(),
    ];
    for (error, part) in
        said.iter().zip(["the disk is gone", "ended after 3 of the 11", "longer than the 11"])
    {
        assert!(matches!(error, RemoteError::Content(_)) && error.to_string().contains(part), "{error}");
    }
    assert_eq!(session.stored(), None);
    assert_eq!(
        methods(&registry).iter().filter(|method| *method == "POST").count(),
        3,
        "nothing is repeated"
    );
}

#[tokio::test]
async fn wrong_bytes_are_refused_once() {
    let session = Session::new(Location::Relative);
    let script = session.clone();
    let registry = Scripted::start(move |request| script.answer(request));
    let pushed = open(&registry)
        .push_blob(&repository(), &digest(b"other"), 11, in_memory(Bytes::from_static(HELLO)))
        .await;
    assert_eq!(pushed.unwrap_err().status(), Some(400));
    assert_eq!(methods(&registry), ["POST", "PUT"]);
}

#[tokio::test]
async fn a_registry_that_claims_more_than_was_sent_is_not_believed() {
    let registry = Scripted::start(|request| match request.method.as_str() {
        "POST" => Reply::new(202).header("Location", "/up"),
        _ => Reply::new(202).header("Location", "/up").header("Range", "0-999"),
    });
    let mut upload = started(&registry).await;
    let (size, content) = hello(0, 5);
    let refused = upload.append(size, content).await.unwrap_err();
    assert!(matches!(refused, RemoteError::Protocol { .. }), "{refused}");
}

#[tokio::test]
async fn a_success_is_believed_whatever_its_range_says_of_what_was_there_before() {
    // Nothing; where the first piece ended; what the last piece alone was; and other words for a success.
    for (status, ranges) in
        [(202, ["0-0"; 3]), (201, ["0-4"; 3]), (202, ["0-4", "0-2", "0-2"]), (204, [""; 3]), (201, [""; 3])]
    {
        let session = Session::new(Location::Relative);
        let (script, count) = (session.clone(), AtomicUsize::new(0));
        let registry = Scripted::start(move |request| {
            let reply = script.answer(request);
            if request.method != "PATCH" {
                return reply;
            }
            let said = Reply::new(status).header("Location", "/up?state=a%2Fb");
            match ranges[count.fetch_add(1, Ordering::SeqCst)] {
                "" => said,
                range => said.header("Range", range),
            }
        });
        let mut upload = started(&registry).await;
        for (from, to) in [(0, 5), (5, 8), (8, 11)] {
            let (size, content) = hello(from, to);
            assert_eq!(upload.append(size, content).await.unwrap(), to as u64, "{status} {ranges:?}");
        }
        upload.finish(&digest(HELLO)).await.unwrap();
        assert_eq!(session.stored().as_deref(), Some(HELLO));
        assert_eq!(methods(&registry), ["POST", "PATCH", "PATCH", "PATCH", "PUT"]);
    }
}

#[tokio::test]
async fn a_piece_that_is_refused_where_it_belongs_is_not_sent_again() {
    for answers_get in [true, false] {
        let registry = Scripted::start(move |request| match request.method.as_str() {
            "POST" => Reply::new(202).header("Location", "/up"),
            "GET" if answers_get => Reply::new(204).header("Location", "/up").header("Range", "0--1"),
            "GET" => Reply::new(405),
            _ => {
                Reply::new(416).body(r#"{"errors":[{"code":"SIZE_INVALID","message":"more than 4.00MiB"}]}"#)
            }
        });
        let mut upload = started(&registry).await;
        let (size, content) = hello(0, 5);
        let refused = upload.append(size, content).await.unwrap_err();
        assert!(refused.to_string().contains("more than 4.00MiB"), "{refused}");
        assert_eq!(methods(&registry), ["POST", "PATCH", "GET"]);
    }
}

#[tokio::test]
async fn no_upload_is_lured_into_a_private_network_or_a_file() {
    for location in ["file:///etc/passwd", "//[bad", "http://ada:secret@127.0.0.1/up"] {
        let registry = Scripted::start(move |_| Reply::new(202).header("Location", location));
        let refused = open(&registry).start_upload(&repository(), None).await.unwrap_err();
        assert!(matches!(refused, RemoteError::Protocol { .. }), "{location}: {refused}");
    }
    let registry = Scripted::start(|_| Reply::new(202));
    let refused = open(&registry).start_upload(&repository(), None).await.unwrap_err();
    assert!(refused.to_string().contains("no Location"), "{refused}");
}

#[tokio::test]
async fn a_redirected_upload_goes_on_without_credentials() {
    let store = Scripted::start(|request| match request.method.as_str() {
        "PATCH" => Reply::new(202).header("Range", "0-4").header("Location", "/store/1?x=y"),
        _ => Reply::new(201),
    });
    let target = format!("{}/store/0?sig=a", store.base);
    let registry = Scripted::start(move |request| match request.header("authorization") {
        None => Reply::new(401).header("WWW-Authenticate", r#"Basic realm="registry""#),
        _ if request.method == "POST" => Reply::new(202).header("Location", "/up"),
        _ => Reply::new(307).header("Location", target.clone()),
    });
    let mut upload = remote(&registry, &ada()).start_upload(&repository(), None).await.unwrap();
    let (size, content) = hello(0, 5);
    upload.append(size, content).await.unwrap();
    upload.finish(&digest(b"hello")).await.unwrap();
    assert_eq!(store.seen()[0].body, b"hello");
    assert!(store.seen()[1].target.starts_with("/store/1?x=y&digest="), "{}", store.seen()[1].target);
    assert!(was_trusted(&registry) && !was_trusted(&store));
}

#[tokio::test]
async fn the_work_can_be_given_to_other_threads() {
    let session = Session::new(Location::Relative);
    let script = session.clone();
    let registry = Scripted::start(move |request| script.answer(request));
    let remote = open(&registry);
    let pushed = tokio::spawn(async move {
        let mut upload = remote.start_upload(&repository(), None).await?;
        let (size, content) = hello(0, 5);
        upload.append(size, content).await?;
        let (size, content) = hello(5, 11);
        upload.finish_with(&digest(HELLO), size, content).await?;
        remote.push_blob(&repository(), &digest(HELLO), 11, in_memory(Bytes::from_static(HELLO))).await
    });
    // The second push meets a closed session, and says so.
    assert!(pushed.await.unwrap().is_err());
    assert_eq!(session.stored().as_deref(), Some(HELLO));
}

#[tokio::test]
async fn progress_is_seen_in_the_streams_as_they_go_by() {
    let session = Session::new(Location::Relative);
    let script = session.clone();
    let registry = Scripted::start(move |request| script.answer(request));
    let moved = Arc::new(AtomicUsize::new(0));
    let (whole, counter) = (in_memory(Bytes::from_static(HELLO)), Arc::clone(&moved));
    let content = move |offset| {
        let counter = Arc::clone(&counter);
        whole(offset).inspect(move |chunk| {
            counter.fetch_add(chunk.as_ref().map_or(0, Bytes::len), Ordering::SeqCst);
        })
    };
    open(&registry).push_blob(&repository(), &digest(HELLO), 11, content).await.unwrap();
    assert_eq!(moved.load(Ordering::SeqCst), 11);
}

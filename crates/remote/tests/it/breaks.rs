//! Uploads that break off: what arrived is not sent again, and what was lost is begun anew.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::stream;
use hythe_remote::{RemoteError, in_memory};

use crate::scripted::{Reply, Scripted, Seen};
use crate::session::{HELLO, Location, Session, hello, methods, started};
use crate::{ada, digest, open, remote, repository};

/// Cuts the first request of `method` that is not empty after `bytes` of its body.
fn once(method: &'static str, bytes: usize) -> impl Fn(&Seen) -> Option<usize> + Send + Sync {
    let done = AtomicBool::new(false);
    move |seen| {
        let hit = seen.method == method
            && seen.header("content-length") != Some("0")
            && !done.swap(true, Ordering::SeqCst);
        hit.then_some(bytes)
    }
}

#[tokio::test]
async fn a_piece_that_breaks_off_goes_on_where_the_registry_stands() {
    let session = Session::new(Location::Relative);
    let script = session.clone();
    let registry = Scripted::start_cutting(once("PATCH", 4), move |request| script.answer(request));
    let mut upload = started(&registry).await;
    let (size, content) = hello(0, 11);
    assert_eq!(upload.append(size, content).await.unwrap(), 11);
    upload.finish(&digest(HELLO)).await.unwrap();
    assert_eq!(session.stored().as_deref(), Some(HELLO));
    assert_eq!(methods(&registry), ["POST", "PATCH", "GET", "PATCH", "PUT"]);
    assert_eq!(registry.seen()[3].body, b"o world", "nothing is sent twice");
}

#[tokio::test]
async fn bytes_without_a_known_end_go_on_where_the_registry_stands() {
    let session = Session::new(Location::Relative);
    let script = session.clone();
    let registry = Scripted::start_cutting(once("PATCH", 4), move |request| script.answer(request));
    let mut upload = started(&registry).await;
    let (_, content) = hello(0, 11);
    assert_eq!(upload.append_unsized(content).await.unwrap(), 11);
    upload.finish(&digest(HELLO)).await.unwrap();
    assert_eq!(session.stored().as_deref(), Some(HELLO));
    assert_eq!(methods(&registry), ["POST", "PATCH", "GET", "PATCH", "PATCH", "PUT"]);
    // What broke off may still be on its way: the next request says where it lies.
    assert_eq!(registry.seen()[3].header("content-range"), Some("4-10"));
    // What cannot be read again is told as such.
    let session = Session::new(Location::Relative);
    let script = session.clone();
    let registry = Scripted::start_cutting(once("PATCH", 4), move |request| script.answer(request));
    let mut upload = started(&registry).await;
    let gone = |offset| {
        let first = if offset == 0 { Ok(Bytes::from_static(HELLO)) } else { Err(io::Error::other("gone")) };
        stream::iter([first])
    };
    let error = upload.append_unsized(gone).await.unwrap_err();
    assert!(matches!(&error, RemoteError::Content(cause) if cause.to_string() == "gone"), "{error}");
}

#[tokio::test]
async fn a_first_piece_whose_session_is_forgotten_begins_another() {
    let session = Session::new(Location::Relative);
    let script = session.clone();
    let registry = Scripted::start_cutting(once("PATCH", 4), move |request| match request.method.as_str() {
        "GET" => Reply::new(404),
        _ => script.answer(request),
    });
    let mut upload = started(&registry).await;
    let (size, content) = hello(0, 11);
    upload.append(size, content).await.unwrap();
    upload.finish(&digest(HELLO)).await.unwrap();
    assert_eq!((session.stored().as_deref(), session.opened()), (Some(HELLO), 2));
}

#[tokio::test]
async fn a_later_piece_whose_session_is_forgotten_is_lost() {
    let session = Session::new(Location::Relative);
    let script = session.clone();
    let cut = |seen: &Seen| (seen.header("content-range") == Some("5-10")).then_some(1);
    let registry = Scripted::start_cutting(cut, move |request| match request.method.as_str() {
        "GET" => Reply::new(404),
        _ => script.answer(request),
    });
    let mut upload = started(&registry).await;
    let ((first, one), (second, two)) = (hello(0, 5), hello(5, 11));
    upload.append(first, one).await.unwrap();
    assert!(upload.append(second, two).await.unwrap_err().is_not_found());
    assert_eq!(session.opened(), 1);
}

#[tokio::test]
async fn a_token_that_ends_between_pieces_is_renewed() {
    let session = Session::new(Location::Relative);
    let (script, issued, used) = (session.clone(), AtomicUsize::new(0), AtomicUsize::new(0));
    let registry = Scripted::start(move |request| {
        if request.target.starts_with("/token") {
            let number = issued.fetch_add(1, Ordering::SeqCst);
            return Reply::new(200).body(format!(r#"{{"token":"t{number}"}}"#));
        }
        // Each token is good for two requests.
        let good = format!("Bearer t{}", used.load(Ordering::SeqCst) / 2);
        if request.header("authorization") != Some(good.as_str()) {
            return Reply::new(401).header("WWW-Authenticate", r#"Bearer realm="/token""#);
        }
        used.fetch_add(1, Ordering::SeqCst);
        script.answer(request)
    });
    let mut upload = remote(&registry, &ada()).start_upload(&repository(), None).await.unwrap();
    for (from, to) in [(0, 2), (2, 5), (5, 6)] {
        let (size, content) = hello(from, to);
        upload.append(size, content).await.unwrap();
    }
    let (_, content) = hello(6, 11);
    assert_eq!(upload.append_unsized(content).await.unwrap(), 11);
    upload.finish(&digest(HELLO)).await.unwrap();
    assert_eq!(session.stored().as_deref(), Some(HELLO));
}

#[tokio::test]
async fn a_whole_blob_that_breaks_off_goes_on_where_the_registry_stands() {
    let session = Session::new(Location::Absolute);
    let script = session.clone();
    let registry = Scripted::start_cutting(once("PUT", 7), move |request| {
        if request.body.len() == 7 {
            // What a registry does with the bytes of a PUT that breaks off: keep them.
            script.keep(&request.body);
            return Reply::hang_up();
        }
        script.answer(request)
    });
    open(&registry)
        .push_blob(&repository(), &digest(HELLO), 11, in_memory(Bytes::from_static(HELLO)))
        .await
        .unwrap();
    assert_eq!(session.stored().as_deref(), Some(HELLO));
    assert_eq!(methods(&registry), ["POST", "PUT", "GET", "PUT"]);
    assert_eq!(registry.seen()[3].header("content-range"), Some("7-10"));
}

#[tokio::test]
async fn a_registry_that_forgets_the_session_with_the_connection_gets_the_blob_anew() {
    let session = Session::new(Location::Relative);
    let script = session.clone();
    let registry = Scripted::start_cutting(once("PUT", 7), move |request| match request.method.as_str() {
        "GET" => Reply::new(404).body(r#"{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}"#),
        "PUT" if request.body.len() == 7 => Reply::new(500),
        _ => script.answer(request),
    });
    open(&registry)
        .push_blob(&repository(), &digest(HELLO), 11, in_memory(Bytes::from_static(HELLO)))
        .await
        .unwrap();
    assert_eq!(session.stored().as_deref(), Some(HELLO));
    assert_eq!(session.opened(), 2);
}

#[tokio::test]
async fn a_success_whose_answer_was_lost_is_found_out() {
    let session = Session::new(Location::Relative);
    let (script, lost) = (session.clone(), AtomicBool::new(false));
    let registry = Scripted::start(move |request| {
        let reply = script.answer(request);
        if request.method == "PUT" && !lost.swap(true, Ordering::SeqCst) { Reply::hang_up() } else { reply }
    });
    open(&registry)
        .push_blob(&repository(), &digest(HELLO), 11, in_memory(Bytes::from_static(HELLO)))
        .await
        .unwrap();
    assert_eq!(methods(&registry), ["POST", "PUT", "GET", "HEAD"]);
}

#[tokio::test]
async fn a_416_says_where_to_go_on() {
    let session = Session::new(Location::Relative);
    let (script, lost) = (session.clone(), AtomicBool::new(false));
    let registry = Scripted::start(move |request| {
        let reply = script.answer(request);
        // The piece arrives, and its answer says that it did not: a proxy has sent it twice.
        let first = request.method == "PATCH" && !lost.swap(true, Ordering::SeqCst);
        if first { script.answer(request) } else { reply }
    });
    let mut upload = started(&registry).await;
    let (size, content) = hello(0, 11);
    assert_eq!(upload.append(size, content).await.unwrap(), 11);
    assert_eq!(methods(&registry), ["POST", "PATCH"], "the 416 itself said it all");
    upload.finish(&digest(HELLO)).await.unwrap();
    assert_eq!(session.stored().as_deref(), Some(HELLO));
}

#[tokio::test]
async fn a_registry_that_is_busy_is_waited_for() {
    let session = Session::new(Location::Relative);
    let (script, count) = (session.clone(), AtomicUsize::new(0));
    let registry = Scripted::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::new(503),
        2 => Reply::new(429).header("Retry-After", "0"),
        _ => script.answer(request),
    });
    open(&registry)
        .push_blob(&repository(), &digest(HELLO), 11, in_memory(Bytes::from_static(HELLO)))
        .await
        .unwrap();
    assert_eq!(session.stored().as_deref(), Some(HELLO));
    // Nothing had arrived, which `0-0` cannot say, so the second session is a new one.
    assert_eq!(methods(&registry), ["POST", "POST", "PUT", "GET", "POST", "PUT"]);
}

#[tokio::test]
async fn a_registry_that_loses_confirmed_bytes_is_told_apart() {
    let session = Session::new(Location::Relative);
    let script = session.clone();
    let registry = Scripted::start_cutting(
        |seen| (seen.header("content-range") == Some("5-10")).then_some(1),
        move |request| match request.method.as_str() {
            "GET" => Reply::new(204).header("Location", "/up?state=a%2Fb").header("Range", "0-1"),
            _ => script.answer(request),
        },
    );
    let mut upload = started(&registry).await;
    let ((first, one), (second, two)) = (hello(0, 5), hello(5, 11));
    upload.append(first, one).await.unwrap();
    let lost = upload.append(second, two).await.unwrap_err();
    assert!(matches!(lost, RemoteError::WentBack { confirmed: 5, stands: 2, .. }), "{lost}");
    assert_eq!(upload.confirmed(), 2);
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_a_body_is_heard() {
    let large = Bytes::from(vec![7; 8 * 1024 * 1024]);
    let registry = Scripted::start_cutting(
        |seen| (seen.method == "PUT").then_some(10),
        |request| match request.method.as_str() {
            "POST" => Reply::new(202).header("Location", "/up"),
            "GET" => Reply::new(204).header("Location", "/up").header("Range", "0-0"),
            _ => Reply::new(413)
                .body(r#"{"errors":[{"code":"DENIED","message":"the quota is full"}]}"#)
                .early(),
        },
    );
    let (remote, digest, size) = (open(&registry), digest(&large), large.len() as u64);
    let refused = remote.push_blob(&repository(), &digest, size, in_memory(large)).await.unwrap_err();
    assert!(refused.to_string().contains("the quota is full"), "{refused}");
}

//! The client against scripted servers: redirects, credentials, limits, broken answers.

#![expect(clippy::unwrap_used, reason = "a test program: a failed unwrap is a failed test")]

mod files;
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod scripted;

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hythe_outbound::{Authorization, Body, Method, Outbound, OutboundError, Request, StatusCode, Url};
use scripted::{Reply, Scripted};

fn get(url: &str) -> Request {
    let secret = Authorization::bearer(&"secret".into()).unwrap();
    Request::new(Method::GET, Url::parse(url).unwrap()).authorization(Some(secret))
}

fn outbound() -> Outbound {
    Outbound::builder().build().unwrap()
}

#[tokio::test]
async fn a_redirect_to_another_origin_drops_the_credential_for_good() {
    let home = Scripted::start(|request| {
        if request.target == "/back" { Reply::new(200).body("reached") } else { Reply::new(500) }
    });
    let back = format!("{}/back", home.base);
    let away = Scripted::start(move |_| Reply::new(307).header("Location", back.clone()));
    let target = away.base.clone();
    let start = Scripted::start(move |request| match request.target.as_str() {
        "/first" => Reply::new(302).header("Location", "/second"),
        _ => Reply::new(307).header("Location", target.clone()),
    });
    let response = outbound().send(get(&format!("{}/first", start.base))).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let sent =
        |server: &Scripted| server.seen().iter().map(|seen| seen.header("authorization").is_some()).collect();
    let (at_start, on_the_way, at_home): (Vec<_>, Vec<_>, Vec<_>) = (sent(&start), sent(&away), sent(&home));
    assert_eq!(at_start, [true, true], "the same origin keeps it");
    assert_eq!(on_the_way, [false]);
    assert_eq!(at_home, [false]);
}

#[tokio::test]
async fn coming_back_to_the_first_origin_does_not_bring_the_credential_back() {
    let away = Scripted::start(|request| {
        Reply::new(307).header("Location", request.target.trim_start_matches("/?back=").to_owned())
    });
    let target = away.base.clone();
    let home = Scripted::start(move |request| match request.target.as_str() {
        "/start" => {
            let back = format!("http://{}/end", request.header("host").unwrap());
            Reply::new(307).header("Location", format!("{target}/?back={back}"))
        }
        _ => Reply::new(200),
    });
    outbound().send(get(&format!("{}/start", home.base))).await.unwrap();
    let seen = home.seen();
    assert_eq!(seen.iter().map(|seen| seen.target.as_str()).collect::<Vec<_>>(), ["/start", "/end"]);
    assert_eq!(seen[1].header("authorization"), None);
}

#[tokio::test]
async fn a_loop_ends_after_five_redirects() {
    let server = Scripted::start(|_| Reply::new(307).header("Location", "/again"));
    let refused = outbound().send(get(&server.base)).await.unwrap_err();
    assert!(matches!(refused, OutboundError::Redirect { .. }), "{refused}");
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn a_request_with_a_body_is_not_redirected() {
    let server = Scripted::start(|_| Reply::new(307).header("Location", "http://127.0.0.1:1/"));
    let request = Request::new(Method::PUT, Url::parse(&server.base).unwrap()).body(Body::bytes("x".into()));
    assert_eq!(outbound().send(request).await.unwrap().status(), StatusCode::TEMPORARY_REDIRECT);
}

#[tokio::test]
async fn a_redirect_to_a_file_is_refused() {
    let server = Scripted::start(|_| Reply::new(302).header("Location", "file:///etc/passwd"));
    let refused = outbound().send(get(&server.base)).await.unwrap_err();
    assert!(refused.to_string().contains("neither http nor https"), "{refused}");
}

#[tokio::test]
async fn a_stream_is_sent_with_its_length() {
    let server = Scripted::start(|_| Reply::new(201));
    let pieces = stream::iter([Ok(Bytes::from("hel")), Ok(Bytes::from("lo"))]);
    let request = Request::new(Method::PUT, Url::parse(&server.base).unwrap()).body(Body::stream(5, pieces));
    outbound().send(request).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].body, b"hello");
    assert_eq!(seen[0].header("transfer-encoding"), None);
}

#[tokio::test]
async fn a_stream_of_unknown_length_is_sent_in_chunks() {
    let server = Scripted::start(|_| Reply::new(202));
    let pieces = stream::iter([Ok(Bytes::from("hel")), Ok(Bytes::from("lo"))]);
    let url = Url::parse(&server.base).unwrap();
    let request = Request::new(Method::PATCH, url).body(Body::unsized_stream(pieces));
    outbound().send(request).await.unwrap();
    let seen = server.seen();
    assert_eq!((seen[0].body.as_slice(), seen[0].header("content-length")), (&b"hello"[..], None));
}

#[tokio::test]
async fn a_form_is_encoded_and_named() {
    let server = Scripted::start(|_| Reply::new(200));
    let request = Request::new(Method::POST, Url::parse(&server.base).unwrap())
        .form([("scope", "repository:a:pull,push"), ("secret", "a&b=c")]);
    assert!(!format!("{request:?}").contains("a&b"));
    outbound().send(request).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].body, b"scope=repository%3Aa%3Apull%2Cpush&secret=a%26b%3Dc");
    assert_eq!(seen[0].header("content-type"), Some("application/x-www-form-urlencoded"));
}

#[tokio::test]
async fn the_length_of_what_a_head_did_not_send_is_known() {
    let server = Scripted::start(|_| Reply::new(200).announce(1234));
    let request = Request::new(Method::HEAD, Url::parse(&server.base).unwrap());
    assert_eq!(outbound().send(request).await.unwrap().content_length(), Some(1234));
}

#[tokio::test]
async fn a_stream_that_fails_breaks_the_exchange_off() {
    let server = Scripted::start(|_| Reply::new(201));
    let pieces = stream::iter([Ok(Bytes::from("hel")), Err(io::Error::other("the source ran dry"))]);
    let request = Request::new(Method::PUT, Url::parse(&server.base).unwrap()).body(Body::stream(5, pieces));
    let broken = outbound().send(request).await.unwrap_err();
    assert!(broken.to_string().contains("the source ran dry"), "{broken}");
}

#[tokio::test]
async fn an_upload_slower_than_the_idle_limit_goes_on_while_bytes_move() {
    let server = Scripted::start(|_| Reply::new(201));
    let pieces = stream::iter(0..8).then(|_| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(Bytes::from("x"))
    });
    let request = Request::new(Method::PUT, Url::parse(&server.base).unwrap()).body(Body::stream(8, pieces));
    let patient = Outbound::builder().idle_timeout(Duration::from_millis(400)).build().unwrap();
    assert_eq!(patient.send(request).await.unwrap().status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = Scripted::start(|_| Reply::silence());
    let impatient = Outbound::builder().idle_timeout(Duration::from_millis(200)).build().unwrap();
    let begun = Instant::now();
    let given_up = impatient.send(get(&server.base)).await.unwrap_err();
    assert!(matches!(given_up, OutboundError::Timeout { .. }), "{given_up}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_cut_body_is_an_error() {
    let server = Scripted::start(|_| Reply::new(200).body("short").announce(500));
    let response = outbound().send(get(&server.base)).await.unwrap();
    let broken = response.bytes(1000).await.unwrap_err();
    assert!(matches!(broken, OutboundError::Broken { .. }), "{broken}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let server = Scripted::start(|_| Reply::new(200).body(vec![b' '; 2000]));
    let response = outbound().send(get(&server.base)).await.unwrap();
    let refused = response.bytes(1000).await.unwrap_err();
    assert!(matches!(refused, OutboundError::TooLarge { limit: 1000, .. }), "{refused}");
}

#[tokio::test]
async fn nobody_listening_is_told_without_query_or_credentials() {
    let refused = outbound().send(get("http://user:secret@127.0.0.1:1/path?token=secret")).await.unwrap_err();
    assert!(matches!(refused, OutboundError::Connect { .. }), "{refused:?}");
    let told = format!("{refused} {refused:?}");
    assert!(told.contains("http://127.0.0.1:1") && !told.contains("secret"), "{told}");
}

/// What is told of the exchanges of `work`, at every level.
async fn told(work: impl Future<Output = ()>) -> String {
    #[derive(Clone, Default)]
    struct Kept(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    work.await;
    drop(guard);
    let bytes = kept.0.lock().unwrap().clone();
    let text = String::from_utf8(bytes).unwrap();
    // What the libraries underneath say is theirs.
    text.lines().filter(|line| line.contains("hythe_outbound")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn an_exchange_is_told_with_its_figures_and_without_its_secrets() {
    let store = Scripted::start(|_| {
        Reply::new(200).header("X-Request-Id", "seven").header("Set-Cookie", "id=crumb").body("twelve bytes")
    });
    let away = format!("{}/blob?X-Amz-Signature=signed&digest=sha256:0", store.base);
    let home = Scripted::start(move |_| Reply::new(307).header("Location", away.clone()));
    let url = format!("{}/v2/?password=queried&n=1", home.base);
    let told = told(async {
        outbound().send(get(&url)).await.unwrap().bytes(100).await.unwrap();
        let form = Request::new(Method::POST, Url::parse(&format!("{}/token", store.base)).unwrap());
        outbound().send(form.form([("refresh_token", "formed")])).await.unwrap();
    });
    let told = told.await;
    for secret in ["secret", "signed", "queried", "crumb", "formed"] {
        assert!(!told.contains(secret), "{secret} is in {told}");
    }
    for words in [
        "/v2/?password=hidden&n=1 status=307",
        "X-Amz-Signature=hidden&digest=sha256:0 status=200",
        "received=12",
        "request_id=seven",
        "sent=20",
        "authorization: Bearer hidden",
        "set-cookie:  hidden",
    ] {
        assert!(told.contains(words), "{words} is not in {told}");
    }
}

#[tokio::test]
async fn an_exchange_that_fails_is_told_as_well() {
    let server = Scripted::start(|_| Reply::hang_up());
    let told = told(async { drop(outbound().send(get(&server.base)).await) }).await;
    assert!(told.contains("error=") && told.contains("broke off"), "{told}");
}

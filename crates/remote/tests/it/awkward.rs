//! Every awkwardness of registries and of what lies before them: breaks, busy answers, odd addresses, no ranges, lists
//! that lie, and lures to other hosts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use hythe_oci::{Reference, media_type};
use hythe_remote::{
    Credentials, Deleted, Expected, Mount, Remote, RemoteError, Retry, RetryPolicy, SignIn, Upload, chunks,
};

use crate::scripted::{Reply, Scripted, Seen};
use crate::{ada, digest, remote, repository, was_trusted};

const BLOB: &[u8] = b"0123456789";

/// Retries at once.
const EAGER: RetryPolicy =
    RetryPolicy { retries: 3, first: Duration::from_millis(1), longest: Duration::from_secs(2) };

fn eager(registry: &Scripted) -> Remote {
    remote(registry, &Credentials::Anonymous).with_policy(EAGER)
}

fn blob() -> Expected {
    Expected { digest: digest(BLOB), size: BLOB.len() as u64 }
}

fn content(offset: u64) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    chunks(Bytes::from_static(&BLOB[usize::try_from(offset).unwrap()..]))
}

fn bytes(text: &'static [u8]) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    chunks(Bytes::from_static(text))
}

/// A script by the number of the request.
fn numbered(script: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Scripted {
    let count = AtomicUsize::new(0);
    Scripted::start(move |request| script(count.fetch_add(1, Ordering::SeqCst), request))
}

fn methods(registry: &Scripted) -> Vec<String> {
    registry.seen().iter().map(|seen| seen.method.clone()).collect()
}

fn opened() -> Reply {
    Reply::new(202).header("Location", "/up?s=1")
}

#[tokio::test]
async fn an_upload_says_which_blob_it_will_be_and_follows_every_location() {
    let registry = Scripted::start(|request| match request.method.as_str() {
        "POST" => opened(),
        "PATCH" => Reply::new(202).header("Location", "/else/where?s=2").header("Range", "0-9"),
        _ => Reply::new(201),
    });
    let mut upload =
        remote(&registry, &Credentials::Anonymous).start_upload(&repository(), Some(blob())).await.unwrap();
    assert_eq!(upload.append(Some(10), content(0)).await.unwrap(), 10);
    upload.finish(&digest(BLOB)).await.unwrap();
    let seen = registry.seen();
    assert_eq!(seen[0].header("hythe-blob-digest"), Some(digest(BLOB).to_string().as_str()));
    assert_eq!(seen[0].header("hythe-blob-size"), Some("10"));
    assert_eq!((seen[1].target.as_str(), seen[1].header("content-range")), ("/up?s=1", None));
    assert!(seen[2].target.starts_with("/else/where?s=2&digest=sha256"), "{}", seen[2].target);
}

#[tokio::test]
async fn a_push_that_breaks_off_goes_on_where_the_registry_stands() {
    let registry = numbered(|number, request| match (number, request.method.as_str()) {
        (0, "POST") => opened(),
        (1, "PUT") => Reply::new(503),
        (2, "GET") => Reply::new(204).header("Location", "/up?s=2").header("Range", "0-3"),
        (3, "PATCH") => Reply::new(202).header("Location", "/up?s=3").header("Range", "0-9"),
        (4, "PUT") => Reply::new(201),
        other => panic!("{other:?}"),
    });
    eager(&registry).push_blob(&repository(), blob(), content).await.unwrap();
    let seen = registry.seen();
    assert_eq!((seen[3].target.as_str(), seen[3].body.as_slice()), ("/up?s=2", &BLOB[4..]));
    assert_eq!(seen[3].header("content-range"), Some("4-9"));
    assert!(seen[4].body.is_empty());
}

#[tokio::test]
async fn an_upload_that_a_registry_gave_up_is_begun_again_unless_the_blob_is_there() {
    for there in [false, true] {
        let registry = numbered(move |number, request| match (number, request.method.as_str()) {
            (0 | 4, "POST") => opened(),
            (1, "PUT") => Reply::new(502),
            (2, "GET") => Reply::new(404),
            (3, "HEAD") => Reply::new(if there { 200 } else { 404 }),
            (5, "PUT") => Reply::new(201),
            other => panic!("{other:?}"),
        });
        eager(&registry).push_blob(&repository(), blob(), content).await.unwrap();
        assert_eq!(registry.seen().len(), if there { 4 } else { 6 });
    }
}

#[tokio::test]
async fn a_blob_that_was_closed_by_an_answer_that_got_lost_is_no_failure() {
    let registry = numbered(|number, request| match (number, request.method.as_str()) {
        (0, "GET") => Reply::new(204).header("Range", "0-9"),
        (1, "PUT") => Reply::new(504),
        (2, "PUT") => Reply::new(404),
        (3, "HEAD") => Reply::new(200),
        other => panic!("{other:?}"),
    });
    let upload = eager(&registry).resume_upload(&repository(), "/v2/lab/app/blobs/uploads/7").await.unwrap();
    assert_eq!(upload.offset(), 10);
    upload.finish(&digest(BLOB)).await.unwrap();
}

#[tokio::test]
async fn a_proxy_that_takes_small_bodies_only_gets_small_ones() {
    const MIB: usize = 1024 * 1024;
    static LARGE: [u8; 20 * MIB] = [7; 20 * MIB];
    let got = Arc::new(Mutex::new(0));
    let total = Arc::clone(&got);
    let registry = Scripted::start(move |request| match request.method.as_str() {
        "POST" => opened(),
        "PUT" if request.body.is_empty() => Reply::new(201),
        _ if request.body.len() > 10 * MIB => Reply::new(413),
        method => {
            let mut total = total.lock().unwrap();
            *total += if method == "PATCH" { request.body.len() } else { 0 };
            let range = format!("0-{}", total.saturating_sub(1));
            Reply::new(if method == "GET" { 204 } else { 202 }).header("Range", range)
        }
    });
    let large = Expected { digest: digest(&LARGE), size: LARGE.len() as u64 };
    let from = |offset: u64| chunks(Bytes::from_static(&LARGE[usize::try_from(offset).unwrap()..]));
    eager(&registry).push_blob(&repository(), large, from).await.unwrap();
    assert_eq!(*got.lock().unwrap(), LARGE.len());
}

#[tokio::test]
async fn a_stream_of_unknown_size_is_pushed() {
    let registry = numbered(|number, _| match number {
        0 => opened(),
        1 => Reply::new(500),
        other => panic!("{other}"),
    });
    let mut upload =
        remote(&registry, &Credentials::Anonymous).start_upload(&repository(), None).await.unwrap();
    // The scripted server reads no chunked body; that there is no length is what counts here.
    let refused = upload.append(None, bytes(BLOB)).await;
    assert!(matches!(refused, Err(RemoteError::Refused(_))), "{refused:?}");
    let seen = &registry.seen()[1];
    assert_eq!((seen.header("content-length"), seen.header("transfer-encoding")), (None, Some("chunked")));
}

#[tokio::test]
async fn a_registry_that_loses_bytes_in_silence_is_found_out() {
    let registry = numbered(|number, _| match number {
        0 => opened(),
        _ => Reply::new(202).header("Range", "0-4"),
    });
    let mut upload = eager(&registry).start_upload(&repository(), None).await.unwrap();
    let lost = upload.append(Some(10), content(0)).await;
    assert!(matches!(lost, Err(RemoteError::Protocol { .. })), "{lost:?}");
}

#[tokio::test]
async fn an_upload_elsewhere_gets_the_bytes_and_no_credential() {
    let store = Scripted::start(|_| Reply::new(201));
    let location = format!("{}/up", store.base);
    let registry = Scripted::start(move |request| match request.header("authorization") {
        None => Reply::new(401).header("WWW-Authenticate", "Basic realm=\"r\""),
        Some(_) => Reply::new(202).header("Location", location.clone()),
    });
    remote(&registry, &ada()).push_blob(&repository(), blob(), content).await.unwrap();
    assert!(was_trusted(&registry) && !was_trusted(&store));
    assert_eq!(store.seen()[0].body, BLOB);
}

#[tokio::test]
async fn an_upload_of_another_registry_is_not_taken_up() {
    let lure = Scripted::start(|_| Reply::new(204).header("Range", "0-9"));
    let registry = Scripted::start(|_| Reply::new(204));
    let location = format!("{}/v2/lab/app/blobs/uploads/1", lure.base);
    let taken: Result<Upload, _> = remote(&registry, &ada()).resume_upload(&repository(), &location).await;
    assert!(matches!(taken, Err(RemoteError::Protocol { .. })), "{taken:?}");
    assert!(lure.seen().is_empty());
}

#[tokio::test]
async fn busy_registries_are_waited_for_and_the_caller_hears_of_it() {
    let registry = numbered(|number, _| match number {
        0 => Reply::new(429).header("Retry-After", "1"),
        1 => Reply::new(503),
        _ => Reply::new(200),
    });
    let heard = Arc::new(Mutex::new(Vec::<Retry>::new()));
    let log = Arc::clone(&heard);
    let remote =
        eager(&registry).with_observer(Arc::new(move |retry| log.lock().unwrap().push(retry.clone())));
    assert!(remote.has_blob(&repository(), &digest(BLOB)).await.unwrap());
    let heard = heard.lock().unwrap();
    assert_eq!(heard.iter().map(|retry| retry.attempt).collect::<Vec<_>>(), [1, 2]);
    assert!(heard[0].delay >= Duration::from_secs(1) && heard[0].reason.contains("429"), "{heard:?}");
}

#[tokio::test]
async fn refusals_and_too_long_waits_are_final() {
    for (status, header, tries) in [(403, None, 1), (404, None, 1), (429, Some("3600"), 1), (500, None, 4)] {
        let registry = Scripted::start(move |_| match header {
            Some(seconds) => Reply::new(status).header("Retry-After", seconds),
            None => Reply::new(status),
        });
        drop(eager(&registry).has_blob(&repository(), &digest(BLOB)).await);
        assert_eq!(registry.seen().len(), tries, "{status}");
    }
}

#[tokio::test]
async fn a_mount_is_done_or_leaves_an_upload_to_use() {
    let from = "lab/base".parse().unwrap();
    for status in [201, 202] {
        let registry = Scripted::start(move |request| match request.method.as_str() {
            "POST" => Reply::new(status).header("Location", "/up"),
            _ => Reply::new(204),
        });
        let remote = remote(&registry, &Credentials::Anonymous);
        match remote.mount_blob(&repository(), blob(), Some(&from)).await.unwrap() {
            Mount::Mounted => assert_eq!(status, 201),
            Mount::Upload(upload) => {
                assert_eq!(status, 202);
                upload.cancel().await.unwrap();
                assert_eq!(registry.seen()[1].method, "DELETE");
            }
        }
        let asked = format!("?mount=sha256%3A{}&from=lab%2Fbase", digest(BLOB).hex());
        assert!(registry.seen()[0].target.ends_with(&asked), "{}", registry.seen()[0].target);
    }
}

#[tokio::test]
async fn a_mount_asks_for_both_repositories() {
    let registry = Scripted::start(|request| match request.target.split('?').next() {
        Some("/token") => Reply::new(200).body(r#"{"token":"t","expires_in":300}"#),
        _ if request.header("authorization") == Some("Bearer t") => Reply::new(201),
        _ => Reply::new(401).header("WWW-Authenticate", "Bearer realm=\"/token\",service=\"s\""),
    });
    let from = "lab/base".parse().unwrap();
    remote(&registry, &ada()).mount_blob(&repository(), blob(), Some(&from)).await.unwrap();
    let seen = registry.seen();
    let token = seen.iter().find(|seen| seen.target.starts_with("/token")).unwrap();
    assert!(token.target.contains("scope=repository%3Alab%2Fapp%3Apull%2Cpush"), "{}", token.target);
    assert!(token.target.contains("scope=repository%3Alab%2Fbase%3Apull"), "{}", token.target);
}

#[tokio::test]
async fn a_refresh_token_is_redeemed_and_never_sent_to_the_registry() {
    let registry =
        Scripted::start(|request| match (request.target.as_str(), request.header("authorization")) {
            ("/token", None) => Reply::new(200).body(r#"{"access_token":"t","expires_in":300}"#),
            (_, Some("Bearer t")) => Reply::new(200),
            _ => Reply::new(401).header("WWW-Authenticate", "Bearer realm=\"/token\",service=\"s\""),
        });
    let remote = remote(&registry, &Credentials::RefreshToken("kept".into()));
    assert!(remote.has_blob(&repository(), &digest(BLOB)).await.unwrap());
    let seen = registry.seen();
    let form = String::from_utf8(seen[1].body.clone()).unwrap();
    assert_eq!((seen[1].method.as_str(), seen[1].target.as_str()), ("POST", "/token"));
    for part in
        ["grant_type=refresh_token", "refresh_token=kept", "service=s", "scope=repository%3Alab%2Fapp"]
    {
        assert!(form.contains(part), "{form}");
    }
}

async fn pulled(remote: &Remote) -> Result<Vec<u8>, RemoteError> {
    let download = remote.pull_blob(&repository(), &digest(BLOB), Some(10)).await?;
    let pieces: Vec<_> = download.into_stream().try_collect().await?;
    Ok(pieces.concat())
}

#[tokio::test]
async fn a_pull_goes_on_after_a_break_with_and_without_ranges() {
    let cut = || Reply::new(200).body(&BLOB[..4]).announce(10);
    let ranged = numbered(move |number, request| {
        if number == 0 {
            return cut();
        }
        assert_eq!(request.header("range"), Some("bytes=4-"));
        Reply::new(206).header("Content-Range", "bytes 4-9/10").body(&BLOB[4..])
    });
    assert_eq!(pulled(&eager(&ranged)).await.unwrap(), BLOB);
    let whole = numbered(move |number, _| if number == 0 { cut() } else { Reply::new(200).body(BLOB) });
    assert_eq!(pulled(&eager(&whole)).await.unwrap(), BLOB);
    let wrong = numbered(move |number, _| match number {
        0 => cut(),
        _ => Reply::new(206).header("Content-Range", "bytes 0-5/10").body(&BLOB[..6]),
    });
    assert!(matches!(pulled(&eager(&wrong)).await, Err(RemoteError::Protocol { .. })));
    let other = numbered(move |number, _| match number {
        0 => cut(),
        _ => Reply::new(206).header("Content-Range", "bytes 4-9/10").body("XXXXXX"),
    });
    assert!(matches!(pulled(&eager(&other)).await, Err(RemoteError::WrongDigest { .. })));
}

#[tokio::test]
async fn a_part_of_a_blob_is_exactly_the_part_asked_for() {
    let part = |reply: Reply| async move {
        let registry = Scripted::start(move |_| reply.clone());
        let remote = remote(&registry, &Credentials::Anonymous);
        match remote.pull_blob_range(&repository(), &digest(BLOB), 2, 3).await? {
            None => Ok(None),
            Some(range) => {
                let pieces: Vec<_> = range.into_stream().try_collect().await?;
                Ok::<_, RemoteError>(Some(pieces.concat()))
            }
        }
    };
    let good = Reply::new(206).header("Content-Range", "bytes 2-4/10").body("234");
    assert_eq!(part(good).await.unwrap().as_deref(), Some(&b"234"[..]));
    assert_eq!(part(Reply::new(200).body(BLOB)).await.unwrap(), None);
    for lie in [
        Reply::new(206).header("Content-Range", "bytes 3-5/10").body("345"),
        Reply::new(206).header("Content-Range", "bytes 2-4/10").body("23"),
        Reply::new(206).body("234"),
        Reply::new(206).header("Content-Range", "bytes 2-4/10").body("2").announce(3),
    ] {
        assert!(part(lie.clone()).await.is_err(), "{lie:?}");
    }
}

#[tokio::test]
async fn a_tag_is_resolved_by_its_headers_or_else_by_its_body() {
    let manifest =
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[]}";
    let full = move |reply: Reply| {
        reply
            .header("Content-Type", media_type::OCI_INDEX)
            .header("Docker-Content-Digest", digest(manifest.as_bytes()).to_string())
            .body(manifest)
    };
    let tag = Reference::Tag("v1".parse().unwrap());
    for (head, requests) in [
        (full(Reply::new(200)), 1),
        (Reply::new(200).header("Content-Type", media_type::OCI_INDEX).body(manifest), 2),
        (Reply::new(405), 2),
    ] {
        let registry = Scripted::start(move |request| match request.method.as_str() {
            "HEAD" => head.clone(),
            _ => full(Reply::new(200)),
        });
        let resolved = remote(&registry, &Credentials::Anonymous).resolve(&repository(), &tag).await.unwrap();
        assert_eq!((resolved.digest, resolved.size), (digest(manifest.as_bytes()), manifest.len() as u64));
        assert_eq!(resolved.media_type.as_str(), media_type::OCI_INDEX);
        assert_eq!(registry.seen().len(), requests);
    }
    // A pinned digest that is answered with another one is no answer.
    let registry = Scripted::start(move |_| full(Reply::new(200)));
    let pinned = Reference::Digest(digest(b"pinned"));
    let other = remote(&registry, &Credentials::Anonymous).resolve(&repository(), &pinned).await;
    assert!(matches!(other, Err(RemoteError::WrongDigest { .. })), "{other:?}");
}

#[tokio::test]
async fn a_manifest_that_is_an_image_and_an_index_is_refused() {
    let both = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"layers":[]}"#;
    let registry =
        Scripted::start(move |_| Reply::new(200).header("Content-Type", media_type::OCI_INDEX).body(both));
    let tag = Reference::Tag("v1".parse().unwrap());
    let pulled = remote(&registry, &Credentials::Anonymous).pull_manifest(&repository(), &tag).await;
    assert!(matches!(pulled, Err(RemoteError::Protocol { .. })), "{pulled:?}");
}

#[tokio::test]
async fn lists_are_followed_to_their_end_and_nowhere_else() {
    let registry = Scripted::start(|request| match request.target.as_str() {
        "/v2/lab/app/tags/list?n=1000" => Reply::new(200)
            .header("Link", "</v2/lab/app/tags/list?n=1000&last=b>; rel=\"next\"")
            .body(r#"{"name":"lab/app","tags":["a","b","not a tag!"]}"#),
        "/v2/lab/app/tags/list?n=1000&last=b" => Reply::new(200).body(r#"{"tags":["c"]}"#),
        "/v2/_catalog?n=1000" => Reply::new(200).body(r#"{"repositories":null}"#),
        other => panic!("{other}"),
    });
    let remote = remote(&registry, &Credentials::Anonymous);
    let tags = remote.tags(&repository()).unwrap().all().await.unwrap();
    assert_eq!(tags.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert!(remote.catalogue().unwrap().all().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_list_that_leads_away_or_in_circles_is_refused() {
    let lure = Scripted::start(|_| Reply::new(200).body(r#"{"tags":["stolen"]}"#));
    let away = format!("<{}/v2/lab/app/tags/list>; rel=next", lure.base);
    let circle = "</v2/lab/app/tags/list?n=1000>; rel=\"next\"".to_owned();
    for link in [away, circle] {
        let registry =
            Scripted::start(move |_| Reply::new(200).header("Link", link.clone()).body(r#"{"tags":["a"]}"#));
        let tags = remote(&registry, &Credentials::Anonymous).tags(&repository()).unwrap().all().await;
        assert!(matches!(tags, Err(RemoteError::Protocol { .. })), "{tags:?}");
    }
    assert!(lure.seen().is_empty());
}

fn index(artifact_types: &[&str]) -> String {
    let manifests: Vec<String> = artifact_types
        .iter()
        .map(|kind| {
            format!(
                r#"{{"mediaType":"{}","digest":"{}","size":1,"artifactType":"{kind}"}}"#,
                media_type::OCI_MANIFEST,
                digest(kind.as_bytes())
            )
        })
        .collect();
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
        media_type::OCI_INDEX,
        manifests.join(",")
    )
}

#[tokio::test]
async fn referrers_are_listed_with_and_without_a_list_at_the_registry() {
    let subject = digest(b"subject");
    for has_list in [true, false] {
        let registry = Scripted::start(move |request| {
            let index = Reply::new(200).header("Content-Type", media_type::OCI_INDEX);
            let fallback = format!("/v2/lab/app/manifests/{}", subject.fallback_tag());
            if request.target.starts_with("/v2/lab/app/referrers/") && has_list
                || request.target == fallback && !has_list
            {
                return index.body(self::index(&["a/sbom", "a/signature"]));
            }
            Reply::new(404)
        });
        let remote = remote(&registry, &Credentials::Anonymous);
        assert_eq!(remote.referrers(&repository(), &subject, None).await.unwrap().len(), 2);
        // The registry did not filter, so it is done here.
        let one = remote.referrers(&repository(), &subject, Some("a/sbom")).await.unwrap();
        assert_eq!(one.iter().map(|found| found.digest).collect::<Vec<_>>(), [digest(b"a/sbom")]);
    }
    let nothing = Scripted::start(|_| Reply::new(404));
    let found = remote(&nothing, &Credentials::Anonymous).referrers(&repository(), &subject, None).await;
    assert!(found.unwrap().is_empty());
}

#[tokio::test]
async fn deletions_are_told_apart() {
    let tag = Reference::Tag("v1".parse().unwrap());
    for (status, expected) in [
        (202, Some(Deleted::Done)),
        (404, Some(Deleted::Absent)),
        (405, Some(Deleted::Unsupported)),
        (400, Some(Deleted::Unsupported)),
        (403, None),
    ] {
        let registry = Scripted::start(move |_| Reply::new(status));
        let remote = remote(&registry, &Credentials::Anonymous);
        assert_eq!(remote.delete_manifest(&repository(), &tag).await.ok(), expected, "{status}");
    }
    let registry = Scripted::start(|_| Reply::new(202));
    let remote = remote(&registry, &Credentials::Anonymous);
    assert_eq!(remote.delete_blob(&repository(), &digest(BLOB)).await.unwrap(), Deleted::Done);
    assert_eq!(methods(&registry), ["DELETE"]);
}

#[tokio::test]
async fn a_ping_tells_how_to_sign_in_and_whether_we_may() {
    let open = Scripted::start(|_| Reply::new(200));
    let told = remote(&open, &Credentials::Anonymous).ping().await.unwrap();
    assert_eq!((told.sign_in, told.accepted), (SignIn::Open, true));
    let basic = || {
        Scripted::start(|request| match request.header("authorization") {
            Some("Basic YWRhOnRvcHNlY3JldA==") => Reply::new(200),
            _ => Reply::new(401).header("WWW-Authenticate", "Basic realm=\"r\""),
        })
    };
    let told = remote(&basic(), &ada()).ping().await.unwrap();
    assert_eq!((told.sign_in, told.accepted), (SignIn::Basic, true));
    let told = remote(&basic(), &Credentials::Anonymous).ping().await.unwrap();
    assert_eq!((told.sign_in, told.accepted), (SignIn::Basic, false));
    let bearer = Scripted::start(|request| match request.target.split('?').next() {
        Some("/token") => Reply::new(401),
        _ => Reply::new(401).header("WWW-Authenticate", "Bearer realm=\"/token\""),
    });
    let told = remote(&bearer, &ada()).ping().await.unwrap();
    assert_eq!((told.sign_in, told.accepted), (SignIn::Bearer, false));
    let shop = Scripted::start(|_| Reply::new(404).body("<html>a shop</html>"));
    assert!(remote(&shop, &ada()).ping().await.is_err());
}

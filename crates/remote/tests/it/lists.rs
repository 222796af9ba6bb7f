//! Tags, repositories and referrers, page by page, from registries that lead astray.

use futures_util::TryStreamExt as _;
use hythe_oci::{Tag, media_type};
use hythe_remote::{ReferrersSource, RemoteError};

use crate::scripted::{Reply, Scripted};
use crate::{ada, digest, open, remote, repository, was_trusted};

async fn tags(registry: &Scripted) -> Result<Vec<String>, RemoteError> {
    let tags: Vec<Tag> = open(registry).tags(&repository())?.into_stream().try_collect().await?;
    Ok(tags.iter().map(|tag| tag.as_str().to_owned()).collect())
}

#[tokio::test]
async fn pages_are_followed_in_every_form() {
    for absolute in [false, true] {
        let registry = Scripted::start(move |request| {
            let host =
                if absolute { format!("http://{}", request.header("host").unwrap()) } else { String::new() };
            let next = |last| format!("<{host}/v2/lab/app/tags/list?n=2&last={last}>; rel=\"next\"");
            match request.target.rsplit_once("last=").map(|(_, last)| last) {
                None => {
                    Reply::new(200).header("Link", next("b")).body(r#"{"name":"lab/app","tags":["a","b"]}"#)
                }
                Some("b") => Reply::new(200).header("Link", next("c")).body(r#"{"tags":[]}"#),
                Some(_) => Reply::new(200).body(r#"{"tags":["d"]}"#),
            }
        });
        assert_eq!(tags(&registry).await.unwrap(), ["a", "b", "d"]);
        assert_eq!(registry.seen()[0].target, "/v2/lab/app/tags/list?n=1000");
        assert_eq!(registry.seen().len(), 3);
    }
}

#[tokio::test]
async fn a_page_is_not_fetched_before_it_is_wanted() {
    let registry =
        Scripted::start(|_| Reply::new(200).header("Link", "</v2/next>; rel=next").body(r#"{"tags":["a"]}"#));
    let mut pages = open(&registry).tags(&repository()).unwrap();
    assert_eq!(registry.seen().len(), 0);
    pages.next_page().await.unwrap();
    assert_eq!(registry.seen().len(), 1);
}

#[tokio::test]
async fn no_list_is_an_empty_list_and_odd_names_are_left_out() {
    for body in [r#"{"name":"lab/app","tags":null}"#, r#"{"name":"lab/app"}"#, "{}"] {
        let registry = Scripted::start(move |_| Reply::new(200).body(body));
        assert_eq!(tags(&registry).await.unwrap(), Vec::<String>::new());
    }
    let registry =
        Scripted::start(|_| Reply::new(200).body(r#"{"repositories":["lab/app","UPPER","../x"]}"#));
    let mut pages = open(&registry).catalogue().unwrap();
    assert_eq!(pages.next_page().await.unwrap().unwrap(), [repository()]);
    assert_eq!((pages.skipped(), pages.next_page().await.unwrap()), (2, None));
}

#[tokio::test]
async fn a_link_to_another_host_is_not_followed() {
    let lure = Scripted::start(|_| Reply::new(200).body(r#"{"tags":["stolen"]}"#));
    let link = format!("<{}/v2/lab/app/tags/list>; rel=\"next\"", lure.base);
    let registry = Scripted::start(move |request| match request.header("authorization") {
        None => Reply::new(401).header("WWW-Authenticate", r#"Basic realm="r""#),
        Some(_) => Reply::new(200).header("Link", link.clone()).body(r#"{"tags":["a"]}"#),
    });
    let mut pages = remote(&registry, &ada()).tags(&repository()).unwrap();
    let refused = pages.next_page().await.unwrap_err();
    assert!(matches!(refused, RemoteError::Protocol { .. }), "{refused}");
    assert!(was_trusted(&registry) && lure.seen().is_empty());
}

#[tokio::test]
async fn pages_in_a_circle_come_to_an_end() {
    let registry = Scripted::start(|request| {
        let next = if request.target.ends_with("last=a") { "b" } else { "a" };
        let link = format!("</v2/lab/app/tags/list?last={next}>; rel=\"next\"");
        Reply::new(200).header("Link", link).body(r#"{"tags":["a"]}"#)
    });
    let refused = tags(&registry).await.unwrap_err();
    assert!(refused.to_string().contains("circle"), "{refused}");
    assert_eq!(registry.seen().len(), 3);
}

#[tokio::test]
async fn a_list_that_is_none_is_refused() {
    for body in ["<html>", r#"{"tags":"a"}"#, "[]"] {
        let registry = Scripted::start(move |_| Reply::new(200).body(body));
        assert!(matches!(tags(&registry).await, Err(RemoteError::Protocol { .. })), "{body}");
    }
    let registry = Scripted::start(|_| Reply::new(404).body(r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#));
    assert!(tags(&registry).await.unwrap_err().is_not_found());
}

fn index() -> String {
    let entry = |name: &str, kind: &str| {
        let (manifest, digest) = (media_type::OCI_MANIFEST, digest(name.as_bytes()));
        format!(r#"{{"mediaType":"{manifest}","digest":"{digest}","size":1,"artifactType":"{kind}"}}"#)
    };
    let entries = [entry("signature", "application/x-sig"), entry("sbom", "application/x-sbom")].join(",");
    format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{entries}]}}"#, media_type::OCI_INDEX)
}

fn as_index(body: String) -> Reply {
    Reply::new(200).header("Content-Type", media_type::OCI_INDEX).body(body)
}

#[tokio::test]
async fn referrers_are_filtered_where_the_registry_does_not() {
    let registry = Scripted::start(|_| as_index(index()));
    let all = open(&registry).referrers(&repository(), &digest(b"s"), None).await.unwrap();
    assert_eq!((all.descriptors.len(), all.source), (2, ReferrersSource::Registry));
    let wanted = Some("application/x-sig");
    let some = open(&registry).referrers(&repository(), &digest(b"s"), wanted).await.unwrap();
    assert_eq!(some.descriptors.iter().map(|found| found.digest).collect::<Vec<_>>(), [digest(b"signature")]);
    let target = format!("/v2/lab/app/referrers/{}?artifactType=application%2Fx-sig", digest(b"s"));
    assert_eq!(registry.seen()[1].target, target);
}

#[tokio::test]
async fn referrers_of_several_pages_are_joined() {
    let registry = Scripted::start(|request| {
        let reply = as_index(index());
        if request.target.contains("page=2") {
            reply
        } else {
            reply.header("Link", "<?page=2>; rel=\"next\"")
        }
    });
    let all = open(&registry).referrers(&repository(), &digest(b"s"), None).await.unwrap();
    assert_eq!(all.descriptors.len(), 4);
}

#[tokio::test]
async fn a_registry_without_referrers_keeps_them_under_a_tag() {
    let tag = format!("/v2/lab/app/manifests/sha256-{}", digest(b"s").hex());
    let without: [fn() -> Reply; 4] = [
        || Reply::new(404).body("404 page not found"),
        || Reply::new(405),
        || Reply::new(400),
        || Reply::new(200).header("Content-Type", "text/html").body("<html>"),
    ];
    for without in without {
        let tag = tag.clone();
        let registry =
            Scripted::start(move |request| if request.target == tag { as_index(index()) } else { without() });
        let wanted = Some("application/x-sbom");
        let found = open(&registry).referrers(&repository(), &digest(b"s"), wanted).await.unwrap();
        assert_eq!((found.descriptors.len(), found.source), (1, ReferrersSource::Tag));
        assert_eq!(found.descriptors[0].digest, digest(b"sbom"));
    }
    let registry = Scripted::start(|_| Reply::new(404));
    assert!(
        open(&registry).referrers(&repository(), &digest(b"s"), None).await.unwrap().descriptors.is_empty()
    );
}

#[tokio::test]
async fn a_refusal_to_list_referrers_is_no_empty_list() {
    let registry = Scripted::start(|_| Reply::new(403));
    assert!(open(&registry).referrers(&repository(), &digest(b"s"), None).await.unwrap_err().is_denied());
    let image = format!(r#"{{"schemaVersion":2,"mediaType":"{}","config":{{}}}}"#, media_type::OCI_MANIFEST);
    let registry = Scripted::start(move |_| as_index(image.clone()));
    let refused = open(&registry).referrers(&repository(), &digest(b"s"), None).await.unwrap_err();
    assert!(matches!(refused, RemoteError::Protocol { .. }), "{refused}");
}

//! Registries that send us elsewhere: no credential goes there, and some places are not gone to at all.

use hythe_testbed::proxy::{Answer, Proxy};
use hythe_testbed::{Content, layout_folder};
use serde_json::{Value, json};

use super::{REPOSITORY, Shelf, Visitor, lying, refused, small};

#[test]
fn layers_kept_elsewhere_are_not_fetched_there() {
    let lure = Proxy::lure();
    let image = small("foreign");
    let mut manifest: Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
    manifest["layers"][1] = json!({
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": image.blobs[2].digest(), "size": image.blobs[2].bytes.len(),
        "urls": [format!("http://{}/layer", lure.host())],
    });
    let mut shelf = Shelf::of(&image);
    shelf.manifest(&Content::json(&image.manifest.media_type, &manifest), "v1");
    let registry = lying(&shelf, |_, answer| answer);
    Visitor::of(&registry).pull("oci").ok();
    assert!(lure.noted().is_empty(), "{:?}", lure.noted());
}

#[test]
fn nobody_is_lured_into_signing_in_elsewhere() {
    let lure = Proxy::lure();
    let image = small("realms");
    for realm in [
        format!("http://{}/token", lure.host()),
        "http://169.254.169.254/latest/api/token".to_owned(),
        "file:///etc/passwd".to_owned(),
        format!("http://ada@{}/token", lure.host()),
        format!("//{}/token", lure.host()),
    ] {
        let challenge = format!(r#"Bearer realm="{realm}",service="registry""#);
        let registry = Proxy::start(move |_| Answer::new(401).with("www-authenticate", &challenge));
        refused(&format!("sign in at {realm}"), &image, &registry, 1, "no credentials were sent");
        assert!(lure.noted().is_empty(), "{:?}", lure.noted());
        // A Bearer challenge is not answered with a password either.
        assert!(!registry.was_trusted());
    }
}

#[test]
fn redirects_take_no_credential_along() {
    let image = small("redirects");
    let shelf = Shelf::of(&image);
    // It asks for a password, then sends on to a store that asks for one as well.
    let store = {
        let shelf = shelf.clone();
        Proxy::start_at("127.0.0.2", move |exchange| shelf.answer(exchange))
    };
    let to = store.host();
    let registry = lying(&shelf, move |exchange, answer| {
        if exchange.header("authorization").is_none() {
            return Answer::new(401).with("www-authenticate", r#"Basic realm="here""#);
        }
        if !exchange.path().contains("/blobs/") {
            return answer;
        }
        Answer::new(307).with("location", format!("http://{to}{}", exchange.target))
    });
    for form in ["oci", "archive"] {
        Visitor::of(&registry).pull(form).ok();
    }
    assert!(registry.was_trusted() && !store.was_trusted());
    assert!(!store.noted().is_empty());
    let asking =
        Proxy::start_at("127.0.0.2", |_| Answer::new(401).with("www-authenticate", r#"Basic realm="x""#));
    let to = asking.host();
    let registry = lying(&shelf, move |exchange, answer| {
        if exchange.header("authorization").is_none() {
            return Answer::new(401).with("www-authenticate", r#"Basic realm="here""#);
        }
        if exchange.path().contains("/blobs/") {
            Answer::new(302).with("location", format!("http://{to}/"))
        } else {
            answer
        }
    });
    refused("a store that asks for the password", &image, &registry, 4, "401");
    assert!(!asking.was_trusted());
    for (location, words) in [
        ("http://169.254.169.254/latest/meta-data/", "private network"),
        ("http://[fe80::1]/", "private network"),
        ("file:///etc/passwd", "neither http nor https"),
        ("", "redirected"),
        ("/v2/", "redirects are not followed"),
    ] {
        let registry = Proxy::start(move |exchange| match exchange.path() {
            "/api/v1/openapi.json" => Answer::new(404),
            _ => Answer::new(302).with("location", location),
        });
        let outcome = Visitor::of(&registry).run(&["digest", &format!("{REPOSITORY}:v1")]);
        assert_eq!(outcome.status, Some(1), "{location}: {outcome}");
        outcome.says(words);
    }
}

#[test]
fn an_upload_that_is_sent_elsewhere_takes_no_credential_along() {
    let lure = Proxy::lure();
    let image = small("uploads");
    let folder = layout_folder(&[("v1", &image.manifest)], &image.blobs.iter().collect::<Vec<_>>());
    let source = format!("oci:{}", folder.display());
    let push = |location: String| {
        let registry = Proxy::start(move |exchange| {
            if exchange.header("authorization").is_none() {
                return Answer::new(401).with("www-authenticate", r#"Basic realm="here""#);
            }
            match exchange.method.as_str() {
                "POST" => Answer::new(202).with("location", &location),
                _ => Answer::new(404),
            }
        });
        let outcome =
            Visitor::of(&registry).run(&["push", "--progress", "none", &source, &format!("{REPOSITORY}:v1")]);
        assert!(registry.was_trusted());
        outcome
    };
    let outcome = push(format!("http://{}/upload", lure.host()));
    println!("{}", outcome.stderr);
    assert_eq!(outcome.status, Some(5), "{outcome}");
    assert!(!lure.noted().is_empty() && !lure.was_trusted());
    let outcome = push("http://169.254.169.254/latest/".to_owned());
    assert_eq!(outcome.status, Some(1), "{outcome}");
    outcome.says("which is not followed");
}

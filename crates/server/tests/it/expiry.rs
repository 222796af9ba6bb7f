//! Tokens end, and what they began may end well; revocation does not wait for either.

use std::time::Duration;

use hythe_registry::projects::{ProjectPatch, Visibility};

use crate::house::{House, basic, digest, encoded};

const MINUTE: Duration = Duration::from_secs(60);
const UPLOADS: &str = "/v2/lab/app/blobs/uploads/";
const SCOPE: &str = "repository:lab/app:pull,push";

#[tokio::test]
async fn an_expired_token_is_refused_with_a_challenge() {
    let house = House::new().await;
    let token = house.token("ada", SCOPE).await;
    house.ask("GET", "/v2/", &token, b"").await.is(200);
    house.later(6 * MINUTE);
    let refused = house.ask("GET", "/v2/lab/app/tags/list", &token, b"").await.is(401);
    assert!(refused.header("www-authenticate").contains("error=\"invalid_token\""));
    house.ask("POST", UPLOADS, &token, b"").await.is(401);
}

#[tokio::test]
async fn a_token_that_opened_an_upload_finishes_it_after_its_expiry() {
    let house = House::new().await;
    let token = house.token("ada", SCOPE).await;
    let (layer, config) = (b"layer".as_slice(), b"{}".as_slice());
    let opened = house.ask("POST", UPLOADS, &token, b"").await.is(202);
    house.later(6 * 60 * MINUTE);
    let location = opened.header("location").to_owned();
    let patched = house.ask("PATCH", &location, &token, layer).await.is(202);
    let location = format!("{}?digest={}", patched.header("location"), digest(layer));

    // Not for anything but what it opened.
    house.ask("POST", UPLOADS, &token, b"").await.is(401);
    house.ask("GET", "/v2/lab/app/tags/list", &token, b"").await.is(401);
    house.ask("HEAD", "/v2/lab/other/blobs/x", &token, b"").await.is(400);

    house.ask("PUT", &location, &token, b"").await.is(201);
    house.ask("HEAD", &format!("/v2/lab/app/blobs/{}", digest(layer)), &token, b"").await.is(200);
    let fresh = house.token("ada", SCOPE).await;
    let opened = house.ask("POST", UPLOADS, &fresh, b"").await.is(202);
    let location = format!("{}?digest={}", opened.header("location"), digest(config));
    house.ask("PUT", &location, &fresh, config).await.is(201);
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config), "size": 2 },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(layer), "size": 5 }],
    });
    house.ask("PUT", "/v2/lab/app/manifests/v1", &token, manifest.to_string().as_bytes()).await.is(201);

    // Its upload is over: so is the extension, after a little.
    house.later(16 * MINUTE);
    house.ask("HEAD", &format!("/v2/lab/app/blobs/{}", digest(layer)), &token, b"").await.is(401);
}

#[tokio::test]
async fn the_extension_ends_after_a_day() {
    let house = House::new().await;
    let token = house.token("ada", SCOPE).await;
    let opened = house.ask("POST", UPLOADS, &token, b"").await.is(202);
    house.later(25 * 60 * MINUTE);
    house.ask("PATCH", opened.header("location"), &token, b"late").await.is(401);
}

#[tokio::test]
async fn a_deleted_user_is_closed_at_once_whatever_they_hold() {
    let house = House::new().await;
    let token = house.token("ada", SCOPE).await;
    let opened = house.ask("POST", UPLOADS, &token, b"").await.is(202);
    house.identity.delete_user(&"ada".parse().unwrap()).await.unwrap();
    house.ask("GET", "/v2/lab/app/tags/list", &token, b"").await.is(401);
    house.ask("PATCH", opened.header("location"), &token, b"x").await.is(401);
    house.ask("GET", "/v2/", &basic("ada"), b"").await.is(401);
}

#[tokio::test]
async fn no_token_for_images_becomes_a_token_for_the_account() {
    let house = House::new().await;
    let narrow = house.token("admin", "repository:lab/app:pull").await;
    let pair = format!("admin:{}", narrow.strip_prefix("Bearer ").unwrap());
    let narrow_as_password = encoded(&pair);
    let new_user = br#"{"name":"mallory","password":"a good password","admin":true}"#;
    // Bought with the narrow token, or with the password but for scopes that come to nothing.
    let wishes = ["", "&scope=", "&scope=repository:nix/q:pull", "&scope=registry:catalog:*", "&scope=junk"];
    for wish in wishes {
        for (credentials, from_password) in [(narrow_as_password.clone(), false), (basic("ada"), true)] {
            let path = format!("/token?service=hythe{wish}");
            let answer = house.ask("GET", &path, &credentials, b"").await.is(200);
            let token = format!("Bearer {}", answer.json()["token"].as_str().unwrap());
            let made = house
                .ask("POST", "/api/v1/projects", &token, br#"{"name":"mine","visibility":"private"}"#)
                .await;
            let allowed = from_password && wish.is_empty();
            assert_eq!(made.status.as_u16(), if allowed { 201 } else { 403 }, "{wish} {from_password}");
            assert_eq!(house.ask("POST", "/api/v1/users", &token, new_user).await.status.as_u16(), 403);
        }
    }
}

#[tokio::test]
async fn a_project_made_private_closes_at_once() {
    let house = House::new().await;
    let lab = "lab".parse().unwrap();
    let ada = house.identity.user_by_name(&"ada".parse().unwrap()).await.unwrap().unwrap();
    let caller = hythe_identity::Caller::User(ada);
    let made = |visibility| ProjectPatch { visibility: Some(visibility), ..ProjectPatch::default() };
    house.registry.update_project(&caller, &lab, made(Visibility::Public)).await.unwrap();
    let answer = house.ask("GET", "/token?scope=repository:lab/app:pull", "", b"").await.is(200);
    let anonymous = format!("Bearer {}", answer.json()["token"].as_str().unwrap());
    // There is no such repository yet, which a permitted caller is told.
    house.ask("GET", "/v2/lab/app/tags/list", &anonymous, b"").await.is(404);
    house.registry.update_project(&caller, &lab, made(Visibility::Private)).await.unwrap();
    house.ask("GET", "/v2/lab/app/tags/list", &anonymous, b"").await.is(401);
}

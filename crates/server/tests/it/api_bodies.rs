//! What `/api/v1` says to bodies, queries and cursors it cannot read.

use crate::house::{House, basic};

async fn refused(house: &House, body: &[u8], status: u16) -> String {
    let answer = house.ask("POST", "/api/v1/projects", &basic("ada"), body).await.is(status);
    answer.json()["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_explained() {
    let house = House::new().await;
    let sentence = refused(&house, br#"{"name":"x","visibility":"public","colour":"red"}"#, 400).await;
    assert!(sentence.contains("colour"), "{sentence}");
    let sentence = refused(&house, br#"{"name":"x","visibility":"secret"}"#, 400).await;
    assert!(sentence.contains("secret") && sentence.contains("internal"), "{sentence}");
    refused(&house, br#"{"name":"Not/A/Name","visibility":"public"}"#, 400).await;
    refused(&house, b"{", 400).await;
    let sentence = refused(&house, &vec![b' '; 64 * 1024 + 1], 413).await;
    assert!(sentence.contains("65536"), "{sentence}");
}

#[tokio::test]
async fn a_body_without_the_json_type_is_refused() {
    let house = House::new().await;
    // `house.ask` names the type only when it sends a body.
    let answer = house.ask("POST", "/api/v1/projects", &basic("ada"), b"").await.is(415);
    assert_eq!(answer.json()["code"], "unsupported_media_type");
}

#[tokio::test]
async fn pages_follow_one_another_and_foreign_cursors_are_refused() {
    let house = House::new().await;
    for name in ["alpha", "beta", "gamma"] {
        let body = format!(r#"{{"name":"{name}","visibility":"public"}}"#);
        house.ask("POST", "/api/v1/projects", &basic("ada"), body.as_bytes()).await.is(201);
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/projects?limit=2".to_owned();
    loop {
        let page = house.ask("GET", &path, &basic("ada"), b"").await.is(200).json();
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/projects?limit=2&after={next}");
    }
    assert_eq!(seen, ["alpha", "beta", "gamma", "lab"]);

    for query in ["limit=0", "limit=1001", "limit=many", "after=%21", "colour=red"] {
        let answer = house.ask("GET", &format!("/api/v1/projects?{query}"), &basic("ada"), b"").await.is(400);
        assert_eq!(answer.json()["code"], "malformed", "{query}");
    }
}

#[tokio::test]
async fn a_wrong_password_or_token_is_a_challenge_on_every_route() {
    let house = House::new().await;
    for authorization in ["Basic YWRhOndyb25n", "Bearer x.y.z", "Basic", "Digest x"] {
        let answer = house.ask("GET", "/api/v1/projects", authorization, b"").await.is(401);
        assert!(answer.header("www-authenticate").starts_with("Basic "), "{authorization}");
    }
}

#[tokio::test]
async fn the_document_is_open_api_3_1() {
    let house = House::new().await;
    let document = house.ask("GET", "/api/v1/openapi.json", "", b"").await.is(200).json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
}

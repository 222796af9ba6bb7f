//! What every request meets before and after its handler, whichever face it is for.

use hythe_server::limits::{HEAD_BYTES, TARGET_BYTES};

use crate::house::{House, basic};

#[tokio::test]
async fn every_answer_carries_its_request_id() {
    let house = House::new().await;
    for (path, status) in [("/healthz", 200), ("/v2/", 401), ("/nowhere", 404), ("/api/v1/projects", 200)] {
        let answer = house.ask("GET", path, "", b"").await.is(status);
        assert!(!answer.header("x-request-id").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_a_problem_with_the_same_id() {
    let house = House::new().await;
    let answer = house.ask("GET", "/nowhere", "", b"").await.is(404);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["code"], "no_such_route");
    assert_eq!(problem["status"], 404);
    assert_eq!(problem["request_id"], answer.header("x-request-id"));
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let house = House::new().await;
    let answer = house.ask("PATCH", "/api/v1/projects", &basic("ada"), b"").await.is(405);
    assert_eq!(answer.json()["code"], "method_not_allowed");
    let allowed = answer.header("allow");
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
    assert_eq!(house.ask("DELETE", "/healthz", "", b"").await.is(405).json()["code"], "method_not_allowed");
}

#[tokio::test]
async fn a_target_or_head_over_the_limit_is_refused_in_the_form_of_its_face() {
    let house = House::new().await;
    let long = "x".repeat(TARGET_BYTES);
    let answer = house.ask("GET", &format!("/api/v1/{long}"), "", b"").await.is(414);
    assert_eq!(answer.json()["code"], "target_too_long");
    let answer = house.ask("GET", &format!("/v2/{long}"), "", b"").await.is(414);
    assert!(answer.json()["errors"][0]["detail"]["request_id"].is_string());

    let secret = format!("Bearer {}", "x".repeat(HEAD_BYTES));
    assert_eq!(
        house.ask("GET", "/api/v1/projects", &secret, b"").await.is(431).json()["code"],
        "head_too_large"
    );
}

#[tokio::test]
async fn health_and_metrics_answer_without_sign_in() {
    let house = House::new().await;
    assert_eq!(house.ask("GET", "/healthz", "", b"").await.is(200).json()["status"], "ok");
    assert_eq!(house.ask("GET", "/readyz", "", b"").await.is(200).json()["status"], "ready");
    house.ask("GET", "/api/v1/projects/lab/members", &basic("ada"), b"").await.is(200);

    let answer = house.ask("GET", "/metrics", "", b"").await.is(200);
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    let text = String::from_utf8(answer.body).unwrap();
    for line in [
        r#"hythe_http_requests_total{route="readyz",method="GET",status="200"} 1"#,
        r#"hythe_http_requests_total{route="api_members",method="GET",status="200"} 1"#,
    ] {
        assert!(text.contains(line), "{line} in:\n{text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn a_server_that_is_stopping_is_not_ready() {
    let mut house = House::new().await;
    house.stop().await;
    let answer = house.ask("GET", "/readyz", "", b"").await.is(503);
    assert_eq!(answer.json()["reason"], "the server is stopping");
    house.ask("GET", "/healthz", "", b"").await.is(200);
}

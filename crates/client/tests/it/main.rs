//! The client of `/api/v1` against a scripted server: addresses, pages, refusals. And the logins of other
//! programs, with helpers that are real programs.

#![expect(clippy::unwrap_used, reason = "a test program: a failed unwrap is a failed test")]

#[cfg(unix)]
mod credential_helpers;
#[expect(dead_code, reason = "shared with tests that need more of it")]
#[path = "../../../outbound/tests/it/scripted.rs"]
mod scripted;

use hythe_api::{NewProject, ProblemCode, Role, User, Visibility};
use hythe_client::{Api, ApiError, Credentials};
use hythe_outbound::{Outbound, Url};
use scripted::{Reply, Scripted};

fn api(server: &Scripted) -> Api {
    let ada = Credentials::Password { user: "ada".to_owned(), secret: "topsecret".into() };
    Api::new(Outbound::builder().build().unwrap(), &Url::parse(&server.base).unwrap(), &ada).unwrap()
}

#[tokio::test]
async fn a_list_is_followed_to_its_last_page() {
    let server = Scripted::start(|request| {
        let body = match request.target.as_str() {
            "/api/v1/users?limit=1000" => r#"{"items":[{"name":"ada","admin":true}],"next":"a b&c"}"#,
            "/api/v1/users?limit=1000&after=a+b%26c" => r#"{"items":[],"next":"d"}"#,
            "/api/v1/users?limit=1000&after=d" => r#"{"items":[{"name":"bob","admin":false}],"next":null}"#,
            _ => return Reply::new(404),
        };
        Reply::new(200).body(body)
    });
    let users = api(&server).users().unwrap().all().await.unwrap();
    let expected =
        [("ada", true), ("bob", false)].map(|(name, admin)| User { name: name.parse().unwrap(), admin });
    assert_eq!(users, expected);
}

#[tokio::test]
async fn a_page_that_failed_can_be_asked_for_again() {
    let answers = std::sync::Mutex::new(vec![
        Reply::new(200).body(r#"{"items":[{"name":"bob","admin":false}],"next":null}"#),
        Reply::new(503),
    ]);
    let server = Scripted::start(move |_| answers.lock().unwrap().pop().unwrap());
    let api = api(&server);
    let mut users = api.users().unwrap();
    assert_eq!(users.next().await.unwrap_err().status(), Some(503));
    assert_eq!(users.next().await.unwrap().unwrap().name.as_str(), "bob");
    assert_eq!(users.next().await.unwrap(), None);
}

#[tokio::test]
async fn names_are_one_segment_each() {
    let server = Scripted::start(|request| match request.method.as_str() {
        "DELETE" => Reply::new(204),
        _ => Reply::new(200).body(r#"{"user":"ada","role":"pusher"}"#),
    });
    let api = api(&server);
    api.delete_repository(&"lab/tools/solver".parse().unwrap()).await.unwrap();
    let member =
        api.set_member(&"lab".parse().unwrap(), &"ada".parse().unwrap(), Role::Pusher).await.unwrap();
    assert_eq!(member.role, Role::Pusher);
    let seen = server.seen();
    assert_eq!(seen[0].target, "/api/v1/repositories/lab%2Ftools%2Fsolver");
    assert_eq!(seen[1].target, "/api/v1/projects/lab/members/ada");
    assert_eq!(seen[1].body, br#"{"role":"pusher"}"#);
    assert_eq!(seen[1].header("content-type"), Some("application/json"));
    assert_eq!(seen[1].header("authorization"), Some("Basic YWRhOnRvcHNlY3JldA=="));
}

#[tokio::test]
async fn a_problem_is_told_in_the_words_of_the_server() {
    let body = r#"{"type":"about:blank","title":"Conflict","status":409,
        "detail":"There is a project lab already.","code":"already_exists","request_id":"r1"}"#;
    let server = Scripted::start(move |_| {
        Reply::new(409).header("Content-Type", "application/problem+json").body(body)
    });
    let project = NewProject { name: "lab".parse().unwrap(), visibility: Visibility::Private };
    let refused = api(&server).create_project(&project).await.unwrap_err();
    assert_eq!(refused.code(), Some(ProblemCode::AlreadyExists));
    assert_eq!(refused.status(), Some(409));
    assert_eq!(refused.to_string(), "There is a project lab already. (request r1)");
}

#[tokio::test]
async fn the_error_page_of_a_proxy_tells_status_and_server() {
    let server =
        Scripted::start(|_| Reply::new(502).header("X-Request-Id", "r2").body("<html>Bad Gateway</html>"));
    let refused = api(&server).me().await.unwrap_err();
    assert_eq!(refused.to_string(), format!("{} answered 502 without a reason (request r2)", server.base));
}

#[test]
fn an_address_with_a_path_is_no_server() {
    let url = Url::parse("https://registry.example/hythe").unwrap();
    let refused = Api::new(Outbound::builder().build().unwrap(), &url, &Credentials::Anonymous).unwrap_err();
    assert!(matches!(refused, ApiError::Address { .. }), "{refused}");
}

mod spawned;
mod tokens;
mod waiting;

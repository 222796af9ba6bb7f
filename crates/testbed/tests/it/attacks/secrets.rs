//! Secrets: after a session that uses every kind of them, nothing that is kept, logged, counted or answered holds
//! one. Hashes are kept, and the answers that hand a secret out are the only ones that show it.

use std::path::Path;

use hythe_testbed::http::{Body, Response};
use hythe_testbed::{Actor, Family, Hythe, Packing, Role, image};
use serde_json::json;

use super::wire::{Wire, admin_authorization};
use super::{server, still_serves};

/// What must not be found, with the name it is reported under.
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn add(&mut self, what: &'static str, secret: &str) {
        self.0.push((what, secret.to_owned()));
    }

    /// A name and password as given, and in the form that a request carries.
    fn add_login(&mut self, what: &'static str, name: &str, password: &str) {
        use base64::Engine as _;
        self.add(what, password);
        self.add(what, &base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}")));
    }

    /// A token, and the part of it without which it is worth nothing.
    fn add_token(&mut self, what: &'static str, token: &str) {
        self.add(what, token);
        if let Some((_, signature)) = token.rsplit_once('.') {
            self.add(what, signature);
        }
    }

    #[track_caller]
    fn absent_from(&self, place: &str, bytes: &[u8]) {
        for (what, secret) in &self.0 {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{what} stands in {place}");
        }
    }

    /// Looks into every file below a folder.
    fn absent_below(&self, folder: &Path) -> usize {
        let mut files = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files += self.absent_below(&path);
            } else if path.is_file() {
                self.absent_from(&path.display().to_string(), &std::fs::read(&path).unwrap());
                files += 1;
            }
        }
        files
    }
}

fn form(server: &Hythe, fields: &str) -> Response {
    let asked = server.anonymous().ask("POST", "/token");
    asked
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(Body::Whole(fields.as_bytes().to_vec()))
        .send()
}

fn put_password(actor: &Actor, path: &str, body: &serde_json::Value) -> Response {
    let put = actor.ask("PUT", path).header("Content-Type", "application/json");
    put.body(Body::Whole(body.to_string().into_bytes())).send()
}

#[test]
fn nothing_that_is_kept_or_said_holds_a_secret() {
    let mut server = server(&[("HYTHE_LOG", "trace")]);
    let addr = server.addr();
    let mut secrets = Secrets(Vec::new());
    let mut refusals: Vec<Response> = Vec::new();
    let (admin_name, admin_password) = server.admin_login();
    secrets.add_login("the administrator's password", admin_name, admin_password);

    // Accounts: made, changed by themselves and by the administrator, refused.
    let [first, second, third] = ["first-Zq7vK2mw", "second-Lp3xT9rb", "third-Wn6cY4hd"];
    let ada = server.create_user("ada", first);
    server.add_member("lab", "ada", Role::Pusher);
    for (what, password) in [("the first password", first), ("the second", second), ("the third", third)] {
        secrets.add_login(what, "ada", password);
    }
    put_password(&ada, "/api/v1/user/password", &json!({"current": first, "password": second})).is(204);
    refusals.push(put_password(&ada, "/api/v1/user/password", &json!({"current": first, "password": third})));
    put_password(&server.admin(), "/api/v1/users/ada/password", &json!({"password": third})).is(204);
    let ada = Actor::basic(addr, "ada", third);
    ada.get("/v2/").is(200);
    secrets.add("a password that is too short", "sHort7");
    refusals.push(server.admin().post_json("/api/v1/users", &json!({"name": "bob", "password": "sHort7"})));
    secrets.add("a password in a broken body", "Broken-5fGx");
    let broken = server.admin().ask("POST", "/api/v1/users").header("Content-Type", "application/json");
    refusals.push(broken.body(Body::Whole(br#"{"name":"bob","password":"Broken-5fGx",}"#.to_vec())).send());

    // Sign-ins that fail, in every place that takes a secret.
    let guess = "a-guess-Rt8sM1zq";
    secrets.add_login("a wrong password", "ada", guess);
    secrets.add_login("a password of nobody", "nobody", guess);
    for name in ["ada", "nobody"] {
        for path in ["/v2/", "/token?service=hythe", "/api/v1/user"] {
            refusals.push(Actor::basic(addr, name, guess).get(path));
        }
        refusals.push(form(&server, &format!("grant_type=password&username={name}&password={guess}")));
    }
    secrets.add("a forged token", "Forged-2kLm");
    refusals.push(Actor::bearer(addr, "eyJhbGciOiJub25lIn0.e30.Forged-2kLm").get("/v2/"));
    refusals.push(form(&server, "grant_type=refresh_token&refresh_token=hyr_Forged-2kLm"));
    secrets.add("a secret in a query", "Query-9wXc");
    refusals
        .push(server.anonymous().get("/v2/lab/app/manifests/v1?password=Query-9wXc&access_token=Query-9wXc"));
    refusals.push(server.anonymous().get("/nowhere?token=Query-9wXc"));
    secrets.add("a header that cannot be read", "Digest-4bVn");
    refusals.push(server.anonymous().ask("GET", "/v2/").header("Authorization", "Digest Digest-4bVn").send());

    // Tokens of every kind, used and revoked.
    let scope = "scope=repository:lab/app:pull,push";
    let issued =
        ada.get(&format!("/token?service=hythe&{scope}&offline_token=true&client_id=laptop")).is(200).json();
    let refresh = issued["refresh_token"].as_str().unwrap();
    secrets.add_token("a refresh token", refresh);
    let access = issued["access_token"].as_str().unwrap();
    secrets.add_token("an access token", access);
    let renewed =
        form(&server, &format!("grant_type=refresh_token&refresh_token={refresh}&service=hythe&{scope}"))
            .is(200)
            .json();
    let renewed = renewed["access_token"].as_str().unwrap();
    secrets.add_token("a renewed access token", renewed);
    Actor::basic(addr, "ada", refresh).get("/v2/").is(200);
    Actor::basic(addr, "<token>", access).get("/v2/").is(200);
    let pusher = Actor::bearer(addr, renewed);
    pusher.push_image("lab/app", "v1", &image(Family::Oci, Packing::Gzip, "secrets", "amd64"));
    let left_open = pusher.open_upload("lab/app");
    pusher.get(&left_open).is(204);
    let listed = ada.get("/api/v1/user/tokens").is(200);
    secrets.absent_from("the list of tokens", &listed.body);
    let id = listed.json()["items"][0]["id"].as_str().unwrap().to_owned();
    ada.delete(&format!("/api/v1/user/tokens/{id}")).is(204);
    refusals.push(form(&server, &format!("grant_type=refresh_token&refresh_token={refresh}")));

    // A head that cannot be parsed, with a secret in it.
    let mut wire = Wire::open(addr);
    wire.send(format!(
        "GET /v2/ HTTP/1.1\r\nHost: h\r\nAuthorization: {}\r\nX\0: \r\n\r\n",
        admin_authorization(&server)
    ));
    secrets.absent_from("the answer to a broken head", &wire.rest());

    for refusal in &refusals {
        assert!((400..500).contains(&refusal.status), "{refusal}");
        secrets.absent_from(&refusal.asked, &refusal.body);
        for (name, value) in &refusal.headers {
            secrets.absent_from(&format!("{name} of {}", refusal.asked), value.as_bytes());
        }
    }
    secrets.absent_from("/metrics", &server.anonymous().get("/metrics").is(200).body);
    still_serves(&server);
    // Records with their log beside them, and without.
    let running = secrets.absent_below(server.folder());
    server.stop();
    let stopped = secrets.absent_below(server.folder());
    assert!(running >= 4 && stopped >= 3, "{running} and {stopped} files looked at");
    assert!(
        server.log().contains("DEBUG") && server.log().contains("a sign-in failed"),
        "the log held all there is"
    );
}

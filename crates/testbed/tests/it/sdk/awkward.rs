//! Awkward registries: good ones, and a good one whose answers are made awkward on the way. Each is put through
//! everything that the SDK does.

mod everything;
mod limits;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hythe_client::progress::Reporter;
use hythe_client::transfer::{PushOptions, archive_in_file};
use hythe_client::{Api, Credentials};
use hythe_outbound::Url;
use hythe_testbed::proxy::{Answer, Exchange, Proxy};
use hythe_testbed::{Actor, Distribution, Role};

use self::everything::{Lacks, archive_of, everything, tag, target};
use super::{Scene, credentials, outbound, run};

/// What stands behind an awkward registry: a Hythe, asked by somebody who may.
#[derive(Clone)]
struct Behind {
    addr: SocketAddr,
    authorization: String,
}

impl Behind {
    fn of(scene: &Scene) -> Self {
        let pair = STANDARD.encode(format!("{}:{}", scene.pusher.name, scene.pusher.password));
        Self { addr: scene.bench.server.addr(), authorization: format!("Basic {pair}") }
    }

    fn vouch(&self, exchange: &mut Exchange<'_>) {
        exchange.headers.retain(|(name, _)| name != "authorization");
        exchange.headers.push(("authorization".to_owned(), self.authorization.clone()));
    }

    fn ask(&self, exchange: &mut Exchange<'_>) -> Answer {
        self.vouch(exchange);
        exchange.forward(self.addr)
    }

    fn cut(&self, exchange: &mut Exchange<'_>, bytes: u64) -> Answer {
        self.vouch(exchange);
        exchange.cut(self.addr, bytes)
    }
}

type Rule = Box<dyn Fn(&mut Exchange<'_>, &Behind) -> Answer + Send + Sync>;

/// An awkwardness by name.
fn rule(rule: impl Fn(&mut Exchange<'_>, &Behind) -> Answer + Send + Sync + 'static) -> Rule {
    Box::new(rule)
}

/// Puts a registry with an awkwardness through everything.
fn awkward(what: &str, credentials: &Credentials, lacks: Lacks, rule: Rule) {
    let scene = Scene::of(Role::Owner);
    let behind = Behind::of(&scene);
    let proxy = Proxy::start(move |exchange| {
        // Nothing of ours is to be known there.
        if exchange.path().starts_with("/api/") {
            return Answer::new(404);
        }
        rule(exchange, &behind)
    });
    let there = |repository: &str| target(&proxy.host(), credentials, repository);
    everything(what, &there, &scene.bench.admin, &scene, &scene.bench.repository.clone(), lacks);
}

fn nobody() -> Credentials {
    Credentials::Anonymous
}

fn ada() -> Credentials {
    Credentials::Password { user: "ada".into(), secret: "topsecret".into() }
}

#[test]
fn hythe_itself() {
    let scene = Scene::of(Role::Owner);
    let there = |repository: &str| super::target_at(scene.bench.server, &scene.pusher, repository);
    everything(
        "Hythe",
        &there,
        &scene.bench.admin,
        &scene,
        &scene.bench.repository.clone(),
        Lacks::default(),
    );
}

#[test]
fn docker_registry_of_debian() {
    let Some(registry) = Distribution::start() else { return };
    let there = |repository: &str| target(&registry.host(), &nobody(), repository);
    let lacks = Lacks { tag_deletion: true, ..Lacks::default() };
    everything(
        "docker-registry",
        &there,
        &Actor::anonymous(registry.addr()),
        &Scene::new(),
        "lab/app",
        lacks,
    );
}

#[test]
fn distribution_three() {
    let Some(registry) = Distribution::start_third() else { return };
    let there = |repository: &str| target(&registry.host(), &nobody(), repository);
    let actor = Actor::anonymous(registry.addr());
    everything("distribution 3", &there, &actor, &Scene::new(), "lab/app", Lacks::default());
}

/// Changes the `Location` of the answers to uploads.
fn locations(change: impl Fn(&str) -> String + Send + Sync + 'static) -> Rule {
    rule(move |exchange, behind| {
        let answer = behind.ask(exchange);
        match answer.header("location").map(str::to_owned) {
            Some(location) if exchange.path().contains("/blobs/uploads") => {
                answer.replacing("location", change(&location))
            }
            _ => answer,
        }
    })
}

fn path_of(location: &str) -> &str {
    let after = location.split_once("://").map_or(location, |(_, rest)| rest);
    after.find('/').map_or(after, |at| &after[at..])
}

#[test]
fn locations_of_every_form() {
    awkward(
        "relative locations",
        &nobody(),
        Lacks::default(),
        locations(|location| path_of(location).to_owned()),
    );
    awkward(
        "locations without a scheme",
        &nobody(),
        Lacks::default(),
        locations(|location| location.split_once(':').map_or(location, |(_, rest)| rest).to_owned()),
    );
    let asked = locations(|location| format!("{location}?_state=a%2Fb%3D%3D&other=1"));
    awkward(
        "locations with a query that must come back",
        &nobody(),
        Lacks::default(),
        rule(move |exchange, behind| {
            let uploads = exchange.path().contains("/blobs/uploads/") && !exchange.path().ends_with('/');
            if uploads && !exchange.target.contains("_state=a%2Fb%3D%3D&other=1") {
                return Answer::new(400)
                    .body(r#"{"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"the state is lost"}]}"#);
            }
            exchange.target = exchange
                .target
                .replace("_state=a%2Fb%3D%3D&other=1&", "")
                .replace("?_state=a%2Fb%3D%3D&other=1", "");
            asked(exchange, behind)
        }),
    );
}

/// A registry that wants a token, and how its service writes one.
fn with_tokens(write: fn(&str) -> String, uses: usize) -> Rule {
    let issued = AtomicUsize::new(0);
    let left = Mutex::new(HashMap::<String, usize>::new());
    rule(move |exchange, behind| {
        if exchange.path() == "/service/token" {
            let expected = format!("Basic {}", STANDARD.encode("ada:topsecret"));
            if exchange.method != "GET" {
                return Answer::new(405);
            }
            if exchange.header("authorization") != Some(expected.as_str()) {
                return Answer::new(401);
            }
            let token = format!("t{}", issued.fetch_add(1, Ordering::SeqCst));
            left.lock().unwrap().insert(token.clone(), uses);
            return Answer::new(200).with("content-type", "application/json").body(write(&token));
        }
        let token = exchange.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let good = token.is_some_and(|token| {
            let mut left = left.lock().unwrap();
            let Some(uses) = left.get_mut(token).filter(|uses| **uses > 0) else { return false };
            *uses -= 1;
            true
        });
        if good {
            return behind.ask(exchange);
        }
        let host = exchange.header("host").unwrap_or_default();
        let challenge =
            format!(r#"Bearer realm="http://{host}/service/token",service="s",scope="repository:x:pull""#);
        Answer::new(401).with("www-authenticate", challenge)
    })
}

/// More than are under way at once: whoever is refused gets a token that others have not used up meanwhile.
const SOME: usize = 20;

#[test]
fn every_way_to_sign_in() {
    awkward(
        "Basic",
        &ada(),
        Lacks::default(),
        rule(|exchange, behind| {
            let expected = format!("Basic {}", STANDARD.encode("ada:topsecret"));
            if exchange.header("authorization") == Some(expected.as_str()) {
                return behind.ask(exchange);
            }
            Answer::new(401).with("www-authenticate", r#"Basic realm="a registry""#)
        }),
    );
    awkward(
        "Bearer, `token` without an end",
        &ada(),
        Lacks::default(),
        with_tokens(|token| format!(r#"{{"token":"{token}"}}"#), usize::MAX),
    );
    awkward(
        "Bearer, `access_token` with an end",
        &ada(),
        Lacks::default(),
        with_tokens(
            |token| format!(r#"{{"access_token":"{token}","expires_in":60,"scope":""}}"#),
            usize::MAX,
        ),
    );
    awkward(
        "Bearer, tokens that end after some requests",
        &ada(),
        Lacks::default(),
        with_tokens(
            |token| format!(r#"{{"token":"{token}","access_token":"{token}","expires_in":300}}"#),
            SOME,
        ),
    );
}

#[test]
fn what_is_not_offered() {
    let refused = |code: &str| Answer::new(405).body(format!(r#"{{"errors":[{{"code":"{code}"}}]}}"#));
    awkward(
        "no referrers",
        &nobody(),
        Lacks::default(),
        rule(|exchange, behind| {
            if exchange.path().contains("/referrers/") {
                return Answer::new(404).body("404 page not found");
            }
            behind.ask(exchange).without("oci-subject")
        }),
    );
    awkward(
        "no ranges",
        &nobody(),
        Lacks::default(),
        rule(|exchange, behind| {
            exchange.headers.retain(|(name, _)| name != "range");
            behind.ask(exchange).without("accept-ranges")
        }),
    );
    awkward(
        "no HEAD of manifests",
        &nobody(),
        Lacks::default(),
        rule(
            move |exchange, behind| {
                if exchange.is("HEAD", "/manifests/") { Answer::new(405) } else { behind.ask(exchange) }
            },
        ),
    );
    awkward(
        "no Docker-Content-Digest",
        &nobody(),
        Lacks::default(),
        rule(|exchange, behind| behind.ask(exchange).without("docker-content-digest")),
    );
    awkward(
        "tags that are null",
        &nobody(),
        Lacks { tags: true, ..Lacks::default() },
        rule(|exchange, behind| {
            let answer = behind.ask(exchange);
            if exchange.path().ends_with("/tags/list") {
                answer.body(r#"{"name":"x","tags":null}"#)
            } else {
                answer
            }
        }),
    );
    let lacks = Lacks { pieces: true, ..Lacks::default() };
    awkward(
        "no uploads in pieces",
        &nobody(),
        lacks,
        rule(
            move |exchange, behind| {
                if exchange.method == "PATCH" { refused("UNSUPPORTED") } else { behind.ask(exchange) }
            },
        ),
    );
    awkward(
        "mounts that are passed over",
        &nobody(),
        Lacks::default(),
        rule(|exchange, behind| {
            if exchange.method == "POST" {
                exchange.target = exchange.path().to_owned();
            }
            behind.ask(exchange)
        }),
    );
    let lacks = Lacks { tag_deletion: true, ..Lacks::default() };
    awkward(
        "no removal of tags",
        &nobody(),
        lacks,
        rule(move |exchange, behind| {
            if exchange.is("DELETE", "/manifests/") && !exchange.path().contains("sha256:") {
                return refused("UNSUPPORTED");
            }
            behind.ask(exchange)
        }),
    );
    let scene = Scene::new();
    let closed = Proxy::start(|exchange| match exchange.path() {
        "/v2/_catalog" => {
            Answer::new(401).body(r#"{"errors":[{"code":"UNAUTHORIZED","message":"no catalogue"}]}"#)
        }
        _ => Answer::new(404),
    });
    let there = target(&closed.host(), &nobody(), &scene.bench.repository);
    let error = run(async { there.remote().catalogue().unwrap().next_page().await }).unwrap_err();
    println!("no catalogue: {error}");
    assert!(error.is_denied() && error.to_string().contains("no catalogue"), "{error}");
}

/// Whether this is the n-th, 2n-th, … request.
fn every(n: usize) -> impl Fn() -> bool + Send + Sync {
    let count = AtomicUsize::new(0);
    move || count.fetch_add(1, Ordering::SeqCst) % n == n - 1
}

/// The first of each kind alone.
fn first() -> impl Fn(String) -> bool + Send + Sync {
    let met = Mutex::new(std::collections::HashSet::new());
    move |what| met.lock().unwrap().insert(what)
}

#[test]
fn what_goes_wrong_in_the_middle() {
    let due = every(4);
    awkward(
        "429 with Retry-After",
        &nobody(),
        Lacks::default(),
        rule(
            move |exchange, behind| {
                if due() { Answer::new(429).with("retry-after", "0") } else { behind.ask(exchange) }
            },
        ),
    );
    let (due, count) = (every(5), AtomicUsize::new(0));
    awkward(
        "5xx in the middle",
        &nobody(),
        Lacks::default(),
        rule(move |exchange, behind| {
            if !due() {
                return behind.ask(exchange);
            }
            Answer::new([500, 502, 503, 504][count.fetch_add(1, Ordering::SeqCst) % 4])
                .body("<html>Bad Gateway</html>")
        }),
    );
    let due = first();
    awkward(
        "connections that break in uploads",
        &nobody(),
        Lacks::default(),
        rule(move |exchange, behind| {
            let large = exchange.announced().is_some_and(|size| size > 1 << 20);
            if large && due(exchange.path().to_owned()) {
                return behind.cut(exchange, 700_000);
            }
            behind.ask(exchange)
        }),
    );
    let (due, again) = (first(), first());
    awkward(
        "connections that break in downloads",
        &nobody(),
        Lacks::default(),
        rule(move |exchange, behind| {
            let what = format!("{} {}", exchange.target, exchange.header("range").unwrap_or_default());
            let answer = behind.ask(exchange);
            let cut = exchange.is("GET", "/blobs/") && !exchange.path().contains("/uploads/");
            match cut {
                true if due(what.clone()) => answer.cut_after(300_000),
                true if again(what) => answer.cut_after(10),
                _ => answer,
            }
        }),
    );
    let due = first();
    awkward(
        "answers that are lost",
        &nobody(),
        Lacks::default(),
        rule(move |exchange, behind| {
            let what = format!("{} {}", exchange.method, exchange.path());
            let lost = matches!(exchange.method.as_str(), "PUT" | "PATCH" | "HEAD") && due(what);
            let answer = behind.ask(exchange);
            if lost { Answer::hang_up() } else { answer }
        }),
    );
}

/// To a Hythe a layer goes in one long request while it is packed.
#[test]
fn a_stream_to_a_hythe_goes_on_after_a_break() {
    let scene = Scene::new();
    let (addr, count) = (scene.bench.server.addr(), Arc::new(AtomicUsize::new(0)));
    let long = Arc::clone(&count);
    let proxy = Proxy::start(move |exchange| {
        if exchange.header("transfer-encoding").is_none() {
            return exchange.forward(addr);
        }
        match long.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::new(503),
            1 => exchange.cut(addr, 30 << 20),
            2 => exchange.cut(addr, 1 << 20),
            _ => exchange.forward(addr),
        }
    });
    let url = Url::parse(&format!("http://{}", proxy.host())).unwrap();
    let api = Api::new(outbound(), &url, &credentials(&scene.pusher)).unwrap();
    let there = target(&proxy.host(), &credentials(&scene.pusher), &scene.bench.repository).with_api(api);
    let archive = archive_of("a stream", 80 << 20);
    let pushed = run(async {
        let archive = archive_in_file(&archive).unwrap();
        there
            .push_archive(archive, None, Some(&tag("v1")), &PushOptions::default(), &Reporter::silent())
            .await
    });
    assert_eq!(pushed.unwrap().digest.to_string(), scene.whole("v1"));
    assert!(count.load(Ordering::SeqCst) > 3);
}

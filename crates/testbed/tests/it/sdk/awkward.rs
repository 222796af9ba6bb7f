//! Awkward registries: good ones, and a good one whose answers are made awkward on the way. Each is put through
//! everything that the SDK does.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use hythe_api::Readiness;
use hythe_client::progress::Reporter;
use hythe_client::transfer::{CopyOptions, PullOptions, PushOptions, Target, TransferError, archive_in_file};
use hythe_client::{Api, Credentials};
use hythe_oci::{Reference, Tag};
use hythe_outbound::Url;
use hythe_remote::{Remote, RemoteError, RetryPolicy};
use hythe_testbed::proxy::{Answer, Exchange, Proxy};
use hythe_testbed::{
    Actor, Content, Distribution, Family, Image, Index, Packing, Role, artifact, docker_archive, image,
    index, layout_folder, noise, run_folder,
};

use super::{Scene, credentials, outbound, run};

/// Repeats as often as the default does, but in no time.
const QUICK: RetryPolicy = RetryPolicy {
    attempts: 8,
    first_wait: Duration::from_millis(1),
    longest_wait: Duration::from_millis(20),
    patience: Duration::from_secs(20),
};

/// Large enough to be fetched in parts, and to be refused by a proxy with a limit.
const LARGE: usize = 18 << 20;

/// What a registry cannot do, so that its absence is told in due form.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Lacks {
    /// Uploads in pieces, without which an archive cannot be pushed as it streams by.
    pieces: bool,
    /// Lists of tags that are worth anything.
    tags: bool,
    /// Removing tags.
    tag_deletion: bool,
}

/// What goes through each registry, with blobs of its own.
struct Goods {
    index: Index,
    sbom: Image,
    large: Image,
    layout: PathBuf,
    large_layout: PathBuf,
    archive: PathBuf,
}

impl Goods {
    fn new(seed: &str) -> Self {
        let of = |architecture| image(Family::Oci, Packing::Gzip, seed, architecture);
        let index = index(Family::Oci, vec![of("amd64"), of("arm64")]);
        let sbom = artifact("application/vnd.example.sbom", Some(&index.images[1].manifest), seed);
        let media_type = "application/vnd.oci.image.layer.v1.tar+gzip".to_owned();
        let layer = Content { media_type, bytes: noise(seed, LARGE) };
        let large = Image::of_blobs(Family::Oci, vec![layer], "amd64");
        let mut rest: Vec<&Content> = index.images.iter().map(|image| &image.manifest).collect();
        rest.extend(index.images.iter().flat_map(|image| &image.blobs));
        let layout = layout_folder(&[("all", &index.manifest)], &rest);
        let large_layout = layout_folder(&[("v1", &large.manifest)], &large.blobs.iter().collect::<Vec<_>>());
        let archive = archive_of(seed, 12 << 20);
        Self { index, sbom, large, layout, large_layout, archive }
    }
}

/// An archive of an image with one layer that does not shrink.
fn archive_of(seed: &str, size: usize) -> PathBuf {
    let mut tar = tar::Builder::new(Vec::new());
    let content = noise(&format!("{seed} archive"), size);
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append_data(&mut header, "data", content.as_slice()).unwrap();
    let layers = vec![tar.into_inner().unwrap()];
    docker_archive(&Image::of_layers(Family::Oci, Packing::Plain, layers, seed, "amd64"), "some/app:v1")
}

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

fn tagged(name: &str) -> Reference {
    Reference::Tag(tag(name))
}

fn target(host: &str, credentials: &Credentials, repository: &str) -> Target {
    let url = Url::parse(&format!("http://{host}")).unwrap();
    let remote = Remote::new(outbound(), &url, credentials).unwrap().with_retries(QUICK);
    Target::new(remote, repository.parse().unwrap())
}

/// Everything the SDK does, at one registry. `checker` looks behind its back; `home` is a Hythe to copy from and to.
fn everything(
    what: &str,
    there: &dyn Fn(&str) -> Target,
    checker: &Actor,
    home: &Scene,
    repository: &str,
    lacks: Lacks,
) {
    super::note(what);
    let goods = Goods::new(&format!("{what} {repository}"));
    let silent = Reporter::silent();
    let (push, pull) = (PushOptions::default(), PullOptions::default());
    let app = there(repository);
    run(async {
        // From a layout, twice.
        for sent in [goods.index.images.iter().map(|image| image.blobs.len()).sum(), 0] {
            let pushed = app.push_layout(&goods.layout, Some("all"), Some(&tag("all")), &push, &silent).await;
            let pushed = pushed.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(
                (pushed.digest.to_string(), pushed.sent),
                (goods.index.manifest.digest(), sent),
                "{what}"
            );
        }
        let pushed = app.push_layout(&goods.large_layout, None, Some(&tag("large")), &push, &silent).await;
        let pushed = pushed.unwrap_or_else(|error| panic!("{what}, a large layer: {error}"));
        assert_eq!(pushed.digest.to_string(), goods.large.manifest.digest());
        // From an archive, as it streams by.
        let archive = archive_in_file(&goods.archive).unwrap();
        let pushed = app.push_archive(archive, None, Some(&tag("archive")), &push, &silent).await;
        match pushed {
            Ok(_) => assert!(!lacks.pieces, "{what}"),
            Err(error) => {
                assert!(lacks.pieces && error.to_string().contains("405"), "{what}, an archive: {error}");
            }
        }
        // Into a layout and as an archive.
        for (name, digest) in
            [("all", goods.index.manifest.digest()), ("large", goods.large.manifest.digest())]
        {
            let folder = run_folder::fresh("pulled");
            let pulled = app.pull_layout(&tagged(name), &folder, Some(name), &pull, &silent).await;
            let pulled = pulled.unwrap_or_else(|error| panic!("{what}, a pull of {name}: {error}"));
            assert_eq!(pulled.digest.to_string(), digest, "{what}");
            std::fs::remove_dir_all(folder).unwrap();
            let (whole, archive) = app.pull_archive(&tagged(name), None, &pull, &silent).await.unwrap();
            let pieces: Vec<Bytes> =
                archive.try_collect().await.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(pieces.iter().map(Bytes::len).sum::<usize>() > 1000);
            assert!(name == "all" || whole.to_string() == digest, "{what}");
        }
        // What is asked of an image.
        let resolved = app.remote().resolve(app.repository(), &tagged("all")).await.unwrap();
        assert_eq!(resolved.digest.to_string(), goods.index.manifest.digest(), "{what}");
        let size = app.size(&tagged("all")).await.unwrap();
        let bytes: usize =
            goods.index.images.iter().flat_map(|image| &image.blobs).map(|blob| blob.bytes.len()).sum();
        assert_eq!((size.bytes, size.platforms.len()), (bytes as u64, 2), "{what}");
        let status = app.status(&tagged("all")).await.unwrap();
        assert_eq!((status.status, status.places[0].percent), (Readiness::Ready, 100), "{what}");
        assert!(app.status(&tagged("none")).await.is_err(), "{what}");
        if !lacks.tags {
            let tags = app.remote().tags(app.repository()).unwrap();
            let tags: Vec<Tag> = tags.into_stream().try_collect().await.unwrap();
            assert!(tags.contains(&tag("all")) && tags.contains(&tag("large")), "{what}: {tags:?}");
            assert_eq!(app.tags_of(&resolved.digest).await.unwrap(), [tag("all")], "{what}");
        }
    });
    for name in ["all", "large"] {
        crate::clients::whole(checker, repository, name);
    }
    // Copies from another registry, within this one, and back; with what refers to the image.
    let source = format!("{}-source", home.bench.repository);
    let admin = &home.bench.admin;
    for image in goods.index.images.iter().chain([&goods.sbom]) {
        admin.push_image(&source, &image.manifest.digest(), image);
    }
    admin.put_manifest(&source, "all", &goods.index.manifest).is(201);
    let [from, back] = [source, format!("{}-back", home.bench.repository)]
        .map(|name| target(&home.bench.server.host(), &credentials(&home.pusher), &name));
    let (copied, within) = (there(&format!("{repository}-copied")), there(&format!("{repository}-within")));
    run(async {
        for (from, to) in [(&from, &copied), (&copied, &within), (&within, &back)] {
            let options = CopyOptions::default();
            let pushed = from.copy_to(&tagged("all"), to, Some(&tag("all")), &options, &silent).await;
            let pushed = pushed.unwrap_or_else(|error| {
                panic!("{what}, {} to {}: {error}", from.repository(), to.repository())
            });
            assert_eq!(pushed.digest.to_string(), goods.index.manifest.digest(), "{what}");
        }
    });
    admin.get(&format!("/v2/{}/manifests/{}", back.repository(), goods.sbom.manifest.digest())).is(200);
    // Removal, as far as it goes.
    run(async {
        let removed = within.remote().delete_tag(within.repository(), &tag("all")).await;
        match removed {
            Ok(()) => assert!(!lacks.tag_deletion, "{what}"),
            Err(RemoteError::Unsupported { .. }) => assert!(lacks.tag_deletion, "{what}"),
            Err(error) => panic!("{what}: {error}"),
        }
        let digest = goods.large.manifest.digest().parse().unwrap();
        app.remote().delete_manifest(app.repository(), &digest).await.unwrap();
        let is_gone = match app.status(&tagged("large")).await {
            Err(TransferError::Remote(error)) => error.is_not_found(),
            Err(TransferError::Api(error)) => error.status() == Some(404),
            _ => false,
        };
        assert!(is_gone, "{what}");
    });
}

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

#[test]
fn limits_on_the_way() {
    let most = 10_000_000;
    let refusals = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refusals);
    awkward(
        "bodies of 10 MB at most",
        &nobody(),
        Lacks::default(),
        rule(move |exchange, behind| {
            if exchange.announced().is_some_and(|size| size > most) {
                count.fetch_add(1, Ordering::SeqCst);
                return Answer::new(413)
                    .with("content-type", "text/html")
                    .body("<html>413 Request Entity Too Large");
            }
            behind.ask(exchange)
        }),
    );
    assert!(refusals.load(Ordering::SeqCst) > 0);
    awkward(
        "pieces of 5 MiB at least, and bodies of 10 MB at most",
        &nobody(),
        Lacks::default(),
        rule(move |exchange, behind| {
            if exchange.announced().is_some_and(|size| size > most) {
                return Answer::new(413);
            }
            let answer = behind.ask(exchange);
            if exchange.method == "POST" { answer.with("oci-chunk-min-length", "5242880") } else { answer }
        }),
    );
    awkward(
        "uploads that do not say where they stand",
        &nobody(),
        Lacks::default(),
        rule(|exchange, behind| {
            let answer = behind.ask(exchange);
            if exchange.method == "PATCH" { answer.without("range") } else { answer }
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

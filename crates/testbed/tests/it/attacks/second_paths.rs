//! The second path to the same bytes. Most registry vulnerabilities are not broken cryptography but a path that
//! forgot to ask: the mount, the probe, the list, the upload session, the project that was made anew.

use hythe_testbed::{Actor, Content, Family, Packing, Role, Visibility, image, noise};
use serde_json::json;

use crate::bench::{Bench, Person, bench};

/// Somebody with a project and a repository of their own.
struct Outsider {
    person: Person,
    repository: String,
}

fn outsider(bench: &Bench) -> Outsider {
    let person = bench.stranger();
    let project = format!("{}-own", person.name);
    person.actor.post_json("/api/v1/projects", &json!({"name": project, "visibility": "private"})).is(201);
    Outsider { person, repository: format!("{project}/repo") }
}

/// An access token for these scopes, asked for by `actor`.
fn token(bench: &Bench, actor: &Actor, scopes: &[String]) -> Actor {
    let query: Vec<String> = scopes.iter().map(|scope| format!("scope={scope}")).collect();
    let answer = actor.get(&format!("/token?service=hythe&{}", query.join("&"))).is(200);
    Actor::bearer(bench.server.addr(), answer.json()["token"].as_str().unwrap())
}

fn secret_image(bench: &Bench) -> hythe_testbed::Image {
    let image = image(Family::Oci, Packing::Gzip, &bench.project, "amd64");
    bench.admin.push_image(&bench.repository, "v1", &image);
    image
}

#[test]
fn a_mount_takes_nothing_from_where_one_may_not_read() {
    let bench = bench();
    let image = secret_image(&bench);
    let outsider = outsider(&bench);
    let scopes = [
        format!("repository:{}:pull,push", outsider.repository),
        // Not granted, and asked for all the same: the first scope of a token is not the only one looked at.
        format!("repository:{}:pull", bench.repository),
    ];
    let with_token = token(&bench, &outsider.person.actor, &scopes);
    for actor in [&outsider.person.actor, &with_token] {
        for blob in &image.blobs {
            let path = format!("/v2/{}/blobs/uploads/?mount={}", outsider.repository, blob.digest());
            for from in [String::new(), format!("&from={}", bench.repository)] {
                actor.post(&format!("{path}{from}")).is(202);
            }
            actor.head(&format!("/v2/{}/blobs/{}", outsider.repository, blob.digest())).is(404);
        }
    }
}

#[test]
fn a_manifest_takes_no_part_from_where_one_may_not_read() {
    let bench = bench();
    let image = secret_image(&bench);
    let outsider = outsider(&bench);
    // The manifest itself is no secret to whoever pushes it; its parts are.
    let refused = outsider.person.actor.put_manifest(&outsider.repository, "v1", &image.manifest).is(404);
    assert_eq!(refused.error()["code"], "MANIFEST_BLOB_UNKNOWN");
    let kind = "application/vnd.oci.image.index.v1+json";
    let child = json!({
        "mediaType": image.manifest.media_type, "digest": image.manifest.digest(), "size": image.manifest.bytes.len(),
    });
    let index = Content::json(kind, &json!({"schemaVersion": 2, "mediaType": kind, "manifests": [child]}));
    outsider.person.actor.put_manifest(&outsider.repository, "index", &index).refused();
    for reference in ["v1", &image.manifest.digest()] {
        outsider.person.actor.get(&format!("/v2/{}/manifests/{reference}", outsider.repository)).is(404);
    }
}

#[test]
fn neither_probe_nor_list_nor_referrers_tell_of_a_private_project() {
    let bench = bench();
    let image = secret_image(&bench);
    let manifest = image.manifest.digest();
    let outsider = outsider(&bench);
    let actor = &outsider.person.actor;
    for path in [
        "manifests/v1".to_owned(),
        format!("manifests/{manifest}"),
        format!("blobs/{}", image.blobs[0].digest()),
    ] {
        actor.head(&bench.path(&path)).is(404);
        actor.get(&bench.path(&path)).is(404);
    }
    actor.get(&bench.path("tags/list")).is(404);
    actor.get(&bench.path(&format!("referrers/{manifest}"))).is(404);
    actor.get(&format!("/api/v1/projects/{}", bench.project)).is(404);
    actor.get(&format!("/api/v1/projects/{}/repositories", bench.project)).is(404);
    actor.get(&format!("/api/v1/projects/{}/members", bench.project)).is(404);
    for list in ["/v2/_catalog", "/api/v1/projects"] {
        let text = String::from_utf8(actor.get(list).is(200).body).unwrap();
        assert!(!text.contains(&format!("\"{}", bench.project)), "{list}: {text}");
    }
    // In a repository of one's own, the digest has no referrers and no meaning.
    actor.push_blob(&outsider.repository, b"something");
    let own = actor.get(&format!("/v2/{}/referrers/{manifest}", outsider.repository)).is(200);
    assert_eq!(own.json()["manifests"], json!([]));
    actor.get(&format!("/v2/{}/manifests/{manifest}", outsider.repository)).is(404);
}

#[test]
fn an_upload_session_is_its_openers_alone() {
    let bench = bench();
    let [opener, other] = [bench.member(Role::Pusher), bench.member(Role::Pusher)];
    let location = opener.actor.open_upload(&bench.repository);
    let id = location.rsplit('/').next().unwrap().to_owned();
    let elsewhere = format!("/v2/{}/other/blobs/uploads/{id}", bench.project);
    let bytes = noise("session", 1_000);
    let digest = hythe_testbed::digest(&bytes);
    for (actor, path) in [(&other.actor, &location), (&opener.actor, &elsewhere), (&bench.admin, &location)] {
        actor.get(path).is(404).code("BLOB_UPLOAD_UNKNOWN");
        actor.ask("PATCH", path).body(hythe_testbed::http::Body::Whole(bytes.clone())).send().is(404);
        actor.close_upload(path, &digest, &bytes).is(404);
        actor.delete(path).is(404);
    }
    // By the other face: not mine, not there; an owner or administrator may end it, and nothing else.
    other.actor.delete(&format!("/api/v1/uploads/{id}")).is(404);
    opener.actor.close_upload(&location, &digest, &bytes).is(201);
}

#[test]
fn a_blob_deleted_here_stays_gone_while_another_repository_reads_it() {
    let bench = bench();
    let other = format!("{}/other", bench.project);
    let bytes = noise(&bench.project, 5_000);
    let digest = bench.admin.push_blob(&bench.repository, &bytes);
    bench.admin.push_blob(&other, &bytes);
    let here = bench.path(&format!("blobs/{digest}"));
    let there = format!("/v2/{other}/blobs/{digest}");
    bench.admin.get(&here).is(200);
    bench.admin.delete(&here).is(202);
    for _ in 0..3 {
        // Every read there puts the digest into whatever is remembered of it.
        bench.admin.head(&there).is(200);
        assert!(bench.admin.get(&there).is(200).body == bytes);
        bench.admin.head(&here).is(404);
        bench.admin.get(&here).is(404);
    }
}

#[test]
fn a_project_made_anew_does_not_know_the_tokens_of_the_old_one() {
    let bench = bench();
    let former = bench.member(Role::Owner);
    let scope = [format!("repository:{}:pull,push,delete", bench.repository)];
    let old = token(&bench, &former.actor, &scope);
    let open = old.open_upload(&bench.repository);
    old.push_blob(&bench.repository, b"of the old project");
    bench.admin.delete(&format!("/api/v1/repositories/{}", bench.repository.replace('/', "%2F"))).is(204);
    bench.admin.delete(&format!("/api/v1/projects/{}", bench.project)).one_of(&[204, 409]);
    if bench.admin.get(&format!("/api/v1/projects/{}", bench.project)).status == 200 {
        // Its open upload keeps a project: it ends first.
        let id = open.rsplit('/').next().unwrap();
        bench.admin.delete(&format!("/api/v1/uploads/{id}")).is(204);
        bench.admin.delete(&format!("/api/v1/projects/{}", bench.project)).is(204);
    }
    bench.server.create_project(&bench.project, Visibility::Private);
    let image = secret_image(&bench);
    for actor in [&old, &former.actor] {
        let answers = [
            actor.get(&bench.path("manifests/v1")),
            actor.head(&bench.path(&format!("blobs/{}", image.blobs[0].digest()))),
            actor.post(&bench.path("blobs/uploads/")),
            actor.close_upload(&open, &hythe_testbed::digest(b"x"), b"x"),
            actor.delete(&bench.path("manifests/v1")),
        ];
        for answer in answers {
            answer.one_of(&[401, 403, 404]);
        }
    }
    bench.admin.get(&bench.path("manifests/v1")).is(200);
}

#[test]
fn a_member_who_was_removed_is_out_at_once_whatever_token_is_held() {
    let bench = bench();
    let image = secret_image(&bench);
    let member = bench.member(Role::Pusher);
    let held = token(&bench, &member.actor, &[format!("repository:{}:pull,push", bench.repository)]);
    held.get(&bench.path("manifests/v1")).is(200);
    bench.admin.delete(&format!("/api/v1/projects/{}/members/{}", bench.project, member.name)).is(204);
    // 401 is the word to a token, which might have been asked for with too little.
    for actor in [&held, &member.actor] {
        actor.get(&bench.path("manifests/v1")).one_of(&[401, 403, 404]);
        actor.get(&bench.path(&format!("blobs/{}", image.blobs[0].digest()))).one_of(&[401, 403, 404]);
        actor.post(&bench.path("blobs/uploads/")).one_of(&[401, 403, 404]);
    }
}

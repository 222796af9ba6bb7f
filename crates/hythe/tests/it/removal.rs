//! `hythe rm`: names and images go, and each is accounted for.

use hythe_testbed::{Actor, Distribution, Family, Hythe, Image, Options, Packing, image, index, tools};

use crate::{admin_of, at_terminal, exits, hythe, json};

#[test]
fn several_names_go_at_once_and_each_is_accounted_for() {
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    admin.run(&["project", "create", "lab"]).ok();
    let (one, other) = (
        image(Family::Oci, Packing::Gzip, "one", "amd64"),
        image(Family::Oci, Packing::Gzip, "two", "amd64"),
    );
    for (image, tags) in [(&one, ["v1.0", "v1.1", "stable"]), (&other, ["v2.0", "v2.1", "pr-7"])] {
        for tag in tags {
            server.admin().push_image("lab/app", tag, image);
        }
    }
    let bytes = |image: &Image| image.blobs.iter().map(|blob| blob.bytes.len() as u64).sum::<u64>();
    let rm = |arguments: &[&str]| admin.run(&[&["rm", "-o", "json"], arguments].concat());

    // Counted, and nothing gone.
    let told = json(&rm(&["lab/app", "--match", "v1.*", "--dry-run"]).ok());
    assert_eq!(told["removed"].as_array().unwrap().len(), 2);
    assert_eq!(told["removed"][0]["kept"], serde_json::json!(["stable"]));
    assert_eq!(told["freed"], serde_json::json!({ "images": 0, "tags": 2, "bytes_at_most": 0 }));
    let told = json(&rm(&["lab/app", "--all-tags", "--untagged", "--dry-run"]).ok());
    assert_eq!(told["freed"]["bytes_at_most"], bytes(&one) + bytes(&other));
    let digest = format!("lab/app@{}", one.manifest.digest());
    let told = json(&rm(&[&digest, "--dry-run"]).ok());
    assert_eq!(told["freed"], serde_json::json!({ "images": 1, "tags": 3, "bytes_at_most": bytes(&one) }));
    admin
        .run(&["rm", &digest, "--dry-run"])
        .ok()
        .says("Would remove")
        .says("stable, v1.0, v1.1")
        .says("become free");

    // One that is missing, and nothing is gone.
    exits(rm(&["lab/app:v1.0", "lab/app:v9"]), 5);
    exits(rm(&["lab/app", "--match", "none-*"]), 5);
    exits(rm(&["lab/app:v1.0", "--all-tags"]), 2);
    exits(rm(&["lab/app", "--match", "v[1"]), 2);
    let tags = || admin.run(&["tags", "lab/app", "-o", "quiet"]).ok().stdout;
    assert_eq!(tags(), "pr-7\nstable\nv1.0\nv1.1\nv2.0\nv2.1\n");

    let words = "Removed the tags v1.0, v1.1";
    admin.run(&["rm", "lab/app", "--match", "v1.*"]).ok().says(words).says("the image stays under stable");
    let told = json(&rm(&["lab/app:pr-7", "lab/app:v2.0", "--untagged"]).ok());
    assert_eq!(told["removed"][0]["whole"], false);
    assert_eq!(tags(), "stable\nv2.1\n");
    let gone = admin.run(&["rm", "lab/app", "--all-tags", "--untagged", "-o", "quiet"]).ok().stdout;
    assert_eq!(gone.lines().count(), 2);
    for image in [&one, &other] {
        exits(admin.run(&["digest", &format!("lab/app@{}", image.manifest.digest())]), 5);
    }
}

#[test]
fn an_image_that_an_index_needs_goes_with_it_alone() {
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    admin.run(&["project", "create", "lab"]).ok();
    let [one, two] = ["amd64", "arm64"].map(|platform| image(Family::Oci, Packing::Gzip, "held", platform));
    let both = index(Family::Oci, vec![one.clone(), two.clone()]);
    server.admin().push_image("lab/app", "amd64", &one);
    server.admin().push_image("lab/app", "arm64", &two);
    server.admin().put_manifest("lab/app", "all", &both.manifest).is(201);
    let by_digest = |image: &Image| format!("lab/app@{}", image.manifest.digest());

    exits(admin.run(&["rm", &by_digest(&one)]), 6).says("is a platform of").says("lab/app:all");
    admin
        .run(&["rm", "lab/app:amd64", "--untagged"])
        .ok()
        .says("the image stays under its digest, as a platform of all");
    admin.run(&["digest", &by_digest(&one)]).ok();
    // Together they go, the index first.
    let told = json(&admin.run(&["rm", "lab/app", "--all-tags", "--untagged", "-o", "json"]).ok());
    let gone = |at: usize| told["removed"][at]["digest"].as_str().unwrap_or_default().to_owned();
    assert_eq!([gone(0), gone(1)], [both.manifest.digest(), two.manifest.digest()]);
    exits(admin.run(&["digest", &by_digest(&two)]), 5);
}

#[test]
fn what_a_registry_does_not_remove_is_named() {
    let Some(registry) = Distribution::start() else { return };
    let stranger = Actor::anonymous(registry.addr());
    let (one, other) =
        (image(Family::Oci, Packing::Gzip, "r1", "amd64"), image(Family::Oci, Packing::Gzip, "r2", "amd64"));
    stranger.push_image("lab/app", "a", &one);
    stranger.push_image("lab/app", "b", &one);
    stranger.push_image("lab/app", "c", &other);
    let name = |tag: &str| format!("{}/lab/app:{tag}", registry.host());
    exits(hythe().run(&["rm", &name("a")]), 1).says("removes no tag by itself").says(&one.manifest.digest());
    exits(hythe().run(&["rm", &name("a"), &name("b")]), 1).says("None of the 2 could be removed");
    // One goes whole, one cannot go alone: both are said.
    let outcome = exits(hythe().run(&["rm", &name("a"), &name("c"), "--untagged", "-o", "json"]), 1);
    let told = json(&outcome);
    assert_eq!(told["removed"][0]["digest"], other.manifest.digest().as_str());
    assert_eq!(told["failed"][0]["tags"], serde_json::json!(["a"]));
    outcome.says("1 of 2 could not be removed");
    exits(hythe().run(&["digest", &name("c")]), 5);
    hythe().run(&["digest", &name("a")]).ok();
}

#[test]
fn whoever_sits_at_a_terminal_is_asked_first() {
    let Some(script) = tools::script() else { return };
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    admin.run(&["project", "create", "lab"]).ok();
    let one = image(Family::Oci, Packing::Gzip, "asked", "amd64");
    for tag in ["a", "b", "c", "d"] {
        server.admin().push_image("lab/app", tag, &one);
    }
    let typed = |command: &str, answer: &str| at_terminal(&script, &server, 80, command, answer);
    let tags = || admin.run(&["tags", "lab/app", "-o", "quiet"]).ok().stdout;

    exits(typed("rm lab/app --match '[ab]'", "n\n"), 1)
        .says("To be removed: the tags a, b")
        .says("Remove them? [y/N]")
        .says("Nothing was removed");
    assert_eq!(tags(), "a\nb\nc\nd\n");
    typed("rm lab/app --match '[ab]'", "y\n").ok().says("Removed the tags a, b");
    assert_eq!(tags(), "c\nd\n");
    // One name is not asked about, and neither is one who said yes.
    assert!(!typed("rm lab/app:c", "").ok().stdout.contains("[y/N]"));
    exits(typed("repo rm lab/app", "\n"), 1).says("1 tag of 1 image").says("Nothing was deleted");
    admin.run(&["repo", "rm", "lab/app", "--dry-run"]).ok().says("Would delete");
    assert_eq!(tags(), "d\n");
    typed("repo rm lab/app --yes", "").ok().says("Deleted");
    exits(admin.run(&["tags", "lab/app"]), 5);
}

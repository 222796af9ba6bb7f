//! `hythe info`: what an image is, on a page and in a document.

use hythe_testbed::{
    Actor, Content, Distribution, Family, Hythe, Image, Options, Packing, artifact, image, index, tools,
};

use crate::{admin_of, at_terminal, exits, hythe, json};

#[test]
fn an_image_is_shown_with_everything_about_it() {
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    admin.run(&["project", "create", "lab"]).ok();
    let amd = image(Family::Oci, Packing::Gzip, "info", "amd64");
    let arm = image(Family::Oci, Packing::Zstd, "info", "arm64");
    let both = index(Family::Oci, vec![amd.clone(), arm.clone()]);
    let signature = artifact("application/vnd.example.signature", Some(&both.manifest), "signed");
    for image in [&amd, &arm, &signature] {
        server.admin().push_image("lab/app", &image.manifest.digest(), image);
    }
    server.admin().put_manifest("lab/app", "v1", &both.manifest).is(201);

    let told = json(&admin.run(&["info", "lab/app:v1", "-o", "json"]).ok());
    assert_eq!(told["digest"], both.manifest.digest().as_str());
    let size = |image: &Image| image.blobs.iter().map(|blob| blob.bytes.len() as u64).sum::<u64>();
    for (at, image, platform) in [(0, &amd, "linux/amd64"), (1, &arm, "linux/arm64")] {
        let entry = &told["platforms"][at];
        assert_eq!(entry["platform"], platform);
        assert_eq!(entry["digest"], image.manifest.digest().as_str());
        assert_eq!(entry["size"], size(image));
    }
    assert_eq!(told["referrers"][0]["artifact_type"], "application/vnd.example.signature");
    assert_eq!(told["referrers"][0]["digest"], signature.manifest.digest().as_str());
    let arm_told = json(&admin.run(&["info", "lab/app:v1", "--platform", "linux/arm64", "-o", "json"]).ok());
    let looked_at = &arm_told["image"];
    assert_eq!(looked_at["digest"], arm.manifest.digest().as_str());
    assert_eq!(looked_at["layers"].as_array().unwrap().len(), 2);
    assert_eq!(looked_at["layers"][0]["compression"], "zstd");
    assert_eq!(looked_at["layers"][1]["digest"], arm.blobs[2].digest().as_str());
    exits(admin.run(&["info", "lab/app:v1", "--platform", "linux/s390x"]), 5)
        .says("linux/amd64, linux/arm64");
    exits(admin.run(&["info", "lab/app:none"]), 5);

    let page = admin.run(&["info", "lab/app:v1"]).ok();
    for words in ["linux/arm64", "shown below", "application/vnd.example.signature", "gzip", "the image"] {
        assert!(page.stdout.contains(words), "{words} is not in {page}");
    }
    // An artifact is no container, and says so by what is left out.
    let artifact = format!("lab/app@{}", signature.manifest.digest());
    let told = json(&admin.run(&["info", &artifact, "-o", "json"]).ok());
    assert_eq!(told["artifact_type"], "application/vnd.example.signature");
    assert_eq!(told["image"]["config"], serde_json::Value::Null);
    assert_eq!(told["image"]["layers"][0]["compression"], "unknown");
}

#[test]
fn a_hostile_configuration_does_not_steer_the_terminal() {
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    admin.run(&["project", "create", "lab"]).ok();
    let image = configured(&serde_json::json!({
        "architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z",
        "config": {
            "User": "nobody", "WorkingDir": "/srv", "Entrypoint": ["/bin/solve", "--fast path"],
            "Env": ["NAME=\u{1b}]0;owned\u{7}"], "Labels": { "org.example\u{1b}[2J": "x\r\n\u{202e}y" },
        },
        "history": [
            { "created": "2026-01-01T00:00:00Z", "created_by": "COPY \u{1b}[31mthings /" },
            { "created_by": "ENV NAME=x", "empty_layer": true },
        ],
    }));
    server.admin().push_image("lab/app", "v1", &image);
    let page = admin.run(&["info", "lab/app:v1"]).ok();
    let steering = |letter: char| letter.is_control() && letter != '\n' || letter == '\u{202e}';
    assert!(!page.stdout.contains(steering), "{page}");
    for words in ["nobody", "/srv", "/bin/solve \"--fast path\"", "empty", "2026-01-01", "\\u{1b}[31mthings"]
    {
        assert!(page.stdout.contains(words), "{words} is not in {page}");
    }
    let told = json(&admin.run(&["info", "lab/app:v1", "-o", "json"]).ok());
    let history = &told["image"]["history"];
    assert_eq!(history[0]["size"], image.blobs[1].bytes.len());
    assert_eq!((&history[1]["empty"], &history[1]["size"]), (&true.into(), &serde_json::Value::Null));
    let yaml = admin.run(&["info", "lab/app:v1", "-o", "yaml"]).ok();
    assert!(yaml.stdout.contains(&image.manifest.digest()), "{yaml}");
    assert!(!yaml.stdout.contains('\u{1b}'), "{yaml}");
    let quiet = admin.run(&["info", "lab/app:v1", "--output", "quiet"]).ok();
    assert_eq!(quiet.stdout, format!("{}\n", image.manifest.digest()));
}

#[test]
fn the_page_fits_the_terminal() {
    let Some(script) = tools::script() else { return };
    let server = Hythe::start(Options::default());
    admin_of(&server).run(&["project", "create", "lab"]).ok();
    let platforms = ["amd64", "arm64"].map(|platform| image(Family::Oci, Packing::Gzip, "wide", platform));
    let both = index(Family::Oci, platforms.to_vec());
    for image in &platforms {
        server.admin().push_image("lab/app", &image.manifest.digest(), image);
    }
    server.admin().put_manifest("lab/app", "v1", &both.manifest).is(201);
    let digest = platforms[1].manifest.digest();
    for (columns, shown) in [(80, &digest[..19]), (200, &digest[..])] {
        for command in ["info", "size"] {
            let page = at_terminal(&script, &server, columns, &format!("{command} lab/app:v1"), "").ok();
            let widest = page.stdout.lines().map(|line| line.trim_end().chars().count()).max();
            assert!(widest <= Some(usize::from(columns)), "{page}");
            assert!(page.stdout.contains(shown), "{shown} is not in {page}");
        }
        let archive = at_terminal(&script, &server, columns, "save lab/app:v1 -", "");
        exits(archive, 2).says("is not written to a terminal");
    }
}

#[test]
fn an_image_of_another_registry_is_shown_as_well() {
    let Some(registry) = Distribution::start() else { return };
    let stranger = Actor::anonymous(registry.addr());
    let image = image(Family::Docker, Packing::Gzip, "elsewhere", "amd64");
    stranger.push_image("lab/app", "v1", &image);
    // That registry keeps no list of referrers; cosign marks a signature by a tag.
    let signature = artifact("application/vnd.example.signature", None, "signed");
    let tag = format!("{}.sig", image.manifest.digest().replace(':', "-"));
    stranger.push_image("lab/app", &tag, &signature);
    let name = format!("{}/lab/app:v1", registry.host());
    let told = json(&hythe().run(&["info", &name, "-o", "json"]).ok());
    assert_eq!(told["digest"], image.manifest.digest().as_str());
    assert_eq!(told["image"]["config_digest"], image.blobs[0].digest().as_str());
    assert_eq!(told["referrers"][0]["found_by"], "tag");
    assert_eq!(told["referrers"][0]["digest"], signature.manifest.digest().as_str());
}

/// An image of one layer with this configuration.
fn configured(config: &serde_json::Value) -> Image {
    let mut image = image(Family::Oci, Packing::Gzip, "configured", "amd64");
    image.blobs.truncate(2);
    image.blobs[0] = Content::json(&image.blobs[0].media_type, config);
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": image.manifest.media_type,
        "config": image.blobs[0].descriptor(), "layers": [image.blobs[1].descriptor()],
    });
    image.manifest = Content::json(&image.manifest.media_type, &manifest);
    image
}

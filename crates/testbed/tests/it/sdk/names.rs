//! Names of images as a platform's programs read and write them; nothing is asked of any server.

use hythe_client::Images;
use hythe_client::image::{Cluster, ClusterName, LocalImage, Profile, Registry, RemoteImage, unique_tag};
use hythe_oci::{ProjectName, Reference, Tag};
use hythe_outbound::Url;

use super::outbound;

fn images() -> Images {
    let cluster = |name: &str, url: &str, org: Option<&str>, project: Option<&str>| {
        let component = |text: &str| ProjectName::parse(text).unwrap();
        let (name, url) = (ClusterName::parse(name).unwrap(), Url::parse(url).unwrap());
        Cluster::new(name, &url, org.map(component), project.map(component)).unwrap()
    };
    let main = cluster("main", "https://reg.example.org", Some("acme"), Some("proj"));
    let second = cluster("second", "http://127.0.0.1:5000", None, None);
    Images::new(outbound(), Profile::new(vec![main, second], None).unwrap())
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

#[test]
fn local_names_have_a_tag() {
    let images = images();
    for (text, name, tag) in [
        ("app", "app", "latest"),
        ("app:v1", "app", "v1"),
        ("localhost:5000/team/app:v1", "localhost:5000/team/app", "v1"),
    ] {
        let image = images.local_image(text).unwrap();
        assert_eq!((image.name().as_str(), image.tag().unwrap().as_str()), (name, tag));
        assert_eq!(images.local_image(&image.to_string()).unwrap(), image);
        assert_eq!(LocalImage::new(name, Some(tag.parse().unwrap())).unwrap(), image);
    }
    assert_eq!(images.local_image("app").unwrap().with_tag(tag("v2")).to_string(), "app:v2");
    assert!(images.local_image("App").is_err());
}

#[test]
fn remote_names_are_addresses_and_references() {
    let images = images();
    for (text, url) in [
        ("image:app", "reg.example.org/acme/proj/app"),
        ("image:team/app:v1", "reg.example.org/acme/proj/team/app:v1"),
        ("image:/other/app:v1", "reg.example.org/acme/other/app:v1"),
        ("image://main/proj/app", "reg.example.org/acme/proj/app"),
        ("image://main/otherorg/proj/app:v1", "reg.example.org/otherorg/proj/app:v1"),
        ("image://second/proj/app", "127.0.0.1:5000/proj/app"),
        ("reg.example.org/acme/proj/app:v1", "reg.example.org/acme/proj/app:v1"),
        ("ghcr.io/org/app:v1", "ghcr.io/org/app:v1"),
        ("example.com:9999/org/app", "example.com:9999/org/app"),
        ("alpine:3", "docker.io/library/alpine:3"),
    ] {
        let image = images.remote_image(text).unwrap();
        assert_eq!(image.as_docker_url(false), url, "{text}");
        assert_eq!(images.remote_image(&image.to_string()).unwrap(), image, "{text} as {image}");
        assert_eq!(images.remote_image(&image.as_docker_url(true)).unwrap().repository(), image.repository());
    }
    for (text, part) in [
        ("image://nowhere/proj/app", "There is no cluster `nowhere`"),
        ("image:latest", "may be meant as a tag"),
        ("image:app?x=1", "a query"),
        ("image:app#x", "a fragment"),
        ("image://ada@main/proj/app", "a user"),
        ("image://main:80/proj/app", "a port"),
        ("image:App", "App"),
    ] {
        let error = images.remote_image(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn an_image_in_a_registry_knows_its_parts() {
    let images = images();
    let image = images.remote_image("image:team/app:v1").unwrap();
    let text = |name: Option<ProjectName>| name.map(|name| name.to_string());
    assert_eq!((image.name(), image.tag(), image.digest()), ("team/app", Some(&tag("v1")), None));
    assert_eq!(
        (text(image.org()).as_deref(), text(image.project()).as_deref()),
        (Some("acme"), Some("proj"))
    );
    assert_eq!(text(image.owner()).as_deref(), Some("acme"));
    assert_eq!((image.registry().host(), image.cluster().unwrap().as_str()), ("reg.example.org", "main"));
    assert_eq!(image.as_docker_url(true), "https://reg.example.org/acme/proj/team/app:v1");
    assert_eq!(image.clone().with_tag(tag("v2")).to_string(), "image://main/acme/proj/team/app:v2");
    assert_eq!(image.local().unwrap().to_string(), "team/app:v1");
    assert_eq!(images.remote_image("image:app").unwrap().reference(), Reference::Tag(tag("latest")));

    let registry = Registry::parse("reg.example.org").unwrap();
    let (acme, proj) = (ProjectName::parse("acme").unwrap(), ProjectName::parse("proj").unwrap());
    let made = RemoteImage::new_platform_image("app", registry.clone(), Some(&acme), &proj, Some(tag("v1")))
        .unwrap();
    assert!(made.is_platform());
    assert_eq!(made.as_docker_url(false), "reg.example.org/acme/proj/app:v1");
    let external = RemoteImage::new_external_image("any/app", registry, Some(tag("v1"))).unwrap();
    assert!(!external.is_platform() && external.project().is_none());
    // The registry stays part of the name.
    assert_eq!(external.as_docker_url(false), "reg.example.org/any/app:v1");
}

#[test]
fn a_local_name_has_its_place_in_the_default_project() {
    let images = images();
    for (local, remote) in [
        ("app", "image://main/acme/proj/app:latest"),
        ("localhost:5000/app:v1", "image://main/acme/proj/app:v1"),
        ("reg.example.org/acme/proj/app:v1", "image://main/acme/proj/app:v1"),
    ] {
        let local = images.local_image(local).unwrap();
        assert_eq!(images.profile().remote_for(&local).unwrap().to_string(), remote);
    }
}

#[test]
fn a_unique_tag_ends_in_digits_of_the_image() {
    let id = format!("sha256:0123456789abcdef{}", "0".repeat(48)).parse().unwrap();
    assert_eq!(unique_tag(&tag("v1"), &id, 10).unwrap(), tag("v1-0123456789"));
    assert_eq!(unique_tag(&tag("v1"), &id, 16).unwrap(), tag("v1-0123456789abcdef"));
}

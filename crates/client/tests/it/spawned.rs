//! Everything that the SDK does can be given to a task of a runtime of many threads: that this compiles is the test.

use std::path::Path;
use std::time::Duration;

use hythe_client::engine::Engine;
use hythe_client::progress::Reporter;
use hythe_client::removal::{Removal, Wanted};
use hythe_client::transfer::{PullOptions, PushOptions, Target};
use hythe_client::{ContainerRegistry, Images};

fn spawned(_: impl Future + Send + 'static) {}

/// A value of any type, in work that nobody begins.
fn some<T>() -> T {
    unreachable!("this work is not begun")
}

fn images() -> Images {
    some()
}

fn target() -> Target {
    some()
}

fn registry() -> ContainerRegistry {
    some()
}

#[test]
fn what_images_do() {
    spawned(async { images().push(&some(), None, &Reporter::silent()).await });
    spawned(async { images().pull(&some(), None, &Reporter::silent()).await });
    spawned(async { images().commit("web", &some(), &Reporter::silent()).await });
    spawned(async { images().save("web", &some(), &Reporter::silent()).await });
    spawned(async { images().digest(&some()).await });
    spawned(async { images().size(&some()).await });
    spawned(async { images().tag_info(&some()).await });
    spawned(async { images().tags(&some()).await });
    spawned(async { images().tags_with_sizes(&some()).await });
    spawned(async { images().rm(&some(), &some()).await });
    spawned(async { images().list(&some()).await });
    spawned(async { images().target(&some()).await });
}

#[test]
fn what_a_container_registry_does() {
    spawned(async { ContainerRegistry::open(some(), &some(), some(), some()).await });
    spawned(async { registry().token().await });
    spawned(async { registry().docker_login().await });
    spawned(async { registry().images().await });
    spawned(async { registry().image_names().await });
    spawned(async { registry().image("app:v1").await });
    spawned(async { registry().is_image_ready("app:v1").await });
    spawned(async { registry().wait_ready("app:v1", Duration::ZERO).await });
    spawned(async { registry().repositories().await });
    spawned(async { registry().create_repository("app").await });
    spawned(async { registry().delete_image("app:v1").await });
    let options = PushOptions::default;
    spawned(async move {
        registry().push_image(&some::<Engine>(), "app", &some(), &options(), &Reporter::silent()).await
    });
}

#[test]
fn what_transfers_do() {
    let (silent, folder) = (Reporter::silent, Path::new("image"));
    let (push, pull) = (PushOptions::default, PullOptions::default);
    spawned(async move { target().push_layout(folder, None, None, &push(), &silent()).await });
    spawned(async move { target().push_archive(some(), None, None, &push(), &silent()).await });
    spawned(async move { target().push_engine(&some(), "app", None, &push(), &silent()).await });
    spawned(async move { target().commit(&some(), "web", some(), None, some(), &silent()).await });
    spawned(async move { target().pull_layout(&some(), folder, None, &pull(), &silent()).await });
    spawned(async move { target().pull_engine(&some(), &some(), "app", &pull(), &silent()).await });
    spawned(async move { target().pull_archive(&some(), None, &pull(), &silent()).await });
    spawned(async move { target().copy_to(&some(), &some(), None, &some(), &silent()).await });
    spawned(async move { target().preview_push_layout(folder, None, &push()).await });
    spawned(async move { target().preview_push_engine(&some(), "app", &push()).await });
    spawned(async move { target().preview_push_archive(some(), None, &push()).await });
    spawned(async move { target().push_archive_file(folder, None, None, &push(), &silent()).await });
    spawned(async move { target().preview_push_archive_file(folder, None, &push()).await });
    spawned(async move { target().preview_commit(&some(), "web", &push()).await });
    spawned(async move { target().preview_pull(&some(), None, &pull()).await });
    spawned(async move { target().preview_copy(&some(), &some(), &some()).await });
    spawned(async { target().status(&some()).await });
    spawned(async { target().wait_ready(&some(), Duration::ZERO).await });
    spawned(async { target().info(&some(), None).await });
    spawned(async { target().size(&some()).await });
    spawned(async { target().tags_of(&some()).await });
    spawned(async { target().tagged().await });
    spawned(async { target().plan_removal(&some::<Vec<Wanted>>()).await });
    spawned(async { target().remove(&some::<Removal>()).await });
    spawned(async { target().remove_all(&some::<Vec<Removal>>()).await });
    spawned(async { target().freed(&some::<Vec<Removal>>()).await });
}

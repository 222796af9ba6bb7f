//! Archives that are pushed as they are: layers that nobody compressed, content that is no layer, and images of which an
//! engine had a part.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use hythe_client::progress::Reporter;
use hythe_client::transfer::{PushOptions, Pushed, TransferError, archive_in_file};
use hythe_testbed::{Content, Family, Image, Index, Packing, image, index, layout_folder, layout_tar, noise};
use serde_json::json;

use super::{Scene, run};

fn blobs(image: &Image) -> Vec<&Content> {
    image.blobs.iter().collect()
}

/// A layer that is handed over in pieces.
fn large_layer(seed: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let content = noise(seed, 300_000);
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "file", content.as_slice()).unwrap();
    tar.into_inner().unwrap()
}

fn gzipped(path: &Path) -> PathBuf {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&std::fs::read(path).unwrap()).unwrap();
    let to = path.with_extension("tar.gz");
    std::fs::write(&to, encoder.finish().unwrap()).unwrap();
    to
}

fn tag(name: &str) -> hythe_oci::Tag {
    name.parse().unwrap()
}

fn from_file(scene: &Scene, file: &Path, name: &str, options: &PushOptions) -> Result<Pushed, TransferError> {
    let silent = Reporter::silent();
    run(scene.target().push_archive_file(file, None, Some(&tag(name)), options, &silent))
}

fn from_stream(scene: &Scene, file: &Path, name: &str) -> Result<Pushed, TransferError> {
    let (options, silent) = (PushOptions::default(), Reporter::silent());
    run(async {
        let archive = archive_in_file(file)?;
        scene.target().push_archive(archive, None, Some(&tag(name)), &options, &silent).await
    })
}

#[test]
fn an_uncompressed_layer_stays_what_it_is() {
    let scene = Scene::new();
    let seed = &scene.bench.project;
    let image = Image::of_layers(Family::Oci, Packing::Plain, vec![large_layer(seed)], seed, "amd64");
    let plain = layout_tar(&[("v1", &image.manifest)], &blobs(&image));
    let options = PushOptions::default();
    for (file, name) in [(gzipped(&plain), "packed"), (plain.clone(), "plain")] {
        let would = run(scene.target().preview_push_archive_file(&file, None, &options)).unwrap();
        let pushed = from_file(&scene, &file, name, &options).unwrap();
        assert_eq!(pushed.digest.to_string(), image.manifest.digest());
        assert_eq!(would.digest, Some(pushed.digest));
        assert_eq!(scene.whole(name), image.manifest.digest());
    }
    // What comes once cannot be read again, and says what to do.
    let error = from_stream(&scene, &plain, "stream").unwrap_err().to_string();
    assert!(error.contains(&image.blobs[1].digest()) && error.contains("archive:FILE"), "{error}");
    let would = run(async {
        scene.target().preview_push_archive(archive_in_file(&plain).unwrap(), None, &options).await
    });
    assert_eq!(would.unwrap_err().to_string(), error);
    scene.bench.admin.get(&scene.bench.path("manifests/stream")).is(404);
}

#[test]
fn content_that_is_no_layer_is_pushed_as_it_is() {
    let scene = Scene::new();
    let weights = Content {
        media_type: "application/vnd.example.weights".to_owned(),
        bytes: noise(&scene.bench.project, 200_000),
    };
    let image = Image::of_blobs(Family::Oci, vec![weights], "amd64");
    let file = layout_tar(&[("v1", &image.manifest)], &blobs(&image));
    let pushed = from_file(&scene, &file, "file", &PushOptions::default()).unwrap();
    assert_eq!((pushed.digest.to_string(), pushed.sent), (image.manifest.digest(), 2));
    from_stream(&scene, &file, "stream").unwrap();
    for name in ["file", "stream"] {
        assert_eq!(scene.whole(name), image.manifest.digest());
    }
}

/// What an engine exports that has pulled some platforms of an image: its index whole.
fn exported(index: &Index, platforms: usize, beside: bool) -> PathBuf {
    let there = &index.images[..platforms];
    let mut rest: Vec<&Content> = there.iter().map(|image| &image.manifest).collect();
    rest.extend(there.iter().flat_map(|image| &image.blobs));
    let folder = layout_folder(&[("v1", &index.manifest)], &rest);
    if beside {
        let path = |blob: &Content| format!("blobs/sha256/{}", blob.digest().replace("sha256:", ""));
        let layers: Vec<_> = there[0].blobs[1..].iter().map(path).collect();
        let docker = json!([{"Config": path(&there[0].blobs[0]), "RepoTags": ["app:v1"], "Layers": layers}]);
        std::fs::write(folder.join("manifest.json"), docker.to_string()).unwrap();
    }
    let file = folder.with_extension("export.tar");
    let mut tar = tar::Builder::new(std::fs::File::create(&file).unwrap());
    tar.append_dir_all(".", &folder).unwrap();
    tar.finish().unwrap();
    file
}

#[test]
fn an_image_exported_in_part_is_the_platform_that_is_there() {
    let scene = Scene::new();
    let of = |architecture| image(Family::Oci, Packing::Gzip, &scene.bench.project, architecture);
    let index = index(Family::Oci, vec![of("amd64"), of("arm64"), of("s390x")]);
    let options = PushOptions::default();
    for (beside, name) in [(true, "docker"), (false, "oci")] {
        let file = exported(&index, 1, beside);
        let would = run(scene.target().preview_push_archive_file(&file, None, &options)).unwrap();
        let pushed = from_file(&scene, &file, name, &options).unwrap();
        assert_eq!(pushed.digest.to_string(), index.images[0].manifest.digest(), "{name}");
        assert_eq!(would.digest, Some(pushed.digest), "{name}");
        scene.whole(name);
        assert_eq!(
            from_file(&scene, &exported(&index, 3, beside), "all", &options).unwrap().digest.to_string(),
            index.manifest.digest()
        );
        scene.whole("all");
    }
    let two = exported(&index, 2, false);
    let error = from_file(&scene, &two, "two", &options).unwrap_err().to_string();
    assert!(error.contains("linux/amd64, linux/arm64"), "{error}");
    let arm = PushOptions { platform: Some("linux/arm64".parse().unwrap()), ..PushOptions::default() };
    assert_eq!(
        from_file(&scene, &two, "arm", &arm).unwrap().digest.to_string(),
        index.images[1].manifest.digest()
    );
    let none = from_file(&scene, &exported(&index, 1, false), "none", &arm).unwrap_err().to_string();
    assert!(none.contains("not in the archive"), "{none}");
}

//! Writes images as the files that clients load: an OCI layout (folder or tar) and a docker archive.
//!
//! Invariant: a layout holds every blob that its index reaches, under the name of its digest.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::content::{Content, Image};
use crate::run_folder;

/// An OCI layout folder: each `(tag, manifest)` of `roots`, and everything else they reach in `rest`.
pub fn layout_folder(roots: &[(&str, &Content)], rest: &[&Content]) -> PathBuf {
    let folder = run_folder::fresh("layout");
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("the run folder is writable");
    let save = |content: &Content| {
        let digest = content.digest();
        let hex = digest.strip_prefix("sha256:").expect("our digests are sha256");
        fs::write(blobs.join(hex), &content.bytes).expect("the run folder is writable");
    };
    for content in rest {
        save(content);
    }
    let mut manifests = Vec::new();
    for (tag, manifest) in roots {
        save(manifest);
        let mut descriptor = manifest.descriptor();
        descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
        manifests.push(descriptor);
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    });
    write_json(&folder.join("index.json"), &index);
    write_json(&folder.join("oci-layout"), &json!({"imageLayoutVersion": "1.0.0"}));
    folder
}

/// An OCI layout as one tar file.
pub fn layout_tar(roots: &[(&str, &Content)], rest: &[&Content]) -> PathBuf {
    let folder = layout_folder(roots, rest);
    let path = folder.with_extension("tar");
    let file = fs::File::create(&path).expect("the run folder is writable");
    let mut tar = tar::Builder::new(file);
    tar.append_dir_all(".", &folder).expect("the run folder is writable");
    tar.finish().expect("the run folder is writable");
    path
}

/// A docker archive (as `docker save` writes) of an image with plain layers, named `name:tag`.
pub fn docker_archive(image: &Image, name: &str) -> PathBuf {
    let folder = run_folder::fresh("archive");
    let mut names = Vec::new();
    for (at, blob) in image.blobs.iter().enumerate() {
        let name = if at == 0 { "config.json".to_owned() } else { format!("layer-{at}.tar") };
        fs::write(folder.join(&name), &blob.bytes).expect("the run folder is writable");
        names.push(name);
    }
    let layers = names.get(1..).expect("an image has a configuration");
    let manifest = json!([{"Config": names[0], "RepoTags": [name], "Layers": layers}]);
    write_json(&folder.join("manifest.json"), &manifest);
    let path = folder.with_extension("tar");
    let mut tar = tar::Builder::new(fs::File::create(&path).expect("the run folder is writable"));
    for name in names.iter().map(String::as_str).chain(["manifest.json"]) {
        tar.append_path_with_name(folder.join(name), name).expect("the run folder is writable");
    }
    tar.finish().expect("the run folder is writable");
    path
}

fn write_json(path: &Path, value: &Value) {
    fs::write(path, value.to_string()).expect("the run folder is writable");
}

//! Archives and layouts that mean harm, pushed by the real binary: each ends with exit code 1 and a sentence, in bounded
//! memory, and nothing of this machine reaches the registry.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use hythe_testbed::{
    Content, Family, Image, Outcome, Packing, Tool, digest, docker_archive, image, index, layout_folder,
    noise, run_folder,
};
use serde_json::{Value, json};
use tar::EntryType;

use super::{Scene, listing};

/// Whatever an archive is, no push of these needs more: the binary itself, its threads and pieces under way.
const MOST_MEMORY: u64 = 256 << 20;

const NAME: &str = "some/app:v1";

/// One entry of an archive, as no honest program would write it.
fn entry(kind: EntryType, path: &str, link: &str, size: u64, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    // Written by hand: the library would refuse to.
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(path: &str, content: &[u8]) -> Vec<u8> {
    entry(EntryType::Regular, path, "", content.len() as u64, content)
}

/// An archive that ends as it should.
fn ended(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = entries.concat();
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// The beginning of an archive, then so many zeros, in a few kilobytes.
fn bomb(beginning: &[u8], zeros: u64) -> Vec<u8> {
    let content = std::io::Cursor::new(beginning.to_vec()).chain(std::io::repeat(0).take(zeros));
    zstd::encode_all(content, 1).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A docker archive with these documents and layers.
fn docker(manifest: &Value, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut entries: Vec<_> = files.iter().map(|(path, content)| file(path, content)).collect();
    entries.push(file("manifest.json", manifest.to_string().as_bytes()));
    ended(&entries)
}

fn config(layers: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<_> = layers.iter().map(|layer| digest(layer)).collect();
    json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}})
        .to_string()
        .into_bytes()
}

/// Somebody who pushes such things, and what is looked at afterwards.
struct Pusher {
    scene: Scene,
    cli: Tool,
    folder: PathBuf,
}

impl Pusher {
    fn new() -> Self {
        let scene = Scene::new();
        let cli = scene.cli();
        Self { scene, cli, folder: run_folder::fresh("hostile") }
    }

    fn image(&self) -> Image {
        image(Family::Oci, Packing::Plain, &self.scene.bench.project, "amd64")
    }

    fn push(&self, source: &str) -> Outcome {
        let to = format!("{}:bad", self.scene.bench.repository);
        let before = listing(&self.folder);
        let outcome = self.cli.run(&["push", "--progress", "none", source, &to]);
        assert_eq!(listing(&self.folder), before, "{outcome}");
        let temporary = listing(&self.cli.home().join("tmp"));
        assert!(temporary.is_empty(), "{temporary:?} {outcome}");
        assert!(outcome.peak < MOST_MEMORY, "{} bytes of memory: {outcome}", outcome.peak);
        outcome
    }

    fn push_bytes(&self, archive: &[u8]) -> Outcome {
        let path = self.folder.join("image.tar");
        fs::write(&path, archive).unwrap();
        let outcome = self.push(&format!("archive:{}", path.display()));
        fs::remove_file(path).unwrap();
        outcome
    }

    /// Insists on the refusal of a push.
    #[track_caller]
    fn refused(&self, what: &str, outcome: Outcome, words: &str) {
        super::note(&format!("{what}: {}", outcome.stderr.trim()));
        assert_eq!(outcome.status, Some(1), "{what}: {outcome}");
        assert!(outcome.stdout.is_empty(), "{what}: {outcome}");
        assert!(!outcome.stderr.contains('\u{1b}'), "{what}: {outcome}");
        assert!(outcome.stderr.starts_with("error: "), "{what}: {outcome}");
        outcome.says(words);
        self.scene.bench.admin.get(&self.scene.bench.path("manifests/bad")).is(404);
    }
}

#[test]
fn an_archive_cannot_reach_out_of_itself() {
    let pusher = Pusher::new();
    let good = fs::read(docker_archive(&pusher.image(), NAME)).unwrap();
    for (path, kind, link, words) in [
        ("/etc/passwd", EntryType::Regular, "", "leads out of it"),
        ("../x", EntryType::Regular, "", "leads out of it"),
        ("a/../../x", EntryType::Regular, "", "leads out of it"),
        ("a/layer.tar", EntryType::Symlink, "/etc/passwd", "leads out of it"),
        ("a/layer.tar", EntryType::Symlink, "../../etc/passwd", "leads out of it"),
        ("layer.tar", EntryType::Link, "../etc/passwd", "leads out of it"),
        ("layer.tar", EntryType::Link, "/etc/passwd", "leads out of it"),
    ] {
        let archive = [entry(kind, path, link, 0, b""), good.clone()].concat();
        pusher.refused(&format!("{kind:?} {path} {link}"), pusher.push_bytes(&archive), words);
    }
    // Documents that name what lies outside find only what lies inside.
    let layer = noise("layer", 3000);
    let config = config(&[&layer]);
    for (what, manifest) in [
        ("a configuration outside", json!([{"Config": "/etc/passwd", "Layers": ["l.tar"]}])),
        ("a configuration above", json!([{"Config": "../../../../etc/passwd", "Layers": ["l.tar"]}])),
        ("a layer outside", json!([{"Config": "c.json", "Layers": ["/etc/passwd"]}])),
        ("a layer above", json!([{"Config": "c.json", "Layers": ["../../../../etc/passwd"]}])),
    ] {
        let archive = docker(&manifest, &[("c.json", &config), ("l.tar", &layer)]);
        pusher.refused(what, pusher.push_bytes(&archive), "etc/passwd");
    }
    let links = [
        entry(EntryType::Symlink, "l.tar", "m.tar", 0, b""),
        entry(EntryType::Symlink, "m.tar", "l.tar", 0, b""),
        docker(&json!([{"Config": "c.json", "Layers": ["l.tar"]}]), &[("c.json", &config)]),
    ];
    pusher.refused("links in a circle", pusher.push_bytes(&links.concat()), "l.tar");
}

#[test]
fn what_is_no_file_is_passed_over() {
    let pusher = Pusher::new();
    let image = pusher.image();
    let good = fs::read(docker_archive(&image, NAME)).unwrap();
    let odd = [EntryType::Char, EntryType::Block, EntryType::Fifo, EntryType::Directory];
    let mut archive: Vec<u8> = odd.iter().flat_map(|kind| entry(*kind, "dev/odd", "", 0, b"")).collect();
    archive.extend(good);
    pusher.push_bytes(&archive).ok();
    pusher.scene.whole("bad");
}

#[test]
fn what_programs_read_differently_is_refused() {
    let pusher = Pusher::new();
    let layer = noise("layer", 3000);
    let other = noise("other", 3000);
    let config = config(&[&layer]);
    let manifest = json!([{"Config": "c.json", "Layers": ["l.tar"]}]);
    let twice = [
        file("manifest.json", br#"[{"Config":"d.json","Layers":["l.tar"]}]"#),
        docker(&manifest, &[("c.json", &config), ("l.tar", &layer)]),
    ];
    pusher.refused("two manifests", pusher.push_bytes(&twice.concat()), "is in it twice");
    let large = noise("large", 200_000);
    let larger = noise("larger", 200_000);
    let layers =
        docker(&manifest, &[("c.json", &self::config(&[&large])), ("l.tar", &large), ("l.tar", &larger)]);
    pusher.refused("two layers of a name", pusher.push_bytes(&layers), "is in it twice");
    let sparse = [entry(EntryType::GNUSparse, "x", "", 0, b""), docker(&manifest, &[("c.json", &config)])];
    pusher.refused("a sparse file", pusher.push_bytes(&sparse.concat()), "archive cannot be read");
    let extended = [
        entry(EntryType::XHeader, "x", "", 22, b"22 GNU.sparse.major=1\n"),
        docker(&manifest, &[("c.json", &config), ("l.tar", &layer)]),
    ];
    pusher.refused("another sparse file", pusher.push_bytes(&extended.concat()), "sparse");
    let changed = docker(&manifest, &[("c.json", &config), ("l.tar", &other)]);
    pusher.refused("another layer than the configuration says", pusher.push_bytes(&changed), &digest(&layer));
}

#[test]
fn what_is_cut_or_lies_about_its_size_is_refused() {
    let pusher = Pusher::new();
    let good = fs::read(docker_archive(&pusher.image(), NAME)).unwrap();
    let compressed = gzip(&good);
    for (what, archive) in [
        ("cut in the middle", good[..good.len() / 2].to_vec()),
        ("cut in a header", good[..700].to_vec()),
        ("cut, compressed", compressed[..compressed.len() / 2].to_vec()),
        ("nothing", Vec::new()),
        ("no archive", noise("rubbish", 5000)),
        ("compressed twice", gzip(&compressed)),
        ("a size beyond its end", entry(EntryType::Regular, "x", "", 100_000, b"abc")),
        ("a size beyond any disk", entry(EntryType::Regular, "x", "", u64::MAX / 2, b"abc")),
    ] {
        pusher.refused(what, pusher.push_bytes(&archive), "archive");
    }
}

#[test]
fn bombs_go_by_in_pieces() {
    let pusher = Pusher::new();
    let gib = 1 << 30;
    // Twice what is allowed of memory.
    let enough = 2 * MOST_MEMORY;
    for (what, archive, words) in [
        (
            "a name of 2 GiB",
            bomb(&entry(EntryType::GNULongName, "x", "", 2 * gib, b""), enough),
            "headers of a file",
        ),
        (
            "attributes of 2 GiB",
            bomb(&entry(EntryType::XHeader, "x", "", 2 * gib, b""), enough),
            "headers of a file",
        ),
        (
            "a manifest of 10 GiB",
            bomb(&entry(EntryType::Regular, "manifest.json", "", 10 * gib, b""), enough),
            "more than any real one",
        ),
        (
            "documents without an end",
            ended(&(0..20).map(|at| file(&format!("{at}.json"), &vec![b'['; 4 << 20])).collect::<Vec<_>>()),
            "small files are more than",
        ),
        (
            "entries without an end",
            entry(EntryType::Directory, "d/", "", 0, b"").repeat(100_001),
            "more than 100000 entries",
        ),
        (
            "a manifest of depth",
            ended(&[file("manifest.json", "[".repeat(1 << 20).as_bytes())]),
            "manifest.json cannot be read",
        ),
        (
            "an index of depth",
            ended(&[file("index.json", "[".repeat(1 << 20).as_bytes())]),
            "index.json cannot be read",
        ),
    ] {
        pusher.refused(what, pusher.push_bytes(&archive), words);
    }
}

#[test]
fn standard_input_is_no_more_trusted() {
    let pusher = Pusher::new();
    let good = fs::read(docker_archive(&pusher.image(), NAME)).unwrap();
    let path = pusher.folder.join("image.tar");
    let to = format!("{}:bad", pusher.scene.bench.repository);
    let line = r#"exec "$0" push --progress none - "$1" <"$2""#;
    let push = |archive: &[u8]| {
        fs::write(&path, archive).unwrap();
        let binary = hythe_testbed::Hythe::binary();
        let arguments = [Path::new("-c"), Path::new(line), &binary, Path::new(&to), &path];
        pusher.scene.cli_of("sh").run(&arguments)
    };
    pusher.refused("cut", push(&good[..good.len() / 2]), "archive");
    let out = [entry(EntryType::Symlink, "a", "/etc/passwd", 0, b""), good.clone()].concat();
    pusher.refused("a link", push(&out), "leads out of it");
    push(&good).ok();
    pusher.scene.whole("bad");
}

#[test]
fn a_layout_gives_only_what_lies_in_it() {
    let pusher = Pusher::new();
    let image = pusher.image();
    let secret = run_folder::fresh("secret").join("key");
    // Its digest is known to whoever laid out the layout; its content is not.
    let own = Content { media_type: image.blobs[1].media_type.clone(), bytes: noise("a secret", 4000) };
    fs::write(&secret, &own.bytes).unwrap();
    let image = Image::of_blobs(Family::Oci, vec![own.clone()], "amd64");
    let blobs: Vec<&Content> = image.blobs.iter().collect();
    let spoil = |what: &str, words: &str, spoil: &dyn Fn(&Path, &Path)| {
        let folder = layout_folder(&[("v1", &image.manifest)], &blobs);
        let blob = folder.join("blobs/sha256").join(own.digest().replace("sha256:", ""));
        spoil(&folder, &blob);
        pusher.refused(what, pusher.push(&format!("oci:{}", folder.display())), words);
        let path = pusher.scene.bench.path(&format!("blobs/{}", own.digest()));
        pusher.scene.bench.admin.head(&path).is(404);
    };
    let pipe = |path: &Path| {
        fs::remove_file(path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    let link = |to: &Path, path: &Path| {
        fs::remove_file(path).unwrap();
        symlink(to, path).unwrap();
    };
    spoil("a link as a blob", "leads out of the folder", &|_, blob| link(&secret, blob));
    spoil("a pipe as a blob", "no plain file", &|_, blob| pipe(blob));
    spoil("a device as a blob", "leads out of the folder", &|_, blob| link(Path::new("/dev/zero"), blob));
    spoil("a folder as a blob", "no plain file", &|_, blob| {
        fs::remove_file(blob).unwrap();
        fs::create_dir(blob).unwrap();
    });
    spoil("a link as the folder of blobs", "leads out of the folder", &|folder, blob| {
        let elsewhere = run_folder::fresh("elsewhere").join("sha256");
        fs::rename(blob.parent().unwrap(), &elsewhere).unwrap();
        symlink(elsewhere, folder.join("blobs/sha256")).unwrap();
    });
    spoil("a pipe as the index", "no plain file", &|folder, _| pipe(&folder.join("index.json")));
    spoil("a link as the index", "leads out of the folder", &|folder, _| {
        let elsewhere = run_folder::fresh("elsewhere").join("index.json");
        fs::rename(folder.join("index.json"), &elsewhere).unwrap();
        symlink(elsewhere, folder.join("index.json")).unwrap();
    });
    spoil("a short blob", "bytes long in the layout", &|_, blob| fs::write(blob, b"short").unwrap());
    spoil("no blob", "cannot be read", &|_, blob| fs::remove_file(blob).unwrap());
    spoil("an index of depth", "index.json cannot be read", &|folder, _| {
        fs::write(folder.join("index.json"), "[".repeat(1 << 20)).unwrap();
    });
    spoil("an index without an end", "larger than the", &|folder, _| {
        fs::File::create(folder.join("index.json")).unwrap().set_len(10 << 30).unwrap();
    });
    spoil("names that steer the terminal", "holds several images", &|folder, _| {
        let mut two = image.manifest.descriptor();
        two["annotations"] = json!({"org.opencontainers.image.ref.name": "\u{1b}]0;owned\u{7}\u{1b}[2J"});
        let index = json!({"schemaVersion": 2, "manifests": [two.clone(), two]});
        fs::write(folder.join("index.json"), index.to_string()).unwrap();
    });
    // A link within the layout is what tools make that store a blob once.
    let folder = layout_folder(&[("v1", &image.manifest)], &blobs);
    let blob = folder.join("blobs/sha256").join(own.digest().replace("sha256:", ""));
    fs::rename(&blob, folder.join("stored")).unwrap();
    symlink("../../stored", &blob).unwrap();
    pusher.push(&format!("oci:{}", folder.display())).ok();
    pusher.scene.whole("bad");
}

#[test]
fn what_a_layout_says_of_sizes_is_compared() {
    let pusher = Pusher::new();
    let image = pusher.image();
    let blobs: Vec<&Content> = image.blobs.iter().collect();
    for size in [0, 1, u64::MAX / 2, u64::MAX] {
        let mut manifest: Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
        manifest["layers"][0]["size"] = size.into();
        let manifest = Content::json(&image.manifest.media_type, &manifest);
        let folder = layout_folder(&[("v1", &manifest)], &blobs);
        pusher.refused(&format!("size {size}"), pusher.push(&format!("oci:{}", folder.display())), "sha256:");
    }
    // An index whose children are indexes, down and down, is followed without a stack.
    let image = tiny(&pusher.scene.bench.project);
    let mut below: Vec<Content> = image.blobs.clone();
    let mut top = image.manifest;
    for _ in 0..300 {
        let kind = index(Family::Oci, Vec::new()).manifest.media_type;
        let next = Content::json(
            &kind,
            &json!({"schemaVersion": 2, "mediaType": kind, "manifests": [top.descriptor()]}),
        );
        below.push(std::mem::replace(&mut top, next));
    }
    let folder = layout_folder(&[("v1", &top)], &below.iter().collect::<Vec<_>>());
    pusher.push(&format!("oci:{}", folder.display())).ok();
}

/// An image of a few bytes.
fn tiny(seed: &str) -> Image {
    let media_type = "application/vnd.oci.image.layer.v1.tar+gzip".to_owned();
    Image::of_blobs(Family::Oci, vec![Content { media_type, bytes: noise(seed, 100) }], "amd64")
}

//! Images to move: layers of which half is noise and half the source text of this machine's crates, as a plain tar for an
//! engine and as an OCI layout for everybody else. Made by `tar` and `gzip` before anything is measured.

use std::fs::{self, File};
use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::registry::{INDEX, MANIFEST, digest, digest_of, noise};

/// gzip looks back 32 KiB, zstd at its usual levels some MiB.
const LEAST_TEXT: usize = 64 << 20;

/// Source text that does not repeat within what any compressor remembers, gathered once.
pub(crate) struct Text(Vec<u8>);

impl Text {
    /// So many bytes of the sources that cargo has unpacked, in the order of their names; where there are fewer, layers begin
    /// them again.
    ///
    /// # Panics
    /// There is less than a repetition has to be away from what it repeats: the layer would be another one than the
    /// table says.
    pub(crate) fn gather(bytes: usize) -> Self {
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
            let home = std::env::var_os("HOME")?;
            Some(Path::new(&home).join(".cargo"))
        });
        let sources = home.expect("cargo has a home").join("registry/src");
        let (mut text, mut open) = (Vec::with_capacity(bytes), vec![sources]);
        while let Some(folder) = open.pop() {
            let mut entries: Vec<_> = fs::read_dir(&folder)
                .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
                .unwrap_or_default();
            entries.sort();
            for path in entries {
                if path.is_dir() {
                    open.push(path);
                } else if path
                    .extension()
                    .is_some_and(|end| ["rs", "c", "h", "md", "toml"].iter().any(|known| end == *known))
                {
                    text.extend(fs::read(&path).unwrap_or_default());
                }
                if text.len() >= bytes {
                    text.truncate(bytes);
                    return Self(text);
                }
            }
        }
        assert!(
            text.len() >= LEAST_TEXT,
            "cargo has unpacked {} bytes of sources, {LEAST_TEXT} are needed",
            text.len()
        );
        Self(text)
    }
}

/// A tar with a file of noise and a file of text, so many bytes each; `seed` makes it differ from others.
pub(crate) fn layer(folder: &Path, seed: u64, half: usize, text: &Text) -> PathBuf {
    let root = folder.join(format!("root-{seed}"));
    fs::create_dir_all(&root).expect("the folder of the bench is writable");
    fs::write(root.join("noise"), noise(seed, half)).expect("the folder of the bench is writable");
    let from = usize::try_from(seed).expect("seeds are small").wrapping_mul(7919) % text.0.len().max(1);
    let text: Vec<u8> = text.0.iter().cycle().skip(from).take(half).copied().collect();
    fs::write(root.join("text"), text).expect("the folder of the bench is writable");
    let tar = folder.join(format!("{seed}.tar"));
    run(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg("."));
    fs::remove_dir_all(root).expect("the folder of the bench is writable");
    tar
}

/// A blob of a layout.
pub(crate) struct Blob {
    pub(crate) digest: String,
    pub(crate) size: u64,
}

/// An OCI layout that is being made.
pub(crate) struct Layout {
    pub(crate) folder: PathBuf,
    layers: Vec<Blob>,
    diff_ids: Vec<String>,
}

impl Layout {
    pub(crate) fn new(folder: PathBuf) -> Self {
        fs::create_dir_all(folder.join("blobs/sha256")).expect("the folder of the bench is writable");
        Self { folder, layers: Vec::new(), diff_ids: Vec::new() }
    }

    /// Adds a tar as a layer, compressed with gzip, and removes it.
    pub(crate) fn add(&mut self, tar: &Path) {
        self.diff_ids.push(digest_of_file(tar).digest);
        run(Command::new("gzip").args(["-1", "-n", "-f"]).arg(tar));
        let packed = tar.with_extension("tar.gz");
        let blob = digest_of_file(&packed);
        fs::rename(packed, self.path(&blob.digest)).expect("the folder of the bench is writable");
        self.layers.push(blob);
    }

    /// Writes configuration, manifest and index; the image's digest.
    pub(crate) fn finish(&self) -> String {
        let config = serde_json::json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": self.diff_ids },
        });
        let config = self.write(&config.to_string());
        let layers: Vec<_> = self
            .layers
            .iter()
            .map(|layer| {
                serde_json::json!({
                    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                    "digest": layer.digest,
                    "size": layer.size,
                })
            })
            .collect();
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": config.digest,
                "size": config.size,
            },
            "layers": layers,
        });
        let manifest = self.write(&manifest.to_string());
        let index = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [{
                "mediaType": MANIFEST,
                "digest": manifest.digest,
                "size": manifest.size,
                "annotations": { "org.opencontainers.image.ref.name": "v1" },
            }],
        });
        for (name, content) in [
            ("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#.to_owned()),
            ("index.json", index.to_string()),
        ] {
            fs::write(self.folder.join(name), content).expect("the folder of the bench is writable");
        }
        manifest.digest
    }

    /// Bytes of all layers.
    pub(crate) fn bytes(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }

    pub(crate) fn layers(&self) -> &[Blob] {
        &self.layers
    }

    fn write(&self, content: &str) -> Blob {
        let blob = Blob { digest: digest(content.as_bytes()), size: content.len() as u64 };
        fs::write(self.path(&blob.digest), content).expect("the folder of the bench is writable");
        blob
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join("blobs").join(digest.replace(':', "/"))
    }
}

/// Insists that a layout holds these blobs, byte for byte.
pub(crate) fn check(folder: &Path, layers: &[Blob]) {
    for layer in layers {
        let found = digest_of_file(&folder.join("blobs").join(layer.digest.replace(':', "/")));
        assert_eq!(found.digest, layer.digest, "a layer that was pulled is the one that was pushed");
    }
}

fn digest_of_file(path: &Path) -> Blob {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut hasher = Hashed(Sha256::new());
    let size = std::io::copy(&mut BufReader::with_capacity(256 << 10, file), &mut hasher);
    Blob { digest: digest_of(hasher.0), size: size.expect("a file that was just written can be read") }
}

struct Hashed(Sha256);

impl std::io::Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn run(command: &mut Command) {
    let ended = command.status().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    assert!(ended.success(), "{command:?} ended with {ended}");
    std::io::stdout().flush().expect("the table can be written");
}

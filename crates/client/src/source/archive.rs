//! What an archive is, once its documents have come by: `docker save`'s `manifest.json`, or the `index.json` of an OCI
//! layout. Layers are told by their paths.

use std::collections::HashMap;

use bytes::Bytes;
use hythe_oci::Digest;
use serde::Deserialize;

use super::SourceError;
use super::layout::{self, Document, blob_path, verified};
use crate::image::ImageReference;

/// The most links that are followed from one path.
const MOST_LINKS: usize = 8;

/// An entry of docker's `manifest.json`.
#[derive(Deserialize)]
struct DockerEntry {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "RepoTags")]
    names: Option<Vec<String>>,
    #[serde(rename = "Layers")]
    layers: Option<Vec<String>>,
}

/// The part of an image's configuration that names its layers.
#[derive(Deserialize)]
struct Configuration {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<Digest>,
}

/// The image that was chosen.
pub(crate) enum ArchiveImage {
    /// Docker's form: layers by path, lowest first.
    Docker(DockerImage),
    /// A manifest or index whose blobs lie in the archive under their digests.
    Oci(Document),
}

/// An image of a docker archive.
pub(crate) struct DockerImage {
    pub(crate) config: Bytes,
    /// Of each layer the digest of its content, and the path where it lies, links followed.
    pub(crate) layers: Vec<(Digest, String)>,
}

/// The documents and links of an archive.
#[derive(Default)]
pub(crate) struct ArchiveIndex {
    documents: HashMap<String, Bytes>,
    links: HashMap<String, String>,
    bytes: u64,
}

/// The most bytes of documents and small files that are kept of one archive.
const MOST_KEPT: u64 = 64 * 1024 * 1024;

impl ArchiveIndex {
    pub(crate) fn note(&mut self, path: String, content: Bytes) -> Result<(), SourceError> {
        self.bytes += (path.len() + content.len()) as u64;
        if self.bytes > MOST_KEPT {
            return Err(refused(format!("its small files are more than {MOST_KEPT} bytes together")));
        }
        match self.documents.get(&path) {
            // Programs disagree on which of the two counts.
            Some(former) if *former != content => Err(refused(format!("{path:?} is in it twice"))),
            _ => {
                self.documents.insert(path, content);
                Ok(())
            }
        }
    }

    pub(crate) fn note_link(&mut self, path: String, target: String) -> Result<(), SourceError> {
        self.bytes += (path.len() + target.len()) as u64;
        if self.bytes > MOST_KEPT {
            return Err(refused(format!("its links are more than {MOST_KEPT} bytes together")));
        }
        self.links.insert(path, target);
        Ok(())
    }

    /// The content of a small file.
    pub(crate) fn document(&self, path: &str) -> Option<&Bytes> {
        self.documents.get(self.follow(path).as_str())
    }

    /// A manifest, index or configuration by its digest.
    pub(crate) fn blob(&self, digest: &Digest) -> Result<Bytes, SourceError> {
        let absent = || SourceError::Content { digest: *digest, problem: "not in the archive".to_owned() };
        verified(digest, self.document(&blob_path(digest)).ok_or_else(absent)?.clone())
    }

    /// Whether a small file of this digest is there, by its name.
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.document(&blob_path(digest)).is_some()
    }

    /// The image of this name, or the only one. An OCI layout is preferred where it is complete in itself: `has` says
    /// whether a manifest's blobs came by as they are named.
    pub(crate) fn choose(
        &self,
        name: Option<&str>,
        complete: impl Fn(&Document) -> bool,
    ) -> Result<ArchiveImage, SourceError> {
        let docker = self.document("manifest.json");
        if let Some(index) = self.document("index.json") {
            let chosen = layout::choose(index, "the archive", name, |digest| self.blob(digest));
            match chosen {
                Ok(document) if docker.is_none() || complete(&document) => {
                    return Ok(ArchiveImage::Oci(document));
                }
                Err(error) if docker.is_none() => return Err(error),
                // docker names an image by its tag alone there, and keeps its layers uncompressed.
                _ => {}
            }
        }
        let docker = docker.ok_or_else(|| SourceError::Form {
            what: "the archive".to_owned(),
            problem: "there is no manifest.json and no index.json in it".to_owned(),
        })?;
        self.docker(docker, name).map(ArchiveImage::Docker)
    }

    fn docker(&self, manifest: &[u8], name: Option<&str>) -> Result<DockerImage, SourceError> {
        let form = |problem: String| SourceError::Form { what: "the archive".to_owned(), problem };
        let entries: Vec<DockerEntry> = serde_json::from_slice(manifest)
            .map_err(|error| form(format!("its manifest.json cannot be read: {error}")))?;
        let names = |entry: &DockerEntry| entry.names.clone().unwrap_or_default();
        let fitting: Vec<_> = match name {
            Some(wanted) => {
                entries.iter().filter(|entry| names(entry).iter().any(|name| same(name, wanted))).collect()
            }
            None => entries.iter().collect(),
        };
        let entry = match (&fitting[..], &entries[..]) {
            ([entry], _) => entry,
            // An engine was asked for one image, perhaps by its ID, and gave one.
            ([], [entry]) if names(entry).is_empty() => entry,
            _ => {
                let problem = match name {
                    Some(name) => format!("the archive holds no image {name:?}"),
                    None => "the archive holds several images, and none was named".to_owned(),
                };
                return Err(SourceError::Choice { problem, held: entries.iter().flat_map(names).collect() });
            }
        };
        let config =
            self.document(&entry.config).ok_or_else(|| form(format!("{:?} is missing", entry.config)))?;
        let diff_ids = diff_ids(config, "the archive")?;
        let paths = entry.layers.clone().unwrap_or_default();
        if paths.len() != diff_ids.len() {
            let (named, listed) = (diff_ids.len(), paths.len());
            return Err(form(format!(
                "the image's configuration names {named} layers, and {listed} are listed"
            )));
        }
        let layers = diff_ids.into_iter().zip(paths.iter().map(|path| self.follow(path))).collect();
        Ok(DockerImage { config: config.clone(), layers })
    }

    /// Where a path leads, links followed.
    pub(crate) fn follow(&self, path: &str) -> String {
        let mut path = path.trim_start_matches("./");
        for _ in 0..MOST_LINKS {
            match self.links.get(path) {
                Some(target) => path = target,
                None => break,
            }
        }
        path.to_owned()
    }
}

/// The digests of an image's uncompressed layers, lowest first, as its configuration names them.
pub(super) fn diff_ids(config: &[u8], what: &str) -> Result<Vec<Digest>, SourceError> {
    let read: Configuration = serde_json::from_slice(config).map_err(|error| SourceError::Form {
        what: what.to_owned(),
        problem: format!("the image's configuration cannot be read: {error}"),
    })?;
    Ok(read.rootfs.diff_ids)
}

/// An archive that is not taken.
pub(crate) fn refused(problem: String) -> SourceError {
    SourceError::Refused(problem)
}

/// Whether two names of images are the same one, however much of them is written.
pub(crate) fn same(one: &str, other: &str) -> bool {
    match (ImageReference::parse(one), ImageReference::parse(other)) {
        (Ok(one), Ok(other)) => {
            one.repository() == other.repository()
                && one.registry() == other.registry()
                && one.reference() == other.reference()
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use hythe_oci::Algorithm;

    use super::*;

    fn index(manifest: &str) -> ArchiveIndex {
        let mut index = ArchiveIndex::default();
        let diff_id = Digest::of(Algorithm::Sha256, b"layer");
        let config = format!(r#"{{"rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#);
        index.note("c.json".to_owned(), config.into()).unwrap();
        index.note("manifest.json".to_owned(), manifest.to_owned().into()).unwrap();
        index.note_link("b/layer.tar".to_owned(), "a/layer.tar".to_owned()).unwrap();
        index
    }

    fn chosen(manifest: &str, name: Option<&str>) -> Result<String, String> {
        match index(manifest).choose(name, |_| false) {
            Ok(ArchiveImage::Docker(image)) => Ok(image.layers[0].1.clone()),
            Ok(ArchiveImage::Oci(_)) => panic!(),
            Err(error) => Err(error.to_string()),
        }
    }

    const TWO: &str = r#"[{"Config":"c.json","RepoTags":["app:v1"],"Layers":["b/layer.tar"]},
        {"Config":"c.json","RepoTags":["app:v2"],"Layers":["x/layer.tar"]}]"#;

    #[test]
    fn an_image_is_chosen_by_any_form_of_its_name() {
        for name in ["app:v1", "docker.io/library/app:v1"] {
            assert_eq!(chosen(TWO, Some(name)).as_deref(), Ok("a/layer.tar"));
        }
        assert_eq!(chosen(TWO, Some("app:v2")).as_deref(), Ok("x/layer.tar"));
        let refused = chosen(TWO, None).unwrap_err();
        assert!(refused.contains("several") && refused.contains("app:v1, app:v2"), "{refused}");
        assert!(chosen(TWO, Some("app:v3")).unwrap_err().contains("app:v2"));
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        for manifest in [
            r#"[{"Config":"none.json","Layers":["a"]}]"#,
            r#"[{"Config":"c.json","Layers":["a","b"]}]"#,
            r#"[{"Config":"c.json"}]"#,
            r#"{"Config":"c.json"}"#,
            "[]",
        ] {
            assert!(chosen(manifest, None).is_err(), "{manifest}");
        }
    }

    #[test]
    fn a_document_that_comes_twice_is_refused_unless_it_is_the_same() {
        let mut index = ArchiveIndex::default();
        for (content, taken) in [("[]", true), ("[]", true), ("[{}]", false)] {
            assert_eq!(index.note("manifest.json".to_owned(), content.into()).is_ok(), taken, "{content}");
        }
    }

    #[test]
    fn links_in_a_circle_end() {
        let mut index = ArchiveIndex::default();
        index.note_link("a".to_owned(), "b".to_owned()).unwrap();
        index.note_link("b".to_owned(), "a".to_owned()).unwrap();
        assert!(["a", "b"].contains(&index.follow("a").as_str()));
    }
}

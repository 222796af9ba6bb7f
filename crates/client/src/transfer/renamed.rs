//! An archive as it comes by, with the one image in it called as its reader wants: an engine that loads an archive gives its
//! images the names that stand in it, and takes them from whatever had them before.
//!
//! Invariant: no name that the archive brings gets through, in any of the documents in which engines look for names.

use std::io;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};
use futures_util::{TryStreamExt as _, stream};
use serde_json::{Value, json};

use crate::engine::Archive;
use crate::image::{ImageNameError, LocalImage};
use crate::sink::{archive_end, archive_file, archive_link};
use crate::source::{Entries, Entry, same};

/// The documents with names: docker's, its older one, and that of an OCI layout.
const NAMING: [&str; 3] = ["manifest.json", "repositories", "index.json"];

/// The annotations of a layout's index by which an image has a name: containerd's, and the one of the specification.
const ANNOTATIONS: [&str; 2] = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

/// A tar's header has room for no more; what is longer stands in one of its own.
const MOST_PATH: usize = 100;

/// An archive in which an image has this name and no other: the only one, or of several the one that was called `chosen`,
/// which is then the only one. An archive with several of which none is chosen ends with an error before its names are read.
///
/// # Errors
/// The name is too long.
pub fn archive_called(
    archive: Archive,
    chosen: Option<&str>,
    called: &LocalImage,
) -> Result<Archive, ImageNameError> {
    let full = called.complete()?;
    let tag = full.reference().to_string();
    let short = format!("{}:{tag}", called.name());
    let names = Names { chosen: chosen.map(str::to_owned), full: full.to_string(), short, tag };
    let entries = stream::try_unfold((Entries::read(archive), names), |(mut entries, names)| async move {
        let Some(entry) = entries.next().await? else { return Ok::<_, io::Error>(None) };
        let passed = names.passed(entry)?;
        Ok(Some((passed, (entries, names))))
    });
    Ok(entries.try_flatten().chain(stream::iter([Ok(archive_end())])).boxed())
}

/// What the image is called.
struct Names {
    /// In the archive.
    chosen: Option<String>,
    /// With registry and tag.
    full: String,
    /// As it was written, with the tag.
    short: String,
    tag: String,
}

impl Names {
    /// An entry as it goes on.
    fn passed(&self, entry: Entry) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        let once = |bytes: Bytes| stream::iter([Ok(bytes)]).boxed();
        Ok(match entry {
            // Nothing that an engine looks for has so long a path.
            Entry::Whole(path, _) | Entry::Large(path, ..) | Entry::Link(path, _)
                if path.len() > MOST_PATH =>
            {
                stream::empty().boxed()
            }
            Entry::Whole(path, content) => {
                let content = if NAMING.contains(&path.as_str()) {
                    let read = serde_json::from_slice(&content);
                    let document = read
                        .map_err(|error| io::Error::other(format!("its {path} cannot be read: {error}")))?;
                    serde_json::to_vec(&self.renamed(&path, document)?)?.into()
                } else {
                    content
                };
                let (head, tail) = archive_file(&path, content.len() as u64)?;
                stream::iter([Ok(head), Ok(content), Ok(tail)]).boxed()
            }
            Entry::Large(path, ..) | Entry::Link(path, _) if NAMING.contains(&path.as_str()) => {
                return Err(io::Error::other(format!("its {path} is none that a program writes")));
            }
            Entry::Large(path, size, body) => {
                let (head, tail) = archive_file(&path, size)?;
                once(head).chain(body.into_stream()).chain(once(tail)).boxed()
            }
            Entry::Link(path, target) => once(archive_link(&path, &target)?),
        })
    }

    fn renamed(&self, path: &str, mut document: Value) -> io::Result<Value> {
        match path {
            "manifest.json" => {
                let names = |image: &Value| texts(image["RepoTags"].as_array().into_iter().flatten());
                let mut image = self.only(document.as_array(), names, |image| image["Config"].clone())?;
                image["RepoTags"] = json!([self.short]);
                Ok(json!([image]))
            }
            "index.json" => {
                let names = |image: &Value| texts(ANNOTATIONS.iter().map(|key| &image["annotations"][key]));
                let mut image =
                    self.only(document["manifests"].as_array(), names, |image| image["digest"].clone())?;
                for (key, name) in ANNOTATIONS.iter().zip([&self.full, &self.tag]) {
                    image["annotations"][key] = json!(name);
                }
                document["manifests"] = json!([image]);
                Ok(document)
            }
            // Where there is the newer document this one is not read.
            _ => {
                let mut ids =
                    document.as_object().into_iter().flatten().filter_map(|(_, tags)| tags.as_object());
                let mut ids: Vec<_> = ids.by_ref().flat_map(|tags| tags.values()).collect();
                ids.dedup();
                let (repository, tag) = self.short.rsplit_once(':').unwrap_or((&self.short, &self.tag));
                Ok(match ids[..] {
                    [id] => json!({ repository: { tag: id } }),
                    _ => json!({}),
                })
            }
        }
    }

    /// The image that is meant.
    fn only(
        &self,
        images: Option<&Vec<Value>>,
        names: impl Fn(&Value) -> Vec<String>,
        id: impl Fn(&Value) -> Value,
    ) -> io::Result<Value> {
        let images = images.ok_or_else(|| io::Error::other("it has no list of images"))?;
        let wanted = |image: &&Value| match &self.chosen {
            Some(chosen) => {
                let names = names(image);
                // An index tells of an image by its tag alone.
                names.iter().any(|name| same(name, chosen) || chosen.ends_with(&format!(":{name}")))
                    || names.is_empty() && images.len() == 1
            }
            None => true,
        };
        let fitting: Vec<_> = images.iter().filter(wanted).collect();
        match &fitting[..] {
            [first, rest @ ..] if rest.iter().all(|other| id(other) == id(first)) && first.is_object() => {
                Ok((*first).clone())
            }
            _ => {
                let mut held: Vec<_> = images.iter().flat_map(names).take(10).collect();
                held.dedup();
                Err(io::Error::other(match &self.chosen {
                    Some(chosen) => format!("it holds no image {chosen:?}, but {}", held.join(", ")),
                    None => format!(
                        "it holds several images ({}) or none, and one name was given: say which with \
                         archive:FILE:NAME",
                        held.join(", ")
                    ),
                }))
            }
        }
    }
}

fn texts<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<String> {
    values.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 200_000;

    fn tarred(files: &[(&str, &[u8])]) -> Archive {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, *content).unwrap();
        }
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, "b/layer.tar", "../a/layer.tar").unwrap();
        stream::iter([Ok(tar.into_inner().unwrap().into())]).boxed()
    }

    async fn called(files: &[(&str, &[u8])], chosen: Option<&str>) -> io::Result<Vec<(String, Vec<u8>)>> {
        let called = LocalImage::parse("mine:v1").unwrap();
        let mut entries = Entries::read(archive_called(tarred(files), chosen, &called).unwrap());
        let mut found = Vec::new();
        while let Some(entry) = entries.next().await? {
            found.push(match entry {
                Entry::Whole(path, content) => (path, content.to_vec()),
                Entry::Large(path, _, body) => {
                    (path, body.into_stream().try_collect::<Vec<_>>().await?.concat())
                }
                Entry::Link(path, target) => (path, target.into_bytes()),
            });
        }
        Ok(found)
    }

    #[tokio::test]
    async fn the_image_has_the_name_that_was_asked_for_and_no_other() {
        let large = vec![7; LARGE];
        let (manifest, index, old) = (
            br#"[{"Config":"c.json","RepoTags":["theirs:v1","victim:v1"],"Layers":["a/layer.tar"]}]"#,
            br#"{"schemaVersion":2,"manifests":[
                {"digest":"sha256:a","annotations":{"io.containerd.image.name":"docker.io/library/victim:v1"}},
                {"digest":"sha256:a","annotations":{"org.opencontainers.image.ref.name":"v1","x":"y"}}]}"#,
            br#"{"victim":{"v1":"id"},"theirs":{"v1":"id"}}"#,
        );
        let files: &[(&str, &[u8])] = &[
            ("a/layer.tar", &large),
            ("manifest.json", manifest),
            ("index.json", index),
            ("repositories", old),
        ];
        let found = called(files, None).await.unwrap();
        let text = |at: usize| serde_json::from_slice::<Value>(&found[at].1).unwrap();
        assert!(found[0] == ("a/layer.tar".to_owned(), large));
        assert_eq!(
            text(1),
            json!([{"Config": "c.json", "RepoTags": ["mine:v1"], "Layers": ["a/layer.tar"]}])
        );
        let names = json!({ANNOTATIONS[0]: "docker.io/library/mine:v1", ANNOTATIONS[1]: "v1"});
        assert_eq!(text(2)["manifests"], json!([{"digest": "sha256:a", "annotations": names}]));
        assert_eq!(text(3), json!({"mine": {"v1": "id"}}));
        assert_eq!(found[4], ("b/layer.tar".to_owned(), b"a/layer.tar".to_vec()));
    }

    #[tokio::test]
    async fn of_several_images_one_is_chosen_or_none_is_taken() {
        let manifest = br#"[{"Config":"a","RepoTags":["app:v1"]},{"Config":"b","RepoTags":["app:v2"]}]"#;
        let files: &[(&str, &[u8])] = &[("manifest.json", manifest)];
        let found = called(files, Some("app:v2")).await.unwrap();
        let chosen: Value = serde_json::from_slice(&found[0].1).unwrap();
        assert_eq!(chosen, json!([{"Config": "b", "RepoTags": ["mine:v1"]}]));
        let refused = called(files, None).await.unwrap_err().to_string();
        assert!(refused.contains("app:v1, app:v2") && refused.contains("archive:FILE:NAME"), "{refused}");
        assert!(called(files, Some("app:v3")).await.is_err());
    }

    #[tokio::test]
    async fn no_name_comes_through_in_another_form() {
        let mut large = b"[".to_vec();
        large.resize(5 << 20, b' ');
        for (path, content) in [("manifest.json", &large[..]), ("index.json", b"{"), ("repositories", b"x")] {
            assert!(called(&[(path, content)], None).await.is_err(), "{path}");
        }
    }
}

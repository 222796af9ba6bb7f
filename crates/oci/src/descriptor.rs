//! Descriptors: how a manifest points at other content (image specification, "OCI Content
//! Descriptors").
//!
//! A descriptor that carries its content as well has been checked: the content is what its digest and
//! size say.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::Value;

use crate::digest::Digest;
use crate::fields::{FieldFault, Fields};
use crate::media_type::MediaType;
use crate::quote::quoted;

/// A pointer to content: what it is, its address and its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The content's media type exactly as pushed; `None` where it is missing or empty.
    pub media_type: Option<String>,
    /// The content's address.
    pub digest: Digest,
    /// The content's size in bytes; at most `i64::MAX`.
    pub size: u64,
    /// Where else the content may be fetched. For layers that need not be in the registry, each is an
    /// `http` or `https` URL without a fragment.
    pub urls: Vec<String>,
    /// Annotations, by key.
    pub annotations: BTreeMap<String, String>,
    /// The content itself, where the descriptor embeds it; its digest and size have been checked.
    pub data: Option<Vec<u8>>,
    /// The artifact type of the manifest pointed at.
    pub artifact_type: Option<String>,
    /// What the image pointed at runs on.
    pub platform: Option<Platform>,
}

/// What an image runs on (image specification, "OCI Image Index"). Empty where nothing was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Platform {
    /// The processor architecture, in Go's words: `amd64`, `arm64`, …
    pub architecture: String,
    /// The operating system, in Go's words: `linux`, …
    pub os: String,
    /// The version of the operating system.
    pub os_version: Option<String>,
    /// What the operating system must offer.
    pub os_features: Vec<String>,
    /// The variant of the processor: `v7`, `v8`, …
    pub variant: Option<String>,
}

const KNOWN: [&str; 8] =
    ["mediaType", "digest", "size", "urls", "annotations", "data", "artifactType", "platform"];

const KNOWN_OF_PLATFORM: [&str; 5] = ["architecture", "os", "os.version", "os.features", "variant"];

impl Descriptor {
    /// Reads the descriptor that stands at `place` of a manifest.
    pub(crate) fn read(value: &Value, place: &str) -> Result<Self, FieldFault> {
        let fields = Fields::of(value, place, &KNOWN)?;
        let digest = match fields.text("digest")? {
            Some(digest) => Digest::parse(digest).map_err(|error| fields.wrong("digest", &error))?,
            None => return Err(fields.fault("digest", "is missing")),
        };
        let descriptor = Self {
            media_type: fields.text("mediaType")?.map(str::to_owned),
            digest,
            size: read_size(&fields)?,
            urls: fields.texts("urls")?,
            annotations: fields.text_map("annotations")?,
            data: read_data(&fields)?,
            artifact_type: fields.text("artifactType")?.map(str::to_owned),
            platform: read_platform(&fields)?,
        };
        descriptor.check_data(&fields)?;
        descriptor.check_urls(&fields)?;
        Ok(descriptor)
    }

    /// The media type without parameters and case, where there is a well-formed one.
    pub fn essence(&self) -> Option<MediaType> {
        MediaType::parse(self.media_type.as_deref()?).ok()
    }

    /// Whether the content may be missing from the registry, by its media type.
    pub fn is_nondistributable(&self) -> bool {
        self.essence().is_some_and(|essence| essence.is_nondistributable())
    }

    fn check_data(&self, fields: &Fields<'_>) -> Result<(), FieldFault> {
        let Some(data) = &self.data else { return Ok(()) };
        if u64::try_from(data.len()) != Ok(self.size) {
            let fault = format!("holds {} bytes, and the descriptor's size is {}", data.len(), self.size);
            return Err(fields.fault("data", fault));
        }
        if Digest::of(self.digest.algorithm(), data) != self.digest {
            return Err(fields.fault("data", format!("is not the content of {}", self.digest)));
        }
        Ok(())
    }

    fn check_urls(&self, fields: &Fields<'_>) -> Result<(), FieldFault> {
        let Some(essence) = self.essence().filter(MediaType::is_nondistributable) else { return Ok(()) };
        if self.urls.is_empty() && essence.is_docker_foreign() {
            return Err(fields.fault("urls", "is missing, and a foreign layer is fetched from there alone"));
        }
        match self.urls.iter().find(|url| !is_fetchable(url)) {
            None => Ok(()),
            Some(url) => {
                let fault =
                    format!("holds {}, which is no http or https URL without a fragment", quoted(url));
                Err(fields.fault("urls", fault))
            }
        }
    }
}

fn read_size(fields: &Fields<'_>) -> Result<u64, FieldFault> {
    let size = match fields.value("size") {
        None => return Err(fields.fault("size", "is missing")),
        Some(size) => size.as_u64(),
    };
    // Clients keep sizes in signed 64 bits.
    size.filter(|&size| i64::try_from(size).is_ok())
        .ok_or_else(|| fields.fault("size", "must be a whole number of bytes, 0 or more"))
}

fn read_data(fields: &Fields<'_>) -> Result<Option<Vec<u8>>, FieldFault> {
    // An empty string is the content of an empty blob, so `Fields::text` would not do here.
    match fields.value("data") {
        None => Ok(None),
        Some(Value::String(data)) => match base64::engine::general_purpose::STANDARD.decode(data) {
            Ok(data) => Ok(Some(data)),
            Err(_) => Err(fields.fault("data", "is not base64 (RFC 4648 section 4, with padding)")),
        },
        Some(_) => Err(fields.fault("data", "must be a string")),
    }
}

fn read_platform(fields: &Fields<'_>) -> Result<Option<Platform>, FieldFault> {
    let Some(value) = fields.value("platform") else { return Ok(None) };
    let fields = Fields::of(value, &fields.place_of("platform"), &KNOWN_OF_PLATFORM)?;
    let owned = |key| fields.text(key).map(|text| text.map(str::to_owned));
    Ok(Some(Platform {
        architecture: owned("architecture")?.unwrap_or_default(),
        os: owned("os")?.unwrap_or_default(),
        os_version: owned("os.version")?,
        os_features: fields.texts("os.features")?,
        variant: owned("variant")?,
    }))
}

/// An `http` or `https` URL with a host, without a fragment, blanks or control characters.
fn is_fetchable(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
        && !host.is_empty()
        && !rest.contains(|c: char| c == '#' || c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::digest::Algorithm;

    const EMPTY_OBJECT: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    const FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    const NONDISTRIBUTABLE: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";

    /// A sound descriptor of `{}` with `members` over it.
    fn with(members: &Value) -> Value {
        let mut value =
            json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": EMPTY_OBJECT, "size": 2});
        let object = value.as_object_mut().unwrap();
        object.extend(members.as_object().unwrap().clone());
        value
    }

    fn read(members: &Value) -> Result<Descriptor, String> {
        Descriptor::read(&with(members), "config").map_err(|fault| fault.to_string())
    }

    #[test]
    fn everything_a_descriptor_says_is_kept() {
        let descriptor = read(&json!({
            "mediaType": "application/vnd.Example+JSON; v=1",
            "urls": ["https://example.org/x"],
            "annotations": {"k": "v"},
            "data": "e30=",
            "artifactType": "application/x",
            "platform": {"architecture": "arm", "os": "linux", "os.version": "6", "os.features": ["f"], "variant": "v7"},
            "org.example.unknown": {"x": [1]},
        }))
        .unwrap();
        assert_eq!(descriptor.media_type.as_deref(), Some("application/vnd.Example+JSON; v=1"));
        assert_eq!(descriptor.essence().unwrap(), "application/vnd.example+json");
        assert_eq!(descriptor.digest.to_string(), EMPTY_OBJECT);
        assert_eq!((descriptor.size, descriptor.data.as_deref()), (2, Some(&b"{}"[..])));
        assert_eq!(descriptor.urls, ["https://example.org/x"]);
        assert_eq!(descriptor.annotations["k"], "v");
        assert_eq!(descriptor.artifact_type.as_deref(), Some("application/x"));
        let platform = Platform {
            architecture: "arm".to_owned(),
            os: "linux".to_owned(),
            os_version: Some("6".to_owned()),
            os_features: vec!["f".to_owned()],
            variant: Some("v7".to_owned()),
        };
        assert_eq!(descriptor.platform, Some(platform));
    }

    #[test]
    fn absent_and_null_members_are_the_same() {
        let null = json!({
            "mediaType": null, "urls": null, "annotations": null, "data": null, "artifactType": null, "platform": null,
        });
        let descriptor = read(&null).unwrap();
        assert_eq!(
            (descriptor.media_type, descriptor.urls.len(), descriptor.data, descriptor.platform),
            (None, 0, None, None)
        );
    }

    #[test]
    fn sizes_and_digests_are_checked() {
        for (members, part) in [
            (json!({"size": null}), "`config.size` is missing"),
            (json!({"size": -1}), "`config.size` must be a whole number of bytes, 0 or more"),
            (json!({"size": 1.5}), "must be a whole number"),
            (json!({"size": "2"}), "must be a whole number"),
            (json!({"size": u64::MAX}), "must be a whole number"),
            (json!({"digest": null}), "`config.digest` is missing"),
            (json!({"digest": 1}), "`config.digest` must be a string"),
            (json!({"digest": "sha256:x"}), "`config.digest` is wrong: The digest `sha256:x` is malformed"),
            (json!({"digest": "md5:00"}), "is not supported"),
            (json!({"mediaType": 1}), "`config.mediaType` must be a string"),
            (json!({"annotations": {"k": 1}}), "`config.annotations` must hold strings only"),
            (json!({"urls": "x"}), "`config.urls` must be an array"),
            (json!({"platform": "linux"}), "`config.platform` must be an object"),
            (json!({"platform": {"os": 1}}), "`config.platform.os` must be a string"),
            (json!({"Digest": EMPTY_OBJECT}), "`config.Digest` must be written `digest`"),
        ] {
            let fault = read(&members).unwrap_err();
            assert!(fault.contains(part), "{members}: {fault}");
        }
        for size in [json!(0), json!(i64::MAX)] {
            assert!(read(&json!({"size": size})).is_ok(), "{size}");
        }
        let sha512 = Digest::of(Algorithm::Sha512, b"{}").to_string();
        assert!(read(&json!({"digest": sha512, "data": "e30="})).is_ok());
    }

    #[test]
    fn embedded_data_is_the_content() {
        let empty = Digest::of(Algorithm::Sha256, b"").to_string();
        assert_eq!(read(&json!({"digest": empty, "size": 0, "data": ""})).unwrap().data, Some(Vec::new()));
        for (members, part) in [
            (json!({"data": "W10="}), "`config.data` is not the content of sha256:44136"),
            (json!({"data": "e30gIA=="}), "holds 4 bytes, and the descriptor's size is 2"),
            (json!({"data": "e30=", "size": 3}), "holds 2 bytes, and the descriptor's size is 3"),
            (json!({"data": ""}), "holds 0 bytes"),
            (json!({"data": "e30"}), "is not base64"),
            (json!({"data": "{}"}), "is not base64"),
            (json!({"data": {}}), "must be a string"),
        ] {
            let fault = read(&members).unwrap_err();
            assert!(fault.contains(part), "{members}: {fault}");
        }
    }

    #[test]
    fn urls_of_layers_elsewhere_can_be_fetched() {
        for url in ["http://example.org", "https://example.org:8443/a/b?c=d", "HTTPS://[::1]/x"] {
            for media_type in [FOREIGN, NONDISTRIBUTABLE] {
                let layer = read(&json!({"mediaType": media_type, "urls": [url]})).unwrap();
                assert!(layer.is_nondistributable());
            }
        }
        for url in [
            "",
            "ftp://example.org/x",
            "file:///etc/passwd",
            "https://",
            "https:///x",
            "https://h/x#y",
            "https://h/x y",
            "//h/x",
            "h",
        ] {
            let fault =
                read(&json!({"mediaType": NONDISTRIBUTABLE, "urls": ["https://h/x", url]})).unwrap_err();
            assert!(fault.contains("which is no http or https URL"), "{url}: {fault}");
        }
        assert!(read(&json!({"mediaType": NONDISTRIBUTABLE})).is_ok());
        assert!(read(&json!({"mediaType": FOREIGN})).unwrap_err().contains("`config.urls` is missing"));
        // Nobody fetches the urls of content that is here.
        let here = read(&json!({"urls": ["ftp://example.org/x"]})).unwrap();
        assert!(!here.is_nondistributable());
    }
}

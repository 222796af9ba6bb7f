//! What a manifest is: by its header, its own word, and its shape, which must agree (CVE-2021-41190: a
//! document that is an image to one reader and an index to another).

use hythe_oci::{MediaType, media_type};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The members that tell the kinds apart. A member given twice is an error: two readers could take one each.
#[derive(Deserialize)]
struct Shape {
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    manifests: Option<IgnoredAny>,
}

/// Types that say no more than "some file", from servers that do not know better.
const GENERIC: [&str; 4] =
    ["application/json", "application/octet-stream", "text/plain", "binary/octet-stream"];

/// The type of the manifest `bytes`, which came with the `Content-Type` `header`.
///
/// # Errors
/// What is wrong, as the end of a sentence that begins with the registry.
pub(crate) fn media_type_of(header: Option<MediaType>, bytes: &[u8]) -> Result<MediaType, String> {
    let shape: Shape = serde_json::from_slice(bytes)
        .map_err(|error| format!("sent a manifest that cannot be read: {error}"))?;
    let header = header.filter(|header| !GENERIC.contains(&header.as_str()));
    let body = match shape.media_type.as_deref().filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => Some(
            MediaType::parse(text)
                .map_err(|error| format!("sent a manifest whose `mediaType` cannot be read: {error}"))?,
        ),
    };
    if let (Some(header), Some(body)) = (&header, &body)
        && header != body
        && !(header.is_image() && body.is_image() || header.is_index() && body.is_index())
    {
        return Err(format!("sent a manifest as {header} that calls itself {body}"));
    }
    let image = shape.config.is_some() || shape.layers.is_some();
    let index = shape.manifests.is_some();
    if image && index {
        return Err("sent a manifest that is an image and an index at once".to_owned());
    }
    let known = |constant| MediaType::parse(constant).ok();
    let by_shape = match (image, index) {
        (true, _) => known(media_type::OCI_MANIFEST),
        (_, true) => known(media_type::OCI_INDEX),
        _ => None,
    };
    let media_type = header
        .or(body)
        .or(by_shape)
        .ok_or_else(|| "sent something without a type that is neither an image nor an index".to_owned())?;
    if media_type.is_image() && index || media_type.is_index() && image {
        return Err(format!("sent a manifest as {media_type} that has the members of another kind"));
    }
    Ok(media_type)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(header: &str, body: &str) -> Result<String, String> {
        media_type_of(MediaType::parse(header).ok(), body.as_bytes()).map(|kind| kind.as_str().to_owned())
    }

    const IMAGE: &str = media_type::OCI_MANIFEST;
    const INDEX: &str = media_type::OCI_INDEX;

    #[test]
    fn header_and_body_may_use_two_names_for_one_kind() {
        let docker = format!(r#"{{"mediaType":"{}","config":{{}}}}"#, media_type::DOCKER_MANIFEST);
        assert_eq!(kind(IMAGE, &docker).unwrap(), IMAGE);
        assert_eq!(kind("application/json", &docker).unwrap(), media_type::DOCKER_MANIFEST);
        assert_eq!(kind("", r#"{"layers":[]}"#).unwrap(), IMAGE);
        assert_eq!(kind("text/plain; charset=utf-8", r#"{"manifests":[]}"#).unwrap(), INDEX);
        assert_eq!(kind("application/x-own", "{}").unwrap(), "application/x-own");
    }

    #[test]
    fn a_document_that_is_two_things_is_refused() {
        for (header, body) in [
            (IMAGE, format!(r#"{{"mediaType":"{INDEX}","manifests":[]}}"#)),
            (INDEX, format!(r#"{{"mediaType":"{IMAGE}","config":{{}}}}"#)),
            (INDEX, format!(r#"{{"mediaType":"{IMAGE}","manifests":[]}}"#)),
            (IMAGE, r#"{"manifests":[]}"#.to_owned()),
            (INDEX, r#"{"config":{},"layers":[]}"#.to_owned()),
            (IMAGE, r#"{"config":{},"layers":[],"manifests":[]}"#.to_owned()),
            ("", r#"{"layers":[],"manifests":[]}"#.to_owned()),
            (IMAGE, format!(r#"{{"mediaType":"{IMAGE}","mediaType":"{INDEX}"}}"#)),
            (IMAGE, "<html>Sign in</html>".to_owned()),
            (IMAGE, r#"{"mediaType":"nonsense"}"#.to_owned()),
            ("", "{}".to_owned()),
            ("", "[]".to_owned()),
        ] {
            assert!(kind(header, &body).is_err(), "{header} {body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(body: Vec<u8>, header in "\\PC*") {
            let _ignored = media_type_of(MediaType::parse(&header).ok(), &body).is_ok();
        }
    }
}

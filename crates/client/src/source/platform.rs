//! What an image runs on, as people write it: `os/architecture[/variant]`.

use std::fmt;
use std::str::FromStr;

use hythe_oci::Descriptor;
use thiserror::Error;

/// A platform to choose from an index.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// Text that is no platform.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no platform: write os/architecture or os/architecture/variant, such as linux/arm64")]
pub struct PlatformError(String);

impl Platform {
    /// What this machine runs: Linux on its architecture.
    pub fn here() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "x86" => "386",
            "aarch64" => "arm64",
            "powerpc64" => "ppc64le",
            other => other,
        };
        Self { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: None }
    }

    /// The entry of an index for this platform. Attestations, whose platform is `unknown/unknown`, are for none.
    pub fn choose<'a>(&self, children: &'a [Descriptor]) -> Option<&'a Descriptor> {
        let fits = |child: &&Descriptor| {
            child
                .platform
                .as_ref()
                .is_some_and(|platform| platform.os == self.os && platform.architecture == self.architecture)
        };
        let mut fitting = children.iter().filter(fits);
        let variant_of =
            |child: &Descriptor| child.platform.as_ref().and_then(|platform| platform.variant.clone());
        match &self.variant {
            Some(_) => fitting.find(|child| variant_of(child) == self.variant),
            // The first is the one that its maker prefers.
            None => fitting.next(),
        }
    }

    /// An entry's platform as people write it; `None` for what runs nowhere.
    pub fn of(child: &Descriptor) -> Option<String> {
        let platform = child.platform.as_ref()?;
        if platform.os == "unknown" || platform.os.is_empty() {
            return None;
        }
        let parts = [Some(&platform.os), Some(&platform.architecture), platform.variant.as_ref()];
        Some(parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("/"))
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let plain = |part: &str| {
            !part.is_empty()
                && part.len() <= 64
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            [os, architecture] if plain(os) && plain(architecture) => {
                Ok(Self { os: os.to_owned(), architecture: architecture.to_owned(), variant: None })
            }
            [os, architecture, variant] if plain(os) && plain(architecture) && plain(variant) => Ok(Self {
                os: os.to_owned(),
                architecture: architecture.to_owned(),
                variant: Some(variant.to_owned()),
            }),
            _ => Err(PlatformError(text.chars().take(80).collect())),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use hythe_oci::{Manifest, MediaType, media_type};

    use super::*;

    fn children() -> Vec<Descriptor> {
        let entry = |at: usize, os: &str, architecture: &str, variant: &str| {
            format!(
                r#"{{"mediaType":"{}","digest":"sha256:{at:064x}","size":1,"platform":{{"os":"{os}","architecture":"{architecture}"{variant}}}}}"#,
                media_type::OCI_MANIFEST
            )
        };
        let entries = [
            entry(0, "unknown", "unknown", ""),
            entry(1, "linux", "amd64", ""),
            entry(2, "linux", "arm", r#","variant":"v6""#),
            entry(3, "linux", "arm", r#","variant":"v7""#),
        ];
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
            media_type::OCI_INDEX,
            entries.join(",")
        );
        let kind = MediaType::parse(media_type::OCI_INDEX).unwrap();
        Manifest::parse(Some(&kind), index.as_bytes()).unwrap().children
    }

    #[test]
    fn the_fitting_entry_is_chosen_and_attestations_never() {
        let children = children();
        let chosen = |text: &str| {
            let platform: Platform = text.parse().unwrap();
            assert_eq!(platform.to_string(), text);
            platform.choose(&children).map(|child| children.iter().position(|other| other == child).unwrap())
        };
        assert_eq!(chosen("linux/amd64"), Some(1));
        assert_eq!(chosen("linux/arm"), Some(2));
        assert_eq!(chosen("linux/arm/v7"), Some(3));
        assert_eq!(chosen("linux/arm/v8"), None);
        assert_eq!(chosen("windows/amd64"), None);
        let all: Vec<_> = children.iter().filter_map(Platform::of).collect();
        assert_eq!(all, ["linux/amd64", "linux/arm/v6", "linux/arm/v7"]);
    }

    #[test]
    fn what_is_no_platform_is_refused() {
        for text in ["", "linux", "linux/", "/amd64", "a/b/c/d", "linux/am d64"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }
}

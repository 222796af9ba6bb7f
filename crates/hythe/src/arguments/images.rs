//! Arguments of the commands that work with images: push, pull, list, status.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use globset::Glob;
use hythe_client::Platform;
use hythe_client::engine::EngineKind;
use hythe_client::pack::Compression;
use hythe_oci::{ProjectName, Tag};

use super::Connection;

/// Which registry, as whom, and what goes without saying there.
#[derive(Debug, Clone, Args)]
pub(crate) struct Registry {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// The project of images that are named without one.
    #[arg(long, env = "HYTHE_PROJECT", value_name = "PROJECT")]
    pub(crate) project: Option<ProjectName>,
}

/// How a transfer shows itself.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Shown {
    /// How progress is shown on standard error.
    #[arg(long, value_enum, default_value_t = ProgressForm::Auto, value_name = "FORM")]
    pub(crate) progress: ProgressForm,
}

/// The form of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressForm {
    /// Bars on a terminal, lines elsewhere.
    Auto,
    /// A line for each layer.
    Plain,
    /// JSON, one event a line.
    Json,
    /// Nothing.
    None,
}

/// `hythe push`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PushArguments {
    /// The image: a name in docker, podman or containerd (`docker:NAME` to say which), `oci:FOLDER[:NAME]`,
    /// `archive:FILE[:NAME]`, or `-` for an archive on standard input.
    pub(crate) image: LocalSource,
    /// What it is to be called: `PROJECT/NAME:TAG`, or with a registry in front [default: the same name in the project].
    pub(crate) remote: Option<String>,
    /// Add digits of the image's ID to the tag, so that no image is ever replaced.
    #[arg(long)]
    pub(crate) unique: bool,
    /// How layers that come uncompressed are compressed [default: as the project prefers, else gzip].
    #[arg(long, value_enum)]
    pub(crate) compression: Option<Packing>,
    /// Push this part of a multi-platform image alone, for example `linux/arm64`.
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Platform>,
    /// How many layers move at once.
    #[arg(long, default_value = "4", value_parser = jobs)]
    pub(crate) jobs: NonZeroUsize,
    /// Have docker export the image even where its layers can be read from its own folder (as root).
    #[arg(long)]
    pub(crate) through_engine: bool,
    /// Say what would be sent and what is there already, and send nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) shown: Shown,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

/// `hythe pull`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PullArguments {
    /// The image: `PROJECT/NAME:TAG` or `…@sha256:…`, or with a registry in front.
    pub(crate) image: String,
    /// Where to: `docker:NAME`, `podman:NAME`, `containerd:NAME`, `oci:FOLDER[:NAME]`, `archive:FILE`, or `-` for an archive
    /// on standard output [default: the engine that runs here, under the image's own name].
    pub(crate) local: Option<LocalSource>,
    /// Pull this part of a multi-platform image alone [default: an engine gets this machine's, a folder all].
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Platform>,
    /// How many layers move at once.
    #[arg(long, default_value = "4", value_parser = jobs)]
    pub(crate) jobs: NonZeroUsize,
    /// Say what would be fetched and what is there already, and fetch nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) shown: Shown,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

/// `hythe copy`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CopyArguments {
    /// The image: `PROJECT/NAME:TAG` or `…@sha256:…`, or with a registry in front.
    pub(crate) from: String,
    /// Where to: the same forms; without a tag, the same tag.
    pub(crate) to: String,
    /// Copy this part of a multi-platform image alone, for example `linux/arm64`.
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Platform>,
    /// Leave signatures, attestations and whatever else refers to the image behind.
    #[arg(long)]
    pub(crate) no_referrers: bool,
    /// How many layers move at once.
    #[arg(long, default_value = "4", value_parser = jobs)]
    pub(crate) jobs: NonZeroUsize,
    /// Say what would be sent and what is there already, and send nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) shown: Shown,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

/// `hythe save`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SaveArguments {
    /// The image: `PROJECT/NAME:TAG` or with a registry in front; `docker:NAME`, `podman:NAME` or `containerd:NAME` of an
    /// engine; `oci:FOLDER[:NAME]`.
    pub(crate) image: LocalSource,
    /// The file to write, or `-` for standard output.
    pub(crate) file: PathBuf,
    /// Save this part of a multi-platform image [default: this machine's].
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Platform>,
    /// How many layers move at once.
    #[arg(long, default_value = "4", value_parser = jobs)]
    pub(crate) jobs: NonZeroUsize,
    /// Say what would be fetched and what is there already, and fetch nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) shown: Shown,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

/// `hythe load`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LoadArguments {
    /// The archive, plain or compressed, or the folder of an OCI layout; `-` for standard input.
    pub(crate) file: String,
    /// Where to: `docker:[NAME]`, `podman:[NAME]` or `containerd:[NAME]`, or an image of a registry, `PROJECT/NAME:TAG`
    /// [default: the engine that runs here, under the names in the archive].
    #[arg(id = "remote", value_name = "NAME")]
    pub(crate) name: Option<LocalSource>,
    /// Load this part of a multi-platform layout alone [default: an engine gets this machine's, a registry all].
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Platform>,
    /// How layers that come uncompressed are compressed for a registry [default: as the project prefers, else gzip].
    #[arg(long, value_enum)]
    pub(crate) compression: Option<Packing>,
    /// How many layers move at once.
    #[arg(long, default_value = "4", value_parser = jobs)]
    pub(crate) jobs: NonZeroUsize,
    /// Say what would be sent and what is there already, and send nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) shown: Shown,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

/// `hythe commit`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CommitArguments {
    /// The container: its name or ID in docker or podman (`docker:NAME` to say which).
    pub(crate) container: LocalSource,
    /// What the image is to be called: `PROJECT/NAME:TAG`, or with a registry in front, is pushed there; `docker:NAME` or
    /// `podman:NAME` stays in the engine.
    pub(crate) image: LocalSource,
    /// Whether the container stands still while it is read.
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "true|false")]
    pub(crate) pause: bool,
    /// Who made the image.
    #[arg(long)]
    pub(crate) author: Option<String>,
    /// What changed, for the image's history.
    #[arg(long, short)]
    pub(crate) message: Option<String>,
    /// How layers are compressed [default: as the project prefers, else gzip].
    #[arg(long, value_enum)]
    pub(crate) compression: Option<Packing>,
    /// How many layers move at once.
    #[arg(long, default_value = "4", value_parser = jobs)]
    pub(crate) jobs: NonZeroUsize,
    /// Say what would be made, and make nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) shown: Shown,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

/// `hythe ls`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListArguments {
    /// A project, or a repository of one [default: every project you may see].
    pub(crate) of: Option<String>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// A command about one image.
#[derive(Debug, Clone, Args)]
pub(crate) struct ImageArguments {
    /// The image: `PROJECT/NAME:TAG` or `…@sha256:…`, or with a registry in front.
    pub(crate) image: String,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

/// `hythe info`.
#[derive(Debug, Clone, Args)]
pub(crate) struct InfoArguments {
    /// The image: `PROJECT/NAME:TAG` or `…@sha256:…`, or with a registry in front.
    pub(crate) image: String,
    /// The platform to look at closely [default: this machine's, else the first].
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Platform>,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

/// `hythe rm`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RemoveArguments {
    /// `PROJECT/NAME:TAG` removes this name alone; `PROJECT/NAME@sha256:…` the image with all its names. Any number.
    #[arg(id = "image", required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<String>,
    /// Remove every tag of the repository `PROJECT/NAME`.
    #[arg(long)]
    pub(crate) all_tags: bool,
    /// Remove the tags of the repository `PROJECT/NAME` that match: `v1.*`, `pr-??`, `{dev,test}-*`.
    #[arg(long = "match", value_name = "GLOB", value_parser = glob, conflicts_with = "all_tags")]
    pub(crate) matching: Option<Glob>,
    /// Remove also each image that would be left without a tag.
    #[arg(long)]
    pub(crate) untagged: bool,
    /// Do not ask, which is done on a terminal before more than one name goes.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Say what would go and how much becomes free, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

/// `hythe tag`.
#[derive(Debug, Clone, Args)]
pub(crate) struct TagArguments {
    /// The image: `PROJECT/NAME:TAG` or `…@sha256:…`, or with a registry in front.
    pub(crate) image: String,
    /// The further tag in the same repository; it is moved if there is one.
    pub(crate) tag: Tag,
    /// Say what would happen, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

/// `hythe wait`.
#[derive(Debug, Clone, Args)]
pub(crate) struct WaitArguments {
    /// The image, with a digest to wait for exactly that one.
    pub(crate) image: String,
    /// Until it can be pulled, which is what is waited for without this as well.
    #[arg(long = "ready")]
    pub(crate) _ready: bool,
    /// How long to wait: `90`, `90s`, `5m`, `2h`.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

/// How layers are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Packing {
    /// Every client can unpack it.
    Gzip,
    /// Smaller and faster; clients before 2021 cannot unpack it.
    Zstd,
}

impl From<Packing> for Compression {
    fn from(packing: Packing) -> Self {
        match packing {
            Packing::Gzip => Self::Gzip,
            Packing::Zstd => Self::Zstd,
        }
    }
}

impl From<Packing> for hythe_api::Compression {
    fn from(packing: Packing) -> Self {
        match packing {
            Packing::Gzip => Self::Gzip,
            Packing::Zstd => Self::Zstd,
        }
    }
}

/// Where an image is on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LocalSource {
    /// In an engine: the one named, or whichever has it.
    Engine(Option<EngineKind>, String),
    /// In an OCI layout.
    Layout(PathBuf, Option<String>),
    /// In an archive.
    Archive(PathBuf, Option<String>),
    /// In an archive on standard input or output.
    Stdio,
}

impl FromStr for LocalSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::Stdio);
        }
        if text.is_empty() {
            return Err("name an image".to_owned());
        }
        let engine = EngineKind::ALL.into_iter().find_map(|kind| {
            let name = text.strip_prefix(kind.name())?.strip_prefix(':')?;
            Some((kind, name))
        });
        if let Some((kind, name)) = engine {
            return Ok(Self::Engine(Some(kind), name.to_owned()));
        }
        let file = |rest: &str| match rest.split_once(':') {
            Some((path, name)) if !name.is_empty() => (PathBuf::from(path), Some(name.to_owned())),
            _ => (PathBuf::from(rest.trim_end_matches(':')), None),
        };
        if let Some(rest) = text.strip_prefix("oci:") {
            let (path, name) = file(rest);
            return Ok(Self::Layout(path, name));
        }
        for form in ["archive:", "docker-archive:", "oci-archive:"] {
            if let Some(rest) = text.strip_prefix(form) {
                let (path, name) = file(rest);
                return Ok(Self::Archive(path, name));
            }
        }
        Ok(Self::Engine(None, text.to_owned()))
    }
}

/// A tag that an image has at this place, if its name there says one.
impl LocalSource {
    pub(crate) fn tag(&self) -> Option<Tag> {
        match self {
            Self::Engine(_, name) => {
                let last = name.rsplit('/').next()?;
                last.split_once(':')?.1.parse().ok()
            }
            Self::Layout(_, name) | Self::Archive(_, name) => {
                name.as_deref().and_then(|name| name.rsplit(':').next()?.parse().ok())
            }
            Self::Stdio => None,
        }
    }
}

fn glob(text: &str) -> Result<Glob, String> {
    Glob::new(text).map_err(|error| error.kind().to_string())
}

/// Each has a connection and threads of its own; more of them move nothing faster.
const MOST_JOBS: usize = 64;

fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse::<NonZeroUsize>().ok().filter(|number| number.get() <= MOST_JOBS);
    number.ok_or_else(|| format!("a number from 1 to {MOST_JOBS}"))
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("write seconds, or a number with s, m or h".to_owned()),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    seconds.map(Duration::from_secs).ok_or_else(|| "write seconds, or a number with s, m or h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_from_what_stands_before_the_colon() {
        let engine = |kind, name: &str| LocalSource::Engine(kind, name.to_owned());
        for (text, place) in [
            ("lab:v1", engine(None, "lab:v1")),
            ("docker:lab:v1", engine(Some(EngineKind::Docker), "lab:v1")),
            ("docker/lab", engine(None, "docker/lab")),
            ("oci:folder", LocalSource::Layout("folder".into(), None)),
            ("oci:folder:v1", LocalSource::Layout("folder".into(), Some("v1".to_owned()))),
            ("archive:a.tar:lab:v1", LocalSource::Archive("a.tar".into(), Some("lab:v1".to_owned()))),
            ("-", LocalSource::Stdio),
        ] {
            assert_eq!(text.parse::<LocalSource>().unwrap(), place);
        }
        assert!("".parse::<LocalSource>().is_err());
    }

    #[test]
    fn so_many_jobs_are_some_and_not_too_many() {
        assert_eq!(["1", "64"].map(|text| jobs(text).unwrap().get()), [1, 64]);
        for text in ["0", "65", "99999999999999999999", "-1", "x"] {
            assert!(jobs(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_seconds_minutes_or_hours() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("5m", 300), ("2h", 7200)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "m", "5d", "-1", "99999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}

//! containerd, over its own command `ctr`: containerd's images are a content store, and `ctr` is what every node that
//! runs it has. Arguments are passed as such, never through a shell.

use std::io;
use std::process::{Output, Stdio};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::{
    Archive, EngineAddress, EngineError, EngineImage, EngineKind, absent, digest, unreadable, version,
};

/// The pieces in which an archive is read.
const PIECE: usize = 256 * 1024;

/// The most bytes of what `ctr` says that are shown.
const LONGEST_WORDS: usize = 1000;

/// One namespace of a containerd.
#[derive(Clone, Debug)]
pub(super) struct Containerd {
    address: EngineAddress,
}

impl Containerd {
    pub(super) async fn connect(address: &EngineAddress) -> Result<Self, EngineError> {
        let here = Self { address: address.clone() };
        let version = here.run(&["version"]).await?;
        if version.status.success() {
            return Ok(here);
        }
        Err(absent(EngineKind::Containerd, &address.socket, words(&version.stderr)))
    }

    pub(super) async fn version(&self) -> Result<String, EngineError> {
        let told = self.succeed(&["version"]).await?;
        served_version(&String::from_utf8_lossy(&told.stdout))
            .ok_or_else(|| unreadable(EngineKind::Containerd, "no version"))
    }

    pub(super) async fn names(&self) -> Result<Vec<String>, EngineError> {
        let listed = self.succeed(&["images", "list", "--quiet"]).await?;
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        // The same images under their digests are of no use to anybody.
        Ok(text.lines().map(str::trim).filter(|name| !name.contains('@')).map(ToOwned::to_owned).collect())
    }

    pub(super) async fn inspect(&self, name: &str) -> Result<Option<EngineImage>, EngineError> {
        let filter = format!("name=={}", quoted(name));
        let listed = self.succeed(&["images", "list", &filter]).await?;
        let text = String::from_utf8_lossy(&listed.stdout);
        // REF TYPE DIGEST SIZE UNIT PLATFORMS LABELS
        let Some(line) = text.lines().skip(1).find(|line| line.split_whitespace().next() == Some(name))
        else {
            return Ok(None);
        };
        let fields: Vec<_> = line.split_whitespace().collect();
        let Some(id) = fields.get(2) else {
            return Err(unreadable(EngineKind::Containerd, "a line of its list of images is too short"));
        };
        let platform = fields.get(5).and_then(|platforms| platforms.split(',').next());
        Ok(Some(EngineImage {
            id: digest(EngineKind::Containerd, id)?,
            platform: platform.filter(|platform| platform.contains('/')).map(ToOwned::to_owned),
            diff_ids: Vec::new(),
            size: fields.get(3).zip(fields.get(4)).and_then(|(size, unit)| bytes_of(size, unit)).unwrap_or(0),
        }))
    }

    pub(super) fn export(&self, name: &str) -> Result<Archive, EngineError> {
        let (here, name) = (self.clone(), argument(name)?.to_owned());
        // Started with the first piece that is asked for: whoever drops the stream before pays nothing.
        let started = async move {
            let mut command = here.command(&["images", "export", "-", &name]);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().map_err(|error| io::Error::other(here.not_started(&error)))?;
            let stdout = child.stdout.take().ok_or_else(|| io::Error::other("`ctr` has no output"))?;
            Ok::<_, io::Error>(stream::try_unfold((stdout, child), |(mut stdout, child)| async move {
                let mut piece = BytesMut::with_capacity(PIECE);
                if stdout.read_buf(&mut piece).await? > 0 {
                    return Ok(Some((piece.freeze(), (stdout, child))));
                }
                ended_well(child).await?;
                Ok::<_, io::Error>(None)
            }))
        };
        Ok(stream::once(started).try_flatten().boxed())
    }

    pub(super) async fn import(&self, mut archive: Archive) -> Result<Vec<String>, EngineError> {
        let mut command = self.command(&["images", "import", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| self.not_started(&error))?;
        let Some(mut stdin) = child.stdin.take() else {
            return Err(unreadable(EngineKind::Containerd, "`ctr` has no input"));
        };
        let feed = async {
            while let Some(piece) = archive.next().await {
                let piece: Bytes = piece?;
                if stdin.write_all(&piece).await.is_err() {
                    // It ended early; what it said is the reason.
                    return Ok(());
                }
            }
            drop(stdin);
            Ok::<_, io::Error>(())
        };
        // Fed and read at once, so that neither pipe fills up; a broken archive drops, and so ends, the child.
        let ((), output) = tokio::try_join!(feed, child.wait_with_output()).map_err(|error| {
            EngineError::Broken { engine: EngineKind::Containerd, reason: error.to_string() }
        })?;
        if !output.status.success() {
            return Err(refused(&output.stderr));
        }
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(said.lines().filter_map(imported).map(ToOwned::to_owned).collect())
    }

    pub(super) async fn tag(&self, name: &str, target: &str) -> Result<(), EngineError> {
        self.succeed(&["images", "tag", "--force", argument(name)?, argument(target)?]).await.map(drop)
    }

    async fn succeed(&self, arguments: &[&str]) -> Result<Output, EngineError> {
        let output = self.run(arguments).await?;
        if output.status.success() { Ok(output) } else { Err(refused(&output.stderr)) }
    }

    async fn run(&self, arguments: &[&str]) -> Result<Output, EngineError> {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null());
        command.output().await.map_err(|error| self.not_started(&error))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("ctr");
        let namespace = self.address.namespace.as_deref().unwrap_or("default");
        command.arg("--address").arg(&self.address.socket).arg("--namespace").arg(namespace);
        command.args(arguments).kill_on_drop(true);
        command
    }

    fn not_started(&self, error: &io::Error) -> EngineError {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => {
                "the command `ctr`, by which containerd is spoken to, is not installed".to_owned()
            }
            _ => error.to_string(),
        };
        absent(EngineKind::Containerd, &self.address.socket, reason)
    }
}

/// A name as an argument: one that begins with a dash would be read as a flag, and is no image's.
fn argument(name: &str) -> Result<&str, EngineError> {
    if name.starts_with('-') {
        let message = format!("{name:?} is no name of an image");
        return Err(EngineError::Refused { engine: EngineKind::Containerd, status: None, message });
    }
    Ok(name)
}

/// A value of containerd's filter language.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

async fn ended_well(child: Child) -> io::Result<()> {
    let output = child.wait_with_output().await?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(refused(&output.stderr)))
}

fn refused(stderr: &[u8]) -> EngineError {
    EngineError::Refused { engine: EngineKind::Containerd, status: None, message: words(stderr) }
}

/// What `ctr` said, fit for a terminal.
fn words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let text = text.trim().trim_start_matches("ctr:").trim();
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_WORDS).collect()
}

/// The server's version; that of `ctr` itself stands before it.
fn served_version(text: &str) -> Option<String> {
    let server = text.split_once("Server:")?.1;
    server.lines().find_map(|line| version(line.trim().strip_prefix("Version:")?.trim()))
}

/// The image named in a line like `unpacking docker.io/lab/app:v1 (sha256:…)...done`.
fn imported(line: &str) -> Option<&str> {
    line.trim().strip_prefix("unpacking ")?.split_whitespace().next()
}

/// `1.5` and `MiB` in bytes.
fn bytes_of(size: &str, unit: &str) -> Option<u64> {
    let (whole, part) = size.split_once('.').unwrap_or((size, "0"));
    let factor: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    let tenths = part.get(..1)?.parse::<u64>().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(factor)?.checked_add(factor / 10 * tenths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_names_are_read_as_ctr_writes_them() {
        assert_eq!(bytes_of("1.5", "KiB"), Some(1024 + 510));
        assert_eq!(bytes_of("307", "B"), Some(307));
        assert_eq!(bytes_of("x", "B"), None);
        assert_eq!(
            imported("unpacking docker.io/lab/app:v1 (sha256:ab)...done"),
            Some("docker.io/lab/app:v1")
        );
        assert_eq!(imported("elapsed: 0.1 s"), None);
        let both = "Client:\n  Version:  1.6.20\n\nServer:\n  Version:  1.7.1~ds1\n  Revision:\n";
        assert_eq!(served_version(both).as_deref(), Some("1.7.1~ds1"));
        assert_eq!(served_version("Client:\n  Version:  1.6.20\n"), None);
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_a_filter() {
        assert_eq!(quoted(r#"a"b\"#), r#""a\"b\\""#);
    }
}

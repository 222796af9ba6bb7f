//! The container engines of this machine.

use std::io;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use hythe_client::engine::{Engine, EngineAddress, EngineKind};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::finding::{Check, Finding, Report};

/// How long an engine may take.
const TIME: Duration = Duration::from_secs(10);

/// Every kind of engine.
pub(super) async fn check(report: &Report) {
    join_all(EngineKind::ALL.into_iter().map(|kind| async move { report.tell(engine(kind).await) })).await;
}

fn check_of(kind: EngineKind) -> Check {
    match kind {
        EngineKind::Docker => Check::Docker,
        EngineKind::Podman => Check::Podman,
        EngineKind::Containerd => Check::Containerd,
    }
}

async fn engine(kind: EngineKind) -> Finding {
    let check = check_of(kind);
    if let Some(elsewhere) = elsewhere(kind) {
        return Finding::warning(
            check,
            format!("{elsewhere} is no socket of this machine, and {kind} is spoken to over one alone"),
            "point it to a socket (unix:///PATH), or push from a folder or an archive",
        );
    }
    let Some(address) = EngineAddress::usual(kind) else {
        return Finding::not_checked(check, format!("{kind} has no socket in its usual places"))
            .with_fix(starting(kind));
    };
    let shown = address.socket.display().to_string();
    let probing = async {
        if let Err(error) = UnixStream::connect(&address.socket).await {
            return Err(unreachable(kind, &address.socket, &error));
        }
        let engine = Engine::connect(address.clone()).await;
        let engine = engine.map_err(|error| Finding::failed(check, error.to_string(), starting(kind)))?;
        Ok(engine.version().await)
    };
    match timeout(TIME, probing).await {
        Err(_) => Finding::failed(
            check,
            format!("{kind} does not answer at {shown} within {} seconds", TIME.as_secs()),
            format!("restart it (`systemctl restart {kind}`)"),
        ),
        Ok(Err(finding)) => finding,
        Ok(Ok(Ok(version))) => Finding::ok(check, format!("{kind} {version} answers at {shown}")),
        Ok(Ok(Err(error))) => {
            Finding::warning(check, format!("{kind} answers at {shown}, but: {error}"), "update it")
        }
    }
}

/// An address in the environment that names another machine.
fn elsewhere(kind: EngineKind) -> Option<String> {
    let variable = match kind {
        EngineKind::Docker => "DOCKER_HOST",
        EngineKind::Podman => "CONTAINER_HOST",
        EngineKind::Containerd => return None,
    };
    let value = std::env::var(variable).ok().filter(|value| !value.is_empty())?;
    // What stands after the scheme may hold a name and a password.
    let scheme = value.split_once("://").map(|(scheme, _)| scheme)?;
    (scheme != "unix").then(|| format!("{variable} ({scheme}://…)"))
}

fn unreachable(kind: EngineKind, socket: &Path, error: &io::Error) -> Finding {
    let (check, shown) = (check_of(kind), socket.display());
    match error.kind() {
        io::ErrorKind::PermissionDenied => Finding::failed(
            check,
            format!("You may not use the socket of {kind}, {shown}: permission denied"),
            permission(kind),
        ),
        io::ErrorKind::ConnectionRefused => Finding::failed(
            check,
            format!("{kind} left its socket {shown} behind, and does not run"),
            starting(kind),
        ),
        _ => Finding::failed(
            check,
            format!("The socket of {kind}, {shown}, cannot be used: {error}"),
            starting(kind),
        ),
    }
}

fn permission(kind: EngineKind) -> &'static str {
    match kind {
        EngineKind::Docker => {
            "have an administrator run `usermod --append --groups docker YOU`, and log in again; whoever is in that group is \
             as good as root"
        }
        EngineKind::Podman => "use your own podman: `systemctl --user enable --now podman.socket`",
        EngineKind::Containerd => "containerd is for root: use sudo, or push from docker, podman or a folder",
    }
}

fn starting(kind: EngineKind) -> &'static str {
    match kind {
        EngineKind::Docker => "if you use docker, start it: `systemctl start docker`",
        EngineKind::Podman => {
            "if you use podman, start its service: `systemctl --user enable --now podman.socket`"
        }
        EngineKind::Containerd => {
            "if you use containerd, start it (`systemctl start containerd`) and see that `ctr` is installed"
        }
    }
}

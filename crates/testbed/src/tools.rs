//! The real clients, each with a home, a login store and an image store of its own.
//!
//! Each function answers `None` where its program is missing, and puts the calling test on the list of what
//! did not run (or fails it where the program is required, see [`run_folder`]).

use std::path::PathBuf;

use crate::command::Tool;
use crate::run_folder::{self, Source};

/// The path of an installed program.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// The folder of the programs that `tools/install-clients.sh` builds with Go.
pub fn go_programs() -> PathBuf {
    if let Some(folder) = std::env::var_os("HYTHE_TESTBED_BIN") {
        return PathBuf::from(folder);
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    cache.unwrap_or_default().join("hythe-testbed/bin")
}

/// The name of the running test, which is the name of its thread.
pub(crate) fn this_test() -> String {
    std::thread::current().name().unwrap_or("a test").to_owned()
}

fn debian(program: &str) -> Option<Tool> {
    let found = find(program);
    if found.is_none() {
        run_folder::not_run(&this_test(), Source::Debian, &format!("{program} is not installed"));
    }
    // Packages written in Python need the interpreter they were packaged for, whatever the person has first.
    found.map(|path| Tool::new(path).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"))
}

/// A program built with Go, by name; also the conformance suites.
pub fn go(program: &str) -> Option<Tool> {
    let path = go_programs().join(program);
    if !path.is_file() {
        let why = format!("{program} is not built (tools/install-clients.sh builds it where Go is present)");
        run_folder::not_run(&this_test(), Source::Go, &why);
        return None;
    }
    Some(Tool::new(path))
}

fn with_storage(tool: Tool) -> Tool {
    let home = tool.home().to_owned();
    // podman refuses one of more than fifty characters.
    let state = run_folder::fresh("run");
    tool.env("REGISTRY_AUTH_FILE", home.join("auth.json"))
        .always("--root")
        .always(home.join("storage"))
        .always("--runroot")
        .always(state)
        .always("--storage-driver")
        .always("vfs")
}

/// podman with the vfs driver.
pub fn podman() -> Option<Tool> {
    Some(with_storage(debian("podman")?).always("--cgroup-manager=cgroupfs").always("--events-backend=none"))
}

/// buildah with the vfs driver; containers are not isolated.
pub fn buildah() -> Option<Tool> {
    Some(with_storage(debian("buildah")?).env("BUILDAH_ISOLATION", "chroot"))
}

/// curl.
pub fn curl() -> Option<Tool> {
    debian("curl")
}

/// script, which runs a command at a terminal.
pub fn script() -> Option<Tool> {
    debian("script")
}

/// skopeo.
pub fn skopeo() -> Option<Tool> {
    let tool = debian("skopeo")?;
    let auth = tool.home().join("auth.json");
    Some(tool.env("REGISTRY_AUTH_FILE", auth))
}

/// containerd's own client on the containerd of the shared docker engine, in a namespace of its own.
pub fn ctr() -> Option<Tool> {
    let docker = crate::Docker::shared()?;
    let tool = debian("ctr")?;
    let namespace = tool.home().file_name().expect("a home has a name").to_owned();
    Some(tool.always("--address").always(docker.containerd_socket()).always("--namespace").always(namespace))
}

/// Charliecloud's image client with a storage folder of its own.
pub fn ch_image() -> Option<Tool> {
    let tool = debian("ch-image")?;
    let storage = tool.home().join("storage");
    Some(tool.env("CH_IMAGE_STORAGE", storage).env("USER", "root"))
}

/// crane, of go-containerregistry.
pub fn crane() -> Option<Tool> {
    go("crane")
}

/// oras.
pub fn oras() -> Option<Tool> {
    go("oras")
}

/// regctl, of regclient.
pub fn regctl() -> Option<Tool> {
    go("regctl")
}

/// helm.
pub fn helm() -> Option<Tool> {
    go("helm")
}

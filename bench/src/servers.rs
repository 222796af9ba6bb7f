//! The servers that are measured, each started with a folder of its own and ended with this program.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::http::{Connection, Take, Target};
use crate::process::Process;

/// The administrator's.
pub(crate) const PASSWORD: &str = "bench-password-of-some-length";

/// A running server.
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) process: Process,
    /// Without credentials.
    pub(crate) target: Target,
    pub(crate) folder: PathBuf,
}

/// Where things lie and which programs there are.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A folder under `HYTHE_BENCH_DIR`, by default under `target/`: a real disk, for syncs are measured.
    pub(crate) fn new() -> Self {
        let base = std::env::var_os("HYTHE_BENCH_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
        let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(base);
        Self { folder: folder.expect("the folder for the bench can be made") }
    }

    /// The folder of all of it, removed at the end.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn fresh(&self, name: &str) -> PathBuf {
        let folder = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(self.folder.path());
        folder.expect("the folder of the bench is writable").keep()
    }

    /// Hythe, with two projects: `open` (public) and `lab` (private).
    pub(crate) fn hythe(&self, tls: bool) -> Server {
        let server = Self::hythe_on(&self.fresh("hythe"), tls);
        let admin = server.target.with(basic());
        let mut connection = Connection::open(&admin).expect("Hythe listens");
        for (name, visibility) in [("open", "public"), ("lab", "private")] {
            let body = format!(r#"{{"name":"{name}","visibility":"{visibility}"}}"#);
            let header = "Content-Type: application/json\r\n";
            let made = connection.ask("POST", "/api/v1/projects", header, body.as_bytes(), Take::Nothing);
            assert_eq!(made.expect("Hythe answers").status, 201, "a project is made");
        }
        server
    }

    /// Hythe on a data folder that may be there already.
    pub(crate) fn hythe_on(folder: &Path, tls: bool) -> Server {
        Self::hythe_with(folder, tls, &[])
    }

    /// The same with settings in its environment.
    pub(crate) fn hythe_with(folder: &Path, tls: bool, settings: &[(&str, &str)]) -> Server {
        let address = free_address();
        let mut command = hythe();
        command.envs(settings.iter().copied());
        command.args(["serve", "--data-dir"]).arg(folder).args(["--listen", &address.to_string()]);
        command.env("HYTHE_ADMIN_PASSWORD", PASSWORD);
        // As an operator who sets nothing; only the collector must not come in between.
        command.env("HYTHE_COLLECTION_ENABLED", "false");
        if tls {
            command.arg("--dev-tls");
        }
        let mut server = started("hythe", command, address, folder);
        if tls {
            let authority = fs::read(folder.join("dev-tls/ca.pem")).expect("Hythe keeps its authority");
            server.target = server.target.over_tls(&authority);
        }
        server
    }

    /// distribution, storing on the disk: v3 where `DISTRIBUTION` names it, else Debian's 2.8.
    /// `tls` takes certificate and key from a Hythe that has some.
    pub(crate) fn distribution(&self, tls: Option<&Server>) -> Option<Server> {
        let v3 = program("DISTRIBUTION", &[]).map(|program| ("distribution 3", program));
        let debian =
            || Some(("docker-registry 2.8", program("DOCKER_REGISTRY", &["/usr/bin/docker-registry"])?));
        let (name, program) = v3.or_else(debian)?;
        let (folder, address) = (self.fresh("distribution"), free_address());
        let tls_lines = tls.map_or_else(String::new, |hythe| {
            let files = hythe.folder.join("dev-tls");
            format!(
                "  tls:\n    certificate: {}\n    key: {}\n",
                files.join("cert.pem").display(),
                files.join("key.pem").display()
            )
        });
        let configuration = format!(
            "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  delete:\n    enabled: true\n  \
             filesystem:\n    rootdirectory: {}\n  cache:\n    blobdescriptor: inmemory\nhttp:\n  addr: {address}\n{tls_lines}",
            folder.join("data").display()
        );
        let file = folder.join("config.yml");
        fs::write(&file, configuration).expect("the folder of the bench is writable");
        let mut command = Command::new(program);
        command.arg("serve").arg(file).env("OTEL_TRACES_EXPORTER", "none");
        let mut server = started(name, command, address, &folder);
        if let Some(hythe) = tls {
            server.target.tls.clone_from(&hythe.target.tls);
        }
        Some(server)
    }

    /// zot, syncing what it stores, where `ZOT` names it.
    pub(crate) fn zot(&self) -> Option<Server> {
        let program = program("ZOT", &[])?;
        let (folder, address) = (self.fresh("zot"), free_address());
        let configuration = serde_json::json!({
            "distSpecVersion": "1.1.1",
            "storage": { "rootDirectory": folder.join("data"), "commit": true, "gc": false },
            "http": { "address": address.ip().to_string(), "port": address.port().to_string() },
            "log": { "level": "error" },
        });
        let file = folder.join("config.json");
        fs::write(&file, configuration.to_string()).expect("the folder of the bench is writable");
        let mut command = Command::new(program);
        command.arg("serve").arg(file);
        Some(started("zot", command, address, &folder))
    }

    /// nginx with `sendfile`, two workers, serving the files of its folder `www`.
    pub(crate) fn nginx(&self) -> Option<Server> {
        let program = program("NGINX", &["/usr/sbin/nginx"])?;
        let (folder, address) = (self.fresh("nginx"), free_address());
        fs::create_dir(folder.join("www")).expect("the folder of the bench is writable");
        let at = folder.display();
        let user = if rustix::process::getuid().is_root() { "user root;" } else { "" };
        let configuration = format!(
            "{user} daemon off; worker_processes 2; pid {at}/pid; error_log {at}/error.log;\n\
             events {{ worker_connections 4096; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;\n\
             client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f;\n\
             uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n\
             server {{ listen {address}; root {at}/www; }} }}\n"
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration).expect("the folder of the bench is writable");
        let mut command = Command::new(program);
        command.arg("-e").arg(folder.join("error.log")).arg("-c").arg(file);
        Some(started("nginx sendfile", command, address, &folder))
    }

    /// This program itself as a floor: the least work that can be done, see `floor.rs`.
    pub(crate) fn floor(&self, kind: &str, files: &Path) -> Server {
        let (folder, address) = (self.fresh("floor"), free_address());
        let mut command = Command::new(std::env::current_exe().expect("a running program has a path"));
        command.args(["floor", kind, &address.to_string()]).arg(files).arg(&folder);
        started(&format!("floor: {kind}"), command, address, &folder)
    }
}

/// `hythe gc` beside the server that holds a folder.
pub(crate) struct Collector(Child);

/// Starts a collection of whatever is garbage now, or only looks what that is.
pub(crate) fn collect(folder: &Path, more: &[&str]) -> Collector {
    let mut command = hythe();
    command.args(["gc", "--grace-minutes", "0", "--output", "json", "--data-dir"]).arg(folder).args(more);
    Collector(command.stdout(Stdio::piped()).spawn().expect("Hythe starts"))
}

impl Collector {
    /// Waits for it no longer; the server may go on.
    pub(crate) fn leave(mut self) {
        self.0.kill().expect("a started program can be ended");
        self.0.wait().expect("an ended program can be waited for");
    }

    /// Waits for its end; how many links and how many blobs are garbage, and gone but for a look.
    pub(crate) fn garbage(self) -> (u64, u64) {
        let output = self.0.wait_with_output().expect("the collector ends");
        assert!(output.status.success(), "the collection is not aborted");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("the report is JSON");
        let count = |what: &serde_json::Value| what.as_u64().expect("the report counts");
        (count(&report["unreferenced_links"]), count(&report["unlinked_blobs"]["count"]))
    }
}

/// The program that is measured.
pub(crate) fn hythe() -> Command {
    Command::new(program("HYTHE", &["target/dist/hythe"]).expect("build Hythe first"))
}

/// The administrator's credentials.
pub(crate) fn basic() -> String {
    format!("Basic {}", BASE64.encode(format!("admin:{PASSWORD}")))
}

/// A fresh access token of the administrator for one repository.
pub(crate) fn bearer(server: &Server, scope: &str) -> String {
    let mut connection = Connection::open(&server.target.with(basic())).expect("Hythe listens");
    let mut body = Vec::new();
    let path = format!("/token?scope=repository:{scope}");
    let answer = connection.ask("GET", &path, "", &[], Take::Keep(&mut body)).expect("Hythe answers");
    assert_eq!(answer.status, 200, "a token is issued");
    let answer: serde_json::Value = serde_json::from_slice(&body).expect("a token answer is JSON");
    format!("Bearer {}", answer["token"].as_str().expect("a token answer has a token"))
}

/// The program named by the variable, else the first of these that exists.
pub(crate) fn program(variable: &str, usual: &[&str]) -> Option<PathBuf> {
    let named = std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    named.or_else(|| usual.iter().map(PathBuf::from).find(|path| path.exists()))
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the machine has a free port");
    listener.local_addr().expect("a bound socket has an address")
}

fn started(name: &str, command: Command, address: SocketAddr, folder: &Path) -> Server {
    let process = Process::start(command, &folder.with_extension("log"));
    let begin = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(120), "{name} does not listen");
        std::thread::sleep(Duration::from_millis(2));
    }
    Server { name: name.to_owned(), process, target: Target::plain(address), folder: folder.to_owned() }
}

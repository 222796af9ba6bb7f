//! nginx as the proxy that stands before many a registry.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::leash::Leash;
use crate::run_folder::{self, Source};
use crate::tools;

/// How long it may take to start.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A running nginx that passes everything on.
#[derive(Debug)]
pub struct Nginx {
    address: SocketAddr,
    _process: Leash,
}

impl Nginx {
    /// Starts one before `backend`, with further lines for its server block; `None` (and the calling test on the list of
    /// what did not run) where it is not installed.
    ///
    /// # Panics
    /// If it does not start.
    pub fn before(backend: SocketAddr, lines: &str) -> Option<Self> {
        let found = tools::find("nginx")
            .or_else(|| Some("/usr/sbin/nginx".into()).filter(|path: &std::path::PathBuf| path.is_file()));
        let Some(program) = found else {
            run_folder::not_run(&tools::this_test(), Source::Debian, "nginx is not installed");
            return None;
        };
        let folder = run_folder::fresh("nginx");
        // Asked for and given back: nobody else takes it so soon.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.expect("there is a free port");
        let here = folder.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {here}/{kind};\n"))
            .collect();
        // As whoever runs the tests, for the folder is theirs.
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let configuration = format!(
            "{user}\ndaemon off;\nmaster_process off;\npid {here}/pid;\nerror_log {here}/error;\nevents {{}}\nhttp {{\naccess_log off;\n\
             {temporary}server {{\nlisten {address};\n{lines}\nlocation / {{\nproxy_pass http://{backend};\n\
             proxy_http_version 1.1;\nproxy_set_header Host $http_host;\n}}\n}}\n}}\n"
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration).expect("the run folder is writable");
        let mut command = Command::new(program);
        command.arg("-p").arg(&folder).arg("-e").arg(folder.join("error")).arg("-c").arg(&file);
        let log = folder.join("log");
        let process = Leash::start(&command, &log);
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            let said = || fs::read_to_string(&log).unwrap_or_default();
            assert!(begin.elapsed() < START_LIMIT, "nginx did not start:\n{}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { address, _process: process })
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }
}

//! The control socket asks nobody who they are: only the user who runs the server may open it.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use hythe_testbed::Control;
use hythe_testbed::run_folder::{self, Source};

use super::{server, still_serves};

#[test]
fn another_user_of_the_machine_cannot_open_it() {
    let server = server(&[]);
    let data = server.data_folder();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&data), mode(&data.join("hythe.sock"))), (0o700, 0o600));
    Control::of(&data).collect().unwrap();

    // The folder's own mode keeps others out already; the socket's does so where somebody has opened the folder.
    let open = std::fs::Permissions::from_mode(0o755);
    for folder in data.ancestors().take_while(|folder| folder.starts_with(run_folder::path())) {
        std::fs::set_permissions(folder, open.clone()).unwrap();
    }
    let asks = |user: &str| {
        Command::new("setpriv")
            .args(["--reuid", user, "--regid", user, "--clear-groups", "curl", "-sS", "-o", "/dev/null"])
            .args(["-w", "%{http_code}", "--unix-socket"])
            .arg(data.join("hythe.sock"))
            .args(["-X", "POST", "-H", "Content-Type: application/json", "-d", "{\"dry_run\":true}"])
            .arg("http://hythe/gc")
            .output()
            .map(|outcome| String::from_utf8_lossy(&outcome.stdout).into_owned())
    };
    // Root becoming root shows that the way itself works.
    if asks("0").is_ok_and(|status| status == "200") {
        assert_eq!(asks("65534").unwrap(), "000");
    } else {
        run_folder::not_run(
            "attacks::control_socket",
            Source::Debian,
            "only root with curl can become another user",
        );
    }
    still_serves(&server);
}

//! `hythe serve`: starting, the lock, the first administrator, stopping.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use hythe_testbed::{Hythe, Leash, Options};

use crate::{exits, hythe, text};

#[test]
fn a_second_server_on_one_folder_is_refused_by_name() {
    let server = Hythe::start(Options::default());
    let outcome =
        hythe().run(&["serve", "--data-dir", text(&server.data_folder()), "--listen", "127.0.0.1:0"]);
    exits(outcome, 3).says(&format!("is in use by process {}", server.pid()));
    server.anonymous().get("/healthz").is(200);
}

#[test]
fn everything_kept_is_closed_to_others() {
    let server = Hythe::start(Options::default());
    let mode =
        |name: &str| fs::metadata(server.data_folder().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    assert_eq!(mode("hythe.sock"), 0o600);
    assert!(!server.data_folder().join("admin-password").exists(), "a given password needs no file");
    assert!(!server.log().contains(server.admin_login().1), "the password is in the log");
}

#[test]
fn the_first_admin_gets_a_random_password_in_a_private_file() {
    let mut server = Hythe::start(Options {
        environment: vec![("HYTHE_ADMIN_PASSWORD".to_owned(), String::new())],
        ..Options::default()
    });
    let path = server.data_folder().join("admin-password");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let password = fs::read_to_string(&path).unwrap();
    assert!(password.trim().len() >= 16, "{password}");
    assert!(server.log().contains("admin-password"), "the file is named once:\n{}", server.log());
    assert!(!server.log().contains(password.trim()), "the password itself is not");

    let tool =
        hythe().env("HYTHE_SERVER", format!("http://{}", server.host())).env("HYTHE_USERNAME", "admin");
    tool.clone().env("HYTHE_PASSWORD", password.trim()).run(&["user", "list"]).ok().says("administrator");
    exits(tool.env("HYTHE_PASSWORD", "not the password").run(&["user", "list"]), 4);

    assert_eq!(server.stop(), 0);
    server.restart();
    assert_eq!(fs::read_to_string(&path).unwrap(), password, "the second start leaves it alone");
    assert_eq!(server.log().matches("admin-password").count(), 1, "named on the first start only");
}

#[test]
fn a_first_password_that_is_too_weak_is_refused_before_anybody_can_use_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let outcome = hythe().env("HYTHE_ADMIN_PASSWORD", "a").run(&[
        "serve",
        "--data-dir",
        text(&data),
        "--listen",
        "127.0.0.1:0",
    ]);
    exits(outcome, 2).says("HYTHE_ADMIN_PASSWORD cannot be used");
}

#[test]
fn a_stop_signal_ends_it_with_0_and_the_folder_is_free_again() {
    let mut server = Hythe::start(Options::default());
    assert_eq!(server.stop(), 0);
    assert!(!server.data_folder().join("hythe.sock").exists());
    assert!(server.log().contains("listening") && server.log().contains("stopped"), "{}", server.log());
    server.restart();
    server.kill();
    assert!(server.data_folder().join("hythe.sock").exists(), "a killed server leaves its socket");
    server.restart();
    server.anonymous().get("/readyz").is(200);
}

#[test]
fn the_log_can_be_json_lines() {
    let mut server = Hythe::start(Options {
        arguments: vec!["--log".to_owned(), "json".to_owned()],
        ..Options::default()
    });
    server.anonymous().get("/healthz").is(200);
    server.stop();
    let log = server.log();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let listening = lines.iter().find(|line| line["message"] == "listening").unwrap();
    assert_eq!(listening["address"], server.host());
}

#[test]
fn a_port_in_use_is_explained() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    exits(hythe().run(&["serve", "--data-dir", text(&data), "--listen", &address]), 1)
        .says(&format!("Cannot listen on {address}"))
        .says("--listen names another port");
}

#[test]
fn a_folder_of_a_very_long_name_works() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("d".repeat(200));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hythe"));
    let port_file = folder.path().join("port");
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        text(&data),
        "--port-file",
        text(&port_file),
    ]);
    let server = Leash::start(&command, &folder.path().join("log"));
    let begin = Instant::now();
    while !port_file.exists() {
        assert!(begin.elapsed() < Duration::from_mins(1), "the server did not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    hythe().run(&["gc", "--dry-run", "--data-dir", text(&data)]).ok().says("nothing was removed");
    drop(server);
}

#[test]
fn development_tls_makes_its_own_certificate() {
    let server = Hythe::start(Options { arguments: vec!["--dev-tls".to_owned()], ..Options::default() });
    let authority = server.data_folder().join("dev-tls/ca.pem");
    let (name, password) = server.admin_login();
    let tool = hythe()
        .env("HYTHE_SERVER", format!("https://localhost:{}", server.addr().port()))
        .env("HYTHE_USERNAME", name)
        .env("HYTHE_PASSWORD", password);
    let refused = exits(tool.run(&["project", "list"]), 7).says("certificate").says("HYTHE_CA");
    assert!(refused.stderr.starts_with("error:"), "a library talks over us: {refused}");
    tool.run(&["project", "list", "--ca", text(&authority)]).ok();
}

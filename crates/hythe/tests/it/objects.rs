//! Projects, users, repositories and logins by command line.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use hythe_testbed::{Hythe, Options, Tool};

use crate::{admin_of, exits, hythe, json};

#[test]
fn a_project_lives_and_ends() {
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    admin
        .run(&["project", "create", "lab", "--visibility", "public"])
        .ok()
        .says("Created the public project lab");
    exits(admin.run(&["project", "create", "lab"]), 6);
    exits(admin.run(&["project", "create", "Not A Name"]), 2);

    let listed = json(&admin.run(&["project", "list", "--output", "json"]).ok());
    assert_eq!(listed[0]["name"], "lab");
    assert_eq!(listed[0]["visibility"], "public");
    let yaml = admin.run(&["project", "list", "--output", "yaml"]).ok().stdout;
    assert!(yaml.starts_with("- name: lab\n") && yaml.contains("  visibility: public\n"), "{yaml}");
    assert_eq!(admin.run(&["project", "list", "-o", "quiet"]).ok().stdout, "lab\n");
    admin.run(&["project", "list", "--output", "text"]).ok().says("NAME");
    assert_eq!(admin.run(&["whoami", "-o", "quiet"]).ok().stdout, "admin\n");
    assert_eq!(admin.run(&["user", "list", "-o", "quiet"]).ok().stdout, "admin\n");
    admin.run(&["project", "set", "lab", "--visibility", "internal", "--untagged-days", "14"]).ok();
    admin.run(&["project", "show", "lab"]).ok().says("internal").says("14 days");
    admin.run(&["project", "set", "lab", "--untagged-days", "never"]).ok().says("for ever");
    assert_eq!(listed[0]["compression"], "gzip");
    let set = admin.run(&["project", "set", "lab", "--compression", "zstd", "-o", "json"]).ok();
    assert_eq!(json(&set)["compression"], "zstd");
    exits(admin.run(&["project", "set", "lab"]), 2);

    let dry = |name: &str| admin.run(&["repo", "create", name, "--dry-run"]);
    dry("lab/tools/solver").ok().says("Would create");
    exits(dry("none/solver"), 5);
    assert_eq!(admin.run(&["repo", "ls", "lab", "-o", "quiet"]).ok().stdout, "");
    admin.run(&["repo", "create", "lab/tools/solver"]).ok().says("Created");
    dry("lab/tools/solver").ok().says("already there");
    admin.run(&["repo", "create", "lab/tools/solver"]).ok().says("already there");
    let again = json(&admin.run(&["repo", "create", "lab/tools/solver", "-o", "json"]).ok());
    assert_eq!(
        again,
        serde_json::json!({ "name": "lab/tools/solver", "already_there": true, "dry_run": false })
    );
    exits(admin.run(&["repo", "create", "none/solver"]), 5);
    admin.run(&["repo", "ls", "lab"]).ok().says("lab/tools/solver");
    assert_eq!(admin.run(&["repo", "ls", "lab", "-o", "quiet"]).ok().stdout, "lab/tools/solver\n");
    // The long words of old go on to work.
    admin.run(&["repository", "create", "lab/other"]).ok();
    admin.run(&["repo", "rm", "lab/other"]).ok();
    admin.run(&["repository", "list", "lab"]).ok().says("lab/tools/solver");
    exits(admin.run(&["project", "delete", "lab"]), 6);
    admin.run(&["repository", "delete", "lab/tools/solver"]).ok();
    admin.run(&["upload", "list", "lab"]).ok();
    let cancel = |id: &str, more: &[&str]| admin.run(&[&["upload", "cancel", id], more].concat());
    exits(cancel("00112233445566778899aabbccddeeff", &[]), 5);
    exits(cancel("00112233445566778899aabbccddeeff", &["--dry-run"]), 5);
    let begun = server.admin().open_upload("lab/app");
    let id = begun.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let told = json(&cancel(&id, &["--dry-run", "-o", "json"]).ok());
    assert_eq!(told, serde_json::json!({ "id": id, "dry_run": true, "bytes": 0 }));
    cancel(&id, &["--dry-run"]).ok().says("Would cancel").says("lab/app");
    cancel(&id, &[]).ok().says("Cancelled");
    exits(cancel(&id, &["--dry-run"]), 5);
    admin.run(&["project", "delete", "lab"]).ok();
    exits(admin.run(&["project", "show", "lab"]), 5);
}

#[test]
fn users_and_members_come_and_go() {
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    admin.run_with(&["user", "create", "ann", "--password-stdin"], "ann-has-a-password\n").ok();
    exits(admin.run(&["user", "create", "bob"]), 2).says("--password-stdin").says("HYTHE_NEW_PASSWORD");
    admin.clone().env("HYTHE_NEW_PASSWORD", "bob-has-one-as-well").run(&["user", "create", "bob"]).ok();
    admin.run(&["user", "list"]).ok().says("ann").says("bob");

    admin.run(&["project", "create", "lab"]).ok();
    let ann = admin.clone().env("HYTHE_USERNAME", "ann").env("HYTHE_PASSWORD", "ann-has-a-password");
    exits(ann.run(&["project", "show", "lab"]), 5);
    admin
        .run(&["project", "member", "add", "lab", "ann", "--role", "pusher"])
        .ok()
        .says("ann is a pusher of lab");
    admin.run(&["project", "member", "list", "lab"]).ok().says("ann pusher");
    ann.run(&["project", "show", "lab"]).ok().says("pusher");
    admin.run(&["project", "member", "remove", "lab", "ann"]).ok();
    exits(ann.run(&["project", "show", "lab"]), 5);

    exits(ann.run(&["user", "list"]), 4);
    ann.run_with(&["user", "password", "ann", "--password-stdin"], "ann-has-a-new-one\n").ok();
    exits(ann.run(&["project", "list"]), 4).says("hint:");
    let ann = ann.env("HYTHE_PASSWORD", "ann-has-a-new-one");
    ann.run(&["project", "list"]).ok();
    admin.run_with(&["user", "password", "ann", "--password-stdin"], "an-administrator-set-it").ok();
    exits(ann.run(&["project", "list"]), 4);
    admin.run(&["user", "delete", "ann"]).ok();
    exits(admin.run(&["user", "delete", "ann"]), 5);
}

#[test]
fn a_login_is_remembered_privately_and_forgotten() {
    let server = Hythe::start(Options::default());
    let url = format!("http://{}", server.host());
    let (name, password) = server.admin_login();
    let tool: Tool = hythe();
    exits(tool.run(&["project", "list"]), 2).says("hythe login");
    exits(tool.run_with(&["login", "--server", &url, "--username", name, "--password-stdin"], "wrong\n"), 4);
    tool.run_with(&["login", "--server", &url, "--username", name, "--password-stdin"], password).ok();

    let file = tool.home().join(".config/hythe/credentials.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let kept = fs::read_to_string(&file).unwrap();
    assert!(!kept.contains(password), "the password itself is kept: {kept}");
    tool.run(&["user", "list"]).ok().says("admin");

    tool.run(&["logout"]).ok().says("Forgot the login");
    exits(tool.run(&["user", "list", "--server", &url]), 4).says("hythe login");
}

#[test]
fn a_server_that_does_not_answer_has_its_own_exit_code() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    exits(hythe().run(&["project", "list", "--server", &free.to_string()]), 7)
        .says("cannot connect")
        .says("hint:");
}

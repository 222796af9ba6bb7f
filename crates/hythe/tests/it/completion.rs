//! Completion as bash, zsh and fish do it, with names of a real server.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use hythe_testbed::run_folder::{self, Source};
use hythe_testbed::{
    Content, Docker, Family, Hythe, Options, Packing, Tool, docker_archive, image, layout_folder,
};

use crate::{admin_of, hythe, text};

/// A shell in which `hythe` is the built program.
struct Shell {
    name: &'static str,
    tool: Tool,
}

impl Shell {
    /// `None`, and on the list of what did not run, where it is not installed.
    fn find(name: &'static str, environment: &[(&str, String)]) -> Option<Self> {
        if !Tool::new("sh").run(&["-c", &format!("command -v {name}")]).succeeded() {
            run_folder::not_run(
                &format!("completion in {name}"),
                Source::Debian,
                &format!("{name} is not installed"),
            );
            return None;
        }
        let folder = Path::new(env!("CARGO_BIN_EXE_hythe")).parent().expect("a program lies in a folder");
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", folder.display());
        let mut tool = Tool::new(name).env("PATH", path).env("TERM", "dumb");
        for (key, value) in environment {
            tool = tool.env(*key, value);
        }
        let script = hythe().run(&["completions", name]).ok().stdout;
        fs::write(tool.home().join("script"), script).expect("the home is writable");
        Some(Self { name, tool })
    }

    /// What is offered after `line`.
    fn offers(&self, line: &str) -> Vec<String> {
        let script = match self.name {
            // readline calls the function like this; it hands over the words as bash breaks them.
            "bash" => {
                "source ./script; complete -p hythe >/dev/null || exit 9; COMP_LINE=$LINE; COMP_POINT=${#LINE}; \
                 COMP_WORDBREAKS=$' \\t\\n\"\\'><=;|&(:'; COMP_WORDS=(hythe); COMP_CWORD=1; _hythe; \
                 printf '%s\\n' \"${COMPREPLY[@]}\""
            }
            "fish" => "source ./script; complete --do-complete \"$LINE\"",
            // A second zsh with a line editor, and a `compadd` that shows what it is given. Keys are taken in order, so what
            // is typed after the tabulator is run when the completion is done. (A terminal whose line editor does not run yet
            // would itself take the key that clears the line, and all that was typed with it.)
            _ => {
                "zmodload zsh/zpty; zpty other 'PS1= zsh -f -i'; \
                 zpty -w other 'autoload -Uz compinit; compinit -u -D; source ./script; stty -echo kill undef'; \
                 zpty -w other 'compadd() { shift; local -a given; given=(${(P)@[-1]}); print -l -- BEGIN $given END >> offered; builtin compadd \"$@\" }'; \
                 zpty -w other 'print ready'; zpty -r other seen '*ready*ready*'; \
                 zpty -w -n other \"$LINE\"$'\t\x15print >finished\n'; \
                 until [[ -e finished ]]; do zpty -r -t other seen; sleep 0.05; done; zpty -d other; cat offered 2>/dev/null"
            }
        };
        // What an earlier question left behind; absent the first time.
        for file in ["offered", "finished"] {
            let _ = fs::remove_file(self.tool.home().join(file));
        }
        let flags: &[&str] = match self.name {
            "bash" => &["--norc", "--noprofile", "-c"],
            "fish" => &["--no-config", "-c"],
            _ => &["-f", "-c"],
        };
        let outcome = self.tool.clone().env("LINE", line).run(&[flags, &[script]].concat());
        let words = outcome.stdout.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned());
        words.filter(|word| !word.is_empty() && word != "BEGIN" && word != "END").collect()
    }
}

/// The environment of somebody who works with `server`, and who knows a cache of their own.
fn environment(server: &Hythe, cache: &Path) -> Vec<(&'static str, String)> {
    let (name, password) = server.admin_login();
    vec![
        ("HYTHE_SERVER", format!("http://{}", server.host())),
        ("HYTHE_USERNAME", name.to_owned()),
        ("HYTHE_PASSWORD", password.to_owned()),
        ("XDG_CACHE_HOME", cache.display().to_string()),
    ]
}

/// A server with images in two projects.
fn scene() -> Hythe {
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    let image = image(Family::Oci, Packing::Gzip, "to be completed", "amd64");
    let blobs: Vec<&Content> = image.blobs.iter().collect();
    let folder = layout_folder(&[("v1", &image.manifest)], &blobs);
    for project in ["lab", "zoo"] {
        admin.run(&["project", "create", project]).ok();
    }
    for name in ["lab/solver:v1", "lab/solver:v2", "lab/sort:v1", "zoo/ape:v1"] {
        admin.run(&["push", &format!("oci:{}", text(&folder)), name]).ok();
    }
    admin.run(&["repository", "create", "lab/soon"]).ok();
    server
}

/// Asks once, which has the names looked for, and waits until they are there.
fn learn(cache: &Path, ask: impl Fn()) {
    let names = cache.join("hythe/names");
    let begin = Instant::now();
    ask();
    loop {
        let found = fs::read_dir(&names).into_iter().flatten().flatten();
        let mut paths = found.map(|entry| entry.path());
        // The images of this machine's engines have a file of their own.
        if paths
            .any(|path| path.extension().is_some_and(|kind| kind == "json") && !path.ends_with("local.json"))
        {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "no names were noted in {}", names.display());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Who may use a file.
fn mode(path: &Path) -> u32 {
    path.metadata().expect("it was found a moment ago").permissions().mode() & 0o777
}

/// What any shell offers.
fn completes(shell: &'static str) {
    let server = scene();
    let cache = run_folder::fresh("cache");
    let Some(shell) = Shell::find(shell, &environment(&server, &cache)) else { return };
    let has =
        |line: &str, expected: &[&str]| assert_eq!(shell.offers(line), expected, "{}: {line}", shell.name);

    // Nothing is known yet, and nobody waits for it; commands and flags are there.
    has("hythe pull lab/so", &[]);
    has("hythe qui", &["quickstart"]);
    has("hythe push --uni", &["--unique"]);
    has("hythe project create x --visibility pu", &["public"]);

    learn(&cache, || drop(shell.offers("hythe pull lab/so")));
    has("hythe pull lab/so", &["lab/solver", "lab/soon", "lab/sort"]);
    has("hythe pull zo", &["zoo/ape", "zoo/ape:v1"]);
    has("hythe pull l", &["lab/solver", "lab/soon", "lab/sort"]);
    has("hythe pull ", &["lab/", "zoo/"]);
    // bash puts the offer in the place of what stands behind the colon.
    let tags: &[&str] =
        if shell.name == "bash" { &["v1", "v2"] } else { &["lab/solver:v1", "lab/solver:v2"] };
    has("hythe pull lab/solver:v", tags);
    has("hythe tags zo", &["zoo/ape"]);
    has("hythe push oci:build --project z", &["zoo"]);
    has("hythe repository list la", &["lab"]);

    // Names alone, and for their owner alone.
    let folder = cache.join("hythe/names");
    for entry in fs::read_dir(&folder).expect("names were noted") {
        let path = entry.expect("the folder is ours").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        let kept = fs::read_to_string(&path).expect("the file is ours");
        assert!(!kept.contains(server.admin_login().1));
    }
    assert_eq!(mode(&folder), 0o700);
}

#[test]
fn bash_completes() {
    completes("bash");
}

#[test]
fn zsh_completes() {
    completes("zsh");
}

#[test]
fn fish_completes() {
    completes("fish");
}

#[test]
fn names_are_those_of_the_profile() {
    let (server, nobody) = (scene(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (tool, cache) = (hythe(), run_folder::fresh("cache"));
    let (name, password) = server.admin_login();
    let tool = tool.env("HYTHE_USERNAME", name).env("HYTHE_PASSWORD", password);
    let tool = tool.env("XDG_CACHE_HOME", text(&cache));
    let (here, there) = (server.host(), nobody.local_addr().unwrap().to_string());
    tool.run(&["profile", "set", "cloud", "--server", &there]).ok();
    tool.run(&["profile", "set", "campus", "--server", &here, "--project", "lab"]).ok();
    let offers = |words: &[&str]| tool.run(&[&["complete", "--", "hythe"], words].concat()).ok().stdout;
    assert_eq!(offers(&["profile", "use", "ca"]), "campus\n");
    assert_eq!(offers(&["pull", "--profile", "c"]), "cloud\ncampus\n");
    let ask = || offers(&["pull", "--profile", "campus", "so"]);
    learn(&cache, || drop(ask()));
    assert_eq!(ask(), "solver\nsoon\nsort\n");
}

#[test]
fn a_server_that_is_silent_is_not_waited_for() {
    // It takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let tool = hythe().env("HYTHE_SERVER", format!("http://{}", silent.local_addr().unwrap()));
    let ask = |words: &[&str]| tool.run(&[&["complete", "--"], words].concat()).ok().stdout;
    assert_eq!(ask(&["hythe", "pull", "lab/"]), "");
    // The process that asks the server goes on meanwhile: it is connected, and nothing has come of it.
    let begin = Instant::now();
    silent.set_nonblocking(true).unwrap();
    while silent.accept().is_err() {
        assert!(begin.elapsed() < Duration::from_secs(60), "nobody asked the server");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(ask(&["hythe", "pul"]).starts_with("pull\t"));
}

#[test]
fn what_an_engine_has_is_offered_for_a_push() {
    let Some(docker) = Docker::shared() else { return };
    let name = "completed-here:v7";
    let image = image(Family::Docker, Packing::Plain, name, "amd64");
    docker.cli().run(&["load", "--input", docker_archive(&image, name).to_str().unwrap()]).ok();
    let tool = hythe().env("DOCKER_HOST", docker.host());
    // An engine that is slow just now is asked by another process, and what it says is there the next time.
    let begin = Instant::now();
    loop {
        let offered = tool.run(&["complete", "--", "hythe", "push", "completed-"]).ok().stdout;
        if offered.trim() == name {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "offered: {offered:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

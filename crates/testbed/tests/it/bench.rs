//! One shared server for the whole test program, and a project and repository of its own for each test.
//!
//! Invariant: names come from the test's own name and a counter, so tests that run at once never meet.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use hythe_testbed::{Actor, Hythe, Options, Role, Visibility};

/// A project of one test.
pub(crate) struct Bench {
    /// The shared server.
    pub(crate) server: &'static Hythe,
    /// The administrator, with Basic credentials.
    pub(crate) admin: Actor,
    /// The project.
    pub(crate) project: String,
    /// A repository name in it; nothing was pushed to it yet.
    pub(crate) repository: String,
}

/// A local user of one test.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) password: String,
    /// Signs in with each request.
    pub(crate) actor: Actor,
}

static SERVER: LazyLock<Hythe> = LazyLock::new(|| {
    Hythe::start(Options {
        // Row B09 plays a TLS-terminating proxy on this machine.
        environment: vec![("HYTHE_TRUSTED_PROXIES".into(), "127.0.0.0/8".into())],
        ..Options::default()
    })
});

/// A private project on the shared server.
pub(crate) fn bench() -> Bench {
    with_visibility(Visibility::Private)
}

/// A public project on the shared server.
pub(crate) fn public_bench() -> Bench {
    with_visibility(Visibility::Public)
}

fn with_visibility(visibility: Visibility) -> Bench {
    let project = unique();
    SERVER.create_project(&project, visibility);
    let repository = format!("{project}/repo");
    Bench { server: &SERVER, admin: SERVER.admin(), project, repository }
}

impl Bench {
    /// The path of `rest` below this test's repository.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.repository)
    }

    /// A new user that is no member of anything.
    pub(crate) fn stranger(&self) -> Person {
        let name = unique();
        let password = format!("secret-of-{name}");
        let actor = self.server.create_user(&name, &password);
        Person { name, password, actor }
    }

    /// A new member of the project.
    pub(crate) fn member(&self, role: Role) -> Person {
        let person = self.stranger();
        self.server.add_member(&self.project, &person.name, role);
        person
    }
}

/// A name made from the running test's own: at most 40 characters, unique in this process.
fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("test").rsplit("::").next().unwrap_or("test").replace('_', "-");
    let test: String = test.chars().take(34).collect();
    format!("{}-{}", test.trim_end_matches('-'), NEXT.fetch_add(1, Ordering::Relaxed))
}

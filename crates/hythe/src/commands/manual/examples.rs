//! Examples for the manual pages. A test parses each of them, so that none goes stale.

/// A command line and what it is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Example {
    pub(super) purpose: &'static str,
    pub(super) line: &'static str,
}

const fn example(purpose: &'static str, line: &'static str) -> Example {
    Example { purpose, line }
}

const ALL: &[Example] = &[
    example("Try everything in a minute", "hythe quickstart"),
    example("Push an image of docker, podman or containerd", "hythe push solver:v1 lab/solver:v1"),
    example("Push it under a name that is never used again", "hythe push --unique solver:v1 lab/solver:v1"),
    example("Push from a folder, on a machine without an engine", "hythe push oci:build lab/solver:v2"),
    example("Pull into the engine that runs here", "hythe pull lab/solver:v2"),
    example("Pull all platforms into a folder", "hythe pull lab/solver:v2 oci:copy"),
    example("Mirror an image of another registry", "hythe copy docker.io/library/alpine:3 lab/alpine:3"),
    example("List the images of a project", "hythe ls lab"),
    example("List tags for a program", "hythe tags lab/solver --output json"),
    example("Print a digest to pin an image by", "hythe digest lab/solver:v2"),
    example("Tell what a pull will cost", "hythe size lab/solver:v2"),
    example("See what an image is made of", "hythe info lab/solver:v2"),
    example("See what would go", "hythe rm lab/solver:v1 --dry-run"),
    example("Remove the tags of merged work", "hythe rm lab/solver --match pr-* --untagged"),
    example("Take an image to a machine without a network", "hythe save lab/solver:v2 solver.tar"),
    example("Bring a file into the engine that runs here", "hythe load solver.tar"),
    example("Bring a file into a registry, without an engine", "hythe load solver.tar lab/solver:v3"),
    example("Keep a running container as an image", "hythe commit notebook lab/notebook:monday"),
    example(
        "Name a registry you work with",
        "hythe profile set campus --server registry.example.org --project lab",
    ),
    example("Give an image a second name", "hythe tag lab/solver:v2 stable"),
    example("Tell whether an image can be pulled", "hythe status lab/solver:v2"),
    example("Wait for an image before a job starts", "hythe wait --ready lab/solver:v2 --timeout 5m"),
    example("Run a registry", "hythe serve --data-dir /srv/hythe --listen 0.0.0.0:5000"),
    example("Check a configuration before it is used", "hythe config check /etc/hythe/hythe.toml"),
    example(
        "Create a project that every signed-in person may pull from",
        "hythe project create lab --visibility internal",
    ),
    example("Let somebody push to it", "hythe project member add lab ann --role pusher"),
    example(
        "Create a user; the password comes from standard input",
        "hythe user create ann --password-stdin",
    ),
    example("Create a repository before the first push", "hythe repo create lab/solver"),
    example("See what was begun and not finished", "hythe upload list lab"),
    example(
        "Sign in, and let docker, podman and skopeo use the login",
        "hythe login --server registry.example.org --username ann --password-stdin --docker",
    ),
    example("Forget a login", "hythe logout --server registry.example.org"),
    example("Tell who you are", "hythe whoami"),
    example("See why a registry cannot be reached", "hythe doctor --server registry.example.org"),
    example("Find a proxy's limit for uploads", "hythe doctor --project lab"),
    example("See what collecting garbage would free", "hythe gc --data-dir /srv/hythe --dry-run"),
    example("Compare everything with its digest", "hythe fsck --data-dir /srv/hythe"),
    example("Back up a running server", "hythe backup --data-dir /srv/hythe --to /backup/hythe"),
    example("Restore into an empty folder", "hythe restore --data-dir /srv/hythe --from /backup/hythe"),
    example("Complete commands and names in bash", "hythe completions bash"),
    example("Put these pages where man finds them", "hythe manual --to /usr/local/share/man/man1"),
];

/// The examples of a command as it is typed (`hythe project create`), those of `hythe` alone being some of all.
pub(super) fn of(command: &str) -> Vec<Example> {
    if command == "hythe" {
        return ALL.iter().take(7).copied().collect();
    }
    let below = format!("{command} ");
    ALL.iter()
        .filter(|example| example.line == command || example.line.starts_with(&below))
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::Arguments;

    #[test]
    fn every_example_is_a_command_line() {
        for Example { line, .. } in ALL {
            if let Err(error) = Arguments::try_parse_from(line.split(' ')) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn a_command_has_the_examples_that_begin_with_it() {
        assert_eq!(of("hythe user create").len(), 1);
        assert_eq!(of("hythe tags").len(), 1);
        assert_eq!(of("hythe tag").len(), 1);
        assert!(of("hythe version").is_empty() && of("hythe").len() > 3);
    }
}

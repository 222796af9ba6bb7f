//! Files of profiles: read, refused, changed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use proptest::prelude::*;

use super::super::{Profiles, StoredProfile};
use super::*;

const FILE: &str = r#"# where I work
default = "cloud"

[profiles.campus]
server = "https://registry.example.org" # behind the tunnel
project = "lab"
ca = "/etc/ssl/campus.pem"

[profiles.cloud]
server = "http://127.0.0.1:5000"
organisation = "acme"
project = "vision"
"#;

fn name(text: &str) -> ClusterName {
    ClusterName::parse(text).unwrap()
}

fn parsed(text: &str) -> Result<Profiles, ProfilesError> {
    Profiles::parsed(Path::new("/home/ada/.config/hythe/profiles.toml"), text)
}

#[test]
fn profiles_say_what_names_mean() {
    let profiles = parsed(FILE).unwrap();
    assert_eq!(profiles.default_entry().unwrap().name, name("cloud"));
    let campus = profiles.entry(&name("campus")).unwrap();
    assert_eq!(campus.server.as_str(), "https://registry.example.org/");
    assert_eq!(campus.ca.as_deref(), Some(Path::new("/etc/ssl/campus.pem")));
    let profile = profiles.profile().unwrap();
    let resolved = |text: &str| profile.resolve(text).unwrap().as_docker_url(true);
    assert_eq!(resolved("image:app:v1"), "http://127.0.0.1:5000/acme/vision/app:v1");
    assert_eq!(resolved("image://campus/lab/app:v1"), "https://registry.example.org/lab/app:v1");
    let other = profiles.profile_with(Some(&name("campus"))).unwrap();
    assert_eq!(other.resolve("image:app").unwrap().as_docker_url(false), "registry.example.org/lab/app");
    assert!(parsed("").unwrap().default_entry().is_none());
    let only = "[profiles.a]\nserver = \"https://a.example\"";
    assert_eq!(parsed(only).unwrap().default_entry().unwrap().name, name("a"));
}

#[test]
fn what_is_wrong_is_named_with_what_was_meant() {
    for (text, part) in [
        ("defalt = \"a\"", "the key `defalt` is not known; did you mean `default`?"),
        (
            "[profiles.a]\nserver = \"https://a.example\"\nprojekt = \"x\"",
            "the key `profiles.a.projekt` is not known; did you mean `project`?",
        ),
        ("[profiles.a]\nproject = \"x\"", "`profiles.a.server` is missing"),
        ("[profiles.a]\nserver = \"https://a.example/v2/\"", "must end after host and port"),
        ("[profiles.a]\nserver = \"https://ada:word@a.example\"", "user name or password"),
        ("[profiles.a]\nserver = \"ftp://a.example\"", "`profiles.a.server`"),
        ("[profiles.a]\nserver = 7", "is not a text in quotes"),
        ("[profiles.a]\nserver = \"https://a.example\"\nproject = \"Not A Project\"", "`profiles.a.project`"),
        ("[profiles.a]\nserver = \"https://a.example\"\nca = \"ca.pem\"", "must be an absolute path"),
        (
            "default = \"campsu\"\n[profiles.campus]\nserver = \"https://a.example\"",
            "names `campsu`, which is no profile of the file; did you mean `campus`?",
        ),
        ("profiles = 1", "not a table"),
        ("[profiles]\na = 1", "`profiles.a` is not a table"),
        ("[profiles.\"a/b\"]\nserver = \"https://a.example\"", "the name of a cluster"),
        ("default = ", "TOML parse error"),
    ] {
        let error = parsed(text).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("profiles.toml"), "{text:?}: {error}");
        assert!(!error.contains('\n') && !error.contains("ada:word"), "{error}");
    }
    let long = format!("# {}", "x".repeat(usize::try_from(PROFILES_BYTES).unwrap()));
    assert!(parsed(&long).unwrap_err().to_string().contains("longer than"));
    let many: String =
        (0..=PROFILES).map(|at| format!("[profiles.p{at}]\nserver = \"https://a.example\"\n")).collect();
    assert!(parsed(&many).unwrap_err().to_string().contains("more than 100"));
}

#[test]
fn changes_keep_what_a_person_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hythe/profiles.toml");
    let mut profiles = Profiles::load_from(&path).unwrap();
    let mut campus = StoredProfile::new(name("campus"), "https://registry.example.org".parse().unwrap());
    campus.project = Some("lab".parse().unwrap());
    profiles.set(&campus).unwrap();
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "default = \"campus\"\n\n[profiles.campus]\nserver = \"https://registry.example.org\"\nproject = \"lab\"\n"
    );
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    std::fs::write(&path, FILE).unwrap();
    let mut profiles = Profiles::load_from(&path).unwrap();
    campus.server = "https://other.example.org".parse().unwrap();
    profiles.set(&campus).unwrap();
    profiles.use_by_default(&name("campus")).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("# where I work") && text.contains("# behind the tunnel"), "{text}");
    assert!(text.contains("other.example.org") && !text.contains("campus.pem"), "{text}");
    let read = Profiles::load_from(&path).unwrap();
    assert_eq!((read.entry(&name("campus")).unwrap(), read.default_entry()), (&campus, Some(&campus)));

    profiles.remove(&name("campus")).unwrap();
    let read = Profiles::load_from(&path).unwrap();
    assert_eq!(read.entries().len(), 1);
    let unknown = profiles.use_by_default(&name("campus")).unwrap_err().to_string();
    assert!(unknown.contains("no profile `campus`") && unknown.ends_with("has `cloud`"), "{unknown}");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(default|\\[profiles|server|=|\"|\\.a|\\]|\n| |https://a.example|.){0,30}") {
        if let Ok(profiles) = parsed(&text) {
            prop_assert!(profiles.profile().is_ok(), "{text}");
        }
    }

    #[test]
    fn what_was_set_reads_back(names in prop::collection::btree_set("[a-z \"'.\\\\é]{1,12}", 1..4)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("profiles.toml");
        let mut profiles = Profiles::load_from(&path).unwrap();
        let mut set = Vec::new();
        for text in names {
            let mut entry = StoredProfile::new(name(&text), "https://a.example:8443".parse().unwrap());
            entry.organisation = Some("acme".parse().unwrap());
            entry.ca = Some(PathBuf::from(format!("/{text}")));
            profiles.set(&entry).unwrap();
            set.push(entry);
        }
        let mut read = Profiles::load_from(&path).unwrap().entries().to_vec();
        read.sort_by(|a, b| a.name.cmp(&b.name));
        set.sort_by(|a, b| a.name.cmp(&b.name));
        prop_assert_eq!(read, set);
    }
}

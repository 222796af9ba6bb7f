//! Any query of a list is answered, a page holds no more than was asked for, and its `Link` or `next` leads to a page
//! that is answered as well.
#![no_main]

use hythe_fuzz::{ADMIN, FrontDoor};
use libfuzzer_sys::fuzz_target;

const LISTS: &[&str] = &[
    "/v2/_catalog",
    "/v2/lab/app/tags/list",
    "/v2/lab/app/referrers/sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    "/api/v1/projects",
    "/api/v1/projects/lab/repositories",
    "/api/v1/projects/lab/members",
    "/api/v1/users",
    "/api/v1/uploads",
];

fuzz_target!(|asked: (u8, &str)| {
    let (list, query) = asked;
    let list = LISTS[usize::from(list) % LISTS.len()];
    let ask = |target: &str| FrontDoor::get().ask("GET", target, ADMIN.as_bytes(), b"");
    let Some(answer) = ask(&format!("{list}?{query}")) else { return };
    if answer.status() != 200 {
        return;
    }
    if let Some(link) = answer.headers().get("link") {
        let link = link.to_str().expect("a link is text");
        let (target, rest) = link.strip_prefix('<').and_then(|link| link.split_once('>')).expect("a link has brackets");
        assert_eq!(rest, "; rel=\"next\"");
        assert!(target.starts_with(list), "{target} leads away from {list}");
        assert_eq!(ask(target).expect("a link is a target").status(), 200, "{target}");
    }
    let page: serde_json::Value = serde_json::from_slice(answer.body()).expect("a page is JSON");
    if let Some(next) = page["next"].as_str() {
        let target = format!("{list}?after={next}");
        assert_eq!(ask(&target).expect("a cursor fits into a query").status(), 200, "{target}");
    }
});

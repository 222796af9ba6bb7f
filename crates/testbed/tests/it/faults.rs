//! Faults of the system below: a disk that answers with errors, that turns read-only, a lack of descriptors or
//! memory, a clock that jumps.
//!
//! What is expected is always the same: pulls and sign-ins go on, a push is refused in words, nothing that was
//! acknowledged is lost, and when the fault is over pushes succeed without a restart.

mod calls;
mod clock;
mod disks;
mod scarce;

use hythe_testbed::http::Response;
use hythe_testbed::{Family, Hythe, Image, Options, Packing, Visibility, image};

/// A server with an image that must stay, and whatever was acknowledged since.
struct Scene {
    server: Hythe,
    kept: Image,
    acknowledged: Vec<(String, Vec<u8>)>,
}

impl Scene {
    fn start(options: Options) -> Self {
        let server = Hythe::start(options);
        server.create_project("lab", Visibility::Private);
        let kept = image(Family::Oci, Packing::Gzip, "kept", "amd64");
        server.admin().push_image("lab/app", "v1", &kept);
        Self { server, kept, acknowledged: Vec::new() }
    }

    /// Everything that was acknowledged is pulled, byte for byte, and a token is had for it.
    fn pulls_go_on(&self) {
        let admin = self.server.admin();
        admin.get("/token?scope=repository:lab/app:pull").is(200);
        assert!(admin.get("/v2/lab/app/manifests/v1").is(200).body == self.kept.manifest.bytes);
        for blob in &self.kept.blobs {
            let path = format!("/v2/lab/app/blobs/{}", blob.digest());
            admin.head(&path).is(200);
            assert!(admin.get(&path).is(200).body == blob.bytes);
        }
        for (digest, bytes) in &self.acknowledged {
            assert!(&admin.get(&format!("/v2/lab/app/blobs/{digest}")).is(200).body == bytes, "{digest}");
        }
    }

    /// Pushes bytes in one request.
    fn push(&mut self, bytes: &[u8]) -> Response {
        let digest = hythe_testbed::digest(bytes);
        let answer = self
            .server
            .admin()
            .ask("POST", &format!("/v2/lab/app/blobs/uploads/?digest={digest}"))
            .header("Content-Type", "application/octet-stream")
            .body(hythe_testbed::http::Body::Whole(bytes.to_vec()))
            .send();
        if answer.status == 201 {
            self.acknowledged.push((digest, bytes.to_vec()));
        }
        answer
    }

    /// What `/readyz` says: its status, and the causes of what is wrong.
    fn condition(&self) -> (String, Vec<String>) {
        let said = self.server.anonymous().get("/readyz").is(200).json();
        let problems = said["problems"].as_array().cloned().unwrap_or_default();
        let causes = problems.iter().map(|problem| problem["cause"].as_str().unwrap().to_owned()).collect();
        (said["status"].as_str().unwrap().to_owned(), causes)
    }

    fn is_ready(&self) {
        assert_eq!(self.condition(), ("ready".to_owned(), Vec::new()));
        let metrics = self.server.anonymous().get("/metrics").is(200).body;
        let metrics = String::from_utf8(metrics).unwrap();
        assert!(!metrics.lines().any(|line| line.starts_with("hythe_degraded{") && !line.ends_with(" 0")));
    }

    #[track_caller]
    fn is_degraded(&self, cause: &str) {
        let (status, causes) = self.condition();
        assert!(
            status == "degraded" && causes.iter().any(|told| told == cause),
            "{cause} is not told: {status}, {causes:?}"
        );
        let metrics = self.server.anonymous().get("/metrics").is(200).body;
        let line = format!("hythe_degraded{{cause=\"{cause}\"}} 1");
        assert!(String::from_utf8(metrics).unwrap().contains(&line), "{line} is missing");
    }
}

/// Insists on a refusal that a client can act on: 507 where room is missing, else 503 with a time to wait.
#[track_caller]
fn refused_in_words(answer: &Response, status: u16) {
    assert_eq!(answer.status, status, "{answer}");
    let error = answer.error();
    assert_eq!(error["code"], "UNAVAILABLE", "{answer}");
    let message = error["message"].as_str().unwrap();
    assert!(message.ends_with('.') && !message.contains('/'), "{message}");
    assert!(error["detail"]["request_id"].is_string(), "{answer}");
    if status == 503 {
        let seconds: u32 = answer.must("retry-after").parse().unwrap();
        assert!((1..=60).contains(&seconds));
    }
}

//! A load of concurrent clients that push, move, delete, mount and resume, each change noted in the ledger.
//!
//! What a client does is decided by a generator of the run's seed, the client's number and the round, so a
//! seed repeats the same requests; how they interleave is the machine's affair.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use fastrand::Rng;
use serde_json::json;

use super::ledger::{Answer, Change, Ledger, Manifest, Upload};
use crate::actor::{Actor, Asking, location_path, with_digest};
use crate::content::{Content, noise};
use crate::http::{Body, Response};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Layers that every client shares; fewer make more of them meet.
const SHARED: usize = 6;
/// Tags of each repository; all clients move them.
const TAGS: usize = 5;

/// What the load does and which answers it takes.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How many clients work at once.
    pub clients: usize,
    /// Repositories of the project `lab` that they share.
    pub repositories: usize,
    /// Statuses from 500 up that a fault under way excuses.
    pub excused: &'static [u16],
    /// Whether an upload may have lost acknowledged bytes, as after a failed sync: then it says so.
    pub uploads_may_start_anew: bool,
    /// Whether the server may die: then a client without an answer ends quietly.
    pub server_may_die: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            clients: 4,
            repositories: 3,
            excused: &[],
            uploads_may_start_anew: false,
            server_may_die: false,
        }
    }
}

/// A running load; dropping it does not stop it, [`Load::stop`] does.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts the clients. `round` tells loads of one seed apart.
    pub fn start(actor: &Actor, ledger: &Arc<Ledger>, rules: Rules, seed: u64, round: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let done = Arc::new(AtomicU64::new(0));
        let clients = (0..rules.clients)
            .map(|owner| {
                let mut client = Client {
                    actor: actor.clone(),
                    ledger: Arc::clone(ledger),
                    rng: Rng::with_seed(seed ^ (round << 16) ^ ((owner as u64) << 8)),
                    rules,
                    owner,
                    label: format!("{seed}-{round}-{owner}"),
                    made: 0,
                };
                let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
                std::thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        if let Err(error) = client.work() {
                            if !rules.server_may_die {
                                client.ledger.complain(format!("a request got no answer: {error}"));
                            }
                            return;
                        }
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        Self { stop, done, clients }
    }

    /// How many works (an image pushed, a tag deleted, an upload continued …) are done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Lets each client finish what it is at; how many works were done in all.
    pub fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("a client complains, it does not panic");
        }
        self.done.load(Ordering::Relaxed)
    }
}

struct Client {
    actor: Actor,
    ledger: Arc<Ledger>,
    rng: Rng,
    rules: Rules,
    owner: usize,
    label: String,
    made: usize,
}

impl Client {
    fn work(&mut self) -> io::Result<()> {
        match self.rng.u32(0..100) {
            0..40 => self.push_image(),
            40..50 => self.push_again(),
            50..60 => self.move_tag(),
            60..70 => self.delete_tag(),
            70..82 => self.delete_manifest(),
            82..90 => self.begin_upload(),
            90..98 => self.go_on_with_upload(),
            _ => self.cancel_upload(),
        }
    }

    fn repository(&mut self) -> String {
        format!("lab/r{}", self.rng.usize(0..self.rules.repositories))
    }

    fn tag(&mut self) -> String {
        format!("t{}", self.rng.usize(0..TAGS))
    }

    /// Bytes that nobody has pushed before.
    fn fresh(&mut self) -> Vec<u8> {
        self.made += 1;
        let length = match self.rng.u32(0..100) {
            0..70 => self.rng.usize(64..8 << 10),
            70..96 => self.rng.usize(8 << 10..200 << 10),
            _ => self.rng.usize(1 << 20..3 << 20),
        };
        noise(&format!("{}-{}", self.label, self.made), length)
    }

    fn push_image(&mut self) -> io::Result<()> {
        let repository = self.repository();
        self.made += 1;
        let config = json!({
            "architecture": "amd64", "os": "linux", "name": format!("{}-{}", self.label, self.made),
            "rootfs": {"type": "layers", "diff_ids": []},
        });
        let shared = self.rng.usize(0..SHARED);
        let shared = self.ledger.remember(noise(&format!("shared-{shared}"), 1000 + 30_000 * shared));
        let own = self.fresh();
        let own = self.ledger.remember(own);
        let config = self.ledger.remember(config.to_string().into_bytes());
        if !self.bring(&repository, &shared)?
            || !self.push_blob(&repository, &own)?
            || !self.push_blob(&repository, &config)?
        {
            return Ok(());
        }
        let describe = |media_type: &str, digest: &str| json!({"mediaType": media_type, "digest": digest, "size": self.ledger.bytes(digest).len()});
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": describe(CONFIG, &config),
            "layers": [describe(LAYER, &shared), describe(LAYER, &own)],
        });
        let manifest = Arc::new(Manifest {
            content: Content::json(MANIFEST, &manifest),
            parts: vec![config, shared, own],
            owner: self.owner,
        });
        let tag = self.tag();
        self.put_manifest(repository, tag, manifest)
    }

    fn put_manifest(&mut self, repository: String, tag: String, manifest: Arc<Manifest>) -> io::Result<()> {
        let request = self
            .actor
            .ask("PUT", &format!("/v2/{repository}/manifests/{tag}"))
            .header("Content-Type", MANIFEST)
            .body(Body::Whole(manifest.content.bytes.clone()));
        self.change(&Change::Manifest { repository, tag, manifest }, request, &[201]).map(drop)
    }

    /// Deletes an image and pushes it again at once, with whatever of it is still there: as the collector comes
    /// for its parts, they are told to exist.
    fn push_again(&mut self) -> io::Result<()> {
        let mine = self.ledger.manifests_of(self.owner);
        let Some((repository, manifest)) = self.rng.choice(mine) else { return self.push_image() };
        let digest = manifest.content.digest();
        if !self.delete(&repository, digest)? {
            return Ok(());
        }
        for part in &manifest.parts {
            if !self.bring(&repository, part)? {
                return Ok(());
            }
        }
        let tag = self.tag();
        self.put_manifest(repository, tag, manifest)
    }

    /// As docker does: asks whether the layer is there, and sends it only if not.
    fn bring(&mut self, repository: &str, digest: &str) -> io::Result<bool> {
        let answer = self.actor.ask("HEAD", &format!("/v2/{repository}/blobs/{digest}")).attempt()?;
        match answer.status {
            200 => Ok(true),
            404 if self.rng.bool() => self.mount(repository, digest),
            404 => self.push_blob(repository, digest),
            _ => {
                self.judge(&answer);
                Ok(false)
            }
        }
    }

    fn mount(&mut self, repository: &str, digest: &str) -> io::Result<bool> {
        let from = self.repository();
        let path = format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={from}");
        let change =
            Change::Blob { repository: repository.to_owned(), digest: digest.to_owned(), session: None };
        let ticket = self.ledger.begin(&change);
        // Left in doubt if there is no answer.
        let answer = self.actor.ask("POST", &path).attempt()?;
        match answer.status {
            201 => {
                self.ledger.answer(ticket, Answer::Acknowledged);
                Ok(true)
            }
            202 => {
                self.ledger.answer(ticket, Answer::Refused);
                let session = location_path(&answer);
                self.ledger.opened(&session, repository, self.owner, digest);
                self.close(&session, repository, digest, 0)
            }
            _ => {
                self.ledger.answer(ticket, Answer::InDoubt);
                self.judge(&answer);
                Ok(false)
            }
        }
    }

    /// Pushes a blob in one of the ways there are; whether it is acknowledged.
    fn push_blob(&mut self, repository: &str, digest: &str) -> io::Result<bool> {
        if self.rng.u8(0..3) == 0 {
            let bytes = self.ledger.bytes(digest).to_vec();
            let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
            let request = self.actor.ask("POST", &path).body(Body::Whole(bytes));
            let change =
                Change::Blob { repository: repository.to_owned(), digest: digest.to_owned(), session: None };
            return self.change(&change, request, &[201]);
        }
        let Some(session) = self.open(repository, digest)? else { return Ok(false) };
        let mut offset = 0;
        if self.rng.bool() {
            for _ in 0..self.rng.u8(1..3) {
                match self.chunk(&session, digest, offset)? {
                    Some(reached) => offset = reached,
                    None => return Ok(false),
                }
            }
        }
        self.close(&session, repository, digest, offset)
    }

    fn open(&mut self, repository: &str, digest: &str) -> io::Result<Option<String>> {
        let answer = self.actor.ask("POST", &format!("/v2/{repository}/blobs/uploads/")).attempt()?;
        if answer.status != 202 {
            self.judge(&answer);
            return Ok(None);
        }
        let session = location_path(&answer);
        self.ledger.opened(&session, repository, self.owner, digest);
        Ok(Some(session))
    }

    /// Sends some more of a blob; the offset acknowledged for it.
    fn chunk(&mut self, session: &str, digest: &str, offset: usize) -> io::Result<Option<usize>> {
        let bytes = self.ledger.bytes(digest);
        let end = self.rng.usize(offset..=bytes.len());
        // One byte would be told as `0-0`, as none is.
        if end == offset || end == 1 {
            return Ok(Some(offset));
        }
        let mut request = self.actor.ask("PATCH", session).body(Body::Whole(bytes[offset..end].to_vec()));
        if self.rng.bool() {
            request = request.header("Content-Range", &format!("{offset}-{}", end - 1));
        }
        self.ledger.sending(session, end);
        let answer = request.attempt()?;
        if answer.status != 202 {
            self.judge(&answer);
            return Ok(None);
        }
        let reached = reached(&answer);
        if reached != end {
            self.ledger.complain(format!("{end} bytes were sent and {reached} acknowledged: {answer}"));
        }
        self.ledger.reached(session, reached);
        Ok(Some(reached))
    }

    fn close(&mut self, session: &str, repository: &str, digest: &str, offset: usize) -> io::Result<bool> {
        let bytes = self.ledger.bytes(digest);
        let request =
            self.actor.ask("PUT", &with_digest(session, digest)).body(Body::Whole(bytes[offset..].to_vec()));
        self.ledger.sending(session, bytes.len());
        let change = Change::Blob {
            repository: repository.to_owned(),
            digest: digest.to_owned(),
            session: Some(session.to_owned()),
        };
        self.change(&change, request, &[201])
    }

    fn move_tag(&mut self) -> io::Result<()> {
        let mine = self.ledger.manifests_of(self.owner);
        let Some((repository, manifest)) = self.rng.choice(mine) else { return self.push_image() };
        let tag = self.tag();
        self.put_manifest(repository, tag, manifest)
    }

    fn delete_tag(&mut self) -> io::Result<()> {
        let (repository, tag) = (self.repository(), self.tag());
        let request = self.actor.ask("DELETE", &format!("/v2/{repository}/manifests/{tag}"));
        // A tag that is not there is gone too.
        self.change(&Change::DeleteTag { repository, tag }, request, &[202, 404]).map(drop)
    }

    fn delete_manifest(&mut self) -> io::Result<()> {
        let mine = self.ledger.manifests_of(self.owner);
        let Some((repository, manifest)) = self.rng.choice(mine) else { return self.push_image() };
        self.delete(&repository, manifest.content.digest()).map(drop)
    }

    fn delete(&mut self, repository: &str, digest: String) -> io::Result<bool> {
        let request = self.actor.ask("DELETE", &format!("/v2/{repository}/manifests/{digest}"));
        let change = Change::DeleteManifest { repository: repository.to_owned(), digest };
        self.change(&change, request, &[202])
    }

    /// Opens an upload and leaves it somewhere in the middle.
    fn begin_upload(&mut self) -> io::Result<()> {
        let repository = self.repository();
        let bytes = self.fresh();
        let digest = self.ledger.remember(bytes);
        match self.open(&repository, &digest)? {
            Some(session) => self.chunk(&session, &digest, 0).map(drop),
            None => Ok(()),
        }
    }

    fn left_upload(&mut self) -> Option<(String, Upload)> {
        let mine = self.ledger.uploads_of(self.owner);
        self.rng.choice(mine)
    }

    fn go_on_with_upload(&mut self) -> io::Result<()> {
        let Some((session, upload)) = self.left_upload() else { return self.begin_upload() };
        let answer = self.actor.ask("GET", &session).attempt()?;
        if answer.status != 204 {
            self.judge(&answer);
            return Ok(());
        }
        let offset = reached(&answer);
        let least = if self.rules.uploads_may_start_anew { 0 } else { upload.acknowledged };
        if offset < least || offset > upload.sent {
            self.ledger.complain(format!(
                "an upload acknowledged up to {} and sent up to {} stands at {offset}: {answer}",
                upload.acknowledged, upload.sent
            ));
            return Ok(());
        }
        self.ledger.reached(&session, offset);
        if self.rng.bool() {
            self.chunk(&session, &upload.digest, offset).map(drop)
        } else {
            self.close(&session, &upload.repository, &upload.digest, offset).map(drop)
        }
    }

    fn cancel_upload(&mut self) -> io::Result<()> {
        let Some((session, _)) = self.left_upload() else { return self.begin_upload() };
        let request = self.actor.ask("DELETE", &session);
        self.change(&Change::CancelUpload { session }, request, &[204]).map(drop)
    }

    /// Asks for a change and notes both; whether it is acknowledged.
    fn change(&mut self, change: &Change, request: Asking, granted: &[u16]) -> io::Result<bool> {
        let ticket = self.ledger.begin(change);
        // Left in doubt if there is no answer.
        let answer = request.attempt()?;
        let done = granted.contains(&answer.status);
        let told = match answer.status {
            _ if done => Answer::Acknowledged,
            500.. => Answer::InDoubt,
            _ => Answer::Refused,
        };
        self.ledger.answer(ticket, told);
        if !done {
            self.judge(&answer);
        }
        Ok(done)
    }

    /// Complains of an answer that nothing excuses.
    fn judge(&self, answer: &Response) {
        if !self.rules.excused.contains(&answer.status) {
            self.ledger.complain(format!("an answer that nothing excuses: {answer}"));
        }
    }
}

/// How many bytes a `Range: 0-LAST` acknowledges. Nothing here is one byte long, so `0-0` means none.
pub(super) fn reached(answer: &Response) -> usize {
    match answer.header("range").and_then(|range| range.strip_prefix("0-")) {
        Some("0") => 0,
        Some(last) => last.parse::<usize>().map_or(usize::MAX, |last| last + 1),
        None => usize::MAX,
    }
}

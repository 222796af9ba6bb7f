//! The audit: asks a server for everything in a view of the ledger and lists what is not as it must be.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::ledger::View;
use super::load::reached;
use crate::actor::{Actor, with_digest};
use crate::http::{Body, Connection, Response};

/// What an audit learned of things that were in doubt.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Manifests by repository and digest, and whether they are there.
    pub manifests: Vec<((String, String), bool)>,
    /// Tags by repository and name, and what they name.
    pub tags: Vec<((String, String), Option<String>)>,
    /// Blobs by repository and digest that are not there.
    pub absent_blobs: Vec<(String, String)>,
    /// Upload sessions by path: where they stand, or that they are over.
    pub uploads: Vec<(String, Option<usize>)>,
}

/// The outcome of an audit.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// How many things with a certain answer were compared.
    pub verified: u64,
    /// What was not as it must be.
    pub violations: Vec<String>,
    /// What was learned of the rest.
    pub found: Found,
}

struct Auditor<'a> {
    actor: &'a Actor,
    connection: Option<Connection>,
    view: &'a View,
    audit: Audit,
}

impl Audit {
    /// Asks for every blob, manifest, tag and upload of the view. After a power cut (`bytes_may_be_lost`) an
    /// upload may have lost acknowledged bytes, for only a finished blob is promised to be on the disk.
    pub fn of(actor: &Actor, view: &View, bytes_may_be_lost: bool) -> Self {
        let mut auditor = Auditor { actor, connection: None, view, audit: Self::default() };
        auditor.blobs();
        auditor.manifests();
        auditor.tags();
        auditor.uploads(bytes_may_be_lost);
        auditor.audit
    }

    /// Finishes every upload that must be open: it becomes exactly its blob, or, where bytes may be lost,
    /// is refused by its digest.
    pub fn finish_uploads(actor: &Actor, view: &View, bytes_may_be_lost: bool) -> Self {
        let mut auditor = Auditor { actor, connection: None, view, audit: Self::default() };
        for (session, upload, open) in view.uploads() {
            if open == Some(true) {
                auditor.finish(session, &upload.repository, &upload.digest, bytes_may_be_lost);
            }
        }
        auditor.audit
    }

    /// Adds another audit's counts and violations.
    pub fn add(&mut self, other: &Self) {
        self.verified += other.verified;
        self.violations.extend(other.violations.iter().cloned());
    }

    /// The violations as a text, at most the first of many.
    pub fn told(&self) -> String {
        let mut told = String::new();
        for violation in self.violations.iter().take(5) {
            writeln!(told, "{violation}").expect("writing to memory succeeds");
        }
        writeln!(told, "{} violations, {} things verified", self.violations.len(), self.verified)
            .expect("writing to memory succeeds");
        told
    }
}

impl Auditor<'_> {
    /// The answer, or `None` after noting that there was none.
    fn ask(&mut self, method: &str, target: &str, body: Body) -> Option<Response> {
        let connection = match self.connection.take() {
            Some(connection) => Ok(connection),
            None => Connection::try_open(self.actor.addr()),
        };
        let answer = connection.and_then(|mut connection| {
            let answer = self.actor.ask(method, target).body(body).attempt_on(&mut connection)?;
            Ok((answer, connection))
        });
        match answer {
            Ok((answer, connection)) => {
                // A server that closes says so.
                self.connection = answer.header("connection").is_none().then_some(connection);
                Some(answer)
            }
            Err(error) => {
                self.audit.violations.push(format!("{method} {target} got no answer: {error}"));
                None
            }
        }
    }

    fn violated(&mut self, what: &str, answer: &Response) {
        self.audit.violations.push(format!("{what}: {answer}"));
    }

    /// Compares one answer with what must be (`must`) and with the bytes; whether the thing is there.
    fn compare(&mut self, name: &str, answer: &Response, bytes: Option<&[u8]>, must: Option<bool>) -> bool {
        let there = answer.status == 200;
        if !there && answer.status != 404 {
            self.violated(&format!("{name} can be neither read nor missed"), answer);
        } else if must.is_some_and(|must| must != there) {
            let what = if there { "was deleted and is back" } else { "was acknowledged and is lost" };
            self.violated(&format!("{name} {what}"), answer);
        } else if there && bytes.is_some_and(|bytes| bytes != answer.body) {
            self.violated(&format!("{name} has other bytes"), answer);
        }
        self.audit.verified += u64::from(must.is_some());
        there
    }

    fn blobs(&mut self) {
        let view = self.view;
        for (key, must) in view.blobs() {
            let (repository, digest) = key;
            if must == Some(false) {
                continue; // Never acknowledged, or collected before; it may be pushed again by anyone.
            }
            let path = format!("/v2/{repository}/blobs/{digest}");
            let Some(answer) = self.ask("GET", &path, Body::None) else { continue };
            let name = format!("blob {digest} of {repository}");
            if !self.compare(&name, &answer, Some(view.bytes(digest)), must) {
                self.audit.found.absent_blobs.push(key.clone());
            }
        }
    }

    fn manifests(&mut self) {
        let view = self.view;
        let mut parts = BTreeSet::new();
        for (key, manifest, must) in view.manifests() {
            let (repository, digest) = key;
            let path = format!("/v2/{repository}/manifests/{digest}");
            let Some(answer) = self.ask("GET", &path, Body::None) else { continue };
            let name = format!("manifest {digest} of {repository}");
            let bytes = manifest.as_ref().map(|manifest| manifest.content.bytes.as_slice());
            let there = self.compare(&name, &answer, bytes, must);
            self.audit.found.manifests.push((key.clone(), there));
            if let Some(manifest) = manifest.filter(|_| there) {
                parts.extend(manifest.parts.iter().map(|part| (repository.clone(), part.clone())));
            }
        }
        // Whatever else happened to a blob: no manifest that is there may miss one.
        for (repository, digest) in parts {
            let path = format!("/v2/{repository}/blobs/{digest}");
            let Some(answer) = self.ask("GET", &path, Body::None) else { continue };
            let name = format!("part {digest} of an image in {repository}");
            self.compare(&name, &answer, Some(view.bytes(&digest)), Some(true));
        }
    }

    fn tags(&mut self) {
        let view = self.view;
        for (key, possible) in view.tags() {
            let (repository, tag) = key;
            let path = format!("/v2/{repository}/manifests/{tag}");
            let Some(answer) = self.ask("GET", &path, Body::None) else { continue };
            let named = (answer.status == 200).then(|| crate::content::digest(&answer.body));
            if !matches!(answer.status, 200 | 404) || !possible.contains(&named) {
                let what =
                    format!("tag {tag} of {repository} names {named:?}, which is none of {possible:?}");
                self.violated(&what, &answer);
            }
            self.audit.verified += 1;
            self.audit.found.tags.push((key.clone(), named));
        }
    }

    fn uploads(&mut self, bytes_may_be_lost: bool) {
        let view = self.view;
        for (session, upload, open) in view.uploads() {
            let Some(answer) = self.ask("GET", session, Body::None) else { continue };
            let offset = (answer.status == 204).then(|| reached(&answer));
            self.audit.found.uploads.push((session.to_owned(), offset));
            if !matches!(answer.status, 204 | 404) || open.is_some_and(|open| open != offset.is_some()) {
                self.violated(&format!("upload {session} should be open: {open:?}"), &answer);
            }
            // A request that was to end it may have taken its bytes before the session: then it starts anew.
            let least = if bytes_may_be_lost || open.is_none() { 0 } else { upload.acknowledged };
            if offset.is_some_and(|offset| offset < least || offset > upload.sent) {
                let what = format!("upload {session} stands not in {least} ..= {}", upload.sent);
                self.violated(&what, &answer);
            }
            self.audit.verified += u64::from(open.is_some());
        }
    }

    fn finish(&mut self, session: &str, repository: &str, digest: &str, bytes_may_be_lost: bool) {
        let bytes = self.view.bytes(digest);
        let Some(status) = self.ask("GET", session, Body::None) else { return };
        let offset = reached(&status);
        if status.status != 204 || offset > bytes.len() {
            return self.violated(&format!("upload {session} cannot go on"), &status);
        }
        let rest = Body::Whole(bytes[offset..].to_vec());
        let Some(closed) = self.ask("PUT", &with_digest(session, digest), rest) else { return };
        self.audit.verified += 1;
        if bytes_may_be_lost && closed.status == 400 && closed.error()["code"] == "DIGEST_INVALID" {
            return;
        }
        if closed.status != 201 {
            return self.violated(&format!("upload {session} cannot be finished"), &closed);
        }
        let path = format!("/v2/{repository}/blobs/{digest}");
        let Some(answer) = self.ask("GET", &path, Body::None) else { return };
        self.compare(&format!("finished blob {digest}"), &answer, Some(bytes), Some(true));
    }
}

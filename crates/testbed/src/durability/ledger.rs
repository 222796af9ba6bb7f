//! The ledger: what clients asked of a registry, what was acknowledged, and what is in doubt.
//!
//! Clients share one ledger. A change is noted before it is asked ([`Ledger::begin`]) and its answer when it
//! came ([`Ledger::answer`]); a [`View`] of the ledger as of some tick is what an audit compares a server
//! with. Complaints, answers that should not have been given at all, are kept here too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::register::Register;
pub use super::register::Tick;
use crate::content::Content;

/// A thing in a repository: its repository and its digest or tag.
type Key = (String, String);

/// A manifest as it is pushed, with the digests it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its bytes and type.
    pub content: Content,
    /// Its configuration and layers: what must be in its repository with it.
    pub parts: Vec<String>,
    /// The client that pushes it; nobody else deletes it.
    pub owner: usize,
}

/// A change that is about to be asked for.
#[derive(Clone, Debug)]
pub enum Change {
    /// The blob becomes visible in the repository: pushed or mounted.
    Blob {
        /// Where.
        repository: String,
        /// Its digest.
        digest: String,
        /// The upload session that ends with it.
        session: Option<String>,
    },
    /// A manifest is stored and a tag set to it, in one.
    Manifest {
        /// Where.
        repository: String,
        /// The tag.
        tag: String,
        /// The manifest.
        manifest: Arc<Manifest>,
    },
    /// The tag goes.
    DeleteTag {
        /// Where.
        repository: String,
        /// The tag.
        tag: String,
    },
    /// The manifest goes, with every tag on it; its parts may be collected.
    DeleteManifest {
        /// Where.
        repository: String,
        /// Its digest.
        digest: String,
    },
    /// The upload session goes.
    CancelUpload {
        /// Its path.
        session: String,
    },
}

/// How a change was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Acknowledged,
    /// It was refused: nothing changed.
    Refused,
    /// There was no answer, or one that promises nothing.
    InDoubt,
}

/// A change that was asked for, to be answered.
#[derive(Debug)]
#[must_use]
pub struct Ticket {
    blobs: Vec<(Key, usize)>,
    manifests: Vec<(Key, usize)>,
    tags: Vec<(Key, usize)>,
    sessions: Vec<(String, usize)>,
}

/// An upload session and how far it is.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Its repository.
    pub repository: String,
    /// Who works on it.
    pub owner: usize,
    /// The digest of the whole blob.
    pub digest: String,
    /// The offset of the last acknowledged chunk.
    pub acknowledged: usize,
    /// How far any chunk that was sent would bring it.
    pub sent: usize,
    open: Register<()>,
}

/// The ledger as of one tick.
#[derive(Clone, Debug)]
pub struct View {
    as_of: Tick,
    state: State,
}

#[derive(Clone, Debug, Default)]
struct State {
    tick: Tick,
    bytes: BTreeMap<String, Arc<Vec<u8>>>,
    blobs: BTreeMap<Key, Register<()>>,
    manifests: BTreeMap<Key, Register<Arc<Manifest>>>,
    tags: BTreeMap<Key, Register<String>>,
    uploads: BTreeMap<String, Upload>,
    complaints: Vec<String>,
}

/// What clients asked and what they were told; shared by all of them.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<State>);

fn absent<V: Clone + PartialEq>() -> Register<V> {
    Register::known(None)
}

impl State {
    fn next(&mut self) -> Tick {
        self.tick += 1;
        self.tick
    }

    fn begin(&mut self, change: &Change) -> Ticket {
        let now = self.next();
        let mut ticket =
            Ticket { blobs: Vec::new(), manifests: Vec::new(), tags: Vec::new(), sessions: Vec::new() };
        match change {
            Change::Blob { repository, digest, session } => {
                let key = (repository.clone(), digest.clone());
                let register = self.blobs.entry(key.clone()).or_insert_with(absent);
                ticket.blobs.push((key, register.ask(Some(()), None, now)));
                if let Some(session) = session {
                    self.end_session(session, now, &mut ticket);
                }
            }
            Change::Manifest { repository, tag, manifest } => {
                let digest = manifest.content.digest();
                let key = (repository.clone(), digest.clone());
                let register = self.manifests.entry(key.clone()).or_insert_with(absent);
                ticket.manifests.push((key, register.ask(Some(Arc::clone(manifest)), None, now)));
                let key = (repository.clone(), tag.clone());
                let register = self.tags.entry(key.clone()).or_insert_with(absent);
                ticket.tags.push((key, register.ask(Some(digest), None, now)));
            }
            Change::DeleteTag { repository, tag } => {
                let key = (repository.clone(), tag.clone());
                let register = self.tags.entry(key.clone()).or_insert_with(absent);
                ticket.tags.push((key, register.ask(None, None, now)));
            }
            Change::DeleteManifest { repository, digest } => {
                self.delete_manifest(repository, digest, now, &mut ticket);
            }
            Change::CancelUpload { session } => self.end_session(session, now, &mut ticket),
        }
        ticket
    }

    fn end_session(&mut self, session: &str, now: Tick, ticket: &mut Ticket) {
        if let Some(upload) = self.uploads.get_mut(session) {
            ticket.sessions.push((session.to_owned(), upload.open.ask(None, None, now)));
        }
    }

    fn delete_manifest(&mut self, repository: &str, digest: &str, now: Tick, ticket: &mut Ticket) {
        let key = (repository.to_owned(), digest.to_owned());
        let register = self.manifests.entry(key.clone()).or_insert_with(absent);
        let manifests = register.possible(now);
        ticket.manifests.push((key, register.ask(None, None, now)));
        // Nothing of this manifest's keeps its parts from collection any more. That stays in doubt for
        // ever: when the collector comes by is its own affair.
        for part in manifests.iter().flatten().flat_map(|manifest| &manifest.parts) {
            if let Some(blob) = self.blobs.get_mut(&(repository.to_owned(), part.clone())) {
                blob.ask(None, None, now);
            }
        }
        let on_it = Some(digest.to_owned());
        for (key, tag) in self.tags.iter_mut().filter(|((place, _), _)| place == repository) {
            if tag.possible(now).contains(&on_it) {
                ticket.tags.push((key.clone(), tag.ask(None, on_it.clone(), now)));
            }
        }
    }
}

/// Marks the asked-for places of a map's registers as acknowledged (with a tick) or refused.
fn settle<K: Ord, V: Clone + PartialEq>(
    map: &mut BTreeMap<K, Register<V>>,
    places: Vec<(K, usize)>,
    done: Option<Tick>,
) {
    for (key, place) in places {
        let register = map.get_mut(&key).expect("a ticket names what was noted");
        match done {
            Some(tick) => register.acknowledge(place, tick),
            None => register.refuse(place),
        }
    }
}

impl Ledger {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no client panics while it writes in the ledger")
    }

    /// Remembers the bytes of a blob and gives its digest.
    pub fn remember(&self, bytes: Vec<u8>) -> String {
        let digest = crate::content::digest(&bytes);
        self.state().bytes.insert(digest.clone(), Arc::new(bytes));
        digest
    }

    /// The bytes of a remembered blob.
    pub fn bytes(&self, digest: &str) -> Arc<Vec<u8>> {
        Arc::clone(&self.state().bytes[digest])
    }

    /// Notes a change that is about to be asked for.
    pub fn begin(&self, change: &Change) -> Ticket {
        self.state().begin(change)
    }

    /// Notes how it was answered.
    pub fn answer(&self, ticket: Ticket, answer: Answer) {
        let mut state = self.state();
        let done = match answer {
            Answer::Acknowledged => Some(state.next()),
            Answer::Refused => None,
            Answer::InDoubt => return,
        };
        settle(&mut state.blobs, ticket.blobs, done);
        settle(&mut state.manifests, ticket.manifests, done);
        settle(&mut state.tags, ticket.tags, done);
        for (session, place) in ticket.sessions {
            let upload = state.uploads.get_mut(&session).expect("a ticket names what was noted");
            match done {
                Some(tick) => upload.open.acknowledge(place, tick),
                None => upload.open.refuse(place),
            }
        }
    }

    /// Notes an upload session that was acknowledged.
    pub fn opened(&self, session: &str, repository: &str, owner: usize, digest: &str) {
        let mut state = self.state();
        let now = state.next();
        let mut open = absent();
        let place = open.ask(Some(()), None, now);
        open.acknowledge(place, now);
        let upload = Upload {
            repository: repository.to_owned(),
            owner,
            digest: digest.to_owned(),
            acknowledged: 0,
            sent: 0,
            open,
        };
        state.uploads.insert(session.to_owned(), upload);
    }

    /// Notes that a chunk up to this offset is about to be sent.
    pub fn sending(&self, session: &str, up_to: usize) {
        let mut state = self.state();
        let upload = state.uploads.get_mut(session).expect("the session was noted");
        upload.sent = upload.sent.max(up_to);
    }

    /// Notes that the registry acknowledged everything up to this offset.
    pub fn reached(&self, session: &str, offset: usize) {
        let mut state = self.state();
        let upload = state.uploads.get_mut(session).expect("the session was noted");
        upload.acknowledged = offset;
    }

    /// The manifests of this client that are surely there, by repository.
    pub fn manifests_of(&self, owner: usize) -> Vec<(String, Arc<Manifest>)> {
        let state = self.state();
        let mut present = Vec::new();
        for ((repository, _), register) in &state.manifests {
            if let [Some(manifest)] = register.possible(Tick::MAX).as_slice()
                && manifest.owner == owner
            {
                present.push((repository.clone(), Arc::clone(manifest)));
            }
        }
        present
    }

    /// The upload sessions of this client that are surely open, by path.
    pub fn uploads_of(&self, owner: usize) -> Vec<(String, Upload)> {
        let state = self.state();
        let mine = state.uploads.iter().filter(|(_, upload)| upload.owner == owner);
        mine.filter(|(_, upload)| certain(&upload.open.possible(Tick::MAX)) == Some(true))
            .map(|(path, upload)| (path.clone(), upload.clone()))
            .collect()
    }

    /// Keeps an answer that should not have been given.
    pub fn complain(&self, what: String) {
        self.state().complaints.push(what);
    }

    /// The answers that should not have been given.
    pub fn complaints(&self) -> Vec<String> {
        self.state().complaints.clone()
    }

    /// The present tick: what is answered later is not promised yet.
    pub fn now(&self) -> Tick {
        self.state().tick
    }

    /// Everything noted so far, for somebody who knows the answers up to `as_of`. What began later is in
    /// it as possible, so a look at a server (or a cut of its disk) after `as_of` may show it.
    pub fn view(&self, as_of: Tick) -> View {
        View { as_of, state: self.state().clone() }
    }

    /// Replaces doubt by what an audit found, when no request is under way.
    pub fn learn(&self, found: super::audit::Found) {
        let mut state = self.state();
        for (key, value) in found.manifests {
            let known = value.then(|| {
                let possible = state.manifests[&key].possible(Tick::MAX);
                possible.into_iter().flatten().next().expect("only a pushed manifest is found")
            });
            state.manifests.insert(key, Register::known(known));
        }
        for (key, digest) in found.tags {
            state.tags.insert(key, Register::known(digest));
        }
        for key in found.absent_blobs {
            state.blobs.insert(key, Register::known(None));
        }
        for (session, offset) in found.uploads {
            match offset {
                Some(offset) => {
                    let upload = state.uploads.get_mut(&session).expect("only a noted session is asked for");
                    upload.acknowledged = offset;
                    upload.open = Register::known(Some(()));
                }
                None => drop(state.uploads.remove(&session)),
            }
        }
    }
}

impl View {
    /// The same for a place that upload sessions do not reach, as a backup.
    #[must_use]
    pub fn without_uploads(mut self) -> Self {
        self.state.uploads.clear();
        self
    }

    /// The bytes of a blob.
    pub fn bytes(&self, digest: &str) -> &[u8] {
        &self.state.bytes[digest]
    }

    /// Each blob by repository and digest, and whether it must be there; `None` if it may or may not be.
    pub fn blobs(&self) -> impl Iterator<Item = (&Key, Option<bool>)> {
        self.state.blobs.iter().map(|(key, register)| (key, certain(&register.possible(self.as_of))))
    }

    /// Each manifest by repository and digest, what it may be, and whether it must be there.
    pub fn manifests(&self) -> impl Iterator<Item = (&Key, Option<Arc<Manifest>>, Option<bool>)> {
        self.state.manifests.iter().map(|(key, register)| {
            let possible = register.possible(self.as_of);
            let must = certain(&possible);
            (key, possible.into_iter().flatten().next(), must)
        })
    }

    /// Each tag by repository and name, and every digest it may name.
    pub fn tags(&self) -> impl Iterator<Item = (&Key, Vec<Option<String>>)> {
        self.state.tags.iter().map(|(key, register)| (key, register.possible(self.as_of)))
    }

    /// Each upload session by its path, and whether it must be open.
    pub fn uploads(&self) -> impl Iterator<Item = (&str, &Upload, Option<bool>)> {
        self.state
            .uploads
            .iter()
            .map(|(path, upload)| (path.as_str(), upload, certain(&upload.open.possible(self.as_of))))
    }
}

/// Whether something must be there (or must not be), given all it may be.
fn certain<V>(possible: &[Option<V>]) -> Option<bool> {
    if possible.iter().all(Option::is_some) {
        Some(true)
    } else if possible.iter().all(Option::is_none) {
        Some(false)
    } else {
        None
    }
}

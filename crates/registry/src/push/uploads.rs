//! Upload sessions: opened, written in order, resumed after cuts and restarts, closed by a digest.
//!
//! Invariant: a blob's record and link are committed only after its file, directory and new
//! parent directories are synced; the digest's latch is held from before the rename until after
//! the commit, so that the collector cannot remove the file in between.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hythe_oci::{Algorithm, ContentRange, Digest, RepositoryName, UploadId};
use hythe_store::blobs::{FileState, Latch, Staged, Upload, Whole};
use hythe_store::records::Writer;
use hythe_store::records::projects::ProjectId;
use hythe_store::records::repositories::RepositoryId;
pub use hythe_store::records::uploads::Expected;
use hythe_store::records::uploads::{UploadRow, upload_topic};
use hythe_store::{BlobError, Timestamp};

use crate::access::{Permit, Push};
use crate::seeded::defect;
use crate::{Error, Registry, random_id};

/// The longest time a token works beyond its expiry for the sake of an upload.
const TOKEN_EXTENSION: Duration = Duration::from_hours(24);

/// How long it still works once the upload has ended: for the check of the blob and the manifest.
const TOKEN_TAIL: Duration = Duration::from_mins(15);

/// A request's body; an error means that it was cut.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// The body could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("the request's body ended early")]
pub struct BodyError;

/// A part of an upload.
pub struct Chunk {
    /// Where the client says it belongs.
    pub range: Option<ContentRange>,
    /// How long the client says it is, in bytes.
    pub length: Option<u64>,
    /// Its bytes.
    pub body: Body,
}

/// A blob that is durable and visible in its repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl Registry {
    /// Opens an upload session (end-4a, end-4c). `expected` is what its client says it will be: by that it finds the
    /// upload again.
    pub async fn start_upload(
        &self,
        permit: &Permit<Push>,
        algorithm: Algorithm,
        expected: Option<Expected>,
    ) -> Result<UploadId, Error> {
        let user = permit.user().ok_or_else(|| Error::broken("a push permit names no user"))?;
        let now = self.now();
        let row = UploadRow {
            id: random_upload_id(),
            project: permit.project(),
            repository: permit.repository().clone(),
            user: user.id.0,
            algorithm,
            token: permit.token().map(ToOwned::to_owned),
            started: now,
            expires: now.plus(self.options().upload_lifetime),
            expected,
        };
        let id = row.id;
        self.blobs().check_room().await?;
        let project = permit.repository().project();
        let limit = self.options().uploads_per_user;
        self.records()
            .write(move |w| {
                if w.project(&project)?.is_none_or(|found| found.id != row.project) {
                    return Err(Error::ProjectGone(project.clone()));
                }
                // Counted in the transaction that adds one, so that requests at once cannot pass it together.
                if w.open_uploads_of(row.user, now, limit)? >= limit && !defect("defect-upload-limit") {
                    return Err(Error::TooManyUploads { limit });
                }
                Ok(w.insert_upload(&row, now.plus(TOKEN_EXTENSION))?)
            })
            .await?;
        Ok(id)
    }

    /// How many bytes of an upload are here (end-13).
    pub async fn upload_offset(&self, permit: &Permit<Push>, id: UploadId) -> Result<u64, Error> {
        self.own_upload(permit, id).await?;
        match self.blobs().resume(id).await {
            Ok(upload) => Ok(upload.map_or(0, |upload| upload.offset())),
            // Somebody is writing: what they have reached for sure.
            Err(BlobError::InUse) => Ok(self.blobs().progress(id).await?),
            Err(error) => Err(error.into()),
        }
    }

    /// Adds bytes to an upload (end-5) and answers its new size. A body that is cut keeps what
    /// arrived.
    pub async fn append(&self, permit: &Permit<Push>, id: UploadId, chunk: Chunk) -> Result<u64, Error> {
        let (_, mut upload) = self.take_up(permit, id, None).await?;
        let received = async {
            receive(&mut upload, chunk).await?;
            Ok(upload.checkpoint().await?)
        };
        received.await.map_err(|error| cancelled(error, permit, id))
    }

    /// Closes an upload (end-6), with the last bytes if the request carries any.
    pub async fn finish(
        &self,
        permit: &Permit<Push>,
        id: UploadId,
        digest: Digest,
        chunk: Chunk,
    ) -> Result<Placed, Error> {
        let chunk = match small(digest, chunk).await {
            Gathered::Blob(whole) => match self.finish_small(permit, id, whole).await? {
                Finished::Placed(placed) => return Ok(placed),
                Finished::BehindOthers(chunk) => chunk,
            },
            Gathered::Other(chunk) => chunk,
        };
        let (row, mut upload) = self.take_up(permit, id, Some(digest.algorithm())).await?;
        let received = async {
            receive(&mut upload, chunk).await?;
            Ok(upload.finish().await?)
        };
        let staged = received.await.map_err(|error| cancelled(error, permit, id))?;
        if staged.digest() != digest {
            let actual = staged.digest();
            staged.discard().await?;
            let tail = self.now().plus(TOKEN_TAIL);
            self.records().write(move |w| w.end_upload(&row, tail).map(drop)).await?;
            return Err(Error::DigestMismatch { expected: digest, actual });
        }
        self.commit(permit, staged, Some(row)).await.map_err(|error| cancelled(error, permit, id))
    }

    /// Closes an upload with a small blob, unless bytes of it are staged already.
    async fn finish_small(
        &self,
        permit: &Permit<Push>,
        id: UploadId,
        whole: Whole,
    ) -> Result<Finished, Error> {
        let seat = self.blobs().seat(id).await?;
        let row = self.own_upload(permit, id).await?;
        let placed = Placed { digest: whole.digest(), size: whole.size() };
        let latch = self.blobs().latch(&placed.digest).await;
        match seat.place(whole.clone(), &latch).await? {
            Some(file) => self.record(permit, placed, file, latch, Some(row)).await.map(Finished::Placed),
            None => Ok(Finished::BehindOthers(Chunk::of(whole))),
        }
    }

    /// Stores a whole blob from one request (end-4b), without a session.
    pub async fn put_blob(
        &self,
        permit: &Permit<Push>,
        digest: Digest,
        chunk: Chunk,
    ) -> Result<Placed, Error> {
        self.blobs().check_room().await?;
        let id = random_upload_id();
        let chunk = match small(digest, chunk).await {
            Gathered::Blob(whole) => {
                let placed = Placed { digest, size: whole.size() };
                let seat = self.blobs().seat(id).await?;
                let latch = self.blobs().latch(&digest).await;
                let file = seat.place(whole, &latch).await?;
                let file = file.ok_or_else(|| Error::broken("something is staged under a fresh id"))?;
                return self.record(permit, placed, file, latch, None).await;
            }
            Gathered::Other(chunk) => chunk,
        };
        let received = async {
            let mut upload = self.blobs().begin(id, digest.algorithm()).await?;
            receive(&mut upload, chunk).await?;
            Ok::<_, Error>(upload.finish().await?)
        };
        let staged = match received.await {
            Ok(staged) => staged,
            Err(error) => return Err(self.given_up(id, error).await),
        };
        if staged.digest() != digest {
            let actual = staged.digest();
            staged.discard().await?;
            return Err(Error::DigestMismatch { expected: digest, actual });
        }
        match self.commit(permit, staged, None).await {
            Ok(placed) => Ok(placed),
            Err(error) => Err(self.given_up(id, error).await),
        }
    }

    /// Removes what a request without a session has staged: nobody else knows of it. Answers why it failed.
    async fn given_up(&self, id: UploadId, error: Error) -> Error {
        if let Err(left) = self.blobs().discard(id).await {
            tracing::warn!(
                error = &left as &dyn std::error::Error,
                "the bytes of a failed push stay for the collector"
            );
        }
        error
    }

    /// Gives an upload up (end-14).
    pub async fn cancel(&self, permit: &Permit<Push>, id: UploadId) -> Result<(), Error> {
        let row = self.own_upload(permit, id).await?;
        self.abandon(&row).await
    }

    /// Ends an upload and frees its bytes.
    pub(crate) async fn abandon(&self, row: &UploadRow) -> Result<(), Error> {
        let ended = row.clone();
        let tail = self.now().plus(TOKEN_TAIL);
        self.records().write(move |w| w.end_upload(&ended, tail).map(drop)).await?;
        Ok(self.blobs().discard(row.id).await?)
    }

    /// The session and its staged bytes, held by this request alone from now on.
    async fn take_up(
        &self,
        permit: &Permit<Push>,
        id: UploadId,
        algorithm: Option<Algorithm>,
    ) -> Result<(UploadRow, Upload), Error> {
        let row = self.own_upload(permit, id).await?;
        let algorithm = algorithm.unwrap_or(row.algorithm);
        let mut upload = self.blobs().take_up(id, algorithm).await?;
        upload.rehash(algorithm).await?;
        // Another request may have ended the session while this one waited for it.
        match self.own_upload(permit, id).await {
            Ok(_) => {}
            Err(over @ Error::UploadUnknown { .. }) => {
                drop(upload);
                self.blobs().discard(id).await?;
                return Err(over);
            }
            // Not knowing is no reason to throw bytes away.
            Err(failed) => return Err(failed),
        }
        Ok((row, upload))
    }

    /// Sessions are bound to their repository and to the user who opened them.
    async fn own_upload(&self, permit: &Permit<Push>, id: UploadId) -> Result<UploadRow, Error> {
        let row = self
            .caches()
            .uploads
            .get(&id, &[upload_topic(&id)], move |r| Ok::<_, Error>(r.upload(&id)?.map(Arc::new)))
            .await?;
        let user = permit.user().map(|user| user.id.0);
        match row {
            Some(row)
                if row.repository == *permit.repository()
                    // A deleted and re-created project has another id.
                    && row.project == permit.project()
                    && (Some(row.user) == user || defect("defect-upload-owner"))
                    && row.expires > self.now() =>
            {
                Ok(UploadRow::clone(&row))
            }
            _ => Err(Error::UploadUnknown { repository: permit.repository().clone(), id }),
        }
    }

    async fn commit(
        &self,
        permit: &Permit<Push>,
        staged: Staged,
        session: Option<UploadRow>,
    ) -> Result<Placed, Error> {
        let placed = Placed { digest: staged.digest(), size: staged.size() };
        let latch = self.blobs().latch(&placed.digest).await;
        if defect("defect-record-before-rename") {
            let unknown = FileState { size: placed.size, modified: 0, inode: 0 };
            let placed = self.record(permit, placed, unknown, latch.clone(), session).await?;
            staged.place(&latch).await?;
            return Ok(placed);
        }
        let file = staged.place(&latch).await?;
        self.record(permit, placed, file, latch, session).await
    }

    /// Records a blob whose file is in its place, and ends its session.
    async fn record(
        &self,
        permit: &Permit<Push>,
        placed: Placed,
        file: FileState,
        latch: Latch,
        session: Option<UploadRow>,
    ) -> Result<Placed, Error> {
        let now = self.now();
        // The answer says "this blob exists": its manifest may rely on that, whatever the collector's grace.
        let hold = now.plus(self.options().lease);
        let target = Target::of(permit);
        let recorded = self
            .records()
            .write(move |w| {
                let repository = target.ensure(w, now)?;
                w.put_blob(&placed.digest, file, now)?;
                w.link(repository, &placed.digest, now, hold)?;
                if let Some(row) = &session {
                    w.end_upload(row, now.plus(TOKEN_TAIL))?;
                }
                Ok::<_, Error>(())
            })
            .await;
        if let Err(error) = recorded {
            // Refused by a rule, the record is surely absent and the file nobody's. After any other
            // error a crash might still bring the record back, so the file stays for the collector.
            if matches!(error, Error::ProjectGone(_))
                && let Err(left) = self.remove_unrecorded(placed.digest, &latch).await
            {
                tracing::warn!(
                    error = &left as &dyn std::error::Error,
                    "a blob without a record stays for the collector"
                );
            }
            return Err(error);
        }
        drop(latch);
        Ok(placed)
    }
}

/// The repository a push writes to, made in the push's own transaction if it is the first.
#[derive(Clone)]
pub(super) struct Target {
    project: ProjectId,
    name: RepositoryName,
    fresh: RepositoryId,
}

impl Target {
    pub(super) fn of(permit: &Permit<Push>) -> Self {
        Self {
            project: permit.project(),
            name: permit.repository().clone(),
            fresh: RepositoryId(random_id()),
        }
    }

    pub(super) fn ensure(&self, w: &mut Writer<'_>, now: Timestamp) -> Result<RepositoryId, Error> {
        let project = self.name.project();
        if w.project_id(&project)? != Some(self.project) {
            return Err(Error::ProjectGone(project));
        }
        Ok(w.ensure_repository(self.project, &self.name, self.fresh, now)?)
    }
}

/// Staged bytes that vanish under a request were given up by another one.
fn cancelled(error: Error, permit: &Permit<Push>, id: UploadId) -> Error {
    match error {
        Error::StagedGone => Error::UploadUnknown { repository: permit.repository().clone(), id },
        other => other,
    }
}

/// What a request's body turned out to be.
enum Gathered {
    /// All bytes of the blob it announced.
    Blob(Whole),
    /// Anything else, as it came.
    Other(Chunk),
}

/// How far closing with a small blob came.
enum Finished {
    Placed(Placed),
    /// Bytes are staged already; these go behind them.
    BehindOthers(Chunk),
}

impl Chunk {
    fn of(whole: Whole) -> Self {
        Self { range: None, length: Some(whole.size()), body: received(whole.into_bytes(), None) }
    }
}

fn received(bytes: Bytes, cut: Option<BodyError>) -> Body {
    Box::pin(futures_util::stream::iter([Ok(bytes)].into_iter().chain(cut.map(Err))))
}

/// Takes a small body in, as it is what `digest` announces; a chunk of an order is left to its upload.
async fn small(digest: Digest, mut chunk: Chunk) -> Gathered {
    let fits = chunk.length.is_some_and(|length| length <= Whole::MOST_BYTES);
    if !fits || chunk.range.is_some() {
        return Gathered::Other(chunk);
    }
    // Grown as bytes come: what is only announced takes no memory.
    let mut bytes = Vec::new();
    while let Some(piece) = chunk.body.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(cut) => return Gathered::Other(Chunk { body: received(bytes.into(), Some(cut)), ..chunk }),
        }
    }
    let whole = Whole::of(digest.algorithm(), bytes.into());
    if whole.digest() == digest { Gathered::Blob(whole) } else { Gathered::Other(Chunk::of(whole)) }
}

async fn receive(upload: &mut Upload, chunk: Chunk) -> Result<(), Error> {
    let start = upload.offset();
    if let Some(range) = &chunk.range {
        // A chunk is taken whole or not at all: this is where the upload stands if it is refused.
        upload.checkpoint().await?;
        if range.first() != start {
            return Err(Error::ChunkOutOfOrder { first: range.first(), offset: start });
        }
        if let Some(length) = chunk.length
            && length != range.len()
        {
            return Err(Error::ChunkLength { announced: range.len(), received: length });
        }
    }
    let announced = chunk.range.map(|range| range.len());
    let mut body = chunk.body;
    while let Some(piece) = body.next().await {
        let Ok(piece) = piece else {
            let received = upload.checkpoint().await?;
            return Err(Error::BodyCut { received });
        };
        upload.append(piece).await?;
        let received = upload.offset() - start;
        if let Some(announced) = announced.filter(|announced| received > *announced) {
            return Err(Error::ChunkLength { announced, received });
        }
    }
    let received = upload.offset() - start;
    match announced {
        Some(announced) if announced != received => Err(Error::ChunkLength { announced, received }),
        _ => Ok(()),
    }
}

fn random_upload_id() -> UploadId {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    UploadId::from_bytes(bytes)
}

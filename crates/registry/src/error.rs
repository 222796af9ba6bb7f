//! Everything that can go wrong in the rules, each with one code and one sentence. HTTP-free: a
//! face turns it into an answer.

use hythe_oci::{Digest, ErrorCode, ManifestError, ProjectName, RepositoryName, UploadId};
use hythe_store::BlobError;
use hythe_store::records::RecordError;

/// Why a call of the registry failed. `Display` is the sentence for the caller: it names no path,
/// no statement and no address.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository does not hold this blob.
    #[error("Repository {repository} holds no blob {digest}: push it first, or check the digest.")]
    BlobUnknown {
        /// Where it was looked for.
        repository: RepositoryName,
        /// What was looked for.
        digest: Digest,
    },
    /// The stored copy of a blob is missing, corrupt or unreadable.
    #[error(
        "The stored copy of blob {0} is damaged and is not sent: push the image again, or have the operator restore the blob from a backup."
    )]
    BlobDamaged(Digest),
    /// The repository does not hold this manifest or tag.
    #[error("Repository {repository} holds no manifest {reference}: check the tag or digest.")]
    ManifestUnknown {
        /// Where it was looked for.
        repository: RepositoryName,
        /// The tag or digest.
        reference: String,
    },
    /// There is no such repository.
    #[error("There is no repository {0}: it appears with its first push.")]
    NameUnknown(RepositoryName),
    /// The project went away during the request.
    #[error("Project {0} does not exist any more: create it again before pushing.")]
    ProjectGone(ProjectName),
    /// There is no such upload, or it is somebody else's.
    #[error(
        "There is no open upload {id} in {repository}: it was finished, cancelled or has expired; start a new one."
    )]
    UploadUnknown {
        /// The repository of the request.
        repository: RepositoryName,
        /// The upload asked for.
        id: UploadId,
    },
    /// Another request is writing to the same upload.
    #[error("Another request is writing to this upload: wait for it to end and ask for the upload's status.")]
    UploadBusy,
    /// The user has all the uploads open that one may have.
    #[error(
        "You have {limit} uploads open, the most one user may have: finish or cancel some (GET /api/v1/uploads lists them), or wait until they expire."
    )]
    TooManyUploads {
        /// How many one user may have.
        limit: u32,
    },
    /// The upload's bytes were given up while this request was using them.
    #[error("The upload was cancelled while this request was using it: start a new one.")]
    StagedGone,
    /// The client went away or sent a broken body; what arrived is kept.
    #[error("The request's body ended early: {received} bytes of the upload are kept; go on from there.")]
    BodyCut {
        /// The upload's size so far, in bytes.
        received: u64,
    },
    /// A chunk does not start where the upload stands.
    #[error("The chunk starts at byte {first}, but the upload stands at byte {offset}: go on from there.")]
    ChunkOutOfOrder {
        /// Where the chunk starts.
        first: u64,
        /// Where the upload stands.
        offset: u64,
    },
    /// The body's length and the announced range differ.
    #[error("The chunk announces {announced} bytes, but its body has {received}.")]
    ChunkLength {
        /// By `Content-Range` or `Content-Length`.
        announced: u64,
        /// What came.
        received: u64,
    },
    /// The bytes do not hash to the digest.
    #[error("The uploaded bytes have the digest {actual}, not {expected}: nothing was stored; push again.")]
    DigestMismatch {
        /// What the client said.
        expected: Digest,
        /// What the bytes hash to.
        actual: Digest,
    },
    /// The manifest is not acceptable.
    #[error("{0}")]
    ManifestInvalid(#[from] ManifestError),
    /// The manifest contradicts what is stored.
    #[error("{0}")]
    ManifestConflict(String),
    /// The manifest names parts that the repository does not hold.
    #[error("The manifest names {} that {repository} does not hold (first: {}): push them first, then the manifest again.", count(missing.len()), first(missing))]
    ManifestBlobUnknown {
        /// The repository.
        repository: RepositoryName,
        /// The missing parts.
        missing: Vec<Digest>,
    },
    /// A manifest still needs this blob or child.
    #[error("{digest} is part of manifest {used_by} in {repository}: delete that manifest first.")]
    InUse {
        /// The repository.
        repository: RepositoryName,
        /// What was to be deleted.
        digest: Digest,
        /// Who needs it.
        used_by: Digest,
    },
    /// Another process or caller does this work, or keeps it from being done.
    #[error("Another collection is under way: try again when it has ended.")]
    JobTaken,
    /// Another process took this work over, because this one was too slow.
    #[error("The work was stopped because another process has taken it over.")]
    JobLost,
    /// Too many requests that take long wait for their turn.
    #[error("The registry is looking through too many images at the moment: try again in a few seconds.")]
    Busy,
    /// The disk is full.
    #[error("The registry's storage is full: pulls go on, pushes must wait until the operator makes room.")]
    NoSpace,
    /// The disk cannot be written.
    #[error("The registry's storage cannot be written at the moment: pulls go on; try again later.")]
    NotWritable,
    /// The disk answered with an error.
    #[error(
        "The registry's storage failed during this request: try again in a few seconds, and give the operator the request id if it stays."
    )]
    StorageFailed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The process has no file descriptors or no memory left.
    #[error("The registry has too much to do at once: try again in a few seconds.")]
    Overloaded(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Something of ours is broken; the cause is for the log alone.
    #[error("The registry failed inside: try again, and give the operator the request id if it stays.")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn count(parts: usize) -> String {
    if parts == 1 { "a part".to_owned() } else { format!("{parts} parts") }
}

fn first(missing: &[Digest]) -> String {
    missing.first().map(ToString::to_string).unwrap_or_default()
}

/// An invariant of ours that does not hold.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Broken(&'static str);

impl Error {
    pub(crate) fn broken(invariant: &'static str) -> Self {
        Self::Internal(Box::new(Broken(invariant)))
    }

    /// The distribution specification's code for it.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::BlobUnknown { .. } => ErrorCode::BlobUnknown,
            Self::ManifestUnknown { .. } => ErrorCode::ManifestUnknown,
            Self::NameUnknown(_) | Self::ProjectGone(_) => ErrorCode::NameUnknown,
            Self::UploadUnknown { .. } | Self::StagedGone => ErrorCode::BlobUploadUnknown,
            Self::UploadBusy | Self::BodyCut { .. } | Self::ChunkOutOfOrder { .. } => {
                ErrorCode::BlobUploadInvalid
            }
            Self::ChunkLength { .. } => ErrorCode::SizeInvalid,
            Self::DigestMismatch { .. } => ErrorCode::DigestInvalid,
            Self::ManifestInvalid(_) | Self::ManifestConflict(_) => ErrorCode::ManifestInvalid,
            Self::ManifestBlobUnknown { .. } => ErrorCode::ManifestBlobUnknown,
            Self::InUse { .. } => ErrorCode::Unsupported,
            Self::TooManyUploads { .. } => ErrorCode::TooManyRequests,
            Self::NoSpace
            | Self::NotWritable
            | Self::StorageFailed(_)
            | Self::Overloaded(_)
            | Self::Busy
            | Self::JobTaken
            | Self::JobLost => ErrorCode::Unavailable,
            Self::BlobDamaged(_) | Self::Internal(_) => ErrorCode::Unknown,
        }
    }

    /// The HTTP status that goes with it.
    pub fn status(&self) -> u16 {
        match self {
            Self::ChunkOutOfOrder { .. } => 416,
            Self::UploadBusy => 409,
            Self::NoSpace => 507,
            Self::NotWritable
            | Self::StorageFailed(_)
            | Self::Overloaded(_)
            | Self::Busy
            | Self::JobTaken
            | Self::JobLost => 503,
            Self::BlobDamaged(_) | Self::Internal(_) => 500,
            other => other.code().status(),
        }
    }

    /// Whether the disk takes no writes: nobody's mistake, and over by itself or by the operator's hand. What only
    /// spares work later goes on without having been noted.
    pub fn is_storage_fault(&self) -> bool {
        matches!(self, Self::NoSpace | Self::NotWritable | Self::StorageFailed(_))
    }

    /// Digests that belong in the answer's `detail`.
    pub fn digests(&self) -> &[Digest] {
        match self {
            Self::ManifestBlobUnknown { missing, .. } => missing,
            Self::BlobDamaged(digest)
            | Self::BlobUnknown { digest, .. }
            | Self::DigestMismatch { expected: digest, .. } => std::slice::from_ref(digest),
            Self::InUse { used_by, .. } => std::slice::from_ref(used_by),
            _ => &[],
        }
    }
}

impl From<RecordError> for Error {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::NoSpace => Self::NoSpace,
            RecordError::ReadOnly => Self::NotWritable,
            failed @ (RecordError::Io(_) | RecordError::Lost) => Self::StorageFailed(Box::new(failed)),
            exhausted @ RecordError::Exhausted(_) => Self::Overloaded(Box::new(exhausted)),
            other => Self::Internal(Box::new(other)),
        }
    }
}

impl From<BlobError> for Error {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NoSpace => Self::NoSpace,
            BlobError::ReadOnly => Self::NotWritable,
            failed @ BlobError::Io(_) => Self::StorageFailed(Box::new(failed)),
            exhausted @ BlobError::Exhausted(_) => Self::Overloaded(Box::new(exhausted)),
            BlobError::InUse => Self::UploadBusy,
            BlobError::Gone => Self::StagedGone,
            other => Self::Internal(Box::new(other)),
        }
    }
}

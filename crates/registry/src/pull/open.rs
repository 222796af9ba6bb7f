//! An opened blob, and whether its bytes may be sent as they are.
//!
//! Invariant: only a [`TrustedBlob`] gives out parts of its file. An [`UntrustedBlob`] is read from the beginning
//! to the end with its last window held back until the whole has been compared with the digest, or
//! becomes a trusted one first. So wrong bytes are never a complete answer, and the types see to it.

use std::io;

use bytes::Bytes;
use futures_util::{Stream, stream};
use hythe_oci::Digest;
use hythe_store::BlobFile;
use hythe_store::blobs::Window;
use hythe_store::records::stamps::{Stamp, StoredBlob};

use crate::check::Finding;
use crate::{Error, Registry};

/// A blob that was opened for a pull.
#[derive(Debug)]
pub enum OpenBlob {
    /// Its file looks as it did when it was verified, and that is not long ago.
    Trusted(TrustedBlob),
    /// It has to be compared with its digest.
    Untrusted(UntrustedBlob),
}

impl OpenBlob {
    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Trusted(blob) => blob.file.size(),
            Self::Untrusted(blob) => blob.file.size(),
        }
    }

    /// The same, fit for being sent in parts.
    pub async fn for_ranges(self) -> Result<TrustedBlob, Error> {
        match self {
            Self::Trusted(blob) => Ok(blob),
            Self::Untrusted(blob) => blob.for_ranges().await,
        }
    }
}

/// A blob whose file may be sent as it is, whole or in parts.
#[derive(Clone, Debug)]
pub struct TrustedBlob {
    file: BlobFile,
}

impl TrustedBlob {
    /// The file to send from.
    pub fn file(&self) -> &BlobFile {
        &self.file
    }
}

/// A blob that was not verified for long, or whose file does not look as it did then.
#[derive(Debug)]
pub struct UntrustedBlob {
    registry: Registry,
    digest: Digest,
    file: BlobFile,
    stored: StoredBlob,
    /// Whether its file looks other than at its last verification; a file never verified does not.
    changed: bool,
}

impl UntrustedBlob {
    /// All its bytes. The last window comes only if all of them hash to the digest; else the stream ends
    /// with an error, and the copy is looked at closely before that error shows.
    pub fn read(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let verification = self.file.verification(self.digest);
        stream::unfold((self, verification), |(blob, mut verification)| async move {
            let window = match verification.next().await {
                Ok(None) => return None,
                Ok(Some(Window::Middle(bytes))) => Ok(bytes),
                Ok(Some(Window::Last(bytes, true))) => {
                    blob.verified();
                    Ok(bytes)
                }
                Ok(Some(Window::Last(_, false))) | Err(_) => Err(blob.refuted().await),
            };
            Some((window, (blob, verification)))
        })
    }

    /// Where only time has passed since the last verification, parts are sent as they are: the scrub
    /// comes for such a blob anyway. Where the file was touched, all of it is verified first.
    async fn for_ranges(self) -> Result<TrustedBlob, Error> {
        if !self.changed {
            return Ok(TrustedBlob { file: self.file });
        }
        match self.registry.examine(self.digest).await? {
            Finding::Intact(stamp) if stamp.file == self.file.state() => Ok(TrustedBlob { file: self.file }),
            Finding::Intact(stamp) => self.registry.reopen(self.digest, stamp).await,
            Finding::Damaged(_) | Finding::Unrecorded => Err(Error::BlobDamaged(self.digest)),
        }
    }

    /// Renews the stamp without making the client wait for it.
    fn verified(&self) {
        let stamp = Stamp { file: self.file.state(), verified: self.registry.now() };
        let (registry, digest, stored) = (self.registry.clone(), self.digest, self.stored);
        tokio::spawn(async move {
            if let Err(error) = registry.renew(digest, stored, stamp).await {
                tracing::warn!(%digest, error = &error as &dyn std::error::Error, "a verification cannot be noted");
            }
        });
    }

    async fn refuted(&self) -> io::Error {
        if let Err(error) = self.registry.examine(self.digest).await {
            tracing::warn!(
                digest = %self.digest,
                error = &error as &dyn std::error::Error,
                "a blob that was read wrong cannot be looked at closely"
            );
        }
        io::Error::new(io::ErrorKind::InvalidData, Error::BlobDamaged(self.digest))
    }
}

impl Registry {
    /// Judges an opened file by what is known of it.
    pub(super) fn judge(&self, digest: Digest, file: BlobFile, stored: StoredBlob) -> OpenBlob {
        let stamp = self.stamp_of(&digest, &stored);
        let touched = stamp.is_some_and(|stamp| stamp.file != file.state());
        let recent = stamp.is_some_and(|stamp| self.now().since(stamp.verified) < self.options().scrub.age);
        if recent && !touched {
            return OpenBlob::Trusted(TrustedBlob { file });
        }
        OpenBlob::Untrusted(UntrustedBlob { registry: self.clone(), digest, file, stored, changed: touched })
    }

    /// Opens the file that was just found intact.
    pub(super) async fn reopen(&self, digest: Digest, stamp: Stamp) -> Result<TrustedBlob, Error> {
        match self.blobs().open(&digest).await? {
            Some(file) if file.state() == stamp.file => Ok(TrustedBlob { file }),
            _ => Err(Error::BlobDamaged(digest)),
        }
    }
}

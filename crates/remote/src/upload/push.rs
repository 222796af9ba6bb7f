//! A blob in one piece (distribution specification, "Pushing a blob monolithically": POST, then PUT).

use hythe_oci::{Digest, RepositoryName};
use hythe_outbound::Content;

use super::{Expected, Upload};
use crate::{Remote, RemoteError};

impl Remote {
    /// Uploads a blob in one piece: a POST opens the session, a PUT carries all bytes.
    ///
    /// `content` gives the blob's bytes from an offset to its end, `size` bytes in all; it is called again
    /// when a connection breaks, and read as fast as the registry takes it. To follow the progress, look at
    /// the streams as they go by. The registry checks the digest.
    ///
    /// What broke off goes on where the registry says it stands; a session that cannot go on is begun anew.
    ///
    /// # Errors
    /// The registry refused, the transfer broke off too often, or `content` failed
    /// ([`RemoteError::Content`]).
    pub async fn push_blob<S>(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        size: u64,
        content: impl Fn(u64) -> S + Send + Sync,
    ) -> Result<(), RemoteError>
    where
        S: Into<Content>,
    {
        let expected = Expected { digest: *digest, size };
        let mut attempts = self.attempts(format_args!("push blob {digest}"));
        loop {
            let mut upload = self.start_upload(repository, Some(expected)).await?;
            match upload.close(digest, size, &content).await {
                Ok(()) => return Ok(()),
                Err(error) if upload.is_spoilt(&error) => attempts.pause_anyway(error).await?,
                Err(error) => return Err(error),
            }
        }
    }
}

impl Upload {
    /// Whether the error comes from having gone on after a break, which some registries cannot do although
    /// they say so: they have lost the session, or the bytes that they had taken.
    fn is_spoilt(&self, error: &RemoteError) -> bool {
        self.was_broken()
            && match error {
                RemoteError::WentBack { .. } | RemoteError::Protocol { .. } => true,
                RemoteError::Refused(refusal) => matches!(refusal.status, 400 | 404 | 405 | 409 | 410 | 416),
                _ => false,
            }
    }
}

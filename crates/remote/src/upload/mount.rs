//! Mounting: a blob that the registry has in another repository need not be sent (distribution specification
//! end-11).

use hythe_oci::{RepositoryName, Route};
use hythe_outbound::{Method, Request, StatusCode};

use super::{Expected, Upload};
use crate::error::is_transient_status;
use crate::scope::{Access, Scope};
use crate::{Remote, RemoteError};

/// How a registry answers when it is asked to mount a blob.
pub enum Mount {
    /// The blob is in the repository now.
    Mounted,
    /// It is not to be had there; the registry has opened an upload instead. Use it, or cancel it.
    Opened(Box<Upload>),
}

fn opened(upload: Upload) -> Mount {
    Mount::Opened(Box::new(upload))
}

impl Remote {
    /// Asks for a blob of the repository `from` to be in `repository` as well, or opens an upload for it; without `from` the registry
    /// may look wherever the caller can read.
    ///
    /// A registry that refuses to mount is asked for a plain upload: what it says to that counts.
    ///
    /// # Errors
    /// The registry refused both.
    pub async fn mount_blob(
        &self,
        repository: &RepositoryName,
        blob: Expected,
        from: Option<&RepositoryName>,
    ) -> Result<Mount, RemoteError> {
        let mut url = self.url(&Route::Uploads { name: repository.clone() }.path())?;
        let mut scope = Scope::of(repository, Access::Push);
        url.query_pairs_mut().append_pair("mount", &blob.digest.to_string());
        if let Some(from) = from {
            url.query_pairs_mut().append_pair("from", from.as_str());
            scope = scope.and(Scope::of(from, Access::Pull));
        }
        let mut attempts = self.attempts(format_args!("mount blob {} in {repository}", blob.digest));
        let build = |url| blob.written_on(Request::new(Method::POST, url));
        let asked = self.send(&mut attempts, &scope, &url, build).await;
        let refused = match asked {
            Ok(response) if response.status() == StatusCode::CREATED => {
                self.confirm_digest(&response, &blob.digest)?;
                return Ok(Mount::Mounted);
            }
            Ok(response) if response.status() == StatusCode::ACCEPTED => {
                return Upload::opened(self, repository, &response, Some(blob)).map(opened);
            }
            Ok(response) => self.refusal(response).await,
            Err(error) => error,
        };
        match refused.status() {
            Some(status) if (400..500).contains(&status) && !is_transient_status(status) => {
                self.start_upload(repository, Some(blob)).await.map(opened)
            }
            _ => Err(refused),
        }
    }
}

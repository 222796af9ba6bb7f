//! Removing (distribution specification end-9, end-10), which many registries do in part or not at all.

use hythe_oci::{ErrorCode, RepositoryName};
use hythe_outbound::{Method, Request, StatusCode, Url};

use crate::scope::{Access, Scope};
use crate::{Refusal, Remote, RemoteError};

/// What is to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Manifest,
    Tag,
    Blob,
}

impl Target {
    fn what(self) -> &'static str {
        match self {
            Self::Manifest => "to delete a manifest",
            Self::Tag => "to delete a tag by its name",
            Self::Blob => "to delete a blob",
        }
    }

    /// Whether the refusal means that the registry never does this.
    fn is_unsupported(self, refusal: &Refusal) -> bool {
        matches!(refusal.status, 405 | 501)
            || refusal.has_code(ErrorCode::Unsupported)
            // The reference implementation of old reads the tag as a digest, and finds that malformed.
            || self == Self::Tag && refusal.status == 400
    }
}

impl Remote {
    pub(crate) async fn delete(
        &self,
        repository: &RepositoryName,
        target: Target,
        url: &Url,
        name: &str,
    ) -> Result<(), RemoteError> {
        let mut attempts = self.attempts(format_args!("delete {repository} {name}"));
        let scope = Scope::of(repository, Access::Delete);
        let response = self.send(&mut attempts, &scope, url, |url| Request::new(Method::DELETE, url)).await?;
        match response.status() {
            StatusCode::ACCEPTED | StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
            // An attempt whose answer was lost may have done it.
            StatusCode::NOT_FOUND if attempts.is_repeated() => Ok(()),
            _ => {
                let refusal = Box::new(Refusal::read(response).await);
                Err(if target.is_unsupported(&refusal) {
                    RemoteError::Unsupported { what: target.what(), refusal }
                } else {
                    RemoteError::Refused(refusal)
                })
            }
        }
    }
}

//! The largest piece of an upload that gets through: proxies have limits of their own, and say so only in the middle of a
//! push.
//!
//! Invariant: an upload is begun only in a project that was named for it, and is taken back whatever happens to it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hythe_client::Credentials;
use hythe_oci::RepositoryName;
use hythe_remote::{Remote, RemoteError, RetryPolicy, Upload};
use tokio::time::timeout;

use super::finding::{Check, Finding, Report};
use super::server::{Kept, Patient};

/// The sizes that are tried, in bytes, the last being the bound. Above it nobody has heard of a limit that is not "none".
const SIZES: [u64; 3] = [1 << 20, 16 << 20, 128 << 20];

/// How long all of it may take; a slow line ends it early, which is no failure.
const TIME: Duration = Duration::from_secs(90);

/// How long taking the upload back may take.
const CANCEL_TIME: Duration = Duration::from_secs(15);

/// The bytes that are sent, again and again.
static NOTHING: [u8; 64 * 1024] = [0; 64 * 1024];

const FIX: &str = "raise the proxy's limit: for nginx `client_max_body_size 0;` and `proxy_request_buffering off;` in the \
                   server's block";

/// Sends growing pieces into an upload that is thrown away.
pub(super) async fn check(patient: &Patient<'_>, reachable: bool, report: &Report) {
    let check = Check::UploadSize;
    let Some(project) = patient.project else {
        let finding = Finding::not_checked(check, "No project is named to which you may push");
        return report.tell(finding.with_fix("pass --project PROJECT to try: nothing is kept of it"));
    };
    if !reachable {
        return report.tell(Finding::not_checked(check, "No registry answers"));
    }
    let Ok(repository) = format!("{project}/hythe-doctor").parse::<RepositoryName>() else {
        return report.tell(Finding::not_checked(check, format!("{project} is too long a name")));
    };
    let credentials = match &patient.login {
        Kept::Login(login) => {
            Credentials::Password { user: login.username.clone(), secret: login.secret.clone() }
        }
        Kept::Nothing | Kept::Told => Credentials::Anonymous,
    };
    let started = async {
        // The proof of who we are is asked for first, so that no piece is sent in vain.
        let remote = Remote::new(patient.outbound.clone(), patient.url, &credentials)?
            .with_retries(RetryPolicy::NEVER);
        remote.start_upload(&repository, None).await
    };
    let mut upload = match timeout(CANCEL_TIME, started).await {
        Ok(Ok(upload)) => upload,
        Ok(Err(error)) => {
            let fix = format!("sign in as somebody who may push to {project}, or name another project");
            return report.tell(Finding::failed(check, format!("No upload could be begun: {error}"), fix));
        }
        Err(_) => {
            return report.tell(Finding::failed(
                check,
                "No upload could be begun in time",
                "look at the server's log",
            ));
        }
    };
    let mut passed = 0;
    let mut finding = None;
    let trying = async {
        for size in SIZES {
            match upload.append(size, move |from| piece(size.saturating_sub(from))).await {
                Ok(_) => passed = size,
                Err(error) => {
                    finding = Some(refused(size, passed, &error));
                    return;
                }
            }
        }
    };
    let slow = timeout(TIME, trying).await.is_err();
    let finding = finding.unwrap_or_else(|| {
        if slow {
            Finding::not_checked(
                check,
                format!("The line is slow: pieces of {} got through in time", mebibytes(passed)),
            )
        } else {
            Finding::ok(check, format!("Pieces of {} get through", mebibytes(passed)))
        }
    });
    report.tell(finding);
    take_back(upload).await;
}

fn refused(size: u64, passed: u64, error: &RemoteError) -> Finding {
    let check = Check::UploadSize;
    let reached =
        if passed == 0 { String::new() } else { format!(", while one of {} got through", mebibytes(passed)) };
    let piece = mebibytes(size);
    match (error.status(), error) {
        (Some(413), _) => Finding::failed(
            check,
            format!(
                "A piece of {piece} is refused as too large (413){reached}: a proxy before the registry has a limit"
            ),
            FIX,
        ),
        (None, RemoteError::Outbound(_)) => Finding::failed(
            check,
            format!(
                "The connection broke while a piece of {piece} was sent{reached}: {error}; a proxy before the registry may have a limit"
            ),
            FIX,
        ),
        _ => Finding::failed(
            check,
            format!("A piece of {piece} is refused{reached}: {error}"),
            "do what the registry says",
        ),
    }
}

/// So many bytes of nothing.
fn piece(size: u64) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    let step = NOTHING.len() as u64;
    let sizes = (0..size.div_ceil(step)).map(move |at| (size - at * step).min(step));
    stream::iter(sizes).map(|size| {
        let size = usize::try_from(size).unwrap_or(NOTHING.len());
        Ok(Bytes::from_static(NOTHING.get(..size).unwrap_or(&NOTHING)))
    })
}

async fn take_back(upload: Upload) {
    match timeout(CANCEL_TIME, upload.cancel()).await {
        Ok(Ok(())) => {}
        // It ends by itself at the registry.
        Ok(Err(error)) => tracing::debug!(%error, "the upload could not be cancelled"),
        Err(_) => tracing::debug!("the upload could not be cancelled in time"),
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    #[test]
    fn a_piece_has_its_size() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for size in [0, 1, 64 * 1024, 64 * 1024 + 1, 1 << 20] {
            let sent: Vec<Bytes> = runtime.block_on(piece(size).try_collect()).unwrap();
            assert_eq!(sent.iter().map(Bytes::len).sum::<usize>() as u64, size);
        }
    }
}

//! `hythe upload`: uploads that were begun and not finished.

use hythe_api::OpenUpload;
use hythe_client::{Api, ApiError};
use indicatif::DecimalBytes;
use serde::Serialize;

use super::Deleted;
use super::session::{Session, refused};
use crate::arguments::UploadCommand;
use crate::failure::{Exit, Failure};
use crate::printer::{Printer, moment};

/// What `upload cancel --dry-run` says to programs.
#[derive(Serialize)]
struct Cancelled<'a> {
    id: &'a str,
    dry_run: bool,
    /// The bytes that would be thrown away.
    bytes: u64,
}

pub(super) async fn run(command: UploadCommand, printer: Printer) -> Result<(), Failure> {
    match command {
        UploadCommand::List { project, connection } => {
            let api = Session::open(&connection)?.api;
            let uploads: Vec<OpenUpload> =
                api.uploads(&project).map_err(refused)?.all().await.map_err(refused)?;
            let rows = uploads.iter().map(|upload| {
                vec![
                    upload.id.clone(),
                    upload.repository.to_string(),
                    upload.user.to_string(),
                    upload.received.to_string(),
                    moment(&upload.started),
                    moment(&upload.expires),
                ]
            });
            printer.table(&uploads, &["id", "repository", "user", "bytes", "started", "expires"], rows)
        }
        UploadCommand::Cancel { id, dry_run: true, connection } => {
            let api = Session::open(&connection)?.api;
            let found = find(&api, &id.to_string()).await.map_err(refused)?;
            let Some(upload) = found else {
                return Err(Failure::new(
                    Exit::NotFound,
                    format!("There is no upload {id} that you may see: it may have ended"),
                ));
            };
            let told = Cancelled { id: &upload.id, dry_run: true, bytes: upload.received };
            let sentence = format!(
                "Would cancel the upload {id} of {} to {}: {} would be thrown away",
                upload.user,
                upload.repository,
                DecimalBytes(upload.received)
            );
            printer.named(&told, [&upload.id], &sentence)
        }
        UploadCommand::Cancel { id, connection, .. } => {
            let api = Session::open(&connection)?.api;
            api.cancel_upload(&id).await.map_err(refused)?;
            let id = id.to_string();
            printer.named(&Deleted::new(&id), [&id], &format!("Cancelled the upload {id}"))
        }
    }
}

/// An open upload by its id: one's own, else one of the projects in which one may see them.
async fn find(api: &Api, id: &str) -> Result<Option<OpenUpload>, ApiError> {
    let mut own = api.own_uploads()?;
    while let Some(upload) = own.next().await? {
        if upload.id == id {
            return Ok(Some(upload));
        }
    }
    let mut projects = api.projects()?;
    while let Some(project) = projects.next().await? {
        let uploads = match api.uploads(&project.name)?.all().await {
            Ok(uploads) => uploads,
            // Not to be allowed there is not to see it.
            Err(error) if matches!(error.status(), Some(403 | 404)) => continue,
            Err(error) => return Err(error),
        };
        if let Some(upload) = uploads.into_iter().find(|upload| upload.id == id) {
            return Ok(Some(upload));
        }
    }
    Ok(None)
}

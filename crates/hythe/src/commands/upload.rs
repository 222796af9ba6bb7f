//! `hythe upload`: uploads that were begun and not finished.

use hythe_api::OpenUpload;

use super::Deleted;
use super::session::{Session, refused};
use crate::arguments::UploadCommand;
use crate::failure::Failure;
use crate::printer::{Printer, moment};

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
        UploadCommand::Cancel { id, connection } => {
            let api = Session::open(&connection)?.api;
            api.cancel_upload(&id).await.map_err(refused)?;
            let id = id.to_string();
            printer.named(&Deleted::new(&id), [&id], &format!("Cancelled the upload {id}"))
        }
    }
}

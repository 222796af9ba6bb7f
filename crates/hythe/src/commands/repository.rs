//! `hythe repo`: repositories of a project.

use std::collections::BTreeMap;

use hythe_api::{NewRepository, ProblemCode, Repository};
use hythe_oci::Digest;
use indicatif::DecimalBytes;
use serde::Serialize;

use super::Deleted;
use super::session::{Session, refused};
use crate::arguments::{RepositoryArguments, RepositoryCommand};
use crate::failure::{Exit, Failure};
use crate::printer::{Printer, counted, is_attended, moment};

/// What `repo create` says to programs.
#[derive(Serialize)]
struct Created {
    name: String,
    /// Nothing was done, for it was there.
    already_there: bool,
}

/// What `repo rm --dry-run` says to programs.
#[derive(Serialize)]
struct Content<'a> {
    name: &'a str,
    dry_run: bool,
    /// Tags that would go.
    tags: usize,
    /// Images with a tag that would go.
    images: usize,
    /// Their bytes; what they share counts for each, and other repositories may hold it as well.
    bytes_at_most: u64,
}

pub(super) async fn run(command: RepositoryCommand, printer: Printer) -> Result<(), Failure> {
    match command {
        RepositoryCommand::Create(arguments) => {
            let api = Session::open(&arguments.connection)?.api;
            let wanted = NewRepository { name: arguments.name };
            let already_there = match api.create_repository(&wanted).await {
                Ok(_) => false,
                // Whoever wants it there has it there.
                Err(error) if error.code() == Some(ProblemCode::AlreadyExists) => true,
                Err(error) => return Err(refused(error)),
            };
            let created = Created { name: wanted.name.to_string(), already_there };
            let sentence = if already_there {
                format!("The repository {} is already there", created.name)
            } else {
                format!("Created the empty repository {}", created.name)
            };
            printer.named(&created, [&created.name], &sentence)
        }
        RepositoryCommand::List { project, connection } => {
            let api = Session::open(&connection)?.api;
            let repositories: Vec<Repository> =
                api.repositories(&project).map_err(refused)?.all().await.map_err(refused)?;
            let rows = repositories.iter().map(|repository| {
                vec![
                    repository.name.to_string(),
                    repository.manifests.to_string(),
                    moment(&repository.updated),
                ]
            });
            printer.table(&repositories, &["name", "manifests", "updated"], rows)
        }
        RepositoryCommand::Delete { yes, dry_run, repository } => {
            delete(&repository, yes, dry_run, printer).await
        }
    }
}

/// Deletes a repository, or counts what would go.
async fn delete(
    repository: &RepositoryArguments,
    yes: bool,
    dry_run: bool,
    printer: Printer,
) -> Result<(), Failure> {
    let api = Session::open(&repository.connection)?.api;
    let name = repository.name.to_string();
    let ask = !yes && !dry_run && is_attended();
    if dry_run || ask {
        let images = api.images_of(&repository.name).map_err(refused)?.all().await.map_err(refused)?;
        let bytes: BTreeMap<Digest, u64> = images.iter().map(|image| (image.digest, image.size)).collect();
        let content = Content {
            name: &name,
            dry_run,
            tags: images.len(),
            images: bytes.len(),
            bytes_at_most: bytes.values().fold(0, |sum, bytes| sum.saturating_add(*bytes)),
        };
        let held = format!(
            "the repository {name}: {} of {}, up to {}",
            counted(content.tags, "tag"),
            counted(content.images, "image"),
            DecimalBytes(content.bytes_at_most)
        );
        if dry_run {
            return printer.named(&content, [&name], &format!("Would delete {held}"));
        }
        printer.talk(&format!("To be deleted with everything in it: {held}"));
        if !printer.is_agreed("Delete it?") {
            return Err(Failure::new(Exit::Failed, "Nothing was deleted"));
        }
    }
    api.delete_repository(&repository.name).await.map_err(refused)?;
    let sentence = format!("Deleted the repository {name} with everything in it");
    printer.named(&Deleted::new(&name), [&name], &sentence)
}

//! `hythe repo`: repositories of a project.

use std::collections::BTreeMap;

use hythe_api::{NewRepository, ProblemCode, Repository};
use hythe_client::{Api, ApiError};
use hythe_oci::{Digest, RepositoryName};
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
    dry_run: bool,
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
        RepositoryCommand::Create { dry_run, repository } => create(repository, dry_run, printer).await,
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

/// Makes a repository, or looks whether it would be made.
async fn create(repository: RepositoryArguments, dry_run: bool, printer: Printer) -> Result<(), Failure> {
    let api = Session::open(&repository.connection)?.api;
    let name = repository.name;
    let already_there = if dry_run {
        is_there(&api, &name).await.map_err(refused)?
    } else {
        match api.create_repository(&NewRepository { name: name.clone() }).await {
            Ok(_) => false,
            // Whoever wants it there has it there.
            Err(error) if error.code() == Some(ProblemCode::AlreadyExists) => true,
            Err(error) => return Err(refused(error)),
        }
    };
    let sentence = match (already_there, dry_run) {
        (true, _) => format!("The repository {name} is already there"),
        (false, true) => format!("Would create the empty repository {name}"),
        (false, false) => format!("Created the empty repository {name}"),
    };
    let created = Created { name: name.to_string(), already_there, dry_run };
    printer.named(&created, [&created.name], &sentence)
}

async fn is_there(api: &Api, name: &RepositoryName) -> Result<bool, ApiError> {
    let mut repositories = api.repositories(&name.project())?;
    while let Some(repository) = repositories.next().await? {
        if repository.name == *name {
            return Ok(true);
        }
    }
    Ok(false)
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

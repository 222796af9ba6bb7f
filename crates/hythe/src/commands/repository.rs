//! `hythe repo`: repositories of a project.

use hythe_api::{NewRepository, ProblemCode, Repository};
use serde::Serialize;

use super::Deleted;
use super::session::{Session, refused};
use crate::arguments::RepositoryCommand;
use crate::failure::Failure;
use crate::printer::Printer;

/// What `repo create` says to programs.
#[derive(Serialize)]
struct Created {
    name: String,
    /// Nothing was done, for it was there.
    already_there: bool,
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
                    repository.updated.clone(),
                ]
            });
            printer.table(&repositories, &["name", "manifests", "updated"], rows)
        }
        RepositoryCommand::Delete(arguments) => {
            let api = Session::open(&arguments.connection)?.api;
            api.delete_repository(&arguments.name).await.map_err(refused)?;
            let name = arguments.name.to_string();
            let sentence = format!("Deleted the repository {name} with everything in it");
            printer.named(&Deleted::new(&name), [&name], &sentence)
        }
    }
}

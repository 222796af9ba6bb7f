//! `hythe repository`: repositories of a project.

use hythe_api::{NewRepository, Repository};

use super::Deleted;
use super::session::{Session, refused};
use crate::arguments::RepositoryCommand;
use crate::failure::Failure;
use crate::printer::Printer;

pub(super) async fn run(command: RepositoryCommand, printer: Printer) -> Result<(), Failure> {
    match command {
        RepositoryCommand::Create(arguments) => {
            let api = Session::open(&arguments.connection)?.api;
            let wanted = NewRepository { name: arguments.name };
            let repository = api.create_repository(&wanted).await.map_err(refused)?;
            printer.result(&repository, &format!("Created the empty repository {}", repository.name))
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
            printer
                .result(&Deleted::new(&name), &format!("Deleted the repository {name} with everything in it"))
        }
    }
}

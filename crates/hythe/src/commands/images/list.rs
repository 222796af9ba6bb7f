//! `hythe ls`: projects, the images of a project, the tags of a repository.

use hythe_api::{Image, Project};
use hythe_oci::{ProjectName, RepositoryName};

use super::page::fitting;
use crate::arguments::ListArguments;
use crate::commands::session::{Session, refused};
use crate::failure::{Exit, Failure, sentence};
use crate::printer::{self, Printer, moment};

pub(in crate::commands) async fn list(arguments: ListArguments, printer: Printer) -> Result<(), Failure> {
    let api = Session::open(&arguments.connection)?.api;
    let Some(of) = &arguments.of else {
        let projects: Vec<Project> = api.projects().map_err(refused)?.all().await.map_err(refused)?;
        let rows = projects.iter().map(|project| vec![project.name.to_string(), moment(&project.created)]);
        return printer.table(&projects, &["project", "created"], rows);
    };
    let wrong = |error: hythe_oci::NameError| Failure::new(Exit::Usage, sentence(error));
    let images: Vec<Image> = if of.contains('/') {
        let repository: RepositoryName = of.parse().map_err(wrong)?;
        api.images_of(&repository).map_err(refused)?.all().await.map_err(refused)?
    } else {
        let project: ProjectName = of.parse().map_err(wrong)?;
        api.images(&project).map_err(refused)?.all().await.map_err(refused)?
    };
    let width = printer::width();
    let rows = images.iter().map(|image| {
        vec![
            format!("{}:{}", image.repository, image.tag),
            indicatif::DecimalBytes(image.size).to_string(),
            fitting(&image.digest, width),
            moment(&image.updated),
        ]
    });
    printer.table(&images, &["image", "size", "digest", "updated"], rows)
}

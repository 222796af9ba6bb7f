//! Tagged images as people list them: by project or by repository, with digest and size.

use std::fmt;
use std::str::FromStr;

use hythe_identity::Caller;
use hythe_oci::{ProjectName, RepositoryName, Tag};
use hythe_store::Reader;
use hythe_store::records::projects::ProjectId;
pub use hythe_store::records::tags::TaggedImage;

use super::ProjectError;
use crate::{Page, Registry};

/// Where a project's list of images goes on: behind this tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePosition {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag in it.
    pub tag: Tag,
}

impl ImagePosition {
    /// The position of an image in the list.
    pub fn of(repository: &RepositoryName, tag: &Tag) -> Self {
        Self { repository: repository.clone(), tag: tag.clone() }
    }
}

impl fmt::Display for ImagePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

impl FromStr for ImagePosition {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "it is no position in a list of images";
        let (repository, tag) = text.split_once(':').ok_or(wrong)?;
        let (repository, tag) = (repository.parse().map_err(|_| wrong)?, tag.parse().map_err(|_| wrong)?);
        Ok(Self { repository, tag })
    }
}

impl Registry {
    /// The tagged images of a project after a position, by repository and tag.
    pub async fn list_images(
        &self,
        caller: &Caller,
        project: &ProjectName,
        after: Option<ImagePosition>,
        limit: u32,
    ) -> Result<Page<TaggedImage>, ProjectError> {
        let id = self.seen_project(caller, project).await?.project.id;
        let rows = self
            .records()
            .read(move |r| images_of_project(r, id, after.as_ref(), limit.saturating_add(1)))
            .await?;
        Ok(Page::cut(rows, limit))
    }

    /// The tagged images of a repository after a tag, in order.
    pub async fn list_images_of(
        &self,
        caller: &Caller,
        repository: &RepositoryName,
        after: Option<Tag>,
        limit: u32,
    ) -> Result<Page<TaggedImage>, ProjectError> {
        let project = self.seen_project(caller, &repository.project()).await?.project.id;
        let name = repository.clone();
        let rows = self
            .records()
            .read(move |r| {
                let Some(row) = r.repository(&name)?.filter(|row| row.project == project) else {
                    return Err(ProjectError::NotFound(format!("repository {name}")));
                };
                Ok(r.images(row.id, after.as_ref(), limit.saturating_add(1))?)
            })
            .await?;
        Ok(Page::cut(rows, limit))
    }
}

/// First what is left of the position's repository, then the repositories behind it: each a search in an index.
fn images_of_project(
    r: &Reader<'_>,
    project: ProjectId,
    after: Option<&ImagePosition>,
    limit: u32,
) -> Result<Vec<TaggedImage>, ProjectError> {
    let mut rows = Vec::new();
    if let Some(position) = after
        && let Some(row) = r.repository(&position.repository)?.filter(|row| row.project == project)
    {
        rows = r.images(row.id, Some(&position.tag), limit)?;
    }
    let left = limit.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
    if left > 0 {
        rows.extend(r.images_of_project(project, after.map(|position| &position.repository), left)?);
    }
    Ok(rows)
}

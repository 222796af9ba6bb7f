//! Announcing a push: "this image is on its way". It ends with the manifest, when it is withdrawn, or by itself when
//! its client does not renew it: a push that was killed must not keep an image pending for days.

use std::collections::BTreeMap;
use std::time::Duration;

use hythe_identity::Caller;
use hythe_oci::{Action, Digest, RepositoryName, Tag};
use hythe_store::records::announcements::{AnnouncedPart, AnnouncementRow};
use hythe_store::records::projects::Role;

use crate::Registry;
use crate::projects::{ProjectError, signed_in};

/// The most parts that an announcement may name. The 64 KiB of a request hold fewer than a thousand.
pub const MOST_PARTS: usize = 1_000;

/// How long an announcement is believed that is not renewed.
pub const BELIEVED: Duration = Duration::from_mins(10);

/// An image that is going to be pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The manifest or index.
    pub digest: Digest,
    /// The tag it will get.
    pub tag: Option<Tag>,
    /// Everything it needs beside itself: blobs, and the children of an index.
    pub parts: Vec<AnnouncedPart>,
}

impl Registry {
    /// Announces a push into a repository, which need not exist yet. Needs the right to push. Announcing again
    /// replaces the announcement and renews its time.
    pub async fn announce(
        &self,
        caller: &Caller,
        repository: &RepositoryName,
        announcement: Announcement,
    ) -> Result<(), ProjectError> {
        let project = self.project_with(caller, repository, Action::Push, "announce images in").await?;
        let user = signed_in(caller)?.id.0;
        if announcement.parts.len() > MOST_PARTS {
            return Err(ProjectError::Invalid(format!(
                "The announcement names {} parts, and at most {MOST_PARTS} are taken: push without announcing.",
                announcement.parts.len()
            )));
        }
        let parts: BTreeMap<Digest, u64> =
            announcement.parts.into_iter().map(|part| (part.digest, part.size)).collect();
        let parts: Vec<_> = parts.into_iter().map(|(digest, size)| AnnouncedPart { digest, size }).collect();
        let now = self.now();
        let limit = self.options().uploads_per_user;
        let row = AnnouncementRow {
            project,
            repository: repository.clone(),
            digest: announcement.digest,
            user,
            tag: announcement.tag,
            announced: now,
            expires: now.plus(BELIEVED),
        };
        self.records()
            .write(move |w| {
                if w.project_id(&row.repository.project())? != Some(project) {
                    return Err(ProjectError::NotFound(format!("project {}", row.repository.project())));
                }
                // What is here already is not on its way: the announcement would never end.
                if let Some(found) = w.repository(&row.repository)?
                    && w.has_manifest(found.id, &row.digest)?
                    && tagged(w, &found, row.tag.as_ref(), &row.digest)?
                {
                    w.end_announcement(&row.repository, &row.digest)?;
                    return Ok(());
                }
                let renewed = w.announcer(&row.repository, &row.digest)? == Some(user);
                if !renewed && w.announcements_of(user, now, limit)? >= limit {
                    return Err(ProjectError::Invalid(format!(
                        "You have announced {limit} pushes that did not end, the most one user may have: finish or withdraw some, or wait until they expire."
                    )));
                }
                Ok(w.announce(&row, &parts)?)
            })
            .await
    }

    /// Withdraws an announcement: one's own, or any in a project one owns.
    pub async fn withdraw(
        &self,
        caller: &Caller,
        repository: &RepositoryName,
        digest: Digest,
    ) -> Result<(), ProjectError> {
        let project =
            self.project_with(caller, repository, Action::Push, "withdraw announcements in").await?;
        let user = signed_in(caller)?;
        let any = user.admin || self.role_of(project, user.id.0).await? == Some(Role::Owner);
        let (user, repository) = (user.id.0, repository.clone());
        self.records()
            .write(move |w| {
                let theirs = w.announcer(&repository, &digest)?;
                if theirs.is_some_and(|theirs| any || theirs == user) {
                    w.end_announcement(&repository, &digest)?;
                    return Ok(());
                }
                Err(ProjectError::NotFound(format!("announcement of {digest} in {repository}")))
            })
            .await
    }
}

/// Whether the tag names the digest; no tag asks for nothing.
fn tagged(
    r: &hythe_store::Reader<'_>,
    repository: &hythe_store::records::repositories::RepositoryRow,
    tag: Option<&Tag>,
    digest: &Digest,
) -> Result<bool, ProjectError> {
    match tag {
        None => Ok(true),
        Some(tag) => Ok(r.tag(repository.id, tag)?.as_ref() == Some(digest)),
    }
}

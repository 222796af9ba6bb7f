//! Projects and their members.

use std::time::Duration;

use hythe_oci::{ProjectName, UserName};
use rusqlite::{OptionalExtension, Row, params};

use super::columns::{name_at, time_at};
use super::{Reader, RecordError, Topic, Writer};
use crate::Timestamp;

/// Who may see a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Anybody may pull, signed in or not.
    Public,
    /// Any signed-in person may pull.
    Internal,
    /// Members only.
    Private,
}

impl Visibility {
    /// The word used in records, the API and the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Private => "private",
        }
    }
}

impl std::str::FromStr for Visibility {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "public" => Ok(Self::Public),
            "internal" => Ok(Self::Internal),
            "private" => Ok(Self::Private),
            _ => Err(UnknownWord),
        }
    }
}

/// What a member may do in a project; each role includes the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Pull.
    Reader,
    /// Pull and push.
    Pusher,
    /// Pull, push, delete, and manage the project and its members.
    Owner,
}

impl Role {
    /// The word used in records, the API and the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Pusher => "pusher",
            Self::Owner => "owner",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "reader" => Ok(Self::Reader),
            "pusher" => Ok(Self::Pusher),
            "owner" => Ok(Self::Owner),
            _ => Err(UnknownWord),
        }
    }
}

/// How layers are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// What every client unpacks.
    #[default]
    Gzip,
    /// Smaller and faster, for clients of recent years.
    Zstd,
}

impl Compression {
    /// The word used in records, the API and the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

impl std::str::FromStr for Compression {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => Err(UnknownWord),
        }
    }
}

/// A word that names no visibility, role or compression.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the word names no known choice")]
pub struct UnknownWord;

/// The random id of a project: a deleted and re-created name gets another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProjectId(pub i64);

/// A project's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectRow {
    /// Its id.
    pub id: ProjectId,
    /// Its name, the first component of its repositories' names.
    pub name: ProjectName,
    /// Who may see it.
    pub visibility: Visibility,
    /// Days after which an untagged manifest is collected; `None` keeps them for ever.
    pub untagged_days: Option<u32>,
    /// How clients should pack what they push to it.
    pub compression: Compression,
    /// When it was made.
    pub created: Timestamp,
}

/// A member of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// The user's name.
    pub user: UserName,
    /// Their role.
    pub role: Role,
}

const COLUMNS: &str = "p.id, p.name, p.visibility, p.untagged_days, p.created, p.compression";

fn project(row: &Row<'_>) -> rusqlite::Result<ProjectRow> {
    Ok(ProjectRow {
        id: ProjectId(row.get(0)?),
        name: name_at(row, 1)?,
        visibility: name_at(row, 2)?,
        untagged_days: row.get(3)?,
        created: time_at(row, 4)?,
        compression: name_at(row, 5)?,
    })
}

/// Changes when a project is made, changed or deleted.
pub fn project_topic(name: &ProjectName) -> Topic {
    Topic::new("project", name)
}

/// Changes when a user's role in a project changes.
pub fn member_topic(project: ProjectId, user: i64) -> Topic {
    Topic::new("member", &(project, user))
}

impl Reader<'_> {
    /// The project of this name.
    pub fn project(&self, name: &ProjectName) -> Result<Option<ProjectRow>, RecordError> {
        let sql = format!("SELECT {COLUMNS} FROM projects p WHERE p.name = ?1");
        Ok(self.conn().prepare_cached(&sql)?.query_row([name.as_str()], project).optional()?)
    }

    /// Projects after a name, in order: all of them for `everything`, else those that are public,
    /// internal (with a user), or have the user as a member.
    pub fn projects(
        &self,
        user: Option<i64>,
        everything: bool,
        after: Option<&ProjectName>,
        limit: u32,
    ) -> Result<Vec<ProjectRow>, RecordError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM projects p WHERE p.name > ?1 AND (?2 = 1 OR p.visibility = 'public'
               OR (p.visibility = 'internal' AND ?3 IS NOT NULL)
               OR EXISTS (SELECT 1 FROM members m WHERE m.project_id = p.id AND m.user_id = ?3))
             ORDER BY p.name LIMIT ?4"
        );
        let after = after.map_or("", ProjectName::as_str);
        let mut statement = self.conn().prepare_cached(&sql)?;
        let rows = statement.query_map(params![after, everything, user, limit], project)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A user's role in a project.
    pub fn role(&self, project: ProjectId, user: i64) -> Result<Option<Role>, RecordError> {
        let sql = "SELECT role FROM members WHERE project_id = ?1 AND user_id = ?2";
        let mut statement = self.conn().prepare_cached(sql)?;
        Ok(statement.query_row(params![project.0, user], |row| name_at(row, 0)).optional()?)
    }

    /// Members after a name, in order.
    pub fn members(
        &self,
        project: ProjectId,
        after: Option<&UserName>,
        limit: u32,
    ) -> Result<Vec<MemberRow>, RecordError> {
        let sql = "SELECT u.name, m.role FROM members m JOIN users u ON u.id = m.user_id
                   WHERE m.project_id = ?1 AND u.name > ?2 ORDER BY u.name LIMIT ?3";
        let mut statement = self.conn().prepare_cached(sql)?;
        let after = after.map_or("", UserName::as_str);
        let rows = statement.query_map(params![project.0, after, limit], |row| {
            Ok(MemberRow { user: name_at(row, 0)?, role: name_at(row, 1)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many owners a project has.
    pub fn owner_count(&self, project: ProjectId) -> Result<u64, RecordError> {
        let sql = "SELECT count(*) FROM members WHERE project_id = ?1 AND role = 'owner'";
        Ok(self.conn().prepare_cached(sql)?.query_row([project.0], |row| super::columns::size_at(row, 0))?)
    }

    /// Projects whose untagged manifests expire, after an id, in order.
    pub fn projects_with_untagged_policy(
        &self,
        after: Option<ProjectId>,
        limit: u32,
    ) -> Result<Vec<(ProjectId, Duration)>, RecordError> {
        let sql = "SELECT id, untagged_days FROM projects
                   WHERE untagged_days IS NOT NULL AND id > ?1 ORDER BY id LIMIT ?2";
        let mut statement = self.conn().prepare_cached(sql)?;
        let rows = statement.query_map(params![after.map_or(i64::MIN, |id| id.0), limit], |row| {
            let days: u32 = row.get(1)?;
            Ok((ProjectId(row.get(0)?), Duration::from_secs(u64::from(days) * 86_400)))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Writer<'_> {
    /// Makes a project; false if the name is taken.
    pub fn insert_project(&mut self, row: &ProjectRow) -> Result<bool, RecordError> {
        self.touch(project_topic(&row.name));
        let sql = "INSERT INTO projects (id, name, visibility, untagged_days, created, compression)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO NOTHING";
        let changed = self.conn().prepare_cached(sql)?.execute(params![
            row.id.0,
            row.name.as_str(),
            row.visibility.as_str(),
            row.untagged_days,
            row.created,
            row.compression.as_str()
        ])?;
        Ok(changed == 1)
    }

    /// Writes a project's settings; false if it is gone.
    pub fn update_project(&mut self, row: &ProjectRow) -> Result<bool, RecordError> {
        self.touch(project_topic(&row.name));
        let sql = "UPDATE projects SET visibility = ?2, untagged_days = ?3, compression = ?4 WHERE id = ?1";
        let changed = self.conn().prepare_cached(sql)?.execute(params![
            row.id.0,
            row.visibility.as_str(),
            row.untagged_days,
            row.compression.as_str()
        ])?;
        Ok(changed == 1)
    }

    /// Deletes a project that holds no repository; its members and open uploads go with it.
    pub fn delete_project(&mut self, row: &ProjectRow) -> Result<bool, RecordError> {
        self.touch(project_topic(&row.name));
        let sql = "DELETE FROM projects WHERE id = ?1
                   AND NOT EXISTS (SELECT 1 FROM repositories WHERE project_id = ?1)";
        Ok(self.conn().prepare_cached(sql)?.execute([row.id.0])? == 1)
    }

    /// Gives a user a role.
    pub fn set_member(
        &mut self,
        project: ProjectId,
        user: i64,
        role: Role,
        now: Timestamp,
    ) -> Result<(), RecordError> {
        self.touch(member_topic(project, user));
        let sql = "INSERT INTO members (project_id, user_id, role, created) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (project_id, user_id) DO UPDATE SET role = excluded.role";
        self.conn().prepare_cached(sql)?.execute(params![project.0, user, role.as_str(), now])?;
        Ok(())
    }

    /// Takes a user's role away; false if they had none.
    pub fn remove_member(&mut self, project: ProjectId, user: i64) -> Result<bool, RecordError> {
        self.touch(member_topic(project, user));
        let sql = "DELETE FROM members WHERE project_id = ?1 AND user_id = ?2";
        Ok(self.conn().prepare_cached(sql)?.execute(params![project.0, user])? == 1)
    }
}

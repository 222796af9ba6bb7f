//! Arguments of the commands that manage what a server holds: projects, users, repositories, uploads.
//!
//! Names are parsed into their types here, so a misspelt one is refused before any request is made.

use clap::{Args, Subcommand, ValueEnum};
use hythe_oci::{ProjectName, RepositoryName, UploadId, UserName};

use super::images::Packing;
use super::{Connection, NewPassword};

/// `hythe project …`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ProjectCommand {
    /// Create a project; you become its owner.
    Create {
        /// The first part of the names of all its repositories.
        name: ProjectName,
        /// Who may pull from it.
        #[arg(long, value_enum, default_value_t = Visibility::Private)]
        visibility: Visibility,
        #[command(flatten)]
        connection: Connection,
    },
    /// List the projects you may see.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one project.
    Show(ProjectArguments),
    /// Change a project.
    #[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
    Set {
        /// The project to change.
        name: ProjectName,
        /// Who may pull from it from now on.
        #[arg(long, value_enum, group = "change")]
        visibility: Option<Visibility>,
        /// After how many days without a tag a manifest is removed; `never` keeps it.
        #[arg(long, value_name = "DAYS", value_parser = days, group = "change")]
        untagged_days: Option<Days>,
        /// How `hythe push` packs layers for it unless it is told; older clients cannot unpack zstd.
        #[arg(long, value_enum, group = "change")]
        compression: Option<Packing>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Delete a project that holds no repositories.
    Delete(ProjectArguments),
    /// Add, remove and list a project's members.
    #[command(subcommand)]
    Member(MemberCommand),
}

/// A number of days, or for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Days {
    /// So many.
    Count(u32),
    /// For ever.
    Never,
}

fn days(text: &str) -> Result<Days, String> {
    match text {
        "never" => Ok(Days::Never),
        _ => text.parse().map(Days::Count).map_err(|_| "a number of days or `never` is needed".to_owned()),
    }
}

/// A project on a server.
#[derive(Debug, Clone, Args)]
pub(crate) struct ProjectArguments {
    /// The project.
    pub(crate) name: ProjectName,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// `hythe project member …`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum MemberCommand {
    /// Add a member, or change a member's role.
    Add {
        /// The project.
        project: ProjectName,
        /// The user who becomes a member.
        user: UserName,
        /// What the member may do.
        #[arg(long, value_enum, default_value_t = Role::Reader)]
        role: Role,
        #[command(flatten)]
        connection: Connection,
    },
    /// Remove a member.
    Remove {
        /// The project.
        project: ProjectName,
        /// The member to remove.
        user: UserName,
        #[command(flatten)]
        connection: Connection,
    },
    /// List the members.
    List {
        /// The project.
        project: ProjectName,
        #[command(flatten)]
        connection: Connection,
    },
}

/// Who may pull from a project: the names [`hythe_api::Visibility`] has on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Visibility {
    /// Anyone, without signing in.
    Public,
    /// Any signed-in person.
    Internal,
    /// Members only.
    Private,
}

impl From<Visibility> for hythe_api::Visibility {
    fn from(visibility: Visibility) -> Self {
        match visibility {
            Visibility::Public => Self::Public,
            Visibility::Internal => Self::Internal,
            Visibility::Private => Self::Private,
        }
    }
}

/// What a member may do: the names [`hythe_api::Role`] has on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Pull.
    Reader,
    /// Pull and push.
    Pusher,
    /// Pull, push, delete, and manage the project.
    Owner,
}

impl From<Role> for hythe_api::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Reader => Self::Reader,
            Role::Pusher => Self::Pusher,
            Role::Owner => Self::Owner,
        }
    }
}

/// `hythe user …`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum UserCommand {
    /// Create a user.
    Create {
        /// The new user's name.
        name: UserName,
        /// Make the user an administrator.
        #[arg(long)]
        admin: bool,
        #[command(flatten)]
        password: NewPassword,
        #[command(flatten)]
        connection: Connection,
    },
    /// List the users.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Delete a user; what the user pushed stays.
    Delete {
        /// The user to delete.
        name: UserName,
        #[command(flatten)]
        connection: Connection,
    },
    /// Set a user's password.
    Password {
        /// The user whose password is set.
        name: UserName,
        #[command(flatten)]
        password: NewPassword,
        #[command(flatten)]
        connection: Connection,
    },
}

/// `hythe repo …`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum RepositoryCommand {
    /// Create an empty repository, unless it is there already (a push makes one by itself).
    Create {
        /// Say whether it would be made, and change nothing.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        repository: RepositoryArguments,
    },
    /// List a project's repositories.
    #[command(name = "ls", alias = "list")]
    List {
        /// The project.
        #[arg(env = "HYTHE_PROJECT")]
        project: ProjectName,
        #[command(flatten)]
        connection: Connection,
    },
    /// Delete a repository with everything in it.
    #[command(name = "rm", alias = "delete")]
    Delete {
        /// Do not ask, which is done on a terminal.
        #[arg(long, short)]
        yes: bool,
        /// Say what would go, and change nothing.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        repository: RepositoryArguments,
    },
}

/// A repository on a server.
#[derive(Debug, Clone, Args)]
pub(crate) struct RepositoryArguments {
    /// The repository, project first, for example `lab/tools/solver`.
    pub(crate) name: RepositoryName,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// `hythe upload …`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum UploadCommand {
    /// List the unfinished uploads of a project.
    List {
        /// The project.
        project: ProjectName,
        #[command(flatten)]
        connection: Connection,
    },
    /// Cancel an unfinished upload and throw its bytes away.
    Cancel {
        /// The upload's id, as the list shows it.
        id: UploadId,
        /// Say what would be thrown away, and change nothing.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        connection: Connection,
    },
}

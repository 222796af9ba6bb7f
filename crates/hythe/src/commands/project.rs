//! `hythe project`: projects and their members.

use hythe_api::{Compression, Member, NewProject, Project, ProjectChanges, Role, Visibility};
use serde::Serialize;

use super::Deleted;
use super::session::{Session, refused};
use crate::arguments::{Days, MemberCommand, ProjectCommand};
use crate::failure::Failure;
use crate::printer::{Printer, moment};

const HEADERS: &[&str] = &["name", "visibility", "your role", "untagged kept", "layers", "created"];

pub(super) async fn run(command: ProjectCommand, printer: Printer) -> Result<(), Failure> {
    match command {
        ProjectCommand::Create { name, visibility, connection } => {
            let api = Session::open(&connection)?.api;
            let wanted = NewProject { name, visibility: visibility.into() };
            let project = api.create_project(&wanted).await.map_err(refused)?;
            let visibility = visibility_word(project.visibility);
            let sentence = format!("Created the {visibility} project {}", project.name);
            printer.named(&project, [&project.name], &sentence)
        }
        ProjectCommand::List { connection } => {
            let api = Session::open(&connection)?.api;
            let projects = api.projects().map_err(refused)?.all().await.map_err(refused)?;
            printer.table(&projects, HEADERS, projects.iter().map(row))
        }
        ProjectCommand::Show(arguments) => {
            let api = Session::open(&arguments.connection)?.api;
            let project = api.project(&arguments.name).await.map_err(refused)?;
            printer.table(&project, HEADERS, [row(&project)])
        }
        ProjectCommand::Set { name, visibility, untagged_days, compression, connection } => {
            let api = Session::open(&connection)?.api;
            let untagged_days = untagged_days.map(|days| match days {
                Days::Count(days) => Some(days),
                Days::Never => None,
            });
            let visibility = visibility.map(Into::into);
            let compression = compression.map(Into::into);
            let changes = ProjectChanges { visibility, untagged_days, compression };
            let project = api.change_project(&name, &changes).await.map_err(refused)?;
            printer.table(&project, HEADERS, [row(&project)])
        }
        ProjectCommand::Delete(arguments) => {
            let api = Session::open(&arguments.connection)?.api;
            api.delete_project(&arguments.name).await.map_err(refused)?;
            let name = arguments.name.to_string();
            printer.named(&Deleted::new(&name), [&name], &format!("Deleted the project {name}"))
        }
        ProjectCommand::Member(command) => member(command, printer).await,
    }
}

/// What `member add` and `member remove` say to programs.
#[derive(Serialize)]
struct Membership {
    project: String,
    user: String,
    role: Option<Role>,
}

async fn member(command: MemberCommand, printer: Printer) -> Result<(), Failure> {
    match command {
        MemberCommand::Add { project, user, role, connection } => {
            let api = Session::open(&connection)?.api;
            let role = Role::from(role);
            api.set_member(&project, &user, role).await.map_err(refused)?;
            let sentence = format!("{user} is a {} of {project} now", role_word(role));
            let (project, user) = (project.to_string(), user.to_string());
            let membership = Membership { project, user, role: Some(role) };
            printer.named(&membership, [&membership.user], &sentence)
        }
        MemberCommand::Remove { project, user, connection } => {
            let api = Session::open(&connection)?.api;
            api.remove_member(&project, &user).await.map_err(refused)?;
            let sentence = format!("{user} is no member of {project} any more");
            let (project, user) = (project.to_string(), user.to_string());
            let membership = Membership { project, user, role: None };
            printer.named(&membership, [&membership.user], &sentence)
        }
        MemberCommand::List { project, connection } => {
            let api = Session::open(&connection)?.api;
            let members: Vec<Member> =
                api.members(&project).map_err(refused)?.all().await.map_err(refused)?;
            let rows = members.iter().map(|m| vec![m.user.to_string(), role_word(m.role).to_owned()]);
            printer.table(&members, &["user", "role"], rows)
        }
    }
}

fn row(project: &Project) -> Vec<String> {
    vec![
        project.name.to_string(),
        visibility_word(project.visibility).to_owned(),
        project.role.map(role_word).unwrap_or_default().to_owned(),
        project.untagged_days.map_or_else(|| "for ever".to_owned(), |days| format!("{days} days")),
        match project.compression {
            Compression::Gzip => "gzip".to_owned(),
            Compression::Zstd => "zstd".to_owned(),
        },
        moment(&project.created),
    ]
}

fn visibility_word(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Public => "public",
        Visibility::Internal => "internal",
        Visibility::Private => "private",
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Reader => "reader",
        Role::Pusher => "pusher",
        Role::Owner => "owner",
    }
}

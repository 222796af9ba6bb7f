//! The command line as types: what a person may type, nothing about what it does.
//!
//! Invariant: no password is ever an argument (anyone on the machine can read a process's arguments);
//! passwords come from standard input or the environment.

mod completion;
mod connection;
mod doctor;
mod images;
mod maintenance;
mod objects;
mod profile;
mod serve;

pub(crate) use completion::{CompleteArguments, CompletionsArguments};
pub(crate) use connection::{Connection, LoginArguments, LogoutArguments, NewPassword, Server, parse_server};
pub(crate) use doctor::DoctorArguments;
pub(crate) use images::{
    CommitArguments, CopyArguments, ImageArguments, InfoArguments, ListArguments, LoadArguments, LocalSource,
    ProgressForm, PullArguments, PushArguments, Registry, RemoveArguments, SaveArguments, TagArguments,
    WaitArguments,
};
pub(crate) use maintenance::{
    BackupArguments, ConfigCommand, FsckArguments, GcArguments, ManualArguments, RestoreArguments,
};
pub(crate) use objects::{
    Days, MemberCommand, ProjectCommand, RepositoryArguments, RepositoryCommand, UploadCommand, UserCommand,
};
pub(crate) use profile::ProfileCommand;
pub(crate) use serve::{ConfigSource, QuickstartArguments, ServeArguments};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

/// Hythe: a container-image registry and image-delivery system for compute clusters.
#[derive(Debug, Parser)]
#[command(name = "hythe", version, max_term_width = 100, propagate_version = false)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// How data is written to standard output.
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Table, value_name = "FORMAT")]
    pub(crate) output: Output,
    /// How the log is written to standard error [default: the configuration's log.format].
    #[arg(long = "log", global = true, value_enum, value_name = "FORMAT")]
    pub(crate) log: Option<LogForm>,
    /// Say more in the log: once for debug and each request to a server, twice for trace and headers; secrets are hidden.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// The form of data on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people: tables, sentences, lines.
    #[value(alias = "text")]
    Table,
    /// For programs: one JSON document.
    Json,
    /// The same document as YAML.
    Yaml,
    /// Bare identifiers, one a line: names, tags, digests.
    Quiet,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogForm {
    /// For people: lines.
    Text,
    /// For programs: JSON, one line for each event.
    Json,
}

/// The commands, in the order the help shows them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a registry, push and pull a small image before your eyes, and keep serving.
    Quickstart(QuickstartArguments),
    /// Push an image of docker, podman or containerd, of a folder or of a file.
    Push(PushArguments),
    /// Pull an image into docker, podman or containerd, into a folder or a file.
    Pull(PullArguments),
    /// Copy an image from registry to registry, with all platforms and what refers to it.
    Copy(CopyArguments),
    /// Save an image of a registry or an engine as an archive that every engine loads.
    Save(SaveArguments),
    /// Load an archive or a layout into docker, podman or containerd, or straight into a registry.
    Load(LoadArguments),
    /// Make an image of a container, and push it.
    Commit(CommitArguments),
    /// List projects, the images of a project, or the tags of a repository.
    Ls(ListArguments),
    /// List the tags of a repository of any registry.
    Tags(ImageArguments),
    /// Print the digest of an image.
    Digest(ImageArguments),
    /// Tell the size of an image, for each platform and in all.
    Size(ImageArguments),
    /// Show what an image is: platforms, configuration, history, layers, and what refers to it.
    Info(InfoArguments),
    /// Remove a tag, or an image with all its tags.
    Rm(RemoveArguments),
    /// Give an image a further tag.
    Tag(TagArguments),
    /// Tell who you are to the server.
    Whoami {
        #[command(flatten)]
        connection: Connection,
    },
    /// Tell whether an image can be pulled.
    Status(ImageArguments),
    /// Wait until an image can be pulled; with a digest, until exactly that one can.
    Wait(WaitArguments),
    /// Run the registry in the foreground.
    Serve(ServeArguments),
    /// Check, show or explain the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Create, list, change and delete projects and their members.
    #[command(subcommand)]
    Project(ProjectCommand),
    /// Create, list and delete users, and set passwords.
    #[command(subcommand)]
    User(UserCommand),
    /// Create, list and delete repositories.
    #[command(subcommand, alias = "repository")]
    Repo(RepositoryCommand),
    /// List and cancel unfinished uploads.
    #[command(subcommand)]
    Upload(UploadCommand),
    /// Sign in to a server and remember it.
    Login(LoginArguments),
    /// Forget the login of a server.
    Logout(LogoutArguments),
    /// List, add, change and remove profiles: names for the registries you work with.
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// Look for what stands between this machine and a registry, and tell the fix.
    Doctor(DoctorArguments),
    /// Collect garbage now: in the running server, or in the folder when none runs.
    Gc(GcArguments),
    /// Check everything that is kept: in the running server, or in the folder when none runs.
    Fsck(FsckArguments),
    /// Back up everything that is kept, while the server runs or not; again, to bring a backup up to date.
    Backup(BackupArguments),
    /// Fill an empty data folder from a backup, and compare every byte with its digest.
    Restore(RestoreArguments),
    /// Print a completion script for a shell.
    Completions(CompletionsArguments),
    /// Tell a shell what may stand next.
    #[command(hide = true)]
    Complete(CompleteArguments),
    /// Write manual pages.
    Manual(ManualArguments),
    /// Print the version.
    Version,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn no_argument_carries_a_password() {
        fn walk(command: &clap::Command) {
            for argument in command.get_arguments() {
                let name = argument.get_id().as_str();
                let takes_value = argument.get_action().takes_values();
                assert!(!(name.contains("password") && takes_value), "{} --{name}", command.get_name());
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&Arguments::command());
    }
}

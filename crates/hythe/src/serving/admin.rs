//! The first administrator: made on the first start, with a password from the environment or a random one
//! left in a file only its owner can read.
//!
//! Invariant: the file is on disk before the user exists, so a crash between leaves a file without a user
//! (overwritten by the next start), never a user nobody can sign in as.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hythe_identity::{Identity, IdentityError, generate_password};
use hythe_store::DataFolder;
use secrecy::{ExposeSecret, SecretString};

use crate::failure::{Exit, Failure, chain};

/// Makes the first administrator if there is none yet; answers where a generated password was left.
pub(super) async fn first_admin(
    identity: &Identity,
    folder: &DataFolder,
    given: Option<SecretString>,
) -> Result<Option<PathBuf>, Failure> {
    if !identity.needs_admin().await.map_err(|error| failed(&error))? {
        return Ok(None);
    }
    let (password, path) = if let Some(password) = given {
        (password, None)
    } else {
        let password = generate_password().map_err(|error| failed(&error.into()))?;
        let path = folder.admin_password_path();
        keep(&path, &password).map_err(|error| {
            let path = path.display();
            Failure::new(
                Exit::Failed,
                format!("The administrator's password cannot be written to {path}: {error}"),
            )
        })?;
        (password, Some(path))
    };
    match identity.bootstrap(Some(password)).await {
        Ok(_) => Ok(path),
        Err(IdentityError::Rule(rule)) => {
            Err(Failure::new(Exit::Usage, format!("HYTHE_ADMIN_PASSWORD cannot be used: {rule}")))
        }
        Err(error) => Err(failed(&error)),
    }
}

fn failed(error: &IdentityError) -> Failure {
    Failure::new(Exit::Failed, format!("The first administrator cannot be made: {}", chain(error)))
}

/// Writes the password to a file of mode 600 and syncs it and its folder.
fn keep(path: &Path, password: &SecretString) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    // A file left by an earlier attempt keeps its mode otherwise.
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    writeln!(file, "{}", password.expose_secret())?;
    file.sync_all()?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

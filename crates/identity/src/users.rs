//! Local users: making, listing, deleting, new passwords, and the first administrator.
//!
//! A new password or a deletion ends everything the user holds in the same transaction: access tokens by the epoch,
//! refresh tokens by their removal.

use std::sync::Arc;

use hythe_oci::UserName;
use hythe_store::records::users::{StoredHash, UserDeletion, UserRow};
use hythe_store::{RecordError, Timestamp};
use secrecy::SecretString;

use crate::error::{AccountError, IdentityError};
use crate::identity::Identity;
use crate::live_users;
use crate::password::NewPassword;
use crate::random;
use crate::who::{User, UserId};

/// The name of the first administrator.
const FIRST_ADMINISTRATOR: &str = "admin";

/// A user as they are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedUser {
    /// The user.
    pub user: User,
    /// When the user was made.
    pub created: Timestamp,
}

impl Identity {
    /// Whether this is the first start: nobody can sign in yet.
    ///
    /// # Errors
    /// Fails when the records cannot be read.
    pub async fn needs_admin(&self) -> Result<bool, IdentityError> {
        let records = &self.inner.store.records;
        records.read(|reader| Ok(!reader.has_users()?)).await
    }

    /// On the first start, makes the user `admin` with the given password, or with a random one that it answers.
    /// Does nothing once there is any user.
    ///
    /// Whoever must keep the random password across a crash makes it first
    /// ([`generate_password`](crate::generate_password)), keeps it, and then gives it here.
    ///
    /// # Errors
    /// Fails when the given password breaks the rule, or the records cannot be used.
    pub async fn bootstrap(
        &self,
        admin_password: Option<SecretString>,
    ) -> Result<Option<SecretString>, IdentityError> {
        if !self.needs_admin().await? {
            return Ok(None);
        }
        let (password, generated) = if let Some(given) = admin_password {
            (given, None)
        } else {
            let random = random::generate_password()?;
            (random.clone(), Some(random))
        };
        let name = UserName::parse(FIRST_ADMINISTRATOR).expect("`admin` is within the grammar of user names");
        let row = self.new_row(&name, &password, true).await?;
        let records = &self.inner.store.records;
        let made = records
            .write::<_, IdentityError>(move |writer| Ok(!writer.has_users()? && writer.insert_user(&row)?))
            .await?;
        // Another replica may have been first; then its password holds, not this one.
        Ok(generated.filter(|_| made))
    }

    /// Makes a user.
    ///
    /// # Errors
    /// The name is taken, the password breaks the rule, or the service is busy or at fault.
    pub async fn create_user(
        &self,
        name: &UserName,
        password: &SecretString,
        admin: bool,
    ) -> Result<ListedUser, AccountError> {
        let row = self.new_row(name, password, admin).await?;
        let made = listed(&row);
        let records = &self.inner.store.records;
        let inserted = records.write::<_, RecordError>(move |writer| writer.insert_user(&row)).await?;
        if inserted { Ok(made) } else { Err(AccountError::Exists(name.clone())) }
    }

    /// Deletes a user; every token, membership and open upload of theirs ends with it.
    ///
    /// # Errors
    /// There is no such user, or nobody else is administrator.
    pub async fn delete_user(&self, name: &UserName) -> Result<(), AccountError> {
        let records = &self.inner.store.records;
        let wanted = name.clone();
        match records.write::<_, RecordError>(move |writer| writer.delete_user(&wanted)).await? {
            UserDeletion::Deleted => Ok(()),
            UserDeletion::Missing => Err(AccountError::Missing(name.clone())),
            UserDeletion::LastAdministrator => Err(AccountError::LastAdministrator(name.clone())),
        }
    }

    /// Gives a user a new password; every token made before ends.
    ///
    /// # Errors
    /// There is no such user, the password breaks the rule, or the service is busy or at fault.
    pub async fn set_password(&self, name: &UserName, password: &SecretString) -> Result<(), AccountError> {
        let hash = self.hash(password).await?;
        let records = &self.inner.store.records;
        let wanted = name.clone();
        let changed =
            records.write::<_, RecordError>(move |writer| writer.set_user_password(&wanted, &hash)).await?;
        if changed { Ok(()) } else { Err(AccountError::Missing(name.clone())) }
    }

    /// At most `limit` users after the one called `after`, in the order of their names.
    ///
    /// # Errors
    /// Fails when the records cannot be read.
    pub async fn list_users(
        &self,
        after: Option<UserName>,
        limit: u32,
    ) -> Result<Vec<ListedUser>, IdentityError> {
        let records = &self.inner.store.records;
        let rows =
            records.read::<_, IdentityError>(move |reader| Ok(reader.users(after.as_ref(), limit)?)).await?;
        Ok(rows.iter().map(listed).collect())
    }

    /// The user of this name.
    ///
    /// # Errors
    /// Fails when the records cannot be read.
    pub async fn user_by_name(&self, name: &UserName) -> Result<Option<Arc<User>>, IdentityError> {
        Ok(self.inner.users.by_name(name).await?.map(|account| account.user))
    }

    /// The user of this number.
    ///
    /// # Errors
    /// Fails when the records cannot be read.
    pub async fn user_by_id(&self, id: UserId) -> Result<Option<Arc<User>>, IdentityError> {
        Ok(self.inner.users.by_id(id).await?)
    }

    async fn new_row(
        &self,
        name: &UserName,
        password: &SecretString,
        admin: bool,
    ) -> Result<UserRow, IdentityError> {
        Ok(UserRow {
            id: random::positive_id()?,
            name: name.clone(),
            password_hash: Some(self.hash(password).await?),
            admin,
            created: self.inner.store.clock.now(),
            epoch: 0,
        })
    }

    async fn hash(&self, password: &SecretString) -> Result<StoredHash, IdentityError> {
        let password = NewPassword::parse(password)?;
        Ok(StoredHash(self.inner.passwords.hash(password).await?))
    }
}

fn listed(row: &UserRow) -> ListedUser {
    ListedUser { user: live_users::user(row), created: row.created }
}

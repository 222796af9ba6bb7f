//! Users as the records have them now, through caches that can never disagree with the records.

use std::sync::Arc;

use hythe_oci::UserName;
use hythe_store::records::users::{StoredHash, UserRow, user_name_topic, user_topic};
use hythe_store::{Cached, RecordError, Records};

use crate::who::{User, UserId};

/// Users kept in memory per cache at most, absent ones included.
const CAPACITY: usize = 8_192;

/// A user together with the hash of the password.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) user: Arc<User>,
    pub(crate) password_hash: Option<StoredHash>,
}

/// Looks users up by name and by number.
pub(crate) struct LiveUsers {
    by_name: Cached<UserName, Option<Account>>,
    by_id: Cached<UserId, Option<Arc<User>>>,
}

impl LiveUsers {
    /// Empty caches over `records`.
    pub(crate) fn new(records: &Records) -> Self {
        Self { by_name: records.cached(CAPACITY), by_id: records.cached(CAPACITY) }
    }

    /// The user of this name with the password's hash.
    pub(crate) async fn by_name(&self, name: &UserName) -> Result<Option<Account>, RecordError> {
        let wanted = name.clone();
        self.by_name
            .get(name, &[user_name_topic(name)], move |reader| {
                Ok::<_, RecordError>(reader.user_by_name(&wanted)?.map(account))
            })
            .await
    }

    /// The user of this number.
    pub(crate) async fn by_id(&self, id: UserId) -> Result<Option<Arc<User>>, RecordError> {
        self.by_id
            .get(&id, &[user_topic(id.0)], move |reader| {
                Ok::<_, RecordError>(reader.user_by_id(id.0)?.map(|row| Arc::new(user(&row))))
            })
            .await
    }
}

/// The user of a row.
pub(crate) fn user(row: &UserRow) -> User {
    User { id: UserId(row.id), name: row.name.clone(), admin: row.admin, epoch: row.epoch }
}

fn account(row: UserRow) -> Account {
    Account { user: Arc::new(user(&row)), password_hash: row.password_hash }
}

//! Users, passwords and device sessions.

use hythe_api::{NewPassword, NewUser, PasswordChange, RefreshToken, User};
use hythe_oci::UserName;
use hythe_outbound::Method;

use super::{Api, Pages};
use crate::ApiError;

impl Api {
    /// Who the server takes the caller for.
    pub async fn me(&self) -> Result<User, ApiError> {
        self.get(self.url(&[&"user"])?).await
    }

    /// Creates a user (administrators only).
    pub async fn create_user(&self, user: &NewUser) -> Result<User, ApiError> {
        self.ask(Method::POST, self.url(&[&"users"])?, user).await
    }

    /// All users, by name (administrators only).
    pub fn users(&self) -> Result<Pages<'_, User>, ApiError> {
        self.pages(&[&"users"])
    }

    /// Deletes a user; what the user pushed stays (administrators only).
    pub async fn delete_user(&self, name: &UserName) -> Result<(), ApiError> {
        self.delete(self.url(&[&"users", name])?).await
    }

    /// Sets a user's password (administrators only).
    pub async fn set_password(&self, name: &UserName, password: &NewPassword) -> Result<(), ApiError> {
        self.tell(Method::PUT, self.url(&[&"users", name, &"password"])?, password).await
    }

    /// Changes the caller's own password.
    pub async fn change_own_password(&self, change: &PasswordChange) -> Result<(), ApiError> {
        self.tell(Method::PUT, self.url(&[&"user", &"password"])?, change).await
    }

    /// The caller's own device sessions, as `docker login` and its kind leave them behind.
    pub fn refresh_tokens(&self) -> Result<Pages<'_, RefreshToken>, ApiError> {
        self.pages(&[&"user", &"tokens"])
    }

    /// Ends one of the caller's device sessions; `id` is [`RefreshToken::id`].
    pub async fn revoke_refresh_token(&self, id: &str) -> Result<(), ApiError> {
        self.delete(self.url(&[&"user", &"tokens", &id])?).await
    }
}

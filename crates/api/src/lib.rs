//! Request and response types of `/api/v1`, shared by the server that answers and the client that asks.
//!
//! Pure data. Two rules hold in every file: a *request* refuses fields it does not know (a mistyped
//! field must not be ignored in silence), and a *response* may gain fields, so that an older client
//! keeps working with a newer server. Secrets travel in [`Secret`], which never prints itself.

mod image;
mod member;
mod page;
mod problem;
mod project;
mod refresh_token;
mod repository;
mod secret;
mod upload;
mod user;

pub use image::{Image, ImageStatus, NewAnnouncement, Part, PlaceStatus, Readiness};
pub use member::{Member, NewRole, Role};
pub use page::{DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, Page};
pub use problem::{Problem, ProblemCode};
pub use project::{Compression, NewProject, Project, ProjectChanges, Visibility};
pub use refresh_token::RefreshToken;
pub use repository::{NewRepository, Repository};
pub use secret::Secret;
pub use upload::OpenUpload;
pub use user::{NewPassword, NewUser, PasswordChange, User};

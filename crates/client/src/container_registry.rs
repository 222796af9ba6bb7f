//! The container registry of one project, as a platform uses it: where it is, how to log in to it, what is in it, whether
//! an image is ready, and pushing under a name that no other image will get.
//!
//! Invariants: a token that is handed out has not ended and is renewed in time; *ready* is said of a digest; what is not
//! there is an error, never pending.

use std::time::Duration;

use hythe_api::{Image, ImageStatus, NewRepository, ProblemCode, Readiness, Repository};
use hythe_oci::{Digest, ProjectName, Reference, RepositoryName, Tag};
use hythe_outbound::{Outbound, Url};
use hythe_remote::Remote;

use crate::account::{AccessToken, OwnLogin, TokenKeeper};
use crate::engine::Engine;
use crate::image::{ImageNameError, LocalImage, Registry, RemoteImage, UNIQUE_DIGITS};
use crate::progress::Reporter;
use crate::transfer::{PushOptions, Target};
use crate::{Api, ApiError, ClientError, Credentials};

/// How to log in to the registry with docker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginMethod {
    /// With the user name and a token that ends and is renewed: [`ContainerRegistry::token`].
    UsernameToken,
    /// With the user name and the password that the login was made with: this registry has no such tokens.
    UsernamePassword,
}

impl LoginMethod {
    /// The name as programs write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::UsernameToken => "username_token",
            Self::UsernamePassword => "username_password",
        }
    }
}

/// What `docker login -u USER --password-stdin` wants.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DockerLogin {
    /// The user name.
    pub username: String,
    /// What is piped in: a token, or the password where the registry has no tokens.
    pub secret: secrecy::SecretString,
}

/// An image that was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamedImage {
    /// Its name in the project, with its tag: `solver:v1-0123456789`.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
}

/// What an image is called at the registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Naming {
    /// The local name, with the first ten digits of the image's ID behind the tag.
    #[default]
    Unique,
    /// The same with so many digits.
    UniqueDigits(usize),
    /// This name in the project, such as `solver:v1`; without a tag, `latest`.
    Own(String),
}

/// The container registry of a project, seen by one user. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct ContainerRegistry {
    api: Api,
    remote: Remote,
    server: Url,
    registry: Registry,
    project: ProjectName,
    login: OwnLogin,
    keeper: Option<TokenKeeper>,
}

impl ContainerRegistry {
    /// The registry of a project. `login` is a stored login ([`crate::account::OwnLogins`], [`crate::account::sign_in`]),
    /// or a user name and password.
    ///
    /// # Errors
    /// The server does not answer, or does not accept the login.
    pub async fn open(
        outbound: Outbound,
        server: &Url,
        project: ProjectName,
        login: OwnLogin,
    ) -> Result<Self, ClientError> {
        let credentials =
            Credentials::Password { user: login.username.clone(), secret: login.secret.clone() };
        let api = Api::new(outbound.clone(), server, &credentials)?;
        let remote = Remote::new(outbound.clone(), server, &credentials)?;
        let registry = Registry::of_url(server)?;
        let mut keeper = None;
        if api.is_hythe().await? {
            api.me().await?;
            keeper = Some(TokenKeeper::new(outbound, server.clone(), login.clone()));
        }
        Ok(Self { api, remote, server: server.clone(), registry, project, login, keeper })
    }

    /// The address before an image's name: `registry.example.org/lab/`.
    pub fn url(&self) -> String {
        format!("{}/{}/", self.registry, self.project)
    }

    /// The server.
    pub fn server(&self) -> &Url {
        &self.server
    }

    /// How to log in to it with docker.
    pub fn login_method(&self) -> LoginMethod {
        match self.keeper {
            Some(_) => LoginMethod::UsernameToken,
            None => LoginMethod::UsernamePassword,
        }
    }

    /// The user name.
    pub fn username(&self) -> &str {
        &self.login.username
    }

    /// An access token that has not ended: the same one until it is renewed. `None` where the registry has no tokens.
    ///
    /// # Errors
    /// None can be fetched.
    pub async fn token(&self) -> Result<Option<AccessToken>, ClientError> {
        match &self.keeper {
            Some(keeper) => Ok(Some(keeper.token().await?)),
            None => Ok(None),
        }
    }

    /// What docker, podman and skopeo log in with: good now, and for as long as the token lives.
    ///
    /// # Errors
    /// No token can be fetched.
    pub async fn docker_login(&self) -> Result<DockerLogin, ClientError> {
        Ok(match self.token().await? {
            Some(AccessToken { username, secret, .. }) => DockerLogin { username, secret },
            None => DockerLogin { username: self.login.username.clone(), secret: self.login.secret.clone() },
        })
    }

    /// The project's tagged images, with digests and sizes; a thousand a request.
    ///
    /// # Errors
    /// The server refused.
    pub async fn images(&self) -> Result<Vec<Image>, ClientError> {
        Ok(self.api.images(&self.project)?.all().await?)
    }

    /// The same by name alone, without the project: `solver:v1`.
    ///
    /// # Errors
    /// The server refused.
    pub async fn image_names(&self) -> Result<Vec<String>, ClientError> {
        let named = |image: Image| format!("{}:{}", image.repository.rest().unwrap_or_default(), image.tag);
        Ok(self.images().await?.into_iter().map(named).collect())
    }

    /// The status of an image of the project: `solver:v1` or `solver@sha256:…`.
    ///
    /// # Errors
    /// [`ClientError::is_not_found`] when it is neither there nor on its way.
    pub async fn image(&self, name: &str) -> Result<ImageStatus, ClientError> {
        let image = self.named(name)?;
        Ok(self.api.image_status(image.repository(), &image.reference()).await?)
    }

    /// Whether an image can be pulled.
    ///
    /// # Errors
    /// [`ClientError::is_not_found`] when it is neither there nor on its way.
    pub async fn is_image_ready(&self, name: &str) -> Result<bool, ClientError> {
        Ok(self.image(name).await?.status == Readiness::Ready)
    }

    /// Waits until an image can be pulled, or until the time is over. With a digest it waits for this image alone, and may
    /// begin before its push.
    ///
    /// # Errors
    /// [`ClientError::is_not_found`] when it is still neither there nor on its way then.
    pub async fn wait_ready(&self, name: &str, limit: Duration) -> Result<ImageStatus, ClientError> {
        let image = self.named(name)?;
        Ok(self.api.wait_ready(image.repository(), &image.reference(), limit, |_| {}).await?)
    }

    /// The project's repositories, empty ones included.
    ///
    /// # Errors
    /// The server refused.
    pub async fn repositories(&self) -> Result<Vec<Repository>, ClientError> {
        Ok(self.api.repositories(&self.project)?.all().await?)
    }

    /// Makes a repository of the project; that it is there already is no error.
    ///
    /// # Errors
    /// The server refused.
    pub async fn create_repository(&self, name: &str) -> Result<RepositoryName, ClientError> {
        let name: RepositoryName =
            format!("{}/{name}", self.project).parse().map_err(ImageNameError::from)?;
        match self.api.create_repository(&NewRepository { name: name.clone() }).await {
            Ok(_) => Ok(name),
            Err(error) if error.code() == Some(ProblemCode::AlreadyExists) => Ok(name),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes an image: a tag by itself (`solver:v1`), or with a digest the image with all its tags. True if it was there.
    ///
    /// # Errors
    /// The registry refused.
    pub async fn delete_image(&self, name: &str) -> Result<bool, ClientError> {
        let image = self.named(name)?;
        let removed = match image.reference() {
            Reference::Digest(digest) => self.remote.delete_manifest(image.repository(), &digest).await,
            Reference::Tag(tag) => self.remote.delete_tag(image.repository(), &tag).await,
        };
        match removed {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Pushes an image of an engine into the project; its repository appears by itself. Answers the name that it can be
    /// pulled by, and its digest.
    ///
    /// # Errors
    /// The engine has no such image, or the push did not come to its end.
    pub async fn push_image(
        &self,
        engine: &Engine,
        local: &str,
        naming: &Naming,
        options: &PushOptions,
        reporter: &Reporter,
    ) -> Result<NamedImage, ClientError> {
        let named = match naming {
            Naming::Own(name) => self.named(name),
            Naming::Unique => self.unique(engine, local, UNIQUE_DIGITS).await,
            Naming::UniqueDigits(digits) => self.unique(engine, local, *digits).await,
        };
        let image = reporter.begun(named)?;
        let tag = match image.reference() {
            Reference::Tag(tag) => tag,
            Reference::Digest(_) => Tag::parse("latest").map_err(ImageNameError::from)?,
        };
        let target = self.target(image.repository().clone());
        let pushed = target.push_engine(engine, local, Some(&tag), options, reporter).await?;
        Ok(NamedImage { name: format!("{}:{tag}", image.name()), digest: pushed.digest })
    }

    /// A repository of the project, for anything that is not said here.
    pub fn target(&self, repository: RepositoryName) -> Target {
        let target = Target::new(self.remote.clone(), repository);
        if self.keeper.is_some() { target.with_api(self.api.clone()) } else { target }
    }

    async fn unique(&self, engine: &Engine, local: &str, digits: usize) -> Result<RemoteImage, ClientError> {
        let known = engine.inspect(local).await?.ok_or_else(|| ClientError::NoLocalImage {
            name: local.to_owned(),
            engines: engine.address().kind.to_string(),
        })?;
        let local = LocalImage::parse(local)?;
        let path = local.path().as_str();
        let path = path.strip_prefix("library/").unwrap_or(path);
        let image = self.platform(path)?.with_tag(match local.reference() {
            Reference::Tag(tag) => tag,
            Reference::Digest(_) => Tag::parse("latest").map_err(ImageNameError::from)?,
        });
        Ok(image.with_unique_tag(&known.id, digits)?)
    }

    /// `solver:v1` or `solver@sha256:…` as an image of the project.
    fn named(&self, name: &str) -> Result<RemoteImage, ClientError> {
        let local = LocalImage::parse(name)?;
        let image = self.platform(name.split(['@', ':']).next().unwrap_or(name))?;
        Ok(match local.reference() {
            Reference::Digest(digest) => image.with_digest(digest),
            Reference::Tag(tag) => image.with_tag(tag),
        })
    }

    fn platform(&self, name: &str) -> Result<RemoteImage, ImageNameError> {
        RemoteImage::new_platform_image(name, self.registry.clone(), None, &self.project, None)
    }
}

impl From<ApiError> for ClientError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

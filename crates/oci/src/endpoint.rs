//! Endpoints: what a method on a route does, which right it needs, and which a challenge offers.

use crate::route::Route;
use crate::scope::Action;

/// One operation of the distribution specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// `GET /v2/`
    Base,
    /// `GET /v2/_catalog`
    Catalog,
    /// `GET …/_oci/ext/discover`
    Extensions,
    /// `GET …/tags/list`
    ListTags,
    /// `GET …/manifests/…`
    GetManifest,
    /// `HEAD …/manifests/…`
    HeadManifest,
    /// `PUT …/manifests/…`
    PutManifest,
    /// `DELETE …/manifests/…`
    DeleteManifest,
    /// `GET …/blobs/…`
    GetBlob,
    /// `HEAD …/blobs/…`
    HeadBlob,
    /// `DELETE …/blobs/…`
    DeleteBlob,
    /// `POST …/blobs/uploads/`, which mounts too
    StartUpload,
    /// `GET …/blobs/uploads/…`
    GetUpload,
    /// `PATCH …/blobs/uploads/…`
    PatchUpload,
    /// `PUT …/blobs/uploads/…`
    PutUpload,
    /// `DELETE …/blobs/uploads/…`
    CancelUpload,
    /// `GET …/referrers/…`
    Referrers,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 17] = [
        Self::Base,
        Self::Catalog,
        Self::Extensions,
        Self::ListTags,
        Self::GetManifest,
        Self::HeadManifest,
        Self::PutManifest,
        Self::DeleteManifest,
        Self::GetBlob,
        Self::HeadBlob,
        Self::DeleteBlob,
        Self::StartUpload,
        Self::GetUpload,
        Self::PatchUpload,
        Self::PutUpload,
        Self::CancelUpload,
        Self::Referrers,
    ];

    /// What `method` does on `route`, or `None` when it does nothing there.
    ///
    /// `HEAD` counts as `GET` where the specification does not tell them apart.
    pub fn of(route: &Route, method: &str) -> Option<Self> {
        match (route, method) {
            (Route::Base, "GET" | "HEAD") => Some(Self::Base),
            (Route::Catalog, "GET" | "HEAD") => Some(Self::Catalog),
            (Route::Extensions(_), "GET" | "HEAD") => Some(Self::Extensions),
            (Route::Tags { .. }, "GET" | "HEAD") => Some(Self::ListTags),
            (Route::Manifest { .. }, "GET") => Some(Self::GetManifest),
            (Route::Manifest { .. }, "HEAD") => Some(Self::HeadManifest),
            (Route::Manifest { .. }, "PUT") => Some(Self::PutManifest),
            (Route::Manifest { .. }, "DELETE") => Some(Self::DeleteManifest),
            (Route::Blob { .. }, "GET") => Some(Self::GetBlob),
            (Route::Blob { .. }, "HEAD") => Some(Self::HeadBlob),
            (Route::Blob { .. }, "DELETE") => Some(Self::DeleteBlob),
            (Route::Uploads { .. }, "POST") => Some(Self::StartUpload),
            (Route::Upload { .. }, "GET" | "HEAD") => Some(Self::GetUpload),
            (Route::Upload { .. }, "PATCH") => Some(Self::PatchUpload),
            (Route::Upload { .. }, "PUT") => Some(Self::PutUpload),
            (Route::Upload { .. }, "DELETE") => Some(Self::CancelUpload),
            (Route::Referrers { .. }, "GET" | "HEAD") => Some(Self::Referrers),
            _ => None,
        }
    }

    /// The methods that do something on `route`, as the `Allow` header lists them.
    pub const fn allowed_methods(route: &Route) -> &'static str {
        match route {
            Route::Base
            | Route::Catalog
            | Route::Extensions(_)
            | Route::Tags { .. }
            | Route::Referrers { .. } => "GET, HEAD",
            Route::Manifest { .. } => "GET, HEAD, PUT, DELETE",
            Route::Blob { .. } => "GET, HEAD, DELETE",
            Route::Uploads { .. } => "POST",
            Route::Upload { .. } => "GET, HEAD, PATCH, PUT, DELETE",
        }
    }

    /// A short name for logs and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Catalog => "catalog",
            Self::Extensions => "extensions",
            Self::ListTags => "list_tags",
            Self::GetManifest => "get_manifest",
            Self::HeadManifest => "head_manifest",
            Self::PutManifest => "put_manifest",
            Self::DeleteManifest => "delete_manifest",
            Self::GetBlob => "get_blob",
            Self::HeadBlob => "head_blob",
            Self::DeleteBlob => "delete_blob",
            Self::StartUpload => "start_upload",
            Self::GetUpload => "get_upload",
            Self::PatchUpload => "patch_upload",
            Self::PutUpload => "put_upload",
            Self::CancelUpload => "cancel_upload",
            Self::Referrers => "referrers",
        }
    }

    /// The right on the repository that the operation needs, or `None` when it is about none.
    ///
    /// Cancelling an upload needs no more than the right to have begun it.
    pub const fn right(self) -> Option<Action> {
        match self {
            Self::Base | Self::Catalog | Self::Extensions => None,
            Self::ListTags
            | Self::GetManifest
            | Self::HeadManifest
            | Self::GetBlob
            | Self::HeadBlob
            | Self::Referrers => Some(Action::Pull),
            Self::PutManifest
            | Self::StartUpload
            | Self::GetUpload
            | Self::PatchUpload
            | Self::PutUpload
            | Self::CancelUpload => Some(Action::Push),
            Self::DeleteManifest | Self::DeleteBlob => Some(Action::Delete),
        }
    }

    /// The actions that the challenge of a 401 offers, always with the one the operation needs.
    ///
    /// A blob's `HEAD` offers `push` as well: it is the first request of a push, and oras-py keeps the
    /// token it gets there for all that follow.
    pub const fn challenge(self) -> &'static [Action] {
        match self {
            Self::Base | Self::Catalog | Self::Extensions => &[],
            Self::ListTags | Self::GetManifest | Self::HeadManifest | Self::GetBlob | Self::Referrers => {
                &[Action::Pull]
            }
            Self::HeadBlob
            | Self::PutManifest
            | Self::StartUpload
            | Self::GetUpload
            | Self::PatchUpload
            | Self::PutUpload
            | Self::CancelUpload => &[Action::Pull, Action::Push],
            Self::DeleteManifest | Self::DeleteBlob => &[Action::Delete],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::digest::{Algorithm, Digest};

    const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get"];

    fn routes() -> Vec<Route> {
        let digest = Digest::of(Algorithm::Sha256, b"{}");
        let paths = [
            "/v2/".to_owned(),
            "/v2/_catalog".to_owned(),
            "/v2/lab/_oci/ext/discover".to_owned(),
            "/v2/lab/tags/list".to_owned(),
            "/v2/lab/manifests/latest".to_owned(),
            format!("/v2/lab/blobs/{digest}"),
            "/v2/lab/blobs/uploads/".to_owned(),
            "/v2/lab/blobs/uploads/00000000000000000000000000000000".to_owned(),
            format!("/v2/lab/referrers/{digest}"),
        ];
        paths.iter().map(|path| Route::parse(path).unwrap()).collect()
    }

    #[test]
    fn the_allow_header_lists_what_does_something() {
        let mut seen = BTreeSet::new();
        for route in routes() {
            let allowed: Vec<_> = Endpoint::allowed_methods(&route).split(", ").collect();
            for method in METHODS {
                let endpoint = Endpoint::of(&route, method);
                assert_eq!(endpoint.is_some(), allowed.contains(&method), "{method} {}", route.path());
                seen.extend(endpoint);
            }
        }
        assert_eq!(seen, BTreeSet::from(Endpoint::ALL), "each endpoint is reachable");
    }

    #[test]
    fn a_challenge_offers_the_right_that_is_needed() {
        for endpoint in Endpoint::ALL {
            match endpoint.right() {
                Some(right) => assert!(endpoint.challenge().contains(&right), "{endpoint:?}"),
                None => assert!(endpoint.challenge().is_empty(), "{endpoint:?}"),
            }
        }
        let labels: BTreeSet<_> = Endpoint::ALL.iter().map(|endpoint| endpoint.label()).collect();
        assert_eq!(labels.len(), Endpoint::ALL.len(), "labels are distinct");
    }

    #[test]
    fn clients_get_the_rights_they_expect() {
        let (pull, push, delete) = (Action::Pull, Action::Push, Action::Delete);
        for (endpoint, right, challenge) in [
            (Endpoint::HeadManifest, pull, vec![pull]),
            (Endpoint::GetBlob, pull, vec![pull]),
            (Endpoint::HeadBlob, pull, vec![pull, push]),
            (Endpoint::StartUpload, push, vec![pull, push]),
            (Endpoint::CancelUpload, push, vec![pull, push]),
            (Endpoint::PutManifest, push, vec![pull, push]),
            (Endpoint::DeleteManifest, delete, vec![delete]),
            (Endpoint::DeleteBlob, delete, vec![delete]),
        ] {
            assert_eq!(
                (endpoint.right(), endpoint.challenge()),
                (Some(right), challenge.as_slice()),
                "{endpoint:?}"
            );
        }
    }
}

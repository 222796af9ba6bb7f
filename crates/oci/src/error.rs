//! The error codes of the distribution specification, and the few that Docker added.

use std::fmt;

/// A code of the `errors[].code` field (distribution specification, "Error codes").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorCode {
    /// The blob is not in the repository.
    BlobUnknown,
    /// The chunk or the upload cannot be taken.
    BlobUploadInvalid,
    /// There is no such upload session.
    BlobUploadUnknown,
    /// The digest is malformed, not supported, or not the content's.
    DigestInvalid,
    /// The manifest names content that the repository does not hold.
    ManifestBlobUnknown,
    /// The manifest cannot be taken as it is.
    ManifestInvalid,
    /// There is no such manifest.
    ManifestUnknown,
    /// The repository's name is outside the grammar.
    NameInvalid,
    /// There is no such repository.
    NameUnknown,
    /// The length of the content is not the one announced, or over the limit.
    SizeInvalid,
    /// The caller must sign in, or needs another token.
    Unauthorized,
    /// The caller may not do that.
    Denied,
    /// The registry does not do that.
    Unsupported,
    /// The caller asks too often.
    TooManyRequests,
    /// Docker: something else went wrong.
    Unknown,
    /// Docker: not now; try again later.
    Unavailable,
    /// Docker: the range lies outside the content.
    RangeInvalid,
    /// Docker: the tag is not the manifest's, or malformed.
    TagInvalid,
    /// Docker: the `n` of a paged list is no number.
    PaginationNumberInvalid,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 19] = [
        Self::BlobUnknown,
        Self::BlobUploadInvalid,
        Self::BlobUploadUnknown,
        Self::DigestInvalid,
        Self::ManifestBlobUnknown,
        Self::ManifestInvalid,
        Self::ManifestUnknown,
        Self::NameInvalid,
        Self::NameUnknown,
        Self::SizeInvalid,
        Self::Unauthorized,
        Self::Denied,
        Self::Unsupported,
        Self::TooManyRequests,
        Self::Unknown,
        Self::Unavailable,
        Self::RangeInvalid,
        Self::TagInvalid,
        Self::PaginationNumberInvalid,
    ];

    /// The code with this text, as another registry's answer carries it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// The text of the `code` field.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Denied => "DENIED",
            Self::Unsupported => "UNSUPPORTED",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::Unknown => "UNKNOWN",
            Self::Unavailable => "UNAVAILABLE",
            Self::RangeInvalid => "RANGE_INVALID",
            Self::TagInvalid => "TAG_INVALID",
            Self::PaginationNumberInvalid => "PAGINATION_NUMBER_INVALID",
        }
    }

    /// The HTTP status that goes with the code unless the case at hand asks for another (413 for a
    /// manifest over the limit, 416 for a chunk out of order).
    pub const fn status(self) -> u16 {
        match self {
            Self::BlobUploadInvalid
            | Self::DigestInvalid
            | Self::ManifestInvalid
            | Self::NameInvalid
            | Self::SizeInvalid
            | Self::TagInvalid
            | Self::PaginationNumberInvalid => 400,
            Self::Unauthorized => 401,
            Self::Denied => 403,
            Self::BlobUnknown
            | Self::BlobUploadUnknown
            | Self::ManifestBlobUnknown
            | Self::ManifestUnknown
            | Self::NameUnknown => 404,
            Self::Unsupported => 405,
            Self::RangeInvalid => 416,
            Self::TooManyRequests => 429,
            Self::Unknown => 500,
            Self::Unavailable => 503,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_its_own_text() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::parse(code.as_str()), Some(code));
            assert!(code.as_str().bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{code}");
            assert!((400..=599).contains(&code.status()), "{code}");
        }
        assert_eq!(ErrorCode::parse("blob_unknown"), None);
        assert_eq!(ErrorCode::parse("TEAPOT"), None);
    }

    #[test]
    fn statuses_are_those_of_the_specification() {
        for (code, status) in [
            (ErrorCode::BlobUnknown, 404),
            (ErrorCode::DigestInvalid, 400),
            (ErrorCode::Unauthorized, 401),
            (ErrorCode::Denied, 403),
            (ErrorCode::Unsupported, 405),
            (ErrorCode::TooManyRequests, 429),
            (ErrorCode::RangeInvalid, 416),
        ] {
            assert_eq!(code.status(), status, "{code}");
        }
    }
}

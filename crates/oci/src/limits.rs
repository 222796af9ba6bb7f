//! The sizes and counts beyond which input from outside is refused, by name.
//!
//! Each is a bound on what one request may cost; none is a setting, because clients rely on them.

/// Most bytes of a repository, project or user name as such.
///
/// Clients cap `HOST/NAME` at 255 as well; a server that knows its own host name may be stricter.
pub const NAME_BYTES: usize = 255;

/// Most bytes of a user name.
pub const USER_NAME_BYTES: usize = 63;

/// Most bytes of a tag (distribution specification, "Pulling manifests").
pub const TAG_BYTES: usize = 128;

/// Most bytes of a media type's essence (RFC 6838 section 4.2: 127 for each half, and the slash).
pub const MEDIA_TYPE_BYTES: usize = 255;

/// Most bytes of a manifest. The specification asks for at least 4 MB, and podman, skopeo and
/// containerd read no more than this.
pub const MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// Deepest nesting of arrays and objects in a manifest. Real ones stay below ten.
pub const JSON_DEPTH: usize = 64;

/// Most values (scalars, arrays and objects together) in a manifest. It bounds the memory that four
/// mebibytes of `0,0,0,…` would take once parsed; real manifests spend far over 16 bytes a value.
pub const JSON_VALUES: usize = 256 * 1024;

/// Most layers of an image manifest, and most entries of an index.
pub const DESCRIPTORS: usize = 10_000;

/// Most parts of one `Range` header that are answered as such (zstd:chunked pulls ask for up to 1,024).
pub const RANGE_PARTS: usize = 1024;

/// Most overlaps among the parts of one `Range` header (RFC 9110 section 14.2 names "more than two
/// overlapping ranges" as a sign of an attack).
pub const RANGE_OVERLAPS: usize = 2;

/// Most repositories in one set of token scopes; what follows is left out like any scope that is not
/// understood.
pub const SCOPE_REPOSITORIES: usize = 1000;

/// Most characters of hostile text that an error sentence quotes.
pub const QUOTED_CHARS: usize = 80;

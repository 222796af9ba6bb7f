//! Every limit the front door keeps, in one table. Limits of the wire types are in `hythe_oci::limits`; those that
//! one handler alone keeps stand in its file.
//!
//! The constants are what a caller on the network can never pass; [`ListenLimits`] holds those an
//! operator may change.

use std::time::Duration;

/// Header lines in one request; more get 431.
pub const HEADER_COUNT: usize = 100;

/// Bytes of a request's method; more get 400. The longest registered one has 17.
pub const METHOD_BYTES: usize = 32;

/// Bytes of request target, header names and values together; more get 431 (or 414 when the target alone is over).
pub const HEAD_BYTES: usize = 16 * 1024;

/// Bytes of request target; more get 414.
pub const TARGET_BYTES: usize = 8 * 1024;

/// Bytes of a request body on `/api/v1`; more get 413.
pub const API_BODY_BYTES: usize = 64 * 1024;

/// Bytes of request bodies that are taken whole into memory (manifests, documents, forms), of all clients together;
/// more get 503.
pub const WHOLE_BODIES_BYTES: usize = 64 * 1024 * 1024;

/// The same from one address (IPv6: one /64): four must conspire to keep everybody out.
pub const WHOLE_BODIES_BYTES_PER_ADDRESS: usize = WHOLE_BODIES_BYTES / 4;

/// Bytes of each such body that do not count: no more than its connection holds anyway, and enough for most manifests.
pub const UNCOUNTED_BODY_BYTES: usize = 16 * 1024;

/// Requests that wait for an image's status at one time; more get 503.
pub const STATUS_WAITS: usize = 1024;

/// The same from one address (IPv6: one /64); more get 429.
pub const STATUS_WAITS_PER_ADDRESS: usize = 256;

/// The most bytes hyper buffers of one connection in each direction: one blob window, so that a slow
/// reader costs no more than two of them.
pub const CONNECTION_BUFFER_BYTES: usize = 256 * 1024;

/// How long the head of a request may take from its first byte on.
pub const HEAD_TIME: Duration = Duration::from_secs(15);

/// How long a TLS handshake may take.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// How long a request body may stand still before the request is given up.
pub const BODY_STALL: Duration = Duration::from_mins(1);

/// Bytes per second that a request body must come in on average, once [`BODY_GRACE`] has been waited.
pub const BODY_RATE: u64 = 1024;

/// How long a request body may be waited for altogether before its rate counts.
pub const BODY_GRACE: Duration = Duration::from_secs(30);

/// How long a client may refuse to take a single byte of an answer before it is cut.
pub const WRITE_STALL: Duration = Duration::from_mins(2);

/// Bytes per second that an answer must be taken at on average, once [`WRITE_STALL`] has been waited altogether.
pub const WRITE_RATE: u64 = 1024;

/// How long to wait before accepting again when the process is out of file descriptors.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// HTTP/2 streams open at once on a connection.
pub const HTTP2_STREAMS: u32 = 128;

/// HTTP/2 window of one stream, in bytes; the default of 64 KiB halves the speed of a push.
pub const HTTP2_STREAM_WINDOW: u32 = 1024 * 1024;

/// How often certificate files are looked at for a change.
pub const CERTIFICATE_POLL: Duration = Duration::from_secs(5);

/// The limits of a listener that an operator may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenLimits {
    /// Connections open at once; further ones are refused at once.
    pub connections: usize,
    /// Connections open at once from one address (IPv6: one /64); trusted proxies are exempt.
    pub connections_per_address: usize,
    /// How long a connection may wait for its next request.
    pub keep_alive: Duration,
    /// How long the head of a request may take, see [`HEAD_TIME`].
    pub head_time: Duration,
    /// How long a client may take no byte of an answer, see [`WRITE_STALL`].
    pub write_stall: Duration,
    /// Bytes per second that an answer must be taken at, see [`WRITE_RATE`]; at least 1.
    pub write_rate: u64,
}

impl Default for ListenLimits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            connections_per_address: 4_096,
            keep_alive: Duration::from_secs(75),
            head_time: HEAD_TIME,
            write_stall: WRITE_STALL,
            write_rate: WRITE_RATE,
        }
    }
}

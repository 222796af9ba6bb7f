//! What a body is made of: a stream of bytes, or a part of a file that need not be copied on its way.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _};
use hythe_sendfile::Lane;

/// What a body is made of. Every stream of bytes is one.
pub struct Content {
    pub(crate) stream: BoxStream<'static, io::Result<Bytes>>,
    /// What knows which part of a file stands for some of these bytes.
    pub(crate) lane: Option<Lane>,
}

impl Content {
    /// The bytes of a file's range. Over plain HTTP to the server itself they go from the page cache to the connection; where
    /// the way is another (TLS, a proxy, a unix socket), they are read, a piece at a time. A file that ends early breaks the
    /// exchange off.
    ///
    /// To be polled inside a tokio runtime.
    pub fn file(file: Arc<File>, range: Range<u64>) -> Self {
        let lane = Lane::default();
        Self { stream: lane.body(file, range).boxed(), lane: Some(lane) }
    }

    /// The same with its pieces counted, cut short or watched. They must not be looked into, replaced or reordered: what
    /// stands for a part of a file is nothing but as long.
    pub fn map<S>(self, change: impl FnOnce(BoxStream<'static, io::Result<Bytes>>) -> S) -> Self
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        Self { stream: change(self.stream).boxed(), lane: self.lane }
    }
}

impl<S: Stream<Item = io::Result<Bytes>> + Send + 'static> From<S> for Content {
    fn from(stream: S) -> Self {
        Self { stream: stream.boxed(), lane: None }
    }
}

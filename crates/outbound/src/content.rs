//! What a body is made of: a stream of bytes, or a part of a file that need not be copied on its way.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _};
use hythe_sendfile::Lane;

/// The pieces of a body, in order.
pub(crate) type Pieces = BoxStream<'static, io::Result<Bytes>>;

/// What a body is made of. Every stream of bytes is one.
pub struct Content {
    source: Source,
    /// What is done to its pieces, in order.
    changes: Vec<Box<dyn FnOnce(Pieces) -> Pieces + Send>>,
}

enum Source {
    Pieces(Pieces),
    File(Arc<File>, Range<u64>),
}

impl Content {
    /// The bytes of a file's range. Over plain HTTP to the server itself they go from the page cache to the connection; where
    /// the way is another (TLS, a proxy, a unix socket), they are read, a piece at a time. A file that ends early breaks the
    /// exchange off.
    pub fn file(file: Arc<File>, range: Range<u64>) -> Self {
        Self { source: Source::File(file, range), changes: Vec::new() }
    }

    /// The same with its pieces counted, cut short or watched, once it is sent. They must not be looked into, replaced or
    /// reordered: what stands for a part of a file is nothing but as long.
    pub fn map<S>(
        mut self,
        change: impl FnOnce(BoxStream<'static, io::Result<Bytes>>) -> S + Send + 'static,
    ) -> Self
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        self.changes.push(Box::new(|pieces| change(pieces).boxed()));
        self
    }

    /// The bytes themselves. To be polled inside a tokio runtime.
    pub fn read(self) -> BoxStream<'static, io::Result<Bytes>> {
        self.pieces(hythe_sendfile::read)
    }

    /// What stands for them on the connection of this lane.
    pub(crate) fn on(self, lane: &Lane) -> Pieces {
        self.pieces(|file, range| lane.body(file, range).boxed())
    }

    /// Whether it is a file's.
    pub(crate) fn is_of_file(&self) -> bool {
        matches!(self.source, Source::File(..))
    }

    fn pieces(self, of_file: impl FnOnce(Arc<File>, Range<u64>) -> Pieces) -> Pieces {
        let pieces = match self.source {
            Source::Pieces(pieces) => pieces,
            Source::File(file, range) => of_file(file, range),
        };
        self.changes.into_iter().fold(pieces, |pieces, change| change(pieces))
    }
}

impl<S: Stream<Item = io::Result<Bytes>> + Send + 'static> From<S> for Content {
    fn from(stream: S) -> Self {
        Self { source: Source::Pieces(stream.boxed()), changes: Vec::new() }
    }
}

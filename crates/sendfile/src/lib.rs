//! The zero-copy writer: ranges of files go from the page cache to the socket (`sendfile(2)`), under an HTTP
//! server that knows nothing of it.
//!
//! A connection is wrapped in a [`FileSender`], which comes with a [`Lane`]. A body made by
//! [`Lane::body`] yields `Bytes` that are *placeholders*: as long as the part of the file they stand for,
//! but never read. The server queues them behind the head of its answer and hands all slices to
//! `poll_write_vectored`; there the sender recognises a placeholder by its address and sends the part of the
//! file instead.
//!
//! ```text
//! Lane::body(file, range) ──placeholders──▶ HTTP server ──slices──▶ FileSender ──sendfile──▶ socket
//!        └────────── what each stands for, in order ──────────────────▲
//! ```
//!
//! Invariants:
//! - A placeholder goes out only as the part of the file it was made for, next in its own connection's order;
//!   anything else breaks the connection. What a placeholder holds never reaches a client.
//! - A file that ends early breaks the connection; it is never padded and never ends the process, because
//!   no page of it is mapped.
//! - The threads of the runtime do not wait for a disk: a part that is not in the page cache, as far as a few looks into
//!   it tell, is read into it on the blocking pool first.
//! - Memory per body does not depend on the file's size: nothing is copied.
//!
//! Limits: plain HTTP/1.1 over TCP only. A server that copies or rewrites bodies (TLS, HTTP/2, compression)
//! must not be given placeholders; whoever makes the body sees to that by asking for the lane of the
//! connection, which only a plain one has. There is no unsafe code here.
//!
//! For other connections there is [`read`]. A client that keeps its connection asks for [`Lane::forget`] between two bodies
//! that may have been cut short.

mod body;
mod buffer;
mod lane;
mod reading;
mod residency;
mod sender;

pub use body::FileBody;
pub use lane::Lane;
pub use reading::read;
pub use sender::FileSender;

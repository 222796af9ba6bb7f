//! A TCP stream that sends parts of files where it is given their placeholders.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::lane::{Lane, is_placeholder};

/// What goes out instead where a file system has no `sendfile`: small, for it is read on the runtime's thread.
const COPIED: usize = 64 << 10;

/// A TCP connection with a [`Lane`].
#[derive(Debug)]
pub struct FileSender {
    stream: TcpStream,
    lane: Lane,
}

impl FileSender {
    /// Wraps a connection.
    pub fn new(stream: TcpStream) -> Self {
        Self::with_lane(stream, Lane::default())
    }

    /// Wraps a connection that takes the bodies of a lane that was there before.
    pub fn with_lane(stream: TcpStream, lane: Lane) -> Self {
        Self { stream, lane }
    }

    /// The lane for bodies that will be written to this connection.
    pub fn lane(&self) -> Lane {
        self.lane.clone()
    }

    /// Sends from the first slice on: ordinary ones together, or a part of a file.
    fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let ordinary = slices.iter().take_while(|slice| !is_placeholder(slice)).count();
        let (ordinary, rest) = slices.split_at(ordinary);
        if ordinary.iter().all(|slice| slice.is_empty()) {
            return match rest.first() {
                Some(placeholder) => self.send_part(placeholder),
                None => Ok(0),
            };
        }
        // More follows at once: let the head of an answer travel in the packet of its first bytes.
        let flags = if rest.is_empty() { SendFlags::NOSIGNAL } else { SendFlags::NOSIGNAL | SendFlags::MORE };
        let mut control = SendAncillaryBuffer::default();
        Ok(rustix::net::sendmsg(&self.stream, ordinary, &mut control, flags)?)
    }

    fn send_part(&self, placeholder: &[u8]) -> io::Result<usize> {
        let Some(part) = self.lane.part_of(placeholder) else {
            return Err(io::Error::other("a slice is no placeholder after all"));
        };
        let (file, mut offset) = part?;
        let sent = match rustix::fs::sendfile(&self.stream, &*file, Some(&mut offset), placeholder.len()) {
            Err(Errno::INVAL | Errno::NOSYS) => self.copy_part(&file, offset, placeholder.len())?,
            sent => sent?,
        };
        if sent == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a file ended before its part did"));
        }
        self.lane.sent(sent);
        Ok(sent)
    }

    /// The fallback: read, then send.
    fn copy_part(&self, file: &File, offset: u64, length: usize) -> io::Result<usize> {
        let mut bytes = vec![0; length.min(COPIED)];
        let read = file.read_at(&mut bytes, offset)?;
        if read == 0 {
            return Ok(0);
        }
        Ok(rustix::net::send(&self.stream, &bytes[..read], SendFlags::NOSIGNAL)?)
    }
}

impl AsyncRead for FileSender {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for FileSender {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            match self.stream.try_io(Interest::WRITABLE, || self.send(slices)) {
                // The socket was full after all; its readiness is cleared, so the next round waits.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

//! A TCP stream that sends parts of files where it is given their placeholders.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::buffer::Pace;
use crate::lane::{Lane, is_placeholder};

/// What goes out instead where a file system has no `sendfile`: small, for it is read on the runtime's thread.
const COPIED: usize = 64 << 10;

/// A TCP connection with a [`Lane`].
#[derive(Debug)]
pub struct FileSender {
    stream: TcpStream,
    lane: Lane,
    pace: Pace,
}

/// What one call sent of what it was given.
struct Sent {
    bytes: usize,
    of: usize,
}

impl FileSender {
    /// Wraps a connection.
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, lane: Lane::default(), pace: Pace::new() }
    }

    /// The lane for bodies that will be written to this connection.
    pub fn lane(&self) -> Lane {
        self.lane.clone()
    }

    /// Sends from the first slice on: ordinary ones together, or a part of a file.
    fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<Sent> {
        let ordinary = slices.iter().take_while(|slice| !is_placeholder(slice)).count();
        let (ordinary, rest) = slices.split_at(ordinary);
        let length = ordinary.iter().map(|slice| slice.len()).sum();
        if length == 0 {
            return Ok(match rest.first() {
                Some(placeholder) => Sent { bytes: self.send_part(placeholder)?, of: placeholder.len() },
                None => Sent { bytes: 0, of: 0 },
            });
        }
        // More follows at once: let the head of an answer travel in the packet of its first bytes.
        let flags = if rest.is_empty() { SendFlags::NOSIGNAL } else { SendFlags::NOSIGNAL | SendFlags::MORE };
        let mut control = SendAncillaryBuffer::default();
        Ok(Sent { bytes: rustix::net::sendmsg(&self.stream, ordinary, &mut control, flags)?, of: length })
    }

    /// The same, as soon as the socket has room.
    fn poll_send(&self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            let mut part = None;
            let sent = self.stream.try_io(Interest::WRITABLE, || {
                let sent = self.send(slices)?;
                if sent.bytes < sent.of && self.full() {
                    // Clears the readiness, so that the next call waits.
                    part = Some(sent.bytes);
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(sent.bytes)
            });
            if let Some(bytes) = part {
                return Poll::Ready(Ok(bytes));
            }
            match sent {
                // The socket was full after all; its readiness is cleared, so the next round waits.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    /// Whether there is no room for more until the kernel tells of it. Unlike a try to send, which goes into each gap that
    /// the other side has just made, it takes a socket for full until a third of it is free: fewer and larger sends.
    fn full(&self) -> bool {
        let mut socket = [PollFd::new(&self.stream, PollFlags::OUT)];
        // Where the look fails, the next try to send tells.
        rustix::event::poll(&mut socket, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0)
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
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = ready!(self.poll_send(context, slices))?;
        let Self { stream, pace, .. } = &mut *self;
        pace.sent(sent, stream);
        Poll::Ready(Ok(sent))
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

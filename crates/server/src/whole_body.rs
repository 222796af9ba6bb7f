//! Bodies that are taken whole into memory: manifests, documents, forms.
//!
//! Invariant: the bytes of all of them together, and of those of one network, have a limit, whatever number of clients
//! send them however slowly. They are counted as they come, for a length that is announced costs nothing; the first few
//! KiB of each are not, so that what nearly all clients send is taken even when others have filled the memory.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

use crate::limits::{UNCOUNTED_BODY_BYTES, WHOLE_BODIES_BYTES, WHOLE_BODIES_BYTES_PER_ADDRESS};
use crate::shares::{Share, Shares};

/// What a client is told to wait, in seconds, when there is no room.
pub(crate) const NO_ROOM_RETRY_SECONDS: u16 = 5;

/// The memory for all of them.
#[derive(Clone, Debug)]
pub(crate) struct Rooms(Arc<Shares>);

/// Request extension: the memory, and who wants some of it.
#[derive(Clone, Debug)]
pub struct Room {
    rooms: Rooms,
    client: IpAddr,
}

/// A body that is here, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct WholeBody {
    pub(crate) bytes: Bytes,
    _share: Share,
}

/// Why a body was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotWhole {
    /// It has more bytes than are read there.
    TooLong,
    /// Others' bodies fill the memory.
    NoRoom,
    /// It ended early, or came too slowly.
    Cut,
}

impl NotWhole {
    /// The sentence for [`NotWhole::NoRoom`].
    pub(crate) const NO_ROOM: &str = "The server holds as many bytes of unfinished requests as it may: nothing was stored; try again in a few seconds.";
}

impl Rooms {
    pub(crate) fn new() -> Self {
        Self(Shares::new(WHOLE_BODIES_BYTES, WHOLE_BODIES_BYTES_PER_ADDRESS))
    }

    /// Room for the bodies of a client.
    pub(crate) fn of(&self, client: IpAddr) -> Room {
        Room { rooms: self.clone(), client }
    }
}

impl Room {
    /// Reads a body of at most `limit` bytes, with or without a `Content-Length`.
    pub(crate) async fn read(&self, mut body: Body, limit: usize) -> Result<WholeBody, NotWhole> {
        let mut share = self.rooms.0.of(self.client);
        let mut bytes = BytesMut::new();
        let mut uncounted = UNCOUNTED_BODY_BYTES;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_error| NotWhole::Cut)?.into_data() else { continue };
            if data.len() > limit - bytes.len() {
                return Err(NotWhole::TooLong);
            }
            let free = data.len().min(uncounted);
            uncounted -= free;
            share.take(data.len() - free).map_err(|_full| NotWhole::NoRoom)?;
            // Into one piece as it comes: a body of single bytes would else cost thirty times its length.
            bytes.extend_from_slice(&data);
        }
        Ok(WholeBody { bytes: bytes.freeze(), _share: share })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn pieces(count: usize, size: usize) -> Body {
        Body::from_stream(stream::iter(
            (0..count).map(move |_| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; size]))),
        ))
    }

    #[tokio::test]
    async fn all_bodies_have_one_limit_and_small_ones_are_always_taken() {
        const MIB: usize = 1 << 20;
        let rooms = Rooms::new();
        let client = |number: u8| rooms.of(IpAddr::from([192, 0, 2, number]));
        let mut held = Vec::new();
        let mut refused = 0;
        for network in 0..8 {
            for _ in 0..8 {
                match client(network).read(pieces(64, 64 * 1024), 4 * MIB).await {
                    Ok(body) => held.push(body),
                    Err(error) => {
                        assert_eq!(error, NotWhole::NoRoom);
                        refused += 1;
                    }
                }
            }
        }
        let bytes: usize = held.iter().map(|body| body.bytes.len()).sum();
        assert!(refused > 0 && bytes <= WHOLE_BODIES_BYTES + held.len() * UNCOUNTED_BODY_BYTES, "{bytes}");
        let small = client(0).read(pieces(UNCOUNTED_BODY_BYTES, 1), 4 * MIB).await.unwrap();
        assert_eq!(small.bytes.len(), UNCOUNTED_BODY_BYTES);
        drop(held);
        assert!(client(0).read(pieces(64, 64 * 1024), 4 * MIB).await.is_ok());
    }

    #[tokio::test]
    async fn a_body_may_have_as_many_bytes_as_its_limit() {
        let room = Rooms::new().of(IpAddr::from([192, 0, 2, 1]));
        assert!(room.read(pieces(4, 25), 100).await.is_ok());
        assert_eq!(room.read(pieces(5, 25), 100).await.unwrap_err(), NotWhole::TooLong);
        let cut = Body::from_stream(stream::iter([Err::<Bytes, _>(std::io::Error::other("gone"))]));
        assert_eq!(room.read(cut, 100).await.unwrap_err(), NotWhole::Cut);
    }
}

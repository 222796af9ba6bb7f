//! A relay in front of a server that counts what goes by, and can hold it or break it off: how a test ends a client or a
//! connection in the middle of a transfer without looking at a clock.
//!
//! Invariant: a byte is counted before it is passed on, and none is passed on beyond the mark while it is held.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a test waits for a mark to be reached.
const PATIENCE: Duration = Duration::from_secs(100);

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the server.
    Up,
    /// To the client.
    Down,
}

#[derive(Debug, Default)]
struct Counts {
    up: u64,
    down: u64,
    held: Option<(u64, u64)>,
    /// Connections that are still to be broken off, and the bytes in one direction that each lets by before.
    breaks: (usize, u64),
}

impl Counts {
    fn of(&mut self, way: Way) -> &mut u64 {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }

    /// How many bytes may go by now.
    fn room(&self, way: Way) -> u64 {
        match (self.held, way) {
            (None, _) => u64::MAX,
            (Some((mark, _)), Way::Up) => mark.saturating_sub(self.up),
            (Some((_, mark)), Way::Down) => mark.saturating_sub(self.down),
        }
    }

    /// Whether a connection is broken off now that it has passed so much on; if so, it counts as one of them.
    fn breaks(&mut self, passed: u64) -> bool {
        let (left, after) = &mut self.breaks;
        let breaks = *left > 0 && passed > *after;
        *left -= usize::from(breaks);
        breaks
    }
}

/// The relay; it lives as long as the test program.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<(Mutex<Counts>, Condvar)>,
}

impl Relay {
    /// Starts a relay to a server.
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new((Mutex::default(), Condvar::new()));
        let counts = Arc::clone(&shared);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(server) else { continue };
                for (from, to, way) in
                    [(near.try_clone(), far.try_clone(), Way::Up), (Ok(far), Ok(near), Way::Down)]
                {
                    let (Ok(from), Ok(to), counts) = (from, to, Arc::clone(&counts)) else { continue };
                    std::thread::spawn(move || pass(from, to, way, &counts));
                }
            }
        });
        Self { address, shared }
    }

    /// As `HOST:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// How many bytes went this way, of all connections together.
    pub fn passed(&self, way: Way) -> u64 {
        *held(&self.shared.0).of(way)
    }

    /// From now on only so many bytes more go by in one direction, until [`Relay::release`].
    pub fn hold_after(&self, way: Way, bytes: u64) {
        let mut counts = held(&self.shared.0);
        let mark = counts.of(way).saturating_add(bytes);
        counts.held = Some(match way {
            Way::Up => (mark, u64::MAX),
            Way::Down => (u64::MAX, mark),
        });
    }

    /// Waits until the mark is reached.
    ///
    /// # Panics
    /// It is not reached in time.
    pub fn wait_for_hold(&self, way: Way) {
        let begin = Instant::now();
        let mut counts = held(&self.shared.0);
        while counts.room(way) > 0 {
            assert!(begin.elapsed() < PATIENCE, "only {} bytes went {way:?}", *counts.of(way));
            let waited = self.shared.1.wait_timeout(counts, Duration::from_millis(200));
            counts = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// From now on so many connections are broken off, each behind so many bytes in one direction.
    pub fn break_off(&self, connections: usize, bytes: u64) {
        held(&self.shared.0).breaks = (connections, bytes);
    }

    /// How many connections are still to be broken off.
    pub fn breaks_left(&self) -> usize {
        held(&self.shared.0).breaks.0
    }

    /// Lets everything through again.
    pub fn release(&self) {
        held(&self.shared.0).held = None;
        self.shared.1.notify_all();
    }
}

fn held(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pass(mut from: TcpStream, mut to: TcpStream, way: Way, shared: &(Mutex<Counts>, Condvar)) {
    let (mut buffer, mut passed) = (vec![0; 64 * 1024], 0);
    'all: while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut piece = buffer.get(..read).unwrap_or_default();
        while !piece.is_empty() {
            let room = {
                let mut counts = held(&shared.0);
                while counts.room(way) == 0 {
                    counts = shared.1.wait(counts).unwrap_or_else(PoisonError::into_inner);
                }
                let room = counts.room(way).min(piece.len() as u64);
                *counts.of(way) += room;
                shared.1.notify_all();
                usize::try_from(room).unwrap_or(piece.len())
            };
            let (now, later) = piece.split_at(room);
            if to.write_all(now).is_err() {
                break 'all;
            }
            piece = later;
            passed += now.len() as u64;
            if held(&shared.0).breaks(passed) {
                break 'all;
            }
        }
    }
    for end in [&from, &to] {
        // The other direction may have closed both already.
        drop(end.shutdown(Shutdown::Both));
    }
}

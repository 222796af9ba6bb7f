//! A long line: a relay in front of a server that holds everything back for a while, lets each connection have so much a
//! second, and counts what goes through.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// What is on the way at once in one direction of a connection: more than the line's rate times its delay.
const ON_THE_WAY: usize = 4 << 20;

/// What a line does to what goes through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// The delay that a question and its answer meet together.
    pub(crate) round_trip: Duration,
    /// Bytes a second of each connection and direction; none is no limit.
    pub(crate) rate: Option<f64>,
}

/// A relay that serves until the program ends.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    sent: Arc<AtomicU64>,
}

impl Relay {
    pub(crate) fn start(server: SocketAddr, line: Line) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the machine has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let sent = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&sent);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let counter = Arc::clone(&counter);
                let Ok(server) = TcpStream::connect(server) else { continue };
                // Ends with its connection.
                std::thread::spawn(move || join(&client, &server, line, &counter));
            }
        });
        Self { address, sent }
    }

    /// Bytes that clients have sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

fn join(client: &TcpStream, server: &TcpStream, line: Line, sent: &AtomicU64) {
    let nothing = AtomicU64::new(0);
    for stream in [client, server] {
        // Without it small answers wait for the one before; the line itself is to be what is slow.
        let _ = stream.set_nodelay(true);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| carry(client, server, line, sent));
        scope.spawn(|| carry(server, client, line, &nothing));
    });
}

/// What is on the way, each piece with the moment it arrives; nothing more comes once it is `closed`.
#[derive(Default)]
struct Way {
    pieces: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    closed: bool,
}

fn carry(from: &TcpStream, to: &TcpStream, line: Line, count: &AtomicU64) {
    let way = (Mutex::new(Way::default()), Condvar::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = take(from, &way, line, count);
            way.0.lock().expect("nobody panics with it").closed = true;
            way.1.notify_all();
        });
        if give(to, &way, line).is_err() {
            // The reader must not fill what nobody empties.
            let _ = from.shutdown(Shutdown::Both);
            way.0.lock().expect("nobody panics with it").closed = true;
            way.1.notify_all();
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}

fn take(mut from: &TcpStream, way: &(Mutex<Way>, Condvar), line: Line, count: &AtomicU64) -> io::Result<()> {
    let mut window = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut window)?;
        if read == 0 {
            return Ok(());
        }
        count.fetch_add(read as u64, Ordering::Relaxed);
        let mut state = way.0.lock().expect("nobody panics with it");
        while state.bytes > ON_THE_WAY && !state.closed {
            state = way.1.wait(state).expect("nobody panics with it");
        }
        if state.closed {
            return Ok(());
        }
        state.bytes += read;
        state.pieces.push_back((Instant::now() + line.round_trip / 2, window[..read].to_vec()));
        way.1.notify_all();
    }
}

fn give(mut to: &TcpStream, way: &(Mutex<Way>, Condvar), line: Line) -> io::Result<()> {
    // When the line is free again for the next piece.
    let mut free = Instant::now();
    loop {
        let mut state = way.0.lock().expect("nobody panics with it");
        let (arrives, piece) = loop {
            if let Some(first) = state.pieces.pop_front() {
                break first;
            }
            if state.closed {
                return Ok(());
            }
            state = way.1.wait(state).expect("nobody panics with it");
        };
        state.bytes -= piece.len();
        way.1.notify_all();
        drop(state);
        let due = arrives.max(free);
        let wait = due.saturating_duration_since(Instant::now());
        // A sleep is never shorter than asked for; what is overslept is made good with the next piece.
        if wait > Duration::from_micros(100) {
            std::thread::sleep(wait);
        }
        if let Some(rate) = line.rate {
            #[expect(clippy::cast_precision_loss, reason = "a piece is 64 KiB at most")]
            let taken = Duration::from_secs_f64(piece.len() as f64 / rate);
            free = due + taken;
        }
        to.write_all(&piece)?;
    }
}

//! A larger send buffer for a connection that empties its own fast: it is filled in fewer and larger goes, and each go costs
//! a wake-up.

use std::fs;
use std::os::fd::AsFd;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// How much goes out from one look at the clock to the next.
const STRETCH: usize = 4 << 20;

/// How fast a stretch must go out. On a slower line there are few wake-ups, and what waits in the socket would only hide
/// from the sender how far it is.
const SOON: Duration = Duration::from_millis(25);

/// What is asked for; the kernel doubles it, for what it needs beside the bytes.
const ASKED: usize = 4 << 20;

/// Whether asking makes a buffer larger than the kernel's own growth would. Asking ends that growth, and older kernels allow
/// 208 KiB by default (`net.core.wmem_max`).
static OF_USE: LazyLock<bool> =
    LazyLock::new(|| match (most("/proc/sys/net/core/wmem_max"), most("/proc/sys/net/ipv4/tcp_wmem")) {
        (Some(allowed), Some(grown)) => 2 * ASKED.min(allowed) > grown,
        _ => false,
    });

/// The last number of a setting: where there are three, the largest that is allowed.
fn most(setting: &str) -> Option<usize> {
    fs::read_to_string(setting).ok()?.split_ascii_whitespace().next_back()?.parse().ok()
}

/// How fast a connection takes what it is given.
#[derive(Debug)]
pub(crate) struct Pace {
    /// When the stretch began; the first has no beginning, for it fills an empty socket.
    since: Option<Instant>,
    sent: usize,
    settled: bool,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { since: None, sent: 0, settled: !*OF_USE }
    }

    /// Notes that so many bytes went out, and enlarges the socket's buffer once that was fast.
    pub(crate) fn sent(&mut self, bytes: usize, socket: impl AsFd) {
        if self.settled {
            return;
        }
        self.sent += bytes;
        if self.sent >= STRETCH && self.is_fast(Instant::now()) {
            self.settled = true;
            // The connection works without, in more goes.
            let _ = rustix::net::sockopt::set_socket_send_buffer_size(socket, ASKED);
        }
    }

    /// Ends a stretch.
    fn is_fast(&mut self, now: Instant) -> bool {
        self.sent = 0;
        self.since.replace(now).is_some_and(|since| now.duration_since(since) <= SOON)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use rustix::net::sockopt::socket_send_buffer_size;

    use super::*;

    #[test]
    fn a_stretch_is_fast_by_its_own_time_alone() {
        let mut pace = Pace::new();
        let begin = Instant::now();
        assert!(!pace.is_fast(begin), "nothing is known of the first");
        assert!(!pace.is_fast(begin + 2 * SOON));
        assert!(pace.is_fast(begin + 3 * SOON));
        assert!(!pace.is_fast(begin + 5 * SOON));
    }

    #[test]
    fn a_buffer_never_becomes_smaller_than_the_kernel_would_make_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let before = socket_send_buffer_size(&socket).unwrap();
        let mut pace = Pace { since: Some(Instant::now() + SOON), ..Pace::new() };
        pace.sent(STRETCH - 1, &socket);
        assert_eq!(socket_send_buffer_size(&socket).unwrap(), before, "the stretch is not over");
        pace.sent(1, &socket);
        let after = socket_send_buffer_size(&socket).unwrap();
        let grown = most("/proc/sys/net/ipv4/tcp_wmem").unwrap();
        if *OF_USE {
            assert!(after > grown, "{after} is no more than the kernel's own {grown}");
        } else {
            assert_eq!(after, before, "what the kernel does is better");
        }
        assert!(pace.settled);
    }
}

//! A bare socket: bytes go out as they are, and whatever comes back until the close is kept.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than anything here should take, so that a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection.
pub(super) struct Wire(TcpStream);

impl Wire {
    pub(super) fn open(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Sends bytes; false when the server has closed the connection.
    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).is_ok()
    }

    /// Sends until all is gone, the server closes, or it takes nothing for a second; whether all is gone.
    pub(super) fn flood(&mut self, bytes: &[u8]) -> bool {
        self.0.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        self.0.write_all(bytes).is_ok()
    }

    /// Says that nothing more will be sent.
    pub(super) fn finish(&mut self) {
        // The server may have closed already.
        let _ = self.0.shutdown(std::net::Shutdown::Write);
    }

    /// Everything until the server closes; a reset is a close, silence is a failure.
    #[track_caller]
    pub(super) fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the server neither answers nor closes; so far: {}", String::from_utf8_lossy(&bytes))
            }
            Ok(_) | Err(_) => bytes,
        }
    }

    /// As many bytes as asked for; fewer only when the server closes.
    pub(super) fn take(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A reset after a few bytes leaves those few.
        let _ = (&mut self.0).take(count as u64).read_to_end(&mut bytes);
        bytes
    }

    /// Sends `bytes` while reading, for an answer may come before all is sent; everything until the close.
    #[track_caller]
    pub(super) fn exchange(mut self, bytes: &[u8]) -> Vec<u8> {
        let mut writer = self.0.try_clone().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // The server may close half way: then its answer counts.
                let _ = writer.write_all(bytes);
            });
            self.rest()
        })
    }
}

/// The statuses of all the answers in `bytes`, in order.
pub(super) fn statuses(bytes: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(bytes);
    text.split("HTTP/1.1 ").skip(1).filter_map(|rest| rest.get(..3)?.parse().ok()).collect()
}

/// The value of `Authorization` for the administrator of a test server.
pub(super) fn admin_authorization(server: &hythe_testbed::Hythe) -> String {
    use base64::Engine as _;
    let (name, password) = server.admin_login();
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}")))
}

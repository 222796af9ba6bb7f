//! The operator's side of a running server: the control socket in its data folder.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// The control socket of one server, whether it runs or not.
#[derive(Clone, Debug)]
pub struct Control(PathBuf);

impl Control {
    /// The socket in this data folder.
    pub fn of(data: &Path) -> Self {
        Self(data.join("hythe.sock"))
    }

    /// Collects garbage without grace and gives the report; an error if the server dies meanwhile.
    pub fn collect(&self) -> io::Result<Value> {
        self.post("/gc", &json!({"grace_seconds": 0}))
    }

    fn post(&self, path: &str, body: &Value) -> io::Result<Value> {
        let mut stream = UnixStream::connect(&self.0)?;
        let body = body.to_string();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: hythe\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the answer was cut"))?;
        let body = serde_json::from_str(body)?;
        if head.starts_with("HTTP/1.1 200") {
            Ok(body)
        } else {
            Err(io::Error::other(format!("{head}\n{body}")))
        }
    }
}

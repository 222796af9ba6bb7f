//! A server that answers by a script and remembers what it was asked: for the tests of this crate
//! and of those above it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// What to answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Announce this length instead of the true one.
    announced: Option<usize>,
    /// Never answer.
    silent: bool,
}

impl Reply {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn silence() -> Self {
        Self { silent: true, ..Self::default() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn announce(mut self, length: usize) -> Self {
        self.announced = Some(length);
        self
    }
}

/// The server; it lives as long as the test program.
pub(crate) struct Scripted {
    /// `http://127.0.0.1:PORT`
    pub(crate) base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Scripted {
    /// Starts a server that asks `script` for each answer; one request per connection.
    pub(crate) fn start(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, script) = (Arc::clone(&seen), Arc::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, script) = (Arc::clone(&log), Arc::clone(&script));
                std::thread::spawn(move || serve(stream.unwrap(), &log, &*script));
            }
        });
        Self { base, seen }
    }

    /// All requests until now.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<Seen>>, script: &dyn Fn(&Seen) -> Reply) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let Some(request) = read(&mut reader) else { return };
    let reply = script(&request);
    let head = request.method == "HEAD";
    log.lock().unwrap().push(request);
    if reply.silent {
        // Holds the connection until the client gives up.
        let ended = reader.read(&mut [0]);
        assert!(!matches!(ended, Ok(1..)), "a second request came before the first was answered");
        return;
    }
    let length = reply.announced.unwrap_or(reply.body.len());
    let headers: Vec<String> =
        reply.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head_text = format!(
        "HTTP/1.1 {} Scripted\r\nConnection: close\r\n{}Content-Length: {length}\r\n\r\n",
        reply.status,
        headers.concat()
    );
    let mut stream = stream;
    let written = stream.write_all(head_text.as_bytes());
    // A client that does not like the head may hang up before the body.
    if written.is_ok() && !head {
        drop(stream.write_all(&reply.body));
    }
}

fn read(reader: &mut impl BufRead) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut seen = Seen { method, target, headers, body: Vec::new() };
    let length: usize = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    seen.body.resize(length, 0);
    reader.read_exact(&mut seen.body).ok()?;
    Some(seen)
}

//! A server that answers by a script and remembers what it was asked: for the tests of this crate
//! and of those above it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The client's end of the connection.
    pub(crate) from: String,
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
    /// Close the connection instead of answering.
    hung_up: bool,
    /// Answer even if the request was cut.
    early: bool,
    /// Take another request on this connection.
    kept: bool,
}

impl Reply {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn silence() -> Self {
        Self { silent: true, ..Self::default() }
    }

    pub(crate) fn hang_up() -> Self {
        Self { hung_up: true, ..Self::default() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Announces the whole body, sends so many bytes of it and hangs up.
    pub(crate) fn cut(mut self, bytes: usize) -> Self {
        self.announced = Some(self.body.len());
        self.body.truncate(bytes);
        self
    }

    /// Answers although the request was cut, and then passes over the rest of it, as polite servers do.
    pub(crate) fn early(mut self) -> Self {
        self.early = true;
        self
    }

    /// Takes another request on this connection.
    pub(crate) fn kept(mut self) -> Self {
        self.kept = true;
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
    /// Starts a server that asks `script` for each answer; one request per connection,
    /// unless a reply says otherwise.
    pub(crate) fn start(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_cutting(|_| None, script)
    }

    /// The same, but it hangs up after as many bytes of a request's body as `cut` says of its head. The
    /// script sees what has arrived until then; its answer is lost.
    pub(crate) fn start_cutting(
        cut: impl Fn(&Seen) -> Option<usize> + Send + Sync + 'static,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, script) = (Arc::clone(&seen), Arc::new(script));
        let cut = Arc::new(cut);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, script, cut) = (Arc::clone(&log), Arc::clone(&script), Arc::clone(&cut));
                std::thread::spawn(move || serve(stream.unwrap(), &log, &*cut, &*script));
            }
        });
        Self { base, seen }
    }

    /// All requests until now.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(
    stream: TcpStream,
    log: &Mutex<Vec<Seen>>,
    cut: &dyn Fn(&Seen) -> Option<usize>,
    script: &dyn Fn(&Seen) -> Reply,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let from = stream.peer_addr().unwrap().to_string();
    while serve_one(&mut reader, &stream, &from, log, cut, script) {}
}

/// Whether the connection takes another request.
fn serve_one(
    reader: &mut BufReader<TcpStream>,
    mut stream: &TcpStream,
    from: &str,
    log: &Mutex<Vec<Seen>>,
    cut: &dyn Fn(&Seen) -> Option<usize>,
    script: &dyn Fn(&Seen) -> Reply,
) -> bool {
    let Some((mut request, is_cut)) = read(reader, cut) else { return false };
    from.clone_into(&mut request.from);
    let mut reply = script(&request);
    reply.hung_up |= is_cut && !reply.early;
    let head = request.method == "HEAD";
    log.lock().unwrap().push(request);
    if reply.hung_up {
        return false;
    }
    if reply.silent {
        // Holds the connection until the client gives up.
        let ended = reader.read(&mut [0]);
        assert!(!matches!(ended, Ok(1..)), "a second request came before the first was answered");
        return false;
    }
    let length = reply.announced.unwrap_or(reply.body.len());
    let headers: Vec<String> =
        reply.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head_text = format!(
        "HTTP/1.1 {} Scripted\r\n{}{}Content-Length: {length}\r\n\r\n",
        reply.status,
        if reply.kept { "" } else { "Connection: close\r\n" },
        headers.concat()
    );
    let written = stream.write_all(head_text.as_bytes());
    // A client that does not like the head may hang up before the body.
    if written.is_ok() && !head {
        drop(stream.write_all(&reply.body));
    }
    if reply.early {
        // To close with bytes unread would reset the connection, and the answer could be lost.
        drop(stream.shutdown(Shutdown::Write));
        drop(std::io::copy(reader, &mut std::io::sink()));
    }
    reply.kept
}

/// The request, and whether it was cut.
fn read(reader: &mut impl BufRead, cut: &dyn Fn(&Seen) -> Option<usize>) -> Option<(Seen, bool)> {
    let line = read_line(reader)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut seen = Seen { method, target, headers, body: Vec::new(), from: String::new() };
    if seen.header("transfer-encoding") == Some("chunked") {
        let cut = cut(&seen);
        loop {
            let size = usize::from_str_radix(&read_line(reader)?, 16).unwrap();
            let mut chunk = vec![0; size];
            reader.read_exact(&mut chunk).ok()?;
            read_line(reader)?;
            if size == 0 {
                return Some((seen, false));
            }
            seen.body.extend(chunk);
            if let Some(cut) = cut.filter(|cut| *cut < seen.body.len()) {
                seen.body.truncate(cut);
                return Some((seen, true));
            }
        }
    }
    let length: usize = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    let cut = cut(&seen).filter(|cut| *cut < length);
    seen.body.resize(cut.unwrap_or(length), 0);
    reader.read_exact(&mut seen.body).ok()?;
    Some((seen, cut.is_some()))
}

fn read_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    line.truncate(line.trim_end().len());
    Some(line)
}

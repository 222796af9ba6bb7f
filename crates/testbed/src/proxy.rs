//! A small HTTP/1.1 server in front of a real registry, or in place of one, whose rule may change, cut or invent every
//! request and every answer.
//!
//! With a real registry behind it, what is pushed through it is really stored: an awkward registry is a good one whose
//! answers were made awkward on the way. Nothing of the client under test is shared with it.
//!
//! Invariant: every request is on record with its headers, whatever became of it, so that a test can say who was shown
//! a credential.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::http::{Body, Connection, Request};

/// How long a connection may be idle before its thread ends.
const PATIENCE: Duration = Duration::from_secs(120);

/// Headers that belong to one connection and are made anew for the next.
const OF_THE_CONNECTION: &[&str] =
    &["connection", "content-length", "transfer-encoding", "expect", "keep-alive"];

/// One request as it arrived, its body not yet read.
pub struct Exchange<'a> {
    /// The method.
    pub method: String,
    /// Path and query as they were sent.
    pub target: String,
    /// Header lines in order, names in lower case.
    pub headers: Vec<(String, String)>,
    reader: &'a mut BufReader<TcpStream>,
    left: Left,
    known: Vec<u8>,
}

/// What is left of a request's body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Bytes(u64),
    Chunks,
    Nothing,
}

/// What is on record of a request.
#[derive(Clone, Debug)]
pub struct Noted {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Header lines in order, names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Noted {
    /// The first value of a header, its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An answer as it goes onto the wire.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Header lines in order, without those of the framing.
    pub headers: Vec<(String, String)>,
    /// What follows the head.
    pub content: Content,
}

/// The body of an answer, honest or not.
#[derive(Clone, Debug)]
pub enum Content {
    /// These bytes, their number announced.
    Whole(Vec<u8>),
    /// Another number is announced; after these bytes the connection ends.
    Announced(u64, Vec<u8>),
    /// Chunks of these bytes without an end, without a length.
    Endless(Vec<u8>),
    /// The answer to a HEAD, which names a length and has no bytes.
    Head(Option<u64>),
    /// No answer at all: the connection ends.
    HangUp,
}

impl Answer {
    /// An answer without a body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), content: Content::Whole(Vec::new()) }
    }

    /// No answer: the connection ends.
    pub fn hang_up() -> Self {
        Self { content: Content::HangUp, ..Self::new(0) }
    }

    /// With these bytes.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.content = Content::Whole(bytes.into());
        self
    }

    /// With a body of another kind.
    pub fn content(mut self, content: Content) -> Self {
        self.content = content;
        self
    }

    /// With one more header line.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Without the lines of a header.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self
    }

    /// With one line of a header in place of all.
    pub fn replacing(self, name: &str, value: impl Into<String>) -> Self {
        self.without(name).with(name, value)
    }

    /// The first value of a header, its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The bytes, where there are any.
    pub fn bytes(&self) -> &[u8] {
        match &self.content {
            Content::Whole(bytes) | Content::Announced(_, bytes) | Content::Endless(bytes) => bytes,
            Content::Head(_) | Content::HangUp => &[],
        }
    }

    /// Announces the whole body, and ends the connection after so many bytes of it.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        if let Content::Whole(whole) = &mut self.content
            && whole.len() > bytes
        {
            let announced = whole.len() as u64;
            whole.truncate(bytes);
            self.content = Content::Announced(announced, std::mem::take(whole));
        }
        self
    }
}

impl Exchange<'_> {
    /// The first value of a header, its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Method and path begin and end like this.
    pub fn is(&self, method: &str, end: &str) -> bool {
        self.method == method && self.path().contains(end)
    }

    /// How long the body says it is.
    pub fn announced(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// Asks the registry behind, with the whole body, and answers what it answers.
    pub fn forward(&mut self, to: SocketAddr) -> Answer {
        match self.read(u64::MAX) {
            Ok(()) => {
                let body = Body::Whole(std::mem::take(&mut self.known));
                self.ask(to, body)
            }
            // The client broke off: the registry sees the same.
            Err(_) => self.break_off(to),
        }
    }

    /// Lets so many bytes of the body through, then breaks off in both directions.
    pub fn cut(&mut self, to: SocketAddr, bytes: u64) -> Answer {
        // A body that is shorter than that is cut where it ends.
        drop(self.read(bytes));
        self.break_off(to)
    }

    fn break_off(&mut self, to: SocketAddr) -> Answer {
        let sent = std::mem::take(&mut self.known);
        let announced = usize::try_from(self.announced().unwrap_or(0)).unwrap_or(usize::MAX);
        let cut = Body::Cut { announced: announced.max(sent.len() + 1), sent };
        if let Ok(connection) = Connection::try_open(to) {
            connection.cut(&self.request(cut));
        }
        Answer::hang_up()
    }

    fn request(&self, body: Body) -> Request {
        let kept = |(name, _): &&(String, String)| !OF_THE_CONNECTION.contains(&name.as_str());
        let headers = self.headers.iter().filter(kept).cloned().collect();
        let body = match body {
            Body::Whole(bytes) if bytes.is_empty() => Body::None,
            body => body,
        };
        Request { method: self.method.clone(), target: self.target.clone(), headers, body }
    }

    fn ask(&self, to: SocketAddr, body: Body) -> Answer {
        let answered = Connection::try_open(to).and_then(|mut near| near.attempt(&self.request(body)));
        let Ok(answer) = answered else { return Answer::hang_up() };
        let length = answer.header("content-length").and_then(|text| text.parse().ok());
        let headers =
            answer.headers.into_iter().filter(|(name, _)| !OF_THE_CONNECTION.contains(&name.as_str()));
        let content = if self.method == "HEAD" { Content::Head(length) } else { Content::Whole(answer.body) };
        Answer { status: answer.status, headers: headers.collect(), content }
    }

    /// Reads on in the body, until `most` bytes are known or it ends.
    fn read(&mut self, most: u64) -> io::Result<()> {
        if self.left != Left::Nothing && self.header("expect").is_some() {
            self.reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        loop {
            let room = most.saturating_sub(self.known.len() as u64);
            match self.left {
                Left::Nothing => return Ok(()),
                _ if room == 0 => return Ok(()),
                Left::Bytes(left) => {
                    let wanted = left.min(room);
                    let read = self.reader.by_ref().take(wanted).read_to_end(&mut self.known)? as u64;
                    if read < wanted {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    self.left = if left == read { Left::Nothing } else { Left::Bytes(left - read) };
                }
                Left::Chunks => {
                    let size = line(self.reader)?;
                    let size = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
                    self.reader.by_ref().take(size).read_to_end(&mut self.known)?;
                    line(self.reader)?;
                    if size == 0 {
                        self.left = Left::Nothing;
                    }
                }
            }
        }
    }
}

/// The server; it lives as long as the test program.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    noted: Arc<Mutex<Vec<Noted>>>,
}

impl Proxy {
    /// Starts a server that asks `rule` for each answer.
    pub fn start(rule: impl Fn(&mut Exchange<'_>) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1", rule)
    }

    /// The same at another address of this machine, which clients take for another host.
    pub fn start_at(host: &str, rule: impl Fn(&mut Exchange<'_>) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((host, 0)).expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let noted = Arc::new(Mutex::new(Vec::new()));
        let (log, rule) = (Arc::clone(&noted), Arc::new(rule));
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let (log, rule) = (Arc::clone(&log), Arc::clone(&rule));
                // A client that breaks off ends its own connection alone.
                std::thread::spawn(move || drop(serve(near, &log, &*rule)));
            }
        });
        Self { address, noted }
    }

    /// A server on another host that refuses everything: whoever is lured there is on record.
    pub fn lure() -> Self {
        Self::start_at("127.0.0.2", |_| Answer::new(404))
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The same as `HOST:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Every request until now.
    pub fn noted(&self) -> Vec<Noted> {
        held(&self.noted).clone()
    }

    /// Whether anybody ever sent a credential.
    pub fn was_trusted(&self) -> bool {
        held(&self.noted).iter().any(|noted| noted.header("authorization").is_some())
    }
}

fn held<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(
    near: TcpStream,
    log: &Mutex<Vec<Noted>>,
    rule: &dyn Fn(&mut Exchange<'_>) -> Answer,
) -> io::Result<()> {
    near.set_read_timeout(Some(PATIENCE))?;
    near.set_nodelay(true)?;
    let mut reader = BufReader::new(near);
    loop {
        let first = line(&mut reader)?;
        let mut words = first.split(' ').map(str::to_owned);
        let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(()) };
        let mut headers = Vec::new();
        loop {
            let line = line(&mut reader)?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        held(log).push(Noted { method: method.clone(), target: target.clone(), headers: headers.clone() });
        let of = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let left = match (of("content-length").and_then(|text| text.parse().ok()), of("transfer-encoding")) {
            (Some(0) | None, None) => Left::Nothing,
            (Some(length), None) => Left::Bytes(length),
            (_, Some(_)) => Left::Chunks,
        };
        let mut exchange = Exchange { method, target, headers, reader: &mut reader, left, known: Vec::new() };
        let answer = rule(&mut exchange);
        let unread = exchange.left != Left::Nothing;
        let is_head = exchange.method == "HEAD";
        if !told(reader.get_mut(), &answer, is_head, unread)? || unread {
            // What is unread is passed over for a moment, or its arrival would take the answer with it.
            reader.get_mut().set_read_timeout(Some(Duration::from_millis(500)))?;
            reader.get_mut().shutdown(Shutdown::Write)?;
            drop(io::copy(&mut reader.by_ref().take(64 << 20), &mut io::sink()));
            return Ok(());
        }
    }
}

/// Sends an answer; false if the connection ends with it.
fn told(near: &mut TcpStream, answer: &Answer, is_head: bool, closes: bool) -> io::Result<bool> {
    let mut head = format!("HTTP/1.1 {} Proxied\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if closes {
        head += "connection: close\r\n";
    }
    let no_body = matches!(answer.status, 204 | 304);
    match &answer.content {
        Content::HangUp => {
            near.shutdown(Shutdown::Both)?;
            return Ok(false);
        }
        Content::Head(length) => {
            if let Some(length) = length {
                head += &format!("content-length: {length}\r\n");
            }
            near.write_all((head + "\r\n").as_bytes())?;
            // Without a length only the end of the connection says where the answer to anything but a HEAD ends.
            return Ok(is_head);
        }
        Content::Whole(bytes) => {
            if !no_body {
                head += &format!("content-length: {}\r\n", bytes.len());
            }
            near.write_all((head + "\r\n").as_bytes())?;
            if !is_head && !no_body {
                near.write_all(bytes)?;
            }
            return Ok(true);
        }
        Content::Announced(length, bytes) => {
            head += &format!("content-length: {length}\r\n\r\n");
            near.write_all(head.as_bytes())?;
            if !is_head {
                near.write_all(bytes)?;
            }
        }
        Content::Endless(bytes) => {
            near.write_all((head + "transfer-encoding: chunked\r\n\r\n").as_bytes())?;
            if !is_head {
                loop {
                    near.write_all(format!("{:x}\r\n", bytes.len()).as_bytes())?;
                    near.write_all(bytes)?;
                    near.write_all(b"\r\n")?;
                }
            }
        }
    }
    Ok(false)
}

fn line(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Actor;

    #[test]
    fn passes_on_what_it_does_not_change() {
        let behind = Proxy::start(|exchange| {
            let body = format!("{} {}", exchange.method, exchange.target);
            Answer::new(200).with("x-behind", "yes").body(body)
        });
        let addr = behind.addr();
        let front = Proxy::start(move |exchange| exchange.forward(addr).replacing("x-behind", "no"));
        let answer = Actor::basic(front.addr(), "ada", "x").get("/v2/?a=b").is(200);
        assert_eq!((answer.must("x-behind"), answer.body.as_slice()), ("no", b"GET /v2/?a=b".as_slice()));
        assert!(front.was_trusted() && behind.was_trusted());
        assert_eq!(behind.noted()[0].target, "/v2/?a=b");
    }

    #[test]
    fn cuts_in_both_directions() {
        let front = Proxy::start(|_| Answer::new(200).body("hello").cut_after(2));
        assert!(Actor::anonymous(front.addr()).ask("GET", "/").attempt().is_err());
        let got = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&got);
        let behind = Proxy::start(move |exchange| {
            drop(exchange.read(u64::MAX));
            held(&log).extend_from_slice(&exchange.known);
            Answer::new(200)
        });
        let addr = behind.addr();
        let front = Proxy::start(move |exchange| exchange.cut(addr, 3));
        let sent = Actor::anonymous(front.addr()).ask("PUT", "/").body(Body::Whole(b"hello".to_vec()));
        assert!(sent.attempt().is_err());
        let begin = std::time::Instant::now();
        while held(&got).is_empty() && begin.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(held(&got).as_slice(), b"hel");
    }
}

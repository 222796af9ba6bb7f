//! A small blocking HTTP/1.1 speaker with full control of the wire.
//!
//! The rows of the conformance table are about raw behaviour: bodies that are cut, chunks, header lines that
//! repeat, an interim 100. A well-behaved client library hides all of these, so the tests speak themselves.
//!
//! Invariant: a [`Response`] is complete and exactly what was sent: no redirect was followed, nothing was
//! decoded but the chunk framing, and a body shorter or longer than announced is no response: an error of
//! [`Connection::attempt`], a panic of [`Connection::send`].

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long one read or write may block.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the body goes onto the wire.
#[derive(Clone, Debug)]
pub enum Body {
    /// No body; `Content-Length: 0` for methods that have one.
    None,
    /// With its length announced.
    Whole(Vec<u8>),
    /// In chunks, without a length.
    Chunked(Vec<Vec<u8>>),
    /// `announced` bytes are promised, then the connection is cut after the bytes given.
    Cut {
        /// The value of `Content-Length`.
        announced: usize,
        /// What is sent of it.
        sent: Vec<u8>,
    },
    /// The head says `Expect: 100-continue`, and the body follows only after the interim answer.
    Expect(Vec<u8>),
}

/// One request as it goes onto the wire.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query, sent as they are.
    pub target: String,
    /// Header lines in order; `Host` is added when it is missing.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

/// One complete answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status of the final answer.
    pub status: u16,
    /// The interim statuses (1xx) seen before it.
    pub interim: Vec<u16>,
    /// Header lines in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Method and target of the request, for messages.
    pub asked: String,
}

/// A kept connection.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Connection {
    /// Connects to `addr`.
    pub fn open(addr: SocketAddr) -> Self {
        Self::try_open(addr).unwrap_or_else(|error| panic!("no connection to {addr}: {error}"))
    }

    /// Connects to `addr` if somebody listens there.
    pub fn try_open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), host: addr.to_string() })
    }

    /// Sends a request and reads its answer.
    pub fn send(&mut self, request: &Request) -> Response {
        let answer = self.attempt(request);
        answer.unwrap_or_else(|error| panic!("{} {}: {error}", request.method, request.target))
    }

    /// As [`send`](Self::send), where the server may die before it has answered.
    pub fn attempt(&mut self, request: &Request) -> io::Result<Response> {
        let mut interim = Vec::new();
        let head = self.head(request);
        // A server may answer and close before it has read a body it refuses: then its answer counts,
        // not the broken pipe.
        let _ = self.stream.get_mut().write_all(head.as_bytes());
        match &request.body {
            Body::None => {}
            Body::Whole(bytes) | Body::Cut { sent: bytes, .. } => {
                let _ = self.stream.get_mut().write_all(bytes);
            }
            Body::Chunked(chunks) => {
                for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                    let _ = self.stream.get_mut().write_all(format!("{:x}\r\n", chunk.len()).as_bytes());
                    let _ = self.stream.get_mut().write_all(chunk);
                    let _ = self.stream.get_mut().write_all(b"\r\n");
                }
                let _ = self.stream.get_mut().write_all(b"0\r\n\r\n");
            }
            Body::Expect(bytes) => {
                let (status, headers) = self.read_head()?;
                if status != 100 {
                    return self.read_body(request, status, headers, interim);
                }
                interim.push(status);
                let _ = self.stream.get_mut().write_all(bytes);
            }
        }
        loop {
            let (status, headers) = self.read_head()?;
            if status >= 200 {
                return self.read_body(request, status, headers, interim);
            }
            interim.push(status);
        }
    }

    /// Sends a request whose body breaks off, and cuts the connection without waiting for an answer.
    pub fn cut(mut self, request: &Request) {
        let Body::Cut { sent, .. } = &request.body else { panic!("only a cut body cuts the connection") };
        let head = self.head(request);
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes()).expect("the server reads the head");
        stream.write_all(sent).expect("the server reads the body");
        stream.flush().expect("a socket has nothing to flush");
        stream.shutdown(std::net::Shutdown::Both).expect("the connection is open");
    }

    fn head(&self, request: &Request) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
        let has = |name: &str| request.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
        if !has("host") {
            head += &format!("Host: {}\r\n", self.host);
        }
        for (key, value) in &request.headers {
            head += &format!("{key}: {value}\r\n");
        }
        match &request.body {
            Body::None if matches!(request.method.as_str(), "GET" | "HEAD") => {}
            Body::None => head += "Content-Length: 0\r\n",
            Body::Whole(bytes) => head += &format!("Content-Length: {}\r\n", bytes.len()),
            Body::Cut { announced, .. } => head += &format!("Content-Length: {announced}\r\n"),
            Body::Chunked(_) => head += "Transfer-Encoding: chunked\r\n",
            Body::Expect(bytes) => {
                head += &format!("Content-Length: {}\r\nExpect: 100-continue\r\n", bytes.len());
            }
        }
        head + "\r\n"
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line)? == 0 {
            return Err(broken("the server closed the connection without a complete answer"));
        }
        let line = String::from_utf8(line).map_err(|_| broken("head lines are ASCII"))?;
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn read_head(&mut self) -> io::Result<(u16, Vec<(String, String)>)> {
        let status_line = self.line()?;
        let status = status_line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3))
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| broken(format!("not an HTTP/1.1 status line: {status_line}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok((status, headers));
            }
            let (name, value) =
                line.split_once(':').ok_or_else(|| broken(format!("not a header line: {line}")))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    fn read_body(
        &mut self,
        request: &Request,
        status: u16,
        headers: Vec<(String, String)>,
        interim: Vec<u16>,
    ) -> io::Result<Response> {
        let asked = format!("{} {}", request.method, request.target);
        let mut response = Response { status, interim, headers, body: Vec::new(), asked };
        if request.method == "HEAD" || matches!(status, 204 | 304) {
            return Ok(response);
        }
        if response.header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            loop {
                let line = self.line()?;
                let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)
                    .map_err(|_| broken(format!("not a chunk size: {line}")))?;
                let mut chunk = vec![0; size];
                self.stream.read_exact(&mut chunk)?;
                response.body.extend_from_slice(&chunk);
                if !self.line()?.is_empty() {
                    return Err(broken("a chunk is longer than announced"));
                }
                if size == 0 {
                    return Ok(response);
                }
            }
        }
        if let Some(length) = response.header("content-length") {
            let length = length.parse().map_err(|_| broken("Content-Length is no number"))?;
            response.body = vec![0; length];
            self.stream
                .read_exact(&mut response.body)
                .map_err(|error| broken(format!("the body is shorter than its {length} bytes: {error}")))?;
            return Ok(response);
        }
        self.stream.read_to_end(&mut response.body)?;
        Ok(response)
    }
}

fn broken(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Response {
    /// The first value of a header, its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a header that may repeat.
    pub fn header_lines(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a header that must be there.
    #[track_caller]
    pub fn must(&self, name: &str) -> &str {
        self.header(name).unwrap_or_else(|| panic!("the header {name} is missing: {self}"))
    }

    /// Insists on one of these statuses.
    #[track_caller]
    pub fn one_of(self, statuses: &[u16]) -> Self {
        assert!(statuses.contains(&self.status), "should have been one of {statuses:?}: {self}");
        self
    }

    /// Insists on this status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        self.one_of(&[status])
    }

    /// Insists that the server did not fail: a success, a redirect or a refusal.
    #[track_caller]
    pub fn refused_or_ok(self) -> Self {
        assert!((200..500).contains(&self.status), "should not have been a failure: {self}");
        self
    }

    /// Insists on a refusal that is the caller's fault, told in the OCI form.
    #[track_caller]
    pub fn refused(self) -> Self {
        assert!((400..500).contains(&self.status), "should have been a 4xx: {self}");
        self
    }

    /// Insists on the OCI error `code` as the first of the body.
    #[track_caller]
    pub fn code(self, code: &str) -> Self {
        assert_eq!(self.error()["code"], code, "{self}");
        self
    }

    /// The first error of an OCI error body, after checking its form: code, a sentence, a detail.
    #[track_caller]
    pub fn error(&self) -> Value {
        let body = self.json();
        let error = body["errors"][0].clone();
        let code = error["code"].as_str().unwrap_or_else(|| panic!("no error code: {self}"));
        assert!(
            !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'),
            "not an OCI code: {self}"
        );
        let sentence = error["message"].as_str().unwrap_or_else(|| panic!("no message: {self}"));
        assert!(sentence.contains(' '), "the message is no sentence: {self}");
        assert!(!error["detail"].is_null(), "the detail is null: {self}");
        error
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self}"))
    }
}

impl std::fmt::Display for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} answered {}", self.asked, self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        let shown = self.body.get(..self.body.len().min(2000)).unwrap_or_default();
        write!(f, "\n{}", String::from_utf8_lossy(shown))
    }
}

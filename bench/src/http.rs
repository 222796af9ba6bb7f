//! A client that costs little: blocking HTTP/1.1 over one kept connection, plain or TLS. Bodies that nobody
//! looks at are thrown away inside the kernel where the connection is plain.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustix::net::RecvFlags;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sha2::{Digest as _, Sha256};

/// Where requests go, and with what.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// The value of `Authorization`, if the server wants one.
    pub(crate) authorization: Option<String>,
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

impl Target {
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Self { address, authorization: None, tls: None }
    }

    pub(crate) fn with(&self, authorization: String) -> Self {
        Self { authorization: Some(authorization), ..self.clone() }
    }

    /// The same over TLS under this authority (PEM).
    pub(crate) fn over_tls(&self, authority: &[u8]) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority) {
            roots.add(certificate.expect("the authority is PEM")).expect("the authority is a certificate");
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { tls: Some(Arc::new(config)), ..self.clone() }
    }
}

enum Stream {
    Plain(BufReader<TcpStream>),
    Tls(Box<BufReader<StreamOwned<ClientConnection, TcpStream>>>),
}

/// One kept connection.
pub(crate) struct Connection {
    target: Target,
    stream: Stream,
    /// What is read into and not looked at.
    sink: Vec<u8>,
}

/// An answer without its body.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) length: u64,
    pub(crate) location: Option<String>,
}

/// What becomes of an answer's body.
pub(crate) enum Take<'a> {
    Nothing,
    Hash(&'a mut Sha256),
    Keep(&'a mut Vec<u8>),
}

impl Connection {
    pub(crate) fn open(target: &Target) -> io::Result<Self> {
        let tcp = TcpStream::connect(target.address)?;
        tcp.set_nodelay(true)?;
        let stream = match &target.tls {
            None => Stream::Plain(BufReader::with_capacity(16 << 10, tcp)),
            Some(config) => {
                let name = ServerName::IpAddress(target.address.ip().into());
                let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                Stream::Tls(Box::new(BufReader::with_capacity(256 << 10, StreamOwned::new(session, tcp))))
            }
        };
        Ok(Self { target: target.clone(), stream, sink: vec![0; 1 << 20] })
    }

    /// One request with a body of known length, and its answer.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
        take: Take<'_>,
    ) -> io::Result<Answer> {
        let authorization = match &self.target.authorization {
            Some(value) => format!("Authorization: {value}\r\n"),
            None => String::new(),
        };
        let length = match method {
            "GET" | "HEAD" => String::new(),
            _ => format!("Content-Length: {}\r\n", body.len()),
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{authorization}{headers}{length}\r\n",
            self.target.address
        );
        if body.len() < 64 << 10 {
            // One packet for small requests, as real clients send.
            self.write(&[head.as_bytes(), body].concat())?;
        } else {
            self.write(head.as_bytes())?;
            self.write(body)?;
        }
        let answer = self.read_head()?;
        if method != "HEAD" {
            self.read_body(answer.length, take)?;
        }
        Ok(answer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.get_mut().write_all(bytes),
            Stream::Tls(stream) => {
                stream.get_mut().write_all(bytes)?;
                stream.get_mut().flush()
            }
        }
    }

    fn reader(&mut self) -> &mut dyn BufRead {
        match &mut self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream,
        }
    }

    fn read_head(&mut self) -> io::Result<Answer> {
        let mut answer = Answer::default();
        let mut line = String::new();
        loop {
            line.clear();
            if self.reader().read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let text = line.trim_end();
            if answer.status == 0 {
                let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
                answer.status = status.ok_or_else(|| io::Error::other(format!("no status line: {text}")))?;
            } else if text.is_empty() {
                return Ok(answer);
            } else if let Some((name, value)) = text.split_once(':') {
                if name.eq_ignore_ascii_case("content-length") {
                    answer.length = value.trim().parse().map_err(io::Error::other)?;
                } else if name.eq_ignore_ascii_case("location") {
                    answer.location = Some(value.trim().to_owned());
                } else if name.eq_ignore_ascii_case("transfer-encoding") {
                    return Err(io::Error::other("a chunked answer: this client wants lengths"));
                }
            }
        }
    }

    fn read_body(&mut self, length: u64, mut take: Take<'_>) -> io::Result<()> {
        let mut left = length;
        let mut sink = std::mem::take(&mut self.sink);
        let outcome = loop {
            if left == 0 {
                break Ok(());
            }
            let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(sink.len());
            match self.read_some(&mut sink[..wanted], matches!(take, Take::Nothing)) {
                Ok(0) => break Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    match &mut take {
                        Take::Nothing => {}
                        Take::Hash(hasher) => hasher.update(&sink[..read]),
                        Take::Keep(kept) => kept.extend_from_slice(&sink[..read]),
                    }
                    left -= read as u64;
                }
                Err(error) => break Err(error),
            }
        };
        self.sink = sink;
        outcome
    }

    /// Reads, or only throws away, what has come.
    fn read_some(&mut self, buffer: &mut [u8], discard: bool) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(stream) if discard && stream.buffer().is_empty() => {
                let (_, read) = rustix::net::recv(stream.get_ref(), buffer, RecvFlags::TRUNC)?;
                Ok(read)
            }
            Stream::Plain(stream) => stream.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }
}

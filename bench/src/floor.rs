//! Servers and clients that do the least that can be done, to tell how far everybody is from it.
//!
//! - `tls`: answers every request with one file over rustls, from memory.
//! - `push`: takes a body, hashes it, writes it to a file and syncs it; one thread per connection.
//! - `send`: a client that reads files, hashes them and sends them to such a server, one after another.
//! - `sendfile`: the same with nothing but one blocking `sendfile(2)` a file, on a socket as the kernel makes it.
//! - `fetch`: a client that gets blobs from a registry, hashes them and writes them to files, one after another.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest as _, Sha256};

/// Runs what is asked for; a server until it is killed.
pub(crate) fn run(kind: &str, address: &str, files: &Path, folder: &Path) {
    match kind {
        "send" => send(address, files, hash_and_write).expect("the server takes it all"),
        "sendfile" => send(address, files, write_alone).expect("the server takes it all"),
        "fetch" => fetch(address, files, folder).expect("the registry gives it all"),
        _ => serve(kind, address, files, folder),
    }
}

fn send(
    address: &str,
    files: &Path,
    body: fn(&mut File, &mut TcpStream) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(address)?);
    for entry in std::fs::read_dir(files)? {
        let mut file = File::open(entry?.path())?;
        let head = format!("PUT / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", file.metadata()?.len());
        stream.get_mut().write_all(head.as_bytes())?;
        body(&mut file, stream.get_mut())?;
        skip_head(&mut stream)?;
    }
    Ok(())
}

fn hash_and_write(file: &mut File, stream: &mut TcpStream) -> std::io::Result<()> {
    let mut window = vec![0; 256 << 10];
    let mut hasher = Sha256::new();
    loop {
        let read = file.read(&mut window)?;
        if read == 0 {
            std::hint::black_box(hasher.finalize());
            return Ok(());
        }
        hasher.update(&window[..read]);
        stream.write_all(&window[..read])?;
    }
}

fn write_alone(file: &mut File, stream: &mut TcpStream) -> std::io::Result<()> {
    while rustix::fs::sendfile(&*stream, &*file, None, 1 << 30)? > 0 {}
    Ok(())
}

/// `list` names a path of the registry a line.
fn fetch(address: &str, list: &Path, folder: &Path) -> std::io::Result<()> {
    let mut stream = BufReader::with_capacity(256 << 10, TcpStream::connect(address)?);
    let mut window = vec![0; 256 << 10];
    for (number, path) in BufReader::new(File::open(list)?).lines().enumerate() {
        let head = format!("GET {} HTTP/1.1\r\nHost: {address}\r\n\r\n", path?);
        stream.get_mut().write_all(head.as_bytes())?;
        let (_, mut left) = skip_head(&mut stream)?;
        let mut file = File::create(folder.join(number.to_string()))?;
        let mut hasher = Sha256::new();
        while left > 0 {
            let wanted = window.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = stream.read(&mut window[..wanted])?;
            if read == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            hasher.update(&window[..read]);
            file.write_all(&window[..read])?;
            left -= read as u64;
        }
        std::hint::black_box(hasher.finalize());
    }
    Ok(())
}

fn serve(kind: &str, address: &str, files: &Path, folder: &Path) {
    let listener = TcpListener::bind(address).expect("the address is free");
    let tls = (kind == "tls").then(|| tls(files));
    let payload = Arc::new(if kind == "tls" {
        std::fs::read(files.join("payload")).expect("there is a file to serve")
    } else {
        Vec::new()
    });
    for (number, stream) in listener.incoming().flatten().enumerate() {
        let (tls, payload, path) = (tls.clone(), Arc::clone(&payload), folder.join(number.to_string()));
        std::thread::spawn(move || {
            // A client that goes away ends its thread.
            let _ = match tls {
                Some(config) => answer_tls(stream, config, &payload),
                None => take_pushes(stream, &path),
            };
        });
    }
}

fn tls(files: &Path) -> Arc<ServerConfig> {
    let folder = files.join("dev-tls");
    let chain = CertificateDer::pem_file_iter(folder.join("cert.pem")).expect("there is a certificate");
    let chain = chain.map(|certificate| certificate.expect("the chain is PEM")).collect();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).expect("there is a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("certificate and key fit");
    Arc::new(config)
}

fn answer_tls(stream: TcpStream, config: Arc<ServerConfig>, payload: &[u8]) -> std::io::Result<()> {
    let session = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(session, stream));
    loop {
        if !skip_head(&mut stream)?.0 {
            return Ok(());
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", payload.len());
        stream.get_mut().write_all(head.as_bytes())?;
        for window in payload.chunks(256 << 10) {
            stream.get_mut().write_all(window)?;
        }
        stream.get_mut().flush()?;
    }
}

fn take_pushes(stream: TcpStream, path: &Path) -> std::io::Result<()> {
    let mut stream = BufReader::with_capacity(256 << 10, stream);
    let mut window = vec![0; 256 << 10];
    for number in 0.. {
        let (more, mut left) = skip_head(&mut stream)?;
        if !more {
            return Ok(());
        }
        // A new file each time, as a registry makes.
        let mut file = File::create(path.with_extension(number.to_string()))?;
        let mut hasher = Sha256::new();
        while left > 0 {
            let wanted = window.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = stream.read(&mut window[..wanted])?;
            if read == 0 {
                return Ok(());
            }
            hasher.update(&window[..read]);
            file.write_all(&window[..read])?;
            left -= read as u64;
        }
        file.sync_data()?;
        std::hint::black_box(hasher.finalize());
        stream.get_mut().write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")?;
    }
    Ok(())
}

/// Whether there was a head, and the length of the body behind it.
fn skip_head(stream: &mut dyn std::io::BufRead) -> std::io::Result<(bool, u64)> {
    let (mut line, mut length, mut any) = (String::new(), 0, false);
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 || line == "\r\n" {
            return Ok((any, length));
        }
        any = true;
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
    }
}

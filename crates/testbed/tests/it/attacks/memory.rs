//! Slow readers: each costs a bounded piece of memory, whatever it asked for.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hythe_testbed::run_folder::{self, Source};
use hythe_testbed::{Content, Family, Hythe, Options, Packing, noise};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::numbers::{metric, resident_kib};
use super::wire::{Wire, admin_authorization};
use super::{server, still_serves};

const READERS: usize = 200;

/// The promise of the documentation for one slow reader, in KiB.
const EACH_KIB: u64 = 512;

#[test]
fn two_hundred_readers_that_do_not_read() {
    let server = server(&[]);
    let digest = server.admin().push_blob("lab/app", &noise("slow", 48 << 20));
    let before = resident_kib(&server);
    let head = format!(
        "GET /v2/lab/app/blobs/{digest} HTTP/1.1\r\nHost: h\r\nAuthorization: {}\r\n\r\n",
        admin_authorization(&server)
    );
    let mut readers: Vec<Wire> = (0..READERS)
        .map(|_| {
            let mut wire = Wire::open(server.addr());
            assert!(wire.send(&head));
            wire
        })
        .collect();
    // Each has its answer begun, and the server has had time to fill whatever it fills.
    for reader in &mut readers {
        assert_eq!(reader.take(12), b"HTTP/1.1 200");
    }
    std::thread::sleep(std::time::Duration::from_secs(2));
    let grown = resident_kib(&server).saturating_sub(before);
    assert!(grown < READERS as u64 * EACH_KIB, "{grown} KiB for {READERS} slow readers");
    println!("{grown} KiB for {READERS} slow readers");
    // Others are served meanwhile.
    still_serves(&server);
}

/// The promise of the documentation for the manifests of one address that are under way, in KiB, and what the buffers
/// of their connections may add.
const MANIFESTS_KIB: u64 = 16 * 1024 + 40 * EACH_KIB;

#[test]
fn manifests_that_do_not_end() {
    const LENGTH: usize = 4 << 20;
    const SENDERS: u32 = 40;
    let server = server(&[]);
    let before = resident_kib(&server);
    let body = vec![b' '; LENGTH - 1];
    let head = format!(
        "PUT /v2/lab/app/manifests/v1 HTTP/1.1\r\nHost: h\r\nAuthorization: {}\r\nContent-Type: application/json\r\n\
         Content-Length: {LENGTH}\r\n\r\n",
        admin_authorization(&server)
    );
    let senders: Vec<Wire> = (0..SENDERS)
        .map(|_| {
            let mut wire = Wire::open(server.addr());
            wire.send(&head);
            // Those that are refused are cut while they send.
            wire.flood(&body);
            wire
        })
        .collect();
    let refused = "hythe_http_requests_total{route=\"put_manifest\",method=\"PUT\",status=\"503\"}";
    for waited in 0.. {
        if metric(&server, refused) >= f64::from(SENDERS - 4) {
            break;
        }
        assert!(
            waited < 200,
            "{} KiB more, and few are refused",
            resident_kib(&server).saturating_sub(before)
        );
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let grown = resident_kib(&server).saturating_sub(before);
    assert!(grown < MANIFESTS_KIB, "{grown} KiB for {SENDERS} manifests");
    println!("{grown} KiB for {SENDERS} manifests");
    // What most clients push is taken meanwhile, and the rest once those are gone.
    let admin = server.admin();
    let image = hythe_testbed::image(Family::Oci, Packing::Gzip, "small", "amd64");
    admin.push_image("lab/app", "small", &image).is(201);
    let mut large: serde_json::Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
    large["annotations"] = serde_json::json!({ "words": "x".repeat(1 << 20) });
    let large = Content::json(&image.manifest.media_type, &large);
    let answer = admin.put_manifest("lab/app", "large", &large).is(503).code("UNAVAILABLE");
    answer.must("retry-after");
    drop(senders);
    while admin.put_manifest("lab/app", "large", &large).one_of(&[201, 503]).status != 201 {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    still_serves(&server);
}

/// A certificate for 127.0.0.1 and its key.
fn certificate() -> Option<(PathBuf, PathBuf)> {
    let folder = run_folder::fresh("certificate");
    let (certificate, key) = (folder.join("certificate"), folder.join("key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-days", "2"])
        .arg("-out")
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .output();
    if made.is_ok_and(|outcome| outcome.status.success()) {
        return Some((certificate, key));
    }
    run_folder::not_run("attacks::memory over TLS", Source::Debian, "openssl is not installed");
    None
}

/// A client that believes this certificate.
fn tls(certificate: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

#[test]
fn a_hundred_readers_over_tls_that_do_not_read() {
    const READERS: usize = 100;
    let Some((certificate, key)) = certificate() else { return };
    let server = Hythe::start(Options {
        arguments: ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()]
            .map(ToOwned::to_owned)
            .to_vec(),
        ..Options::default()
    });
    let client = tls(&certificate);
    let connect = || {
        let connection =
            ClientConnection::new(Arc::clone(&client), ServerName::try_from("127.0.0.1").unwrap());
        StreamOwned::new(connection.unwrap(), TcpStream::connect(server.addr()).unwrap())
    };
    let authorization = admin_authorization(&server);
    let ask = |head: &str, body: &[u8]| {
        let mut stream = connect();
        write!(stream, "{head}\r\nHost: h\r\nAuthorization: {authorization}\r\n").unwrap();
        write!(stream, "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
        stream.write_all(body).unwrap();
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).unwrap();
        (String::from_utf8_lossy(&begin).into_owned(), stream)
    };
    let created = "HTTP/1.1 201";
    assert_eq!(ask("POST /api/v1/projects HTTP/1.1", br#"{"name":"lab","visibility":"public"}"#).0, created);
    let bytes = noise("slow over TLS", 16 << 20);
    let digest = hythe_testbed::digest(&bytes);
    assert_eq!(ask(&format!("POST /v2/lab/app/blobs/uploads/?digest={digest} HTTP/1.1"), &bytes).0, created);
    let before = resident_kib(&server);
    let readers: Vec<_> =
        (0..READERS).map(|_| ask(&format!("GET /v2/lab/app/blobs/{digest} HTTP/1.1"), b"")).collect();
    assert!(readers.iter().all(|(begin, _)| begin == "HTTP/1.1 200"));
    std::thread::sleep(std::time::Duration::from_secs(2));
    let grown = resident_kib(&server).saturating_sub(before);
    assert!(grown < READERS as u64 * EACH_KIB, "{grown} KiB for {READERS} slow readers over TLS");
    println!("{grown} KiB for {READERS} slow readers over TLS");
    assert_eq!(ask("GET /v2/ HTTP/1.1", b"").0, "HTTP/1.1 200");
}

#[test]
fn a_thousand_connections_that_rest() {
    let server = server(&[]);
    still_serves(&server);
    let before = resident_kib(&server);
    let mut resting: Vec<Wire> = Vec::new();
    for _ in 0..1_000 {
        let mut wire = Wire::open(server.addr());
        wire.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(wire.take(12), b"HTTP/1.1 200");
        resting.push(wire);
    }
    let grown = resident_kib(&server).saturating_sub(before);
    assert!(grown < 1_000 * 64, "{grown} KiB for 1,000 resting connections");
    println!("{grown} KiB for 1,000 resting connections");
    still_serves(&server);
}

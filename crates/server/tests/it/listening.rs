//! The accept loop over real sockets: slow clients, limits, TLS, the unix socket, the graceful stop.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use hythe_server::dev_certificate;
use hythe_server::drain::{Drain, Drained};
use hythe_server::limits::ListenLimits;
use hythe_server::listen::{Listen, Workers, bind_unix, serve, serve_unix};
use hythe_server::metrics::Metrics;
use hythe_server::tls::{Tls, TlsFiles};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Longer than anything here should take, so that a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

const HELLO: &[u8] = b"GET /hello HTTP/1.1\r\nhost: h\r\n\r\n";

struct Running {
    address: SocketAddr,
    drain: Drain,
    /// Beyond the end of the accept loop.
    _workers: Arc<Workers>,
}

fn routes() -> Router {
    let endless = || async {
        let piece = Bytes::from_static(&[b'x'; 8_192]);
        Body::from_stream(futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(piece.clone())))
    };
    Router::new()
        .route("/hello", get(async || "hello"))
        .route("/slow", get(async || sleep(Duration::from_millis(400)).await))
        .route("/stuck", get(async || sleep(PATIENCE * 10).await))
        .route("/endless", get(endless))
        .route("/echo", post(async |body: Bytes| body))
}

fn how(limits: ListenLimits) -> Listen {
    let workers = Arc::new(Workers::for_this_machine().unwrap());
    Listen { limits, http2: false, tls: None, trusted_proxies: Vec::new(), workers }
}

async fn start(how: Listen) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let drain = Drain::new();
    let workers = Arc::clone(&how.workers);
    tokio::spawn(serve(listener, routes(), how, Arc::new(Metrics::new()), drain.watch()));
    Running { address, drain, _workers: workers }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Reads until `end` has come.
async fn read_to(stream: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let byte = timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap();
        text.push(char::from(byte));
    }
    text
}

/// Reads until the other side closes; a reset counts as a close.
async fn read_to_close(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let closed = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the server closes");
    drop(closed);
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn say_hello(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    stream.write_all(HELLO).await.unwrap();
    let answer = read_to(stream, "hello").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn a_head_that_drips_in_is_cut() {
    let limits = ListenLimits { head_time: Duration::from_millis(300), ..ListenLimits::default() };
    let running = start(how(limits)).await;
    let mut stream = running.connect().await;
    let begun = Instant::now();
    let (mut reader, mut writer) = stream.split();
    let drip = async {
        writer.write_all(b"GET /hello HTTP/1.1\r\n").await.unwrap();
        // Each byte is progress, and still the head as a whole is late.
        while writer.write_all(b"a").await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    let said = tokio::select! {
        said = read_to_close(&mut reader) => said,
        () = drip => String::new(),
    };
    assert_eq!(said, "", "no answer to half a head");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_kept_alive_connection_may_rest_longer_than_a_head_may_take() {
    let limits = ListenLimits {
        head_time: Duration::from_millis(150),
        keep_alive: Duration::from_millis(900),
        ..ListenLimits::default()
    };
    let running = start(how(limits)).await;
    let mut stream = running.connect().await;
    say_hello(&mut stream).await;
    sleep(Duration::from_millis(450)).await;
    say_hello(&mut stream).await;

    let rested = Instant::now();
    assert_eq!(read_to_close(&mut stream).await, "");
    assert!(rested.elapsed() >= Duration::from_millis(800), "{:?}", rested.elapsed());
}

#[tokio::test]
async fn a_client_that_stops_reading_is_cut() {
    let limits = ListenLimits { write_stall: Duration::from_millis(300), ..ListenLimits::default() };
    let running = start(how(limits)).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET /endless HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(1_500)).await;
    // What the kernels hold is still there; after it comes the end instead of more.
    let mut sink = vec![0; 1 << 20];
    let drained =
        timeout(PATIENCE, async { while stream.read(&mut sink).await.is_ok_and(|read| read > 0) {} });
    drained.await.expect("the endless answer has ended");
}

#[tokio::test]
async fn an_address_with_its_share_of_connections_is_told_so() {
    let limits = ListenLimits { connections_per_address: 1, ..ListenLimits::default() };
    let running = start(how(limits)).await;
    let mut first = running.connect().await;
    say_hello(&mut first).await;

    let refused = read_to_close(&mut running.connect().await).await;
    assert!(refused.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{refused}");
    assert!(refused.contains("Retry-After: 1\r\n") && refused.ends_with("close some first.\n"), "{refused}");

    // The place is free again once the first is gone.
    drop(first);
    let freed = async {
        loop {
            let mut next = running.connect().await;
            next.write_all(HELLO).await.unwrap();
            if read_to(&mut next, "\r\n").await.contains("200") {
                return;
            }
        }
    };
    timeout(PATIENCE, freed).await.expect("the seat comes back");
}

#[tokio::test]
async fn more_header_lines_than_the_limit_are_refused() {
    let running = start(how(ListenLimits::default())).await;
    let mut stream = running.connect().await;
    let lines = "a: b\r\n".repeat(101);
    stream.write_all(format!("GET /hello HTTP/1.1\r\n{lines}\r\n").as_bytes()).await.unwrap();
    let answer = read_to(&mut stream, "\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_continue() {
    let running = start(how(ListenLimits::default())).await;
    let mut stream = running.connect().await;
    let head = b"POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head).await.unwrap();
    assert_eq!(read_to(&mut stream, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"12345").await.unwrap();
    assert!(read_to(&mut stream, "12345").await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn http_2_is_spoken_only_when_asked_for() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for http2 in [false, true] {
        let running = start(Listen { http2, ..how(ListenLimits::default()) }).await;
        let mut stream = running.connect().await;
        stream.write_all(PREFACE).await.unwrap();
        let mut first = [0; 4];
        let read = timeout(PATIENCE, stream.read_exact(&mut first)).await.unwrap();
        // A settings frame has type 4 in its fourth byte; without HTTP/2 the connection is closed.
        assert_eq!(read.is_ok() && first[3] == 4, http2, "{first:?}");
    }
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_flight_and_closes_what_rests() {
    let running = start(how(ListenLimits::default())).await;
    let mut resting = running.connect().await;
    say_hello(&mut resting).await;
    let mut busy = running.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(100)).await;

    let address = running.address;
    let stop = tokio::spawn(running.drain.finish(PATIENCE));
    assert_eq!(read_to_close(&mut resting).await, "", "a resting connection is closed at once");
    assert!(!stop.is_finished(), "the stop waits for the busy one");
    let answer = read_to_close(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(stop.await.unwrap(), Drained::Clean);
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_stop_cuts_what_outlives_its_limit() {
    let running = start(how(ListenLimits::default())).await;
    let mut stuck = running.connect().await;
    stuck.write_all(b"GET /stuck HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(running.drain.finish(Duration::from_millis(200)).await, Drained::Cut(1));
    assert_eq!(read_to_close(&mut stuck).await, "");
}

fn write_pair(folder: &Path) -> (TlsFiles, CertificateDer<'static>) {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap();
    let made = dev_certificate(&["localhost".to_owned()], now).unwrap();
    let files = TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
    std::fs::write(&files.certificate, made.cert_pem).unwrap();
    std::fs::write(&files.key, made.key_pem).unwrap();
    (files, CertificateDer::from_pem_slice(made.ca_pem.as_bytes()).unwrap())
}

/// Greets as a client that trusts `authority` alone.
async fn tls(
    address: SocketAddr,
    authority: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

#[tokio::test]
async fn tls_offers_http_2_only_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (files, authority) = write_pair(folder.path());
    for (http2, chosen) in [(false, b"http/1.1".as_slice()), (true, b"h2")] {
        let tls_files = Some(Tls::load(files.clone()).unwrap());
        let running = start(Listen { http2, tls: tls_files, ..how(ListenLimits::default()) }).await;
        let stream = tls(running.address, &authority).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(chosen));
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (files, old) = write_pair(folder.path());
    let running =
        start(Listen { tls: Some(Tls::load(files).unwrap()), ..how(ListenLimits::default()) }).await;
    let mut kept = tls(running.address, &old).await.unwrap();
    say_hello(&mut kept).await;

    let (_, new) = write_pair(folder.path());
    let renewed = async {
        while tls(running.address, &new).await.is_err() {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(PATIENCE, renewed).await.expect("the new pair is taken up");
    assert!(tls(running.address, &old).await.is_err(), "the old authority no longer fits");
    say_hello(&mut kept).await;
}

#[tokio::test]
async fn the_control_socket_is_closed_to_others_and_goes_with_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hythe.sock");
    std::fs::write(&path, "left behind by a dead process").unwrap();
    let drain = Drain::new();
    let socket = bind_unix(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let served = tokio::spawn(serve_unix(socket, routes(), Arc::new(Metrics::new()), drain.watch()));

    say_hello(&mut UnixStream::connect(&path).await.unwrap()).await;
    assert_eq!(drain.finish(PATIENCE).await, Drained::Clean);
    served.await.unwrap();
    assert!(!path.exists());
}

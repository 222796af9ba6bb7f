//! The way to a registry leads through a proxy that the environment names.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use hythe_testbed::{Family, Hythe, Options, Packing, Visibility, image};

use crate::hythe;

/// Leads a client of SOCKS 5 (RFC 1928) to one place, and tells what name was asked for.
fn lead(mut client: TcpStream, to: SocketAddr, tell: &mpsc::Sender<Vec<u8>>) -> io::Result<()> {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting)?;
    client.read_exact(&mut vec![0; usize::from(greeting[1])])?;
    client.write_all(&[5, 0])?;
    // A connection, to a name of this length; the port comes behind it.
    let mut request = [0; 5];
    client.read_exact(&mut request)?;
    let mut name = vec![0; usize::from(request[4])];
    client.read_exact(&mut name)?;
    client.read_exact(&mut [0; 2])?;
    tell.send([&request[..4], &name].concat()).map_err(io::Error::other)?;
    let mut server = TcpStream::connect(to)?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
    let (mut from, mut back) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || io::copy(&mut from, &mut back).and_then(|_| back.shutdown(Shutdown::Write)));
    io::copy(&mut server, &mut client).map(drop)
}

#[test]
fn a_registry_behind_a_socks_proxy() {
    let server = Hythe::start(Options::default());
    server.create_project("lab", Visibility::Public);
    server.admin().push_image("lab/app", "v1", &image(Family::Oci, Packing::Gzip, "socks", "amd64"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (proxy, to) = (listener.local_addr().unwrap(), server.addr());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let tell = tell.clone();
            thread::spawn(move || lead(client, to, &tell));
        }
    });
    let tool = hythe()
        .env("ALL_PROXY", format!("socks5h://{proxy}"))
        .env("HYTHE_SERVER", "http://registry.invalid:5000");
    assert_eq!(tool.run(&["tags", "lab/app", "-o", "quiet"]).ok().stdout, "v1\n");
    assert_eq!(told.recv().unwrap(), b"\x05\x01\x00\x03registry.invalid");
}

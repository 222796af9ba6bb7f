//! The way to a registry leads through a proxy that the environment names.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use hythe_testbed::{Family, Hythe, Options, Packing, Visibility, image};

use crate::hythe;

/// A SOCKS 5 proxy (RFC 1928) that leads each connection to one place, and answers what name was asked for.
fn socks_proxy(to: SocketAddr) -> (SocketAddr, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, tell) = (client.unwrap(), tell.clone());
            thread::spawn(move || {
                let mut greeting = [0; 2];
                client.read_exact(&mut greeting).unwrap();
                client.read_exact(&mut vec![0; usize::from(greeting[1])]).unwrap();
                client.write_all(&[5, 0]).unwrap();
                let mut request = [0; 5];
                client.read_exact(&mut request).unwrap();
                assert_eq!(request[..4], [5, 1, 0, 3], "a connection to a name");
                let mut name = vec![0; usize::from(request[4]) + 2];
                client.read_exact(&mut name).unwrap();
                name.truncate(name.len() - 2);
                tell.send(String::from_utf8(name).unwrap()).unwrap();
                let mut server = TcpStream::connect(to).unwrap();
                client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
                let (mut from, mut back) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || {
                    // Either side may end first.
                    let _ = std::io::copy(&mut from, &mut back);
                    let _ = back.shutdown(Shutdown::Write);
                });
                let _ = std::io::copy(&mut server, &mut client);
            });
        }
    });
    (addr, told)
}

#[test]
fn a_registry_behind_a_socks_proxy() {
    let server = Hythe::start(Options::default());
    server.create_project("lab", Visibility::Public);
    server.admin().push_image("lab/app", "v1", &image(Family::Oci, Packing::Gzip, "socks", "amd64"));
    let (proxy, asked) = socks_proxy(server.addr());
    let tool = hythe()
        .env("ALL_PROXY", &format!("socks5h://{proxy}"))
        .env("HYTHE_SERVER", "http://registry.invalid:5000");
    assert_eq!(tool.run(&["tags", "lab/app", "-o", "quiet"]).ok().stdout, "v1\n");
    assert_eq!(asked.recv().unwrap(), "registry.invalid");
}

//! Clients that send too much, or nothing at all.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use super::world::{Server, World};

fn raw(server: &Server, request: &[u8]) -> String {
    let mut stream = connect(server);
    // A server that has heard enough closes the connection.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.origin().replace("http://", "")).unwrap()
}

#[test]
fn what_is_too_long_or_no_scep_at_all_is_refused_and_the_next_is_served() {
    let world = World::new();
    let server = world.serve("");
    let post = |length: usize| {
        let head = format!(
            "POST /scep?operation=PKIOperation HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        [head.into_bytes(), vec![b'0'; length]].concat()
    };
    assert!(raw(&server, &post(65_537)).starts_with("HTTP/1.1 413 "));
    assert!(raw(&server, &post(65_536)).starts_with("HTTP/1.1 400 "));
    for request in [
        "GET /scep HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "GET /?operation=Other HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    ] {
        assert!(raw(&server, request.as_bytes()).starts_with("HTTP/1.1 400 "));
    }
    let put = "PUT /crl HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert!(raw(&server, put.as_bytes()).starts_with("HTTP/1.1 405 "));
    assert!(raw(&server, b"\x16\x03\x01 no HTTP\r\n\r\n").starts_with("HTTP/1.1 400 "));
    let unreadable = server.event("unreadable");
    assert!(!unreadable["why"].as_str().unwrap().is_empty());
    world.run(&format!("caps --url {}", server.url)).succeeded();
}

#[test]
fn beyond_the_most_connections_one_waits_until_another_ends() {
    let world = World::new();
    let server = world.serve("--max-connections 1");
    let idle = connect(&server);
    let child = world
        .command(&format!("caps --url {}", server.url))
        .spawn()
        .unwrap();
    drop(idle);
    let told = crate::told::Told::from(child.wait_with_output().unwrap());
    told.succeeded();
}

#[test]
fn whatever_a_file_holds_the_answer_is_one_line() {
    let world = World::new();
    let pem = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let url = "--url http://127.0.0.1:1/";
    for bytes in ["", "hello", "\0\u{1}", "-----BEGIN ", pem] {
        world.write("bad", bytes);
        for line in [
            format!("enroll {url} --ca bad --subject CN=a --key-out k --cert-out c"),
            format!("enroll {url} --trust-any --subject CN=a --key-out bad --cert-out c"),
            format!("renew {url} --trust-any --cert bad --key bad --cert-out c"),
            "serve --listen 127.0.0.1:0 --store s --ca-dir ca --new-ca --tls-cert bad".to_owned(),
        ] {
            let told = world.run(&line);
            told.failed(2, &[]);
            assert!(!told.stderr.contains("panicked"), "{line}: {told:?}");
        }
    }
    assert!(!world.path("ca").exists());
}

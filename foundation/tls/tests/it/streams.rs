//! The stream itself: bytes both ways, ends told apart, broken peers.

use std::io;

use mdm_tls::{ClientConfig, Error, ErrorKind, Roots, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::made::{Authority, dns, handshake, wire};

fn configs() -> (ClientConfig, ServerConfig) {
    let authority = Authority::new("root");
    let client = ClientConfig::builder()
        .roots(Roots::Only(vec![authority.root.clone()]))
        .build()
        .unwrap();
    let server = ServerConfig::builder(authority.server(&[dns("a.example")]))
        .build()
        .unwrap();
    (client, server)
}

#[tokio::test]
async fn a_megabyte_comes_back_and_the_end_is_an_end() {
    let (client, server) = configs();
    let (near, far) = handshake(&client, &server, "a.example").await;
    let (mut near_read, mut near_write) = tokio::io::split(near.unwrap());
    let (mut far_read, mut far_write) = tokio::io::split(far.unwrap());
    let sent: Vec<u8> = (0..1 << 20).map(|n: u32| (n % 251) as u8).collect();
    let write = async {
        near_write.write_all(&sent).await.unwrap();
        near_write.shutdown().await.unwrap();
    };
    let echo = async {
        tokio::io::copy(&mut far_read, &mut far_write)
            .await
            .unwrap();
        far_write.shutdown().await.unwrap();
    };
    let mut back = Vec::new();
    let ((), (), read) = tokio::join!(write, echo, near_read.read_to_end(&mut back));
    read.unwrap();
    assert!(back == sent);
}

#[tokio::test]
async fn a_connection_cut_short_is_no_end() {
    let (client, server) = configs();
    let (near, far) = handshake(&client, &server, "a.example").await;
    // Closes the socket below without TLS's goodbye.
    far.unwrap().get_mut().shutdown().await.unwrap();
    let error = near.unwrap().read(&mut [0; 1]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    let reason = Error::find(&error).unwrap().kind();
    assert_eq!(reason, ErrorKind::Io(io::ErrorKind::UnexpectedEof));
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_is_a_protocol_error() {
    let (client, server) = configs();
    let (near, mut far) = wire().await;
    let plain = async {
        far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        far.shutdown().await.unwrap();
    };
    let (error, ()) = tokio::join!(client.connect("a.example", near), plain);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Protocol);

    let (mut near, far) = wire().await;
    near.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(
        server.accept(far).await.unwrap_err().kind(),
        ErrorKind::Protocol
    );
}

#[tokio::test]
async fn a_peer_that_hangs_up_mid_handshake_is_an_io_error() {
    let (client, server) = configs();
    let (near, far) = wire().await;
    drop(far);
    let kind = client.connect("a.example", near).await.unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::Io(_)), "{kind}");
    let (near, far) = wire().await;
    drop(near);
    let kind = server.accept(far).await.unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::Io(_)), "{kind}");
}

#[tokio::test]
async fn debug_output_shows_no_key() {
    let (client, server) = configs();
    let shown = format!("{client:?} {server:?}");
    assert!(
        shown.starts_with("ClientConfig {") && !shown.contains("PrivateKey"),
        "{shown}"
    );
}

//! The adapter against real sockets on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod limits;
mod protocol;
mod tls;

use std::{future::Future, time::Duration};

use bytes::Bytes;
use http::Request;
use mdm_transport::{HttpTransport, SendLimits, TransportErrorKind};
use mdm_transport_reqwest::ReqwestTransport;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const PATIENCE: Duration = Duration::from_secs(20);

fn plain() -> ReqwestTransport {
    ReqwestTransport::builder().no_proxy().build().unwrap()
}

fn get(url: &str) -> Request<Bytes> {
    limited(url, 1024, PATIENCE)
}

fn limited(url: &str, body: usize, deadline: Duration) -> Request<Bytes> {
    let mut request = Request::get(url).body(Bytes::new()).unwrap();
    request
        .extensions_mut()
        .insert(SendLimits::new(body, deadline));
    request
}

async fn failure(transport: &ReqwestTransport, request: Request<Bytes>) -> TransportErrorKind {
    transport.send(request).await.unwrap_err().kind()
}

/// Takes one connection, reads a request's headers and hands the stream over.
async fn raw_server<F, Fut>(answer: F) -> String
where
    F: FnOnce(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        answer(stream).await;
    });
    url
}

/// Answers with these bytes and closes.
async fn says(answer: &'static [u8]) -> String {
    raw_server(move |mut stream| async move {
        stream.write_all(answer).await.unwrap();
        stream.shutdown().await.unwrap();
    })
    .await
}

#[tokio::test]
async fn a_host_is_where_it_was_said_to_be() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 1024];
        let read = stream.read(&mut head).await.unwrap();
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&head[..read]).to_lowercase()
    });
    // The first address refuses.
    let addresses = ["127.0.0.2", "127.0.0.1"].map(|it| it.parse().unwrap());
    let transport = ReqwestTransport::builder()
        .no_proxy()
        .resolve("www.example.com", &addresses)
        .build()
        .unwrap();
    let url = format!("http://www.example.com:{port}/x");
    let answer = transport.send(get(&url)).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(
        served
            .await
            .unwrap()
            .contains(&format!("host: www.example.com:{port}"))
    );
}

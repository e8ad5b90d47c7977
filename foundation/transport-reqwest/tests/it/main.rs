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

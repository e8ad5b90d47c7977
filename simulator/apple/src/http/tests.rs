use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
};

use super::*;
use crate::authority::Authority;

async fn exchange(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

fn post(length: usize) -> String {
    let body = "x".repeat(length);
    format!(
        "POST /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

async fn echo(request: Request<Bytes>) -> Response<Bytes> {
    Response::new(request.into_body())
}

#[tokio::test]
async fn a_body_over_the_bound_is_refused() {
    let server = Server::builder().max_body(10).start(echo).await.unwrap();
    let answer = exchange(&server, &post(10)).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("xxxxxxxxxx"),
        "{answer}"
    );
    let answer = exchange(&server, &post(11)).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let chunked = "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                   b\r\nxxxxxxxxxxx\r\n0\r\n\r\n";
    let answer = exchange(&server, chunked).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn a_hang_up_closes_the_connection_without_an_answer() {
    let server = Server::start(None, |_| async {
        let mut response = Response::new(Bytes::from_static(b"processed"));
        response.extensions_mut().insert(HangUp);
        response
    })
    .await
    .unwrap();
    assert_eq!(exchange(&server, &post(1)).await, "");
}

#[tokio::test]
async fn a_shutdown_waits_for_the_request_under_way_and_frees_the_port() {
    let (entered, wait_entered) = oneshot::channel();
    let (go, wait_go) = oneshot::channel::<()>();
    let signals = std::sync::Mutex::new(Some((entered, wait_go)));
    let server = Server::start(None, move |_| {
        let signals = signals.lock().unwrap().take();
        async move {
            if let Some((entered, go)) = signals {
                entered.send(()).unwrap();
                let _ = go.await;
            }
            Response::new(Bytes::from_static(b"done"))
        }
    })
    .await
    .unwrap();
    let address = server.addr();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    wait_entered.await.unwrap();
    let shutdown = tokio::spawn(server.shutdown());
    go.send(()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("done"), "{answer}");
    shutdown.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn dropping_the_server_frees_the_port() {
    let server = Server::start(None, echo).await.unwrap();
    let address = server.addr();
    drop(server);
    // The task ends when the runtime next turns to it.
    for _ in 0..1000 {
        if TcpStream::connect(address).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the port is still open");
}

#[tokio::test]
async fn a_client_that_speaks_no_tls_does_not_stop_the_others() {
    let authority = Authority::new("Test Root").unwrap();
    let server = Server::start(Some(authority.server_identity().unwrap()), echo)
        .await
        .unwrap();
    assert!(server.url().starts_with("https://localhost:"));
    assert!(
        !exchange(&server, "GET / HTTP/1.1\r\n\r\n")
            .await
            .contains("200")
    );
    let tls = mdm_tls::ClientConfig::builder()
        .roots(mdm_tls::Roots::Only(vec![authority.root().clone()]))
        .build()
        .unwrap();
    for name in ["localhost", "127.0.0.1"] {
        let stream = TcpStream::connect(server.addr()).await.unwrap();
        let mut stream = tls.connect(name, stream).await.unwrap();
        stream.write_all(post(3).as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.ends_with(b"xxx"), "{answer:?}");
    }
}

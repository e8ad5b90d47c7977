use std::{error::Error, sync::Arc, sync::Mutex};

use http::{Response, StatusCode};
use mdm_fake_apple::http::{HangUp, Server};

use super::*;

#[tokio::test]
async fn request_and_answer_arrive_whole() {
    let seen = Arc::new(Mutex::new(None));
    let store = Arc::clone(&seen);
    let server = Server::start(None, move |request: Request<Bytes>| {
        *store.lock().unwrap() = Some(request);
        async {
            Response::builder()
                .status(418)
                .header("x-adm-auth-session", "s2")
                .body(Bytes::from_static(b"answer"))
                .unwrap()
        }
    })
    .await
    .unwrap();
    let transport = ReqwestTransport::builder()
        .no_proxy()
        .user_agent("default/1")
        .build()
        .unwrap();
    let mut request = Request::put(format!("{}/a/b?c=d%20e", server.url()))
        .header("content-type", "application/json;charset=UTF8")
        .body(Bytes::from_static(b"{}"))
        .unwrap();
    let answer = transport.send(request.clone()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(answer.headers()["x-adm-auth-session"], "s2");
    assert_eq!(answer.body(), "answer");
    let arrived = seen.lock().unwrap().take().unwrap();
    assert_eq!(arrived.method(), "PUT");
    assert_eq!(arrived.uri(), "/a/b?c=d%20e");
    assert_eq!(
        arrived.headers()["content-type"],
        "application/json;charset=UTF8"
    );
    assert_eq!(arrived.headers()["user-agent"], "default/1");
    assert_eq!(arrived.body(), "{}");

    request
        .headers_mut()
        .insert("user-agent", "own/2".parse().unwrap());
    transport.send(request).await.unwrap();
    let arrived = seen.lock().unwrap().take().unwrap();
    assert_eq!(arrived.headers()["user-agent"], "own/2");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start(None, move |_| async move {
            Response::builder()
                .status(status)
                .header("location", "http://localhost:1/elsewhere")
                .body(Bytes::new())
                .unwrap()
        })
        .await
        .unwrap();
        let answer = plain().send(get(&server.url())).await.unwrap();
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn nobody_listening_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(
        failure(&plain(), get(&url)).await,
        TransportErrorKind::Connect
    );
}

#[tokio::test]
async fn a_connection_that_breaks_after_sending_is_interrupted() {
    let server = Server::start(None, |_| async {
        let mut response = Response::new(Bytes::new());
        response.extensions_mut().insert(HangUp);
        response
    })
    .await
    .unwrap();
    let kind = failure(&plain(), get(&server.url())).await;
    assert_eq!(kind, TransportErrorKind::Interrupted);
    for part in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Le",
    ] {
        let kind = failure(&plain(), get(&says(part).await)).await;
        assert_eq!(kind, TransportErrorKind::Interrupted, "{part:?}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_a_decoding_error() {
    let kind = failure(&plain(), get(&says(b"SSH-2.0-OpenSSH_9.2\r\n").await)).await;
    assert_eq!(kind, TransportErrorKind::Decode);
}

#[tokio::test]
async fn an_error_tells_its_cause_and_never_the_url() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}/path?secret=hunter2",
        listener.local_addr().unwrap()
    );
    drop(listener);
    let error = plain().send(get(&url)).await.unwrap_err();
    let mut shown = format!("{error:?} {error}");
    let mut source = error.source();
    assert!(source.is_some());
    while let Some(cause) = source {
        shown.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn a_uri_without_a_host_cannot_be_carried() {
    let request = Request::get("/session").body(Bytes::new()).unwrap();
    assert_eq!(failure(&plain(), request).await, TransportErrorKind::Other);
}

/// These tests run with reqwest's `gzip`, as anybody else in a build may turn it on.
#[tokio::test]
async fn a_compressed_body_is_neither_asked_for_nor_unpacked() {
    const GZIPPED: &[u8] =
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x106\x05\0\0\0";
    let server = Server::start(None, |request: Request<Bytes>| async move {
        let asked = request.headers().contains_key("accept-encoding");
        Response::builder()
            .status(if asked { 406 } else { 200 })
            .header("content-encoding", "gzip")
            .body(Bytes::from_static(GZIPPED))
            .unwrap()
    })
    .await
    .unwrap();
    let answer = plain().send(get(&server.url())).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    assert_eq!(answer.headers()["content-length"], "25");
    assert_eq!(answer.body(), GZIPPED);
}

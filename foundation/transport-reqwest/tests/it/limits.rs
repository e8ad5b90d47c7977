use super::*;

#[tokio::test]
async fn a_body_at_the_bound_is_read_and_one_byte_more_is_not() {
    let body: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let answer = plain()
        .send(limited(&says(body).await, 5, PATIENCE))
        .await
        .unwrap();
    assert_eq!(answer.body(), "hello");
    let kind = failure(&plain(), limited(&says(body).await, 4, PATIENCE)).await;
    assert_eq!(kind, TransportErrorKind::TooLarge);
}

#[tokio::test]
async fn the_bound_holds_where_no_length_is_announced() {
    let chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";
    let answer = plain()
        .send(limited(&says(chunked).await, 6, PATIENCE))
        .await
        .unwrap();
    assert_eq!(answer.body(), "abcdef");
    let kind = failure(&plain(), limited(&says(chunked).await, 5, PATIENCE)).await;
    assert_eq!(kind, TransportErrorKind::TooLarge);
    let until_closed = b"HTTP/1.1 200 OK\r\n\r\nabcdef";
    let kind = failure(&plain(), limited(&says(until_closed).await, 5, PATIENCE)).await;
    assert_eq!(kind, TransportErrorKind::TooLarge);
}

#[tokio::test]
async fn an_endless_body_ends_at_the_bound_and_not_at_the_deadline() {
    let url = raw_server(|mut stream| async move {
        let head = b"HTTP/1.1 200 OK\r\n\r\n";
        stream.write_all(head).await.unwrap();
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let kind = failure(&plain(), limited(&url, 100_000, PATIENCE)).await;
    assert_eq!(kind, TransportErrorKind::TooLarge);
}

#[tokio::test]
async fn a_stalled_answer_ends_at_the_deadline_wherever_it_stalls() {
    for part in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
    ] {
        let url = raw_server(move |mut stream| async move {
            stream.write_all(part).await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        let kind = failure(&plain(), limited(&url, 100, Duration::from_millis(200))).await;
        assert_eq!(kind, TransportErrorKind::Timeout, "{part:?}");
    }
}

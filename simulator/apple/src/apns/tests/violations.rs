//! What a client does wrong is noticed and counted.

use super::{raw::Raw, *};
use crate::apns::{
    frame::{PREFACE, code, flag, kind, put, put_headers},
    hpack,
    session::{Client, Session},
};

#[tokio::test]
async fn a_stream_beyond_the_limit_is_refused() {
    let house = House::with(|config| config.max_streams = 1).await;
    house.fake.fault(Fault::Stall);
    let mut raw = Raw::new(&house).await;
    raw.push(1).await;
    raw.push(3).await;
    let reset = raw.until(kind::RST_STREAM).await;
    assert_eq!(
        (reset.stream, reset.payload),
        (3, code::REFUSED_STREAM.to_be_bytes().to_vec())
    );
    let counters = house.fake.counters();
    assert_eq!((counters.violations.over_limit, counters.arrived), (1, 1));
}

#[tokio::test]
async fn a_limit_counts_from_its_acknowledgement() {
    let house = House::new().await;
    house.fake.fault(Fault::Stall);
    let mut raw = Raw::new(&house).await;
    raw.push(1).await;
    house.fake.set_max_streams(1);
    raw.until(kind::SETTINGS).await;
    raw.push(3).await;
    raw.until(kind::HEADERS).await;
    raw.put(kind::SETTINGS, flag::ACK, 0, &[]).await;
    raw.push(5).await;
    raw.until(kind::RST_STREAM).await;
    let counters = house.fake.counters();
    assert_eq!((counters.violations.over_limit, counters.accepted), (1, 1));
}

#[tokio::test]
async fn what_is_not_http2_ends_the_connection() {
    let mut headers_in_headers = Vec::new();
    put(&mut headers_in_headers, kind::HEADERS, 0, 1, &[]);
    put(&mut headers_in_headers, kind::PING, 0, 0, &[0; 8]);
    let mut even = Vec::new();
    put_headers(&mut even, 2, true, &[]);
    let mut no_block = Vec::new();
    put_headers(&mut no_block, 1, true, &[0xff]);
    let mut unasked = Vec::new();
    for _ in 0..2 {
        put(&mut unasked, kind::SETTINGS, flag::ACK, 0, &[]);
    }
    let mut too_much = Vec::new();
    put_headers(&mut too_much, 1, false, &[]);
    for _ in 0..10 {
        put(&mut too_much, kind::CONTINUATION, 0, 1, &[0; 16_000]);
    }
    for (bytes, code) in [
        (headers_in_headers, code::PROTOCOL_ERROR),
        (even, code::PROTOCOL_ERROR),
        (no_block, code::COMPRESSION_ERROR),
        (unasked, code::PROTOCOL_ERROR),
        (too_much, code::PROTOCOL_ERROR),
        (vec![0xff; 9], code::FRAME_SIZE_ERROR),
    ] {
        let house = House::new().await;
        let mut raw = Raw::new(&house).await;
        raw.write(&bytes).await;
        let said = raw.until(kind::GOAWAY).await;
        assert_eq!(said.payload.get(4..8), Some(&code.to_be_bytes()[..]));
        raw.rest().await;
        assert_eq!(house.fake.counters().violations.protocol, 1);
    }
}

#[tokio::test]
async fn a_client_that_says_something_else_is_sent_away() {
    let house = House::new().await;
    let mut raw = Raw::silent(&house).await;
    raw.write(b"GET / HTTP/1.1\r\n\r\n").await;
    raw.until(kind::GOAWAY).await;
    raw.rest().await;
    assert_eq!(house.fake.counters().violations.of_http2(), 1);
}

#[tokio::test]
async fn headers_over_the_limit_are_refused() {
    let house = House::new().await;
    let mut raw = Raw::new(&house).await;
    let mut block = Vec::new();
    hpack::put_field(&mut block, b"x-long", &[b'x'; 8000]);
    raw.push_as(1, &block).await;
    assert_eq!(raw.until(kind::RST_STREAM).await.stream, 1);
    assert_eq!(house.fake.counters().violations.headers_too_long, 1);
}

#[tokio::test]
async fn what_apple_asks_not_to_be_indexed_is_counted() {
    let house = House::new().await;
    let mut raw = Raw::new(&house).await;
    let added = |name: &str, value: &str| {
        let mut field = vec![0x40];
        for text in [name, value] {
            field.push(u8::try_from(text.len()).unwrap());
            field.extend_from_slice(text.as_bytes());
        }
        field
    };
    for (stream, expiration) in [(1, "1767927900"), (3, "1767927901")] {
        let path = added(":path", "/3/device/00");
        let block = [path, added("apns-expiration", expiration)].concat();
        raw.push_as(stream, &block).await;
        raw.until(kind::HEADERS).await;
    }
    let violations = house.fake.counters().violations;
    assert_eq!(
        (violations.path_indexed, violations.changing_header_indexed),
        (2, 1)
    );
    assert_eq!(violations.of_http2(), 0);
}

#[test]
fn frames_of_chance_end_a_session_at_worst() {
    let config = Config::without_client_certificates();
    let state = Arc::new(State::new(&config));
    let mut random = 1_u64;
    let mut next = |below: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) % below
    };
    for number in 1..2000 {
        let client = Client {
            topic: None,
            serial: None,
            refused: None,
            trusted: true,
        };
        let mut session = Session::new(Arc::clone(&state), client, number);
        let mut input = PREFACE.to_vec();
        for _ in 0..next(12) {
            let payload: Vec<u8> = (0..next(40)).map(|_| next(256) as u8).collect();
            let (kind, flags, stream) = (next(11) as u8, next(256) as u8, next(8) as u32);
            put(&mut input, kind, flags, stream, &payload);
        }
        let taken = session.receive(&input, DateTime::UNIX_EPOCH);
        session.answer_due(DateTime::UNIX_EPOCH);
        session.settle();
        assert_eq!(taken, input.len());
    }
    let counters = state.lock().counters.clone();
    assert!(counters.violations.protocol > 100);
    let settled = counters.rejected.values().sum::<u64>() + counters.lost + counters.cancelled;
    assert_eq!((counters.arrived, counters.open_streams), (settled, 0));
}

//! What a server may say beside its answers, and what it may not.

use chrono::Utc;
use futures_util::future::join_all;

use crate::{
    house::{TestClock, is_delivered, push},
    raw::{
        DATA, HEADERS, PING, RST_STREAM, RawServer, SETTINGS, answer, frame, go_away, settings,
        taken, until, write,
    },
};

#[tokio::test]
async fn whatever_else_a_server_says_costs_no_push() {
    let priority = frame(2, &[0, 0, 0, 0, 15]);
    let on_stream = |mut frame: Vec<u8>| {
        frame[8] = 1;
        frame
    };
    let mut trailers = frame(HEADERS, &[0x00, 1, b'x', 1, b'y']);
    trailers[4] = 5;
    let unknown = frame(0xEF, b"of another version");
    let settings_flood = settings(10).repeat(200);
    let ping_flood = frame(PING, &[0; 8]).repeat(200);
    let reset = frame(RST_STREAM, &[0; 4]);
    for words in [
        [on_stream(priority), taken(1)].concat(),
        [answer(b"100"), taken(1)].concat(),
        [answer(b"200"), on_stream(trailers)].concat(),
        [unknown, taken(1)].concat(),
        [settings_flood, taken(1)].concat(),
        [ping_flood, taken(1)].concat(),
        // The whole answer, and the word that the rest of the push is not needed.
        [taken(1), on_stream(reset.clone())].concat(),
        [answer(b"200"), on_stream(reset)].concat(),
    ] {
        let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
        let client = server.client();
        let push = push("M");
        let serve = async {
            let mut stream = server.accept().await;
            write(&mut stream, &settings(10)).await;
            assert_eq!(until(&mut stream, HEADERS).await, 1);
            write(&mut stream, &words).await;
            stream
        };
        let (outcome, _stream) = tokio::join!(client.push(&push), serve);
        assert!(is_delivered(&outcome), "{words:?} {outcome:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_the_rules_is_asked_for_again_elsewhere() {
    let on_stream = |mut frame: Vec<u8>, flags: u8| {
        frame[4] = flags;
        frame[8] = 1;
        frame
    };
    for words in [
        // No status.
        on_stream(frame(HEADERS, &[0x00, 1, b'x', 1, b'y']), 5),
        // PUSH_PROMISE, which was declined.
        on_stream(frame(5, &[0, 0, 0, 2, 0x82]), 4),
        // DATA before HEADERS.
        on_stream(frame(DATA, b"x"), 0),
        // No HPACK.
        on_stream(frame(HEADERS, &[0xFF; 9]), 5),
        // A stream that was never opened.
        taken(99),
        // WINDOW_UPDATE by nothing.
        on_stream(frame(8, &[0; 4]), 0),
    ] {
        let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
        let client = server.client();
        let push = push("M");
        let serve = async {
            let mut first = server.accept().await;
            write(&mut first, &settings(10)).await;
            assert_eq!(until(&mut first, HEADERS).await, 1);
            write(&mut first, &words).await;
            let mut second = server.accept().await;
            write(&mut second, &settings(10)).await;
            assert_eq!(until(&mut second, HEADERS).await, 1);
            write(&mut second, &taken(1)).await;
            (first, second)
        };
        let work = async { tokio::join!(client.push(&push), serve) };
        let (outcome, _streams) = server.clock.pass(work).await;
        assert!(is_delivered(&outcome), "{words:?} {outcome:?}");
    }
}

#[tokio::test]
async fn a_server_without_a_window_may_answer_before_it_has_read_the_push() {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let client = server.client();
    let pushes = ["one", "two"].map(push);
    let pushes = join_all(pushes.iter().map(|push| client.push(push)));
    let serve = async {
        let mut stream = server.accept().await;
        // No window for bodies.
        let closed = frame(SETTINGS, &[0, 4, 0, 0, 0, 0, 0, 3, 0, 0, 0, 9]);
        write(&mut stream, &closed).await;
        for number in [1, 3] {
            assert_eq!(until(&mut stream, HEADERS).await, number);
            write(&mut stream, &taken(number)).await;
        }
        stream
    };
    let (outcomes, _stream) = tokio::join!(pushes, serve);
    assert!(outcomes.iter().all(is_delivered), "{outcomes:?}");
}

#[tokio::test]
async fn a_goodbye_in_two_steps_costs_no_push() {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let client = server.client();
    let pushes = ["one", "two", "three"].map(push);
    let pushes = join_all(pushes.iter().map(|push| client.push(push)));
    let serve = async {
        let mut first = server.accept().await;
        write(&mut first, &settings(2)).await;
        for number in [1, 3] {
            assert_eq!(until(&mut first, HEADERS).await, number);
        }
        let mut soon = go_away(0, b"");
        soon[9..13].copy_from_slice(&[0x7F, 0xFF, 0xFF, 0xFF]);
        write(&mut first, &soon).await;
        let mut second = server.accept().await;
        write(&mut second, &settings(2)).await;
        assert_eq!(until(&mut second, HEADERS).await, 1);
        let mut now = go_away(0, b"");
        now[12] = 1;
        write(&mut first, &[now, taken(1)].concat()).await;
        // Stream 3 was not taken after all.
        assert_eq!(until(&mut second, HEADERS).await, 3);
        write(&mut second, &[taken(1), taken(3)].concat()).await;
        (first, second)
    };
    let (outcomes, _streams) = tokio::join!(pushes, serve);
    assert!(outcomes.iter().all(is_delivered), "{outcomes:?}");
}

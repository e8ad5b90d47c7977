//! How events reach a subscriber: in order, again where it failed, and past what it never takes.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use http::Response;
use mdm_core::{ManualClock, Secret};
use mdm_pki::{DigestAlgorithm, hmac};
use mdm_protocol::EnrollmentId;
use mdm_service::{
    Event, EventKind, MdmSignature, Service,
    delivery::{Delivery, EventPace, EventRound, EventWorker, Subscriber, Webhook, WebhookError},
    queue::Sequence,
    store::{LeaseStore, Outbox},
};
use mdm_transport::{MemoryTransport, TransportErrorKind};

use crate::device::*;

/// Answers from a script, and takes everything when it is used up; remembers what it took.
#[derive(Debug, Default)]
struct Script {
    answers: Mutex<VecDeque<Delivery>>,
    /// Events that it refuses or fails over, whatever the script says.
    poison: Mutex<Option<(Sequence, Delivery)>>,
    taken: Mutex<Vec<u64>>,
    calls: Mutex<usize>,
}

#[async_trait]
impl Subscriber for Script {
    async fn deliver(&self, events: &[(Sequence, Event)]) -> Delivery {
        *self.calls.lock().unwrap() += 1;
        if let Some((poison, answer)) = &*self.poison.lock().unwrap()
            && events.iter().any(|(sequence, _)| sequence == poison)
        {
            return answer.clone();
        }
        let answer = self.answers.lock().unwrap().pop_front();
        let answer = answer.unwrap_or(Delivery::Taken);
        if answer == Delivery::Taken {
            let taken = events.iter().map(|(sequence, _)| sequence.number());
            self.taken.lock().unwrap().extend(taken);
        }
        answer
    }
}

struct Scene {
    store: Shared,
    clock: Arc<ManualClock>,
    service: Service,
    script: Arc<Script>,
}

impl Scene {
    fn new() -> Self {
        let store = Shared::default();
        let clock = Arc::new(ManualClock::new(now()));
        let identity = MdmSignature::new(vec![AUTHORITY.certificate.clone()]).unwrap();
        let service = Service::builder(Arc::clone(&store), Arc::clone(&clock), identity).build();
        Self {
            store,
            clock,
            service,
            script: Arc::default(),
        }
    }

    async fn with_events(events: usize) -> Self {
        let scene = Self::new();
        scene.store.subscribe("a").await.unwrap();
        scene.tell(events).await;
        scene
    }

    async fn tell(&self, events: usize) {
        let id = EnrollmentId::device("D1").unwrap();
        let event = |_| Event::new(id.clone(), now(), EventKind::CheckedOut);
        self.store
            .tell((0..events).map(event).collect())
            .await
            .unwrap();
    }

    /// Something that only a newer version understands.
    async fn tell_unreadable(&self) -> Event {
        let raw = r#"{"event":"device_sang","key":"C"}"#;
        let id = EnrollmentId::device("D1").unwrap();
        let event = Event::new(id, now(), EventKind::unreadable(raw));
        self.store.tell(vec![event.clone()]).await.unwrap();
        event
    }

    fn worker(&self, node: &str, pace: EventPace) -> EventWorker {
        self.service
            .event_worker("a", node, Arc::clone(&self.script), pace)
    }

    fn taken(&self) -> Vec<u64> {
        std::mem::take(&mut self.script.taken.lock().unwrap())
    }

    async fn waiting(&self) -> Vec<u64> {
        let events = self.store.events("a", 1_000).await.unwrap();
        events.iter().map(|(at, _)| at.number()).collect()
    }

    async fn dead(&self) -> Vec<(u64, String)> {
        let letters = self.store.dead_letters("a", Sequence::START, 1_000).await;
        let letters = letters.unwrap().into_iter();
        letters
            .map(|letter| (letter.sequence.number(), letter.reason))
            .collect()
    }
}

fn waits(seconds: u64) -> impl Fn(EventRound) -> bool {
    move |round| matches!(round, EventRound::Waits { wait, .. } if wait == Duration::from_secs(seconds))
}

#[tokio::test]
async fn events_arrive_in_order_and_leave_the_outbox_once_taken() {
    let scene = Scene::with_events(5).await;
    let all = scene.waiting().await;
    let mut worker = scene.worker("n", EventPace::default().with(|pace| pace.batch = 2));
    for events in [2, 2, 1] {
        let round = worker.round().await.unwrap();
        assert!(matches!(round, EventRound::Delivered { events: n, .. } if n == events));
    }
    assert_eq!(worker.round().await.unwrap(), EventRound::Idle);
    assert_eq!(scene.taken(), all);
    assert!(scene.waiting().await.is_empty());
}

#[tokio::test]
async fn a_subscriber_that_is_away_is_waited_for_and_nothing_is_lost() {
    let scene = Scene::with_events(3).await;
    let all = scene.waiting().await;
    let away = Delivery::unavailable("no route", None);
    let asked = Delivery::unavailable("busy", Some(Duration::from_secs(90)));
    scene
        .script
        .answers
        .lock()
        .unwrap()
        .extend([away.clone(), away.clone(), asked, away]);
    let mut worker = scene.worker("n", EventPace::default());
    for seconds in [1, 2, 90, 8] {
        let round = worker.round().await.unwrap();
        assert!(waits(seconds)(round), "{round:?}, not {seconds} s");
    }
    worker.round().await.unwrap();
    assert_eq!(scene.taken(), all);
    // A success ends the series: the next failure waits a second again.
    scene.tell(1).await;
    let away = Delivery::unavailable("no route", None);
    scene.script.answers.lock().unwrap().push_back(away);
    assert!(waits(1)(worker.round().await.unwrap()));
}

#[tokio::test]
async fn the_one_event_that_is_refused_becomes_a_dead_letter_and_the_others_arrive() {
    let scene = Scene::with_events(5).await;
    let all = scene.waiting().await;
    let refused = (Sequence::new(all[2]), Delivery::refused("HTTP status 422"));
    *scene.script.poison.lock().unwrap() = Some(refused);
    let mut worker = scene.worker("n", EventPace::default());
    while worker.round().await.unwrap() != EventRound::Idle {}
    assert_eq!(scene.taken(), [all[0], all[1], all[3], all[4]]);
    assert_eq!(scene.dead().await, [(all[2], "HTTP status 422".to_owned())]);
    // Once the reason is gone, it is delivered after all.
    *scene.script.poison.lock().unwrap() = None;
    let place = [Sequence::new(all[2])];
    scene.store.revive_dead_letters("a", &place).await.unwrap();
    while worker.round().await.unwrap() != EventRound::Idle {}
    assert_eq!(scene.taken(), [all[2]]);
    // Afterwards they go together again.
    scene.tell(4).await;
    let calls = *scene.script.calls.lock().unwrap();
    while worker.round().await.unwrap() != EventRound::Idle {}
    assert_eq!(*scene.script.calls.lock().unwrap(), calls + 1);
}

#[tokio::test]
async fn an_event_that_a_subscriber_fails_over_is_given_up_after_its_attempts() {
    let scene = Scene::with_events(3).await;
    let all = scene.waiting().await;
    let failed = (Sequence::new(all[1]), Delivery::failed("HTTP status 500"));
    *scene.script.poison.lock().unwrap() = Some(failed);
    let mut worker = scene.worker("n", EventPace::default().with(|pace| pace.attempts = 4));
    let mut waited = Vec::new();
    loop {
        match worker.round().await.unwrap() {
            EventRound::Waits { wait, .. } => waited.push(wait.as_secs()),
            EventRound::Idle => break,
            _ => {}
        }
    }
    // All three, then the second alone.
    assert_eq!(waited, [1, 1, 2, 4]);
    assert_eq!(scene.taken(), [all[0], all[2]]);
    assert_eq!(scene.dead().await, [(all[1], "HTTP status 500".to_owned())]);
}

#[tokio::test]
async fn of_too_many_events_the_oldest_become_dead_letters() {
    let scene = Scene::with_events(7).await;
    let all = scene.waiting().await;
    let away = Delivery::unavailable("no route", None);
    scene.script.answers.lock().unwrap().push_back(away);
    let mut worker = scene.worker("n", EventPace::default().with(|pace| pace.waiting = 4));
    worker.round().await.unwrap();
    let dead: Vec<_> = scene.dead().await.into_iter().map(|(at, _)| at).collect();
    assert_eq!(dead, all[..3]);
    assert_eq!(scene.waiting().await, all[3..]);
}

/// One that answers 2xx, but takes fewer than there come.
#[tokio::test]
async fn a_subscriber_that_is_too_slow_has_no_more_waiting_than_one_that_is_away() {
    let scene = Scene::with_events(9).await;
    let all = scene.waiting().await;
    let pace = EventPace::default().with(|pace| {
        pace.batch = 2;
        pace.waiting = 4;
    });
    let mut worker = scene.worker("n", pace);
    let round = worker.round().await.unwrap();
    assert!(matches!(round, EventRound::Delivered { events: 2, .. }));
    assert_eq!(scene.taken(), all[..2]);
    let dead: Vec<_> = scene.dead().await.into_iter().map(|(at, _)| at).collect();
    assert_eq!(dead, all[2..5]);
    assert_eq!(scene.waiting().await, all[5..]);
}

#[tokio::test]
async fn an_outage_is_no_attempt() {
    let scene = Scene::with_events(1).await;
    let away = Delivery::unavailable("no route", None);
    let failed = Delivery::failed("HTTP status 500");
    let answers = [vec![failed.clone()], vec![away; 20], vec![failed.clone()]].concat();
    scene.script.answers.lock().unwrap().extend(answers);
    let mut worker = scene.worker("n", EventPace::default().with(|pace| pace.attempts = 3));
    for _ in 0..22 {
        let round = worker.round().await.unwrap();
        assert!(matches!(round, EventRound::Waits { .. }), "{round:?}");
    }
    assert_eq!(scene.dead().await, []);
    scene.script.answers.lock().unwrap().push_back(failed);
    worker.round().await.unwrap();
    assert_eq!(scene.dead().await.len(), 1);
}

/// The next event at the front begins with its own count.
#[tokio::test]
async fn the_attempts_are_those_of_one_event() {
    let scene = Scene::with_events(2).await;
    let failed = Delivery::failed("HTTP status 500");
    scene.script.answers.lock().unwrap().extend(vec![failed; 3]);
    let pace = EventPace::default().with(|pace| {
        pace.batch = 1;
        pace.attempts = 3;
    });
    let mut worker = scene.worker("n", pace);
    worker.round().await.unwrap();
    worker.round().await.unwrap();
    let [first, second] = scene.waiting().await[..] else {
        panic!("two wait");
    };
    let taken_elsewhere = [Sequence::new(first)];
    scene
        .store
        .acknowledge_events("a", &taken_elsewhere)
        .await
        .unwrap();
    worker.round().await.unwrap();
    assert_eq!(scene.waiting().await, [second]);
    assert_eq!(scene.dead().await, []);
}

#[tokio::test]
async fn events_that_nobody_can_read_become_dead_letters_and_hold_the_others_up_once() {
    let scene = Scene::with_events(1).await;
    let event = scene.tell_unreadable().await;
    scene.tell_unreadable().await;
    scene.tell(1).await;
    scene.tell_unreadable().await;
    scene.tell(1).await;
    let all = scene.waiting().await;
    let mut worker = scene.worker("n", EventPace::default().with(|pace| pace.attempts = 4));
    let mut waited = Vec::new();
    loop {
        match worker.round().await.unwrap() {
            EventRound::Waits { wait, .. } => waited.push(wait.as_secs()),
            EventRound::Idle => break,
            _ => {}
        }
    }
    assert_eq!(waited, [1, 2, 4]);
    assert_eq!(scene.taken(), [all[0], all[3], all[5]]);
    let letters = scene.store.dead_letters("a", Sequence::START, 9).await;
    let letters = letters.unwrap();
    let places: Vec<_> = letters.iter().map(|it| it.sequence.number()).collect();
    assert_eq!(places, [all[1], all[2], all[4]]);
    assert!(letters.iter().all(|letter| letter.event == event));
}

/// Two versions are at work while nodes are brought up to date one by one.
#[tokio::test]
async fn an_event_that_a_node_cannot_read_is_left_to_one_that_can() {
    let scene = Scene::with_events(1).await;
    scene.tell_unreadable().await;
    scene.tell(1).await;
    let all = scene.waiting().await;
    let mut older = scene.worker("older", EventPace::default().with(|pace| pace.attempts = 2));
    let round = older.round().await.unwrap();
    assert!(matches!(round, EventRound::Delivered { events: 1, .. }));
    assert!(waits(1)(older.round().await.unwrap()));

    // The newer one need not wait for the end of a lease.
    let store = &scene.store;
    let newer = async || {
        let until = now() + TimeDelta::minutes(2);
        store
            .lease("events/a", "newer", now(), until)
            .await
            .unwrap()
    };
    assert!(newer().await);
    assert_eq!(older.round().await.unwrap(), EventRound::Elsewhere);
    let place = [Sequence::new(all[1])];
    store.acknowledge_events("a", &place).await.unwrap();
    store.release("events/a", "newer").await.unwrap();
    older.round().await.unwrap();
    assert_eq!(scene.taken(), [all[0], all[2]]);
    // It may do so again.
    scene.tell_unreadable().await;
    assert!(waits(1)(older.round().await.unwrap()));
    assert!(newer().await);
    assert!(scene.dead().await.is_empty());
}

#[tokio::test]
async fn one_node_delivers_at_a_time_and_another_takes_over_when_it_is_gone() {
    let scene = Scene::with_events(2).await;
    let pace = EventPace::default().with(|pace| pace.batch = 1);
    let (mut one, mut other) = (scene.worker("n1", pace), scene.worker("n2", pace));
    one.round().await.unwrap();
    assert_eq!(other.round().await.unwrap(), EventRound::Elsewhere);
    scene.clock.advance(pace.lease);
    other.round().await.unwrap();
    assert_eq!(scene.taken().len(), 2);
    assert_eq!(one.round().await.unwrap(), EventRound::Elsewhere);
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_leaves_the_subscriber_to_others_at_once() {
    let scene = Scene::with_events(2).await;
    let pace = EventPace::default().with(|pace| pace.batch = 1);
    let script = Arc::clone(&scene.script);
    let once_delivered = poll_fn(|_| match *script.calls.lock().unwrap() {
        0 => Poll::Pending,
        _ => Poll::Ready(()),
    });
    scene.worker("n1", pace).run_until(once_delivered).await;
    assert_eq!(scene.taken().len(), 1);
    let next = scene.worker("n2", pace).round().await.unwrap();
    assert!(matches!(next, EventRound::Delivered { .. }), "{next:?}");
}

#[tokio::test]
async fn a_slow_subscriber_stops_no_other() {
    let scene = Scene::with_events(0).await;
    scene.store.subscribe("b").await.unwrap();
    scene.tell(2).await;
    let away = Delivery::unavailable("no route", None);
    scene.script.answers.lock().unwrap().push_back(away);
    scene
        .worker("n", EventPace::default())
        .round()
        .await
        .unwrap();
    let quick = Arc::new(Script::default());
    let mut worker = scene
        .service
        .event_worker("b", "n", Arc::clone(&quick), EventPace::default());
    worker.round().await.unwrap();
    assert_eq!(quick.taken.lock().unwrap().len(), 2);
    assert_eq!(scene.waiting().await.len(), 2);
}

const KEY: &[u8] = b"0123456789abcdef";

fn webhook(transport: &Arc<MemoryTransport>) -> Webhook {
    let url = "https://vendor.example/mdm?tenant=1";
    let clock = ManualClock::new(now());
    Webhook::new(Arc::clone(transport), clock, url, Secret::new(KEY.to_vec())).unwrap()
}

fn one_event() -> Vec<(Sequence, Event)> {
    let id = EnrollmentId::device("D1").unwrap();
    let kind = EventKind::command_settled("C-1", "Acknowledged");
    vec![(Sequence::new(17), Event::new(id, now(), kind))]
}

#[tokio::test]
async fn a_webhook_posts_json_that_its_signature_covers() {
    let transport = Arc::new(MemoryTransport::new().status(204));
    let delivery = webhook(&transport).deliver(&one_event()).await;
    assert_eq!(delivery, Delivery::Taken);
    let request = transport.requests().remove(0);
    assert_eq!(request.uri(), "https://vendor.example/mdm?tenant=1");
    let told: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
    let expected = serde_json::json!({
        "type": "mdm.events",
        "events": [{
            "id": "17-1767323045000000",
            "sequence": 17,
            "enrollment": "device:D1",
            "at": "2026-01-02T03:04:05.000000Z",
            "event": "command_settled",
            "command_uuid": "C-1",
            "status": "Acknowledged",
        }],
    });
    assert_eq!(told, expected);
    let header = |name| request.headers()[name].to_str().unwrap();
    let id = header("webhook-id");
    let signed = format!("{id}.{}.", now().timestamp());
    let signed = [signed.as_bytes(), request.body()].concat();
    let mac = hmac(DigestAlgorithm::Sha256, KEY, &signed).unwrap();
    let expected = format!("v1,{}", STANDARD.encode(mac));
    assert_eq!(header("webhook-signature"), expected);
}

#[tokio::test]
async fn what_comes_again_has_its_ids_and_what_a_restored_store_counts_again_has_others() {
    let transport = Arc::new(MemoryTransport::new().status(204).status(204).status(204));
    let webhook = webhook(&transport);
    let events = one_event();
    let mut later = events.clone();
    later[0].1.at += chrono::TimeDelta::days(1);
    for events in [&events, &events, &later] {
        assert_eq!(webhook.deliver(events).await, Delivery::Taken);
    }
    let requests = transport.requests();
    let of = |n: usize| {
        let request: &http::Request<_> = &requests[n];
        let told: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
        (
            request.headers()["webhook-id"].clone(),
            told["events"][0]["id"].clone(),
        )
    };
    assert_eq!(of(0), of(1));
    let ((first, one), (second, other)) = (of(0), of(2));
    assert_ne!(first, second);
    assert_ne!(one, other);
}

/// It says nothing of the events: all that wait would be buried as fast as they can be posted.
#[tokio::test]
async fn a_webhook_at_the_wrong_address_or_with_the_wrong_rights_buries_nothing_at_once() {
    for status in [302, 401, 403, 404, 405, 410] {
        let transport = Arc::new(MemoryTransport::new().status(status));
        let delivery = webhook(&transport).deliver(&one_event()).await;
        assert!(matches!(delivery, Delivery::Failed { .. }), "{status}");
    }
    for status in [400, 413, 422] {
        let transport = Arc::new(MemoryTransport::new().status(status));
        let delivery = webhook(&transport).deliver(&one_event()).await;
        assert!(matches!(delivery, Delivery::Refused { .. }), "{status}");
    }
}

#[tokio::test]
async fn a_webhook_may_answer_at_length_and_too_much_is_no_outage() {
    let says = |bytes: usize| Response::new(vec![b' '; bytes].into());
    let transport = MemoryTransport::new()
        .answer(says(500_000))
        .answer(says(2_000_000));
    let webhook = webhook(&Arc::new(transport));
    assert_eq!(webhook.deliver(&one_event()).await, Delivery::Taken);
    let delivery = webhook.deliver(&one_event()).await;
    assert!(matches!(delivery, Delivery::Failed { .. }), "{delivery:?}");
}

#[tokio::test]
async fn what_a_webhook_answers_tells_what_becomes_of_the_events() {
    let later = Response::builder().status(503).header("Retry-After", "120");
    let transport = MemoryTransport::new()
        .status(200)
        .answer(later.body("".into()).unwrap())
        .status(429)
        .status(500)
        .status(422)
        .status(302)
        .fail(TransportErrorKind::Connect);
    let transport = Arc::new(transport);
    let webhook = webhook(&transport);
    let mut answers = Vec::new();
    for _ in 0..7 {
        answers.push(webhook.deliver(&one_event()).await);
    }
    let two_minutes = Some(Duration::from_secs(120));
    assert_eq!(answers[0], Delivery::Taken);
    assert!(
        matches!(&answers[1], Delivery::Unavailable { retry_after, .. } if *retry_after == two_minutes)
    );
    assert!(matches!(
        &answers[2],
        Delivery::Unavailable {
            retry_after: None,
            ..
        }
    ));
    assert!(matches!(&answers[3], Delivery::Failed { .. }));
    assert!(matches!(&answers[4], Delivery::Refused { .. }));
    assert!(matches!(&answers[5], Delivery::Failed { .. }));
    assert!(matches!(&answers[6], Delivery::Unavailable { .. }));
}

#[test]
fn a_webhook_needs_tls_and_a_key() {
    let new = |url: &str, key: &[u8]| {
        let transport = MemoryTransport::new();
        let clock = ManualClock::new(now());
        Webhook::new(transport, clock, url, Secret::new(key.to_vec())).err()
    };
    assert_eq!(new("http://127.0.0.1:80/x", KEY), None);
    for url in ["http://vendor.example/", "vendor.example", "/x", "ftp://h/"] {
        assert_eq!(new(url, KEY), Some(WebhookError::Url), "{url}");
    }
    let short = new("https://vendor.example/", b"short");
    assert_eq!(short, Some(WebhookError::Key));
    let webhook = webhook(&Arc::default());
    assert!(!format!("{webhook:?}").contains("0123456789abcdef"));
}

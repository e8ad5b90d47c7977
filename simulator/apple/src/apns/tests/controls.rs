//! What a test may change while the fake runs.

use async_trait::async_trait;
use mdm_core::Clock;
use tokio::sync::watch;

use super::*;

/// A clock that moves when told, and wakes those whose time has come.
#[derive(Debug)]
pub(super) struct HeldClock {
    now: watch::Sender<DateTime<Utc>>,
}

impl HeldClock {
    pub(super) fn new() -> Arc<Self> {
        let now = watch::Sender::new(DateTime::UNIX_EPOCH);
        Arc::new(Self { now })
    }

    pub(super) fn advance(&self, seconds: i64) {
        self.now
            .send_modify(|now| *now += TimeDelta::seconds(seconds));
    }
}

#[async_trait]
impl Clock for HeldClock {
    fn now(&self) -> DateTime<Utc> {
        *self.now.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        let mut now = self.now.subscribe();
        let until = *now.borrow() + duration;
        now.wait_for(|now| *now >= until).await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_waits_for_its_delay_and_a_push_is_looked_at_when_it_is_due() {
    let clock = HeldClock::new();
    let house = House::with(|config| {
        config.clock = clock.clone();
        config.delay = Duration::from_secs(30);
    })
    .await;
    let client = house.client().await;
    let slow = begin(&client, good(b"token"), BODY).await;
    house.fake.until(|counters| counters.arrived == 1).await;
    house.fake.set_delay(Duration::ZERO);
    let other = house.client().await;
    send(&other, good(b"token"), r#"{"mdm":"quick"}"#).await;
    assert_eq!(house.fake.pushes().len(), 1);
    assert_eq!(house.fake.pushes()[0].magic, "quick");

    clock.advance(30);
    assert_eq!(slow.await.unwrap().status(), StatusCode::OK);
    assert_eq!(house.fake.counters().accepted, 2);
}

#[tokio::test]
async fn a_late_push_is_overtaken_by_the_next() {
    let clock = HeldClock::new();
    let house = House::with(|config| config.clock = clock.clone()).await;
    let client = house.client().await;
    let by = Duration::from_secs(5);
    house.fake.fault(Fault::Late { by });
    let late = begin(&client, good(b"token"), r#"{"mdm":"late"}"#).await;
    send(&client, good(b"token"), BODY).await;
    assert_eq!(house.fake.next_push(b"token").await, "MAGIC");
    clock.advance(5);
    assert_eq!(late.await.unwrap().status(), StatusCode::OK);
    assert_eq!(house.fake.next_push(b"token").await, "late");
}

#[tokio::test]
async fn a_new_limit_of_streams_is_told_to_open_connections_and_to_new_ones() {
    let house = House::new().await;
    let client = house.client().await;
    send(&client, good(b"token"), BODY).await;
    assert_eq!(client.current_max_send_streams(), 7);
    for limit in [1, 500] {
        let before = house.fake.counters().limit_changes;
        house.fake.set_max_streams(limit);
        let told = |counters: &Counters| counters.limit_changes > before;
        house.fake.until(told).await;
        send(&client, good(b"token"), BODY).await;
        assert_eq!(client.current_max_send_streams(), limit as usize);
        let other = house.client().await;
        send(&other, good(b"token"), BODY).await;
        assert_eq!(other.current_max_send_streams(), limit as usize);
    }
    assert_eq!(house.fake.connections()[0].max_streams, 500);
}

#[tokio::test]
async fn a_connection_may_have_one_stream_until_its_first_push_is_taken() {
    let house = House::with(|config| config.one_stream_first = true).await;
    let client = house.client().await;
    house.fake.fault(Fault::reject(500, "InternalServerError"));
    send(&client, good(b"token"), BODY).await;
    assert_eq!(client.current_max_send_streams(), 1);
    send(&client, good(b"token"), BODY).await;
    house
        .fake
        .until(|counters| counters.limit_changes == 1)
        .await;
    send(&client, good(b"token"), BODY).await;
    assert_eq!(client.current_max_send_streams(), 7);
}

#[tokio::test]
async fn rejections_cost_streams_and_then_the_connection_and_410_costs_nothing() {
    let throttling = Throttling::default().with(|throttling| throttling.go_away_at = 4);
    let house = House::with(|config| config.throttling = Some(throttling)).await;
    let client = house.client().await;
    house.fake.kill_token(b"dead", DateTime::UNIX_EPOCH);
    for _ in 0..5 {
        send(&client, good(b"dead"), BODY).await;
    }
    assert_eq!(client.current_max_send_streams(), 7);

    send(&client, good(b"unknown"), BODY).await;
    send(&client, good(b"token"), BODY).await;
    assert_eq!(client.current_max_send_streams(), 1);
    // A BadDeviceToken counts twice: the second is the fourth.
    send(&client, good(b"unknown"), BODY).await;
    house
        .fake
        .until(|counters| counters.connections_closed == 1)
        .await;
    let counters = house.fake.counters();
    assert_eq!((counters.go_aways, counters.limit_changes), (1, 1));
    assert_eq!(counters.rejected["Unregistered"], 5);
    assert_eq!(counters.rejected["BadDeviceToken"], 2);
}

#[tokio::test]
async fn connections_are_refused_behind_their_handshake_as_often_as_told() {
    let house = House::new().await;
    house.fake.refuse_connections(1);
    let mut raw = raw::Raw::silent(&house).await;
    assert_eq!(raw.next().await, None);
    let client = house.client().await;
    assert_eq!(send(&client, good(b"token"), BODY).await.0, StatusCode::OK);
    assert_eq!(house.fake.refusals(), [Refusal::Connection]);
    let counters = house.fake.counters();
    assert_eq!(
        (counters.connections_refused, counters.connections_opened),
        (1, 1)
    );
}

#[tokio::test]
async fn any_token_is_taken_and_the_last_pushes_are_kept() {
    let house = House::with(|config| {
        config.accept_any_token = true;
        config.kept_pushes = 2;
    })
    .await;
    let client = house.client().await;
    for body in [r#"{"mdm":"1"}"#, r#"{"mdm":"2"}"#, r#"{"mdm":"3"}"#] {
        assert_eq!(send(&client, good(b"any"), body).await.0, StatusCode::OK);
    }
    assert_eq!(house.fake.counters().accepted, 3);
    let kept: Vec<_> = house.fake.pushes().into_iter().map(|p| p.magic).collect();
    assert_eq!(kept, ["2", "3"]);
    assert_eq!(house.fake.next_push(b"any").await, "2");
    house.fake.kill_token(b"any", DateTime::UNIX_EPOCH);
    assert_eq!(send(&client, good(b"any"), BODY).await.0, StatusCode::GONE);
}

#[tokio::test]
async fn a_client_without_a_certificate_is_served_where_none_is_asked_for() {
    for (topic, status) in [
        (None, 200),
        (Some(TOPIC), 200),
        (Some("com.apple.mgmt.b"), 400),
    ] {
        let house = House::with(|config| {
            config.client_certificates = false;
            config.topic = topic.map(str::to_owned);
        })
        .await;
        let client = house.client().await;
        let answer = send(&client, good(b"token"), BODY).await;
        assert_eq!(answer.0.as_u16(), status, "{topic:?}");
    }
    let config = Config::without_client_certificates();
    assert!(FakeApns::start(config).await.is_ok());
}

#[tokio::test]
async fn each_push_is_counted_by_its_id_and_by_its_connection() {
    let house = House::new().await;
    let (first, second) = (house.client().await, house.client().await);
    for client in [&first, &first, &second] {
        send(client, good(b"token"), BODY).await;
    }
    assert_eq!(house.fake.times_accepted(ID), 3);
    assert_eq!(house.fake.accepted_ids().into_values().sum::<u32>(), 3);
    assert_eq!(house.fake.times_accepted("other"), 0);
    let counted = house.fake.connections();
    let counted = counted.iter().map(|one| (one.accepted, one.most_streams));
    assert_eq!(counted.collect::<Vec<_>>(), [(2, 1), (1, 1)]);
    drop((first, second));
    let counters = house
        .fake
        .until(|counters| counters.connections_closed == 2)
        .await;
    assert_eq!((counters.arrived, counters.open_streams), (3, 0));
    assert_eq!(counters.violations, Violations::default());
}

#[tokio::test]
async fn only_so_many_ids_are_counted() {
    let house = House::with(|config| config.tracked_ids = 1).await;
    let client = house.client().await;
    send(&client, good(b"token"), BODY).await;
    let mut other = good(b"token");
    other.headers_mut().unwrap().remove("apns-id");
    send(&client, other, BODY).await;
    assert_eq!(house.fake.accepted_ids().len(), 1);
}

#[tokio::test]
async fn the_server_stands_under_the_callers_own_root() {
    let own = PushAuthority::new().unwrap();
    let key = own.key_pem().unwrap();
    let again = PushAuthority::from_pem(own.root().to_pem().as_bytes(), key.as_bytes()).unwrap();
    let house = House::with(|config| config.server_authority = Some(again)).await;
    assert_eq!(house.fake.root_certificate(), own.root());
    let client = house.client().await;
    assert_eq!(send(&client, good(b"token"), BODY).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error() {
    let house = House::new().await;
    let bind = house.fake.addr();
    let config = Config::without_client_certificates().with(|config| config.bind = bind);
    let started = FakeApns::start(config).await;
    assert!(matches!(started, Err(StartError::Bind(_))));
}

//! The fake as a client sees it that speaks plain HTTP/2 and knows none of our push types.

mod certificates;
mod controls;
mod faults;
mod goodbyes;
mod raw;
mod violations;

use bytes::Bytes;
use chrono::TimeDelta;
use h2::client::{ResponseFuture, SendRequest};
use http::{Request, StatusCode};
use mdm_pki::Identity;
use mdm_tls::{ClientConfig, ErrorKind, Roots};
use tokio::{io::AsyncReadExt, net::TcpStream};

use super::*;

const TOPIC: &str = "com.apple.mgmt.External.a1";
const ID: &str = "eb3a1f3e-10c5-4b6f-9bb0-7c6a2a2f1d4e";

struct House {
    authority: PushAuthority,
    fake: FakeApns,
}

impl House {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let authority = PushAuthority::new().unwrap();
        let config = Config::new(vec![authority.root().clone()]).max_streams(7);
        let fake = FakeApns::start(config.with(change)).await.unwrap();
        fake.accept_token(b"token");
        Self { authority, fake }
    }

    fn tls(&self, identity: Option<Identity>, alpn: &[&str]) -> ClientConfig {
        let root = mdm_pki::Certificate::from_pem(self.fake.root_pem().as_bytes()).unwrap();
        let builder = ClientConfig::builder()
            .roots(Roots::Only(vec![root]))
            .alpn(alpn);
        match identity {
            Some(identity) => builder.identity(identity),
            None => builder,
        }
        .build()
        .unwrap()
    }

    async fn client(&self) -> SendRequest<Bytes> {
        self.client_as(self.authority.issue(TOPIC).unwrap()).await
    }

    async fn client_as(&self, identity: Identity) -> SendRequest<Bytes> {
        let tcp = TcpStream::connect((self.fake.host(), self.fake.port()))
            .await
            .unwrap();
        let tls = self.tls(Some(identity), &["h2"]);
        let stream = tls.connect(self.fake.host(), tcp).await.unwrap();
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(async move {
            let _ = connection.await;
        });
        sender
    }

    /// What the server makes of a client that shows this identity and speaks this protocol.
    async fn refusal(&self, identity: Option<Identity>, alpn: &[&str]) -> ErrorKind {
        let tcp = TcpStream::connect(self.fake.addr()).await.unwrap();
        let connected = self.tls(identity, alpn).connect("127.0.0.1", tcp).await;
        if let Ok(mut stream) = connected {
            assert!(!matches!(stream.read(&mut [0; 1]).await, Ok(read) if read > 0));
        }
        match self.fake.refusals().pop() {
            Some(Refusal::Handshake { kind }) => kind,
            other => panic!("{other:?}"),
        }
    }
}

fn good(token: &[u8]) -> http::request::Builder {
    Request::post(format!("https://localhost/3/device/{}", hex::encode(token)))
        .header("apns-push-type", "mdm")
        .header("apns-topic", TOPIC)
        .header("apns-id", ID)
        .header("apns-expiration", "1767927900")
}

/// Sends a push and leaves its answer to come.
async fn begin(
    client: &SendRequest<Bytes>,
    request: http::request::Builder,
    body: &'static str,
) -> ResponseFuture {
    let mut client = client.clone().ready().await.unwrap();
    let (answer, mut stream) = client
        .send_request(request.body(()).unwrap(), false)
        .unwrap();
    stream
        .send_data(Bytes::from_static(body.as_bytes()), true)
        .unwrap();
    answer
}

/// Status, id and body of the answer.
async fn send(
    client: &SendRequest<Bytes>,
    request: http::request::Builder,
    body: &'static str,
) -> (StatusCode, String, String) {
    let answer = begin(client, request, body).await;
    let (head, mut data) = answer.await.unwrap().into_parts();
    let mut body = Vec::new();
    while let Some(chunk) = data.data().await {
        let chunk = chunk.unwrap();
        data.flow_control().release_capacity(chunk.len()).unwrap();
        body.extend_from_slice(&chunk);
    }
    let id = head.headers["apns-id"].to_str().unwrap().to_owned();
    (head.status, id, String::from_utf8(body).unwrap())
}

const BODY: &str = r#"{"mdm":"MAGIC"}"#;

#[tokio::test]
async fn a_good_push_is_taken_recorded_and_heard() {
    let house = House::new().await;
    let client = house.client().await;
    let mut early = house.fake.subscribe(b"token");
    let (status, id, body) = send(&client, good(b"token"), BODY).await;
    assert_eq!((status.as_u16(), &*id, &*body), (200, ID, ""));
    assert_eq!(client.current_max_send_streams(), 7);

    let mut late = house.fake.subscribe(b"token");
    let second = r#"{"mdm":"SECOND"}"#;
    send(&client, good(b"token"), second).await;
    assert_eq!(house.fake.next_push(b"token").await, "MAGIC");
    assert_eq!(house.fake.next_push(b"token").await, "SECOND");
    assert_eq!(early.recv().await, "MAGIC");
    assert_eq!(early.recv().await, "SECOND");
    assert_eq!(late.recv().await, "SECOND");
    assert_eq!(house.fake.pushes().len(), 2);
    assert_eq!(house.fake.pushes()[0].expiration, Some(1_767_927_900));
}

#[tokio::test]
async fn a_device_may_wait_before_its_push_comes() {
    let house = House::new().await;
    let client = house.client().await;
    let mut subscription = house.fake.subscribe(b"token");
    let wait = async {
        (
            house.fake.next_push(b"token").await,
            subscription.recv().await,
        )
    };
    let (heard, _) = tokio::join!(wait, send(&client, good(b"token"), BODY));
    assert_eq!(heard, ("MAGIC".to_owned(), "MAGIC".to_owned()));
}

#[tokio::test]
async fn a_push_that_is_not_for_mdm_is_refused() {
    let house = House::new().await;
    let client = house.client().await;
    for (name, value, reason) in [
        ("apns-push-type", "alert", "InvalidPushType"),
        (
            "apns-topic",
            "com.apple.mgmt.External.b2",
            "TopicDisallowed",
        ),
        (
            "apns-id",
            "EB3A1F3E-10C5-4B6F-9BB0-7C6A2A2F1D4E",
            "BadMessageId",
        ),
    ] {
        let mut request = good(b"token");
        request
            .headers_mut()
            .unwrap()
            .insert(name, value.parse().unwrap());
        let (status, _, body) = send(&client, request, BODY).await;
        assert_eq!(status.as_u16(), 400);
        assert_eq!(body, format!(r#"{{"reason":"{reason}"}}"#));
        let reason = reason.to_owned();
        let refusal = Refusal::Push {
            status: 400,
            reason,
        };
        assert_eq!(house.fake.refusals().pop(), Some(refusal));
    }
    assert!(house.fake.pushes().is_empty());
}

#[tokio::test]
async fn a_body_too_long_is_refused_however_it_comes() {
    let house = House::new().await;
    let client = house.client().await;
    let long: &'static str = "x".repeat(100_000).leak();
    let (status, id, body) = send(&client, good(b"token"), long).await;
    assert_eq!((status.as_u16(), &*id), (413, ID));
    assert_eq!(body, r#"{"reason":"PayloadTooLarge"}"#);
}

#[tokio::test]
async fn a_killed_token_is_gone_until_it_is_accepted_again() {
    let house = House::new().await;
    let client = house.client().await;
    let since = DateTime::from_timestamp_millis(1_767_323_045_500).unwrap();
    house.fake.kill_token(b"token", since);
    let (status, _, body) = send(&client, good(b"token"), BODY).await;
    assert_eq!(status.as_u16(), 410);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let expected =
        serde_json::json!({"reason": "Unregistered", "timestamp": 1_767_323_045_500_i64});
    assert_eq!(body, expected);
    house.fake.accept_token(b"token");
    assert_eq!(send(&client, good(b"token"), BODY).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_push_without_an_id_is_given_one() {
    let house = House::new().await;
    let client = house.client().await;
    let mut request = good(b"token");
    request.headers_mut().unwrap().remove("apns-id");
    let (_, id, _) = send(&client, request, BODY).await;
    assert_eq!(house.fake.pushes()[0].apns_id, id);
    let mut again = good(b"token");
    again
        .headers_mut()
        .unwrap()
        .insert("apns-id", id.parse().unwrap());
    assert_eq!(send(&client, again, BODY).await.0, StatusCode::OK);
}

#[tokio::test]
async fn faults_meet_the_next_pushes_in_order() {
    let house = House::new().await;
    let client = house.client().await;
    house.fake.fault(Fault::reject(503, "Shutdown"));
    house.fake.fault(Fault::raw(418, "teapot"));
    let (status, id, body) = send(&client, good(b"token"), BODY).await;
    assert_eq!(
        (status.as_u16(), &*id, &*body),
        (503, ID, r#"{"reason":"Shutdown"}"#)
    );
    let (status, _, body) = send(&client, good(b"token"), BODY).await;
    assert_eq!((status.as_u16(), &*body), (418, "teapot"));
    assert_eq!(send(&client, good(b"token"), BODY).await.0, StatusCode::OK);
    assert_eq!(house.fake.pushes().len(), 1);
}

#[tokio::test]
async fn who_may_not_push_is_not_let_in() {
    let house = House::new().await;
    let foreign = PushAuthority::new().unwrap().issue(TOPIC).unwrap();
    let now = Utc::now();
    let day = TimeDelta::days(1);
    let expired = house
        .authority
        .issue_valid(TOPIC, now - day * 9, now - day)
        .unwrap();
    let good = house.authority.issue(TOPIC).unwrap();
    let h2 = &["h2"][..];
    assert_eq!(house.refusal(None, h2).await, ErrorKind::NoCertificate);
    assert_eq!(house.refusal(Some(foreign), h2).await, ErrorKind::Untrusted);
    assert_eq!(house.refusal(Some(expired), h2).await, ErrorKind::Expired);
    assert_eq!(
        house.refusal(Some(good), &["http/1.1"]).await,
        ErrorKind::NoAlpn
    );
}

#[tokio::test]
async fn a_new_push_certificate_has_an_mdm_topic_of_its_own() {
    let authority = PushAuthority::new().unwrap();
    let topics = [(); 2].map(|()| {
        let certificate = authority.issue_new().unwrap().certificate;
        assert!(
            certificate
                .subject()
                .common_name()
                .unwrap()
                .starts_with("APSP:")
        );
        certificate.user_id().unwrap()
    });
    assert_ne!(topics[0], topics[1]);
    for topic in topics {
        let uuid = topic.strip_prefix("com.apple.mgmt.External.").unwrap();
        assert_eq!(uuid.len(), 36);
    }
}

#[tokio::test]
async fn to_trust_no_push_authority_is_a_mistake() {
    let started = FakeApns::start(Config::new(Vec::new())).await;
    assert!(matches!(started, Err(StartError::Tls(_))));
}

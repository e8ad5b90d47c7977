//! Events on their way to a receiver.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Response, StatusCode};
use mdm_fake_apple::http::Server as Receiver;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::world::{PATIENCE, World, id};

#[derive(Default)]
struct Received {
    events: Mutex<Vec<Value>>,
    came: Notify,
}

impl Received {
    async fn until(&self, name: &str) {
        let seen = async {
            loop {
                let came = self.came.notified();
                let is_there = |event: &Value| event["event"] == name;
                if self.events.lock().unwrap().iter().any(is_there) {
                    return;
                }
                came.await;
            }
        };
        let seen = tokio::time::timeout(PATIENCE, seen).await;
        seen.unwrap_or_else(|_| panic!("no {name}: {:?}", self.events.lock().unwrap()));
    }
}

#[tokio::test]
async fn a_webhook_hears_what_happens_signed_and_in_order() {
    let received = Arc::new(Received::default());
    let shared = Arc::clone(&received);
    let receiver = Receiver::start(None, move |request: http::Request<Bytes>| {
        let received = Arc::clone(&shared);
        async move {
            let signature = request.headers().get("webhook-signature");
            let is_signed = signature.is_some_and(|it| it.as_bytes().starts_with(b"v1,"));
            assert!(is_signed);
            let told: Value = serde_json::from_slice(request.body()).unwrap();
            let events = told["events"].as_array().unwrap().clone();
            received.events.lock().unwrap().extend(events);
            received.came.notify_waiters();
            Response::new(Bytes::new())
        }
    });
    let receiver = receiver.await.unwrap();
    let mut world = World::new().await;
    world.file("hook-key", "a key that requests are signed with");
    world.more = format!(
        "webhooks.audit = {{ url = \"{}/hook\", key_file = \"{}\" }}",
        receiver.url(),
        world.path("hook-key").display()
    );
    let server = world.start("data");
    let mut device = world.enroll(&server, "C02MS0000001").await;
    world.call(&mut device).await;
    device.check_out().await.unwrap();
    received.until("checked_out").await;
    let name = id(&device);
    let events = received.events.lock().unwrap().clone();
    let of_device = events.iter().filter(|event| event["enrollment"] == *name);
    let kinds: Vec<_> = of_device.map(|event| event["event"].clone()).collect();
    assert_eq!(
        kinds,
        [
            "authenticated",
            "enrolled",
            "command_settled",
            "checked_out"
        ]
    );
}

#[tokio::test]
async fn what_a_receiver_refuses_is_kept_and_can_be_delivered_after_all() {
    let received = Arc::new(Received::default());
    let takes = Arc::new(Mutex::new(false));
    let (shared, gate) = (Arc::clone(&received), Arc::clone(&takes));
    let receiver = Receiver::start(None, move |request: http::Request<Bytes>| {
        let (received, takes) = (Arc::clone(&shared), *gate.lock().unwrap());
        async move {
            let told: Value = serde_json::from_slice(request.body()).unwrap();
            let mut response = Response::new(Bytes::new());
            if takes {
                let events = told["events"].as_array().unwrap().clone();
                received.events.lock().unwrap().extend(events);
                received.came.notify_waiters();
            } else {
                *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            }
            response
        }
    });
    let receiver = receiver.await.unwrap();
    let mut world = World::new().await;
    world.file("hook-key", "a key that requests are signed with");
    world.more = format!(
        "webhooks.audit = {{ url = \"{}/hook\", key_file = \"{}\" }}",
        receiver.url(),
        world.path("hook-key").display()
    );
    let server = world.start("data");
    world.enroll(&server, "C02MS0000001").await;
    let path = "/v1/subscribers/webhook%2Faudit/dead-letters";
    let letters = async {
        loop {
            let letters = server.get(path).await["dead_letters"].clone();
            if letters.as_array().unwrap().len() == 2 {
                return letters;
            }
            tokio::task::yield_now().await;
        }
    };
    let letters = tokio::time::timeout(PATIENCE, letters).await.unwrap();
    assert_eq!(letters[0]["event"]["event"], "authenticated");
    assert!(
        letters[0]["reason"].as_str().unwrap().contains("422"),
        "{letters}"
    );
    *takes.lock().unwrap() = true;
    let sequences = json!({ "sequences": [letters[1]["sequence"]] });
    let revived = server.post(&format!("{path}/revive"), &sequences).await;
    assert_eq!(revived["changed"], 1);
    received.until("enrolled").await;
    let rest = server.get(path).await;
    assert_eq!(rest["dead_letters"].as_array().unwrap().len(), 1);
}

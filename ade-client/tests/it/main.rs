//! The client against scripted answers, single exchanges and the fake service over HTTPS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod assign;
mod devices;
mod endpoints;
mod exchanges;
mod export;
mod give_up;
mod hand_over;
mod link;
mod losses;
mod odd;
mod office;
mod openssl;
mod profiles;
mod session;
mod token;
mod warnings;
mod worker;

use std::sync::Arc;

use ade_client::{Client, ServerToken, TokenKeyPair};
use chrono::Utc;
use mdm_core::{ManualClock, SerialNumber};
use mdm_fake_apple::ade::{Config, FakeAde};
use mdm_transport_reqwest::ReqwestTransport;
use serde_json::json;

const USER_AGENT: &str = "ade-client-test/1.0";

/// The fake service and a client with a token of it.
struct Scene {
    apple: FakeAde,
    client: Client,
    pair: TokenKeyPair,
}

impl Scene {
    async fn new(config: Config) -> Self {
        let apple = FakeAde::start(config).await.unwrap();
        let pair = TokenKeyPair::generate("mdm.example.com", Utc::now()).unwrap();
        let client = client(&apple, new_token(&apple, &pair));
        Self {
            apple,
            client,
            pair,
        }
    }

    async fn with_devices(count: usize) -> Self {
        let scene = Self::new(Config::default()).await;
        for serial in serials(count) {
            scene.apple.add_device(json!({
                "serial_number": serial.as_str(),
                "device_family": "Mac",
                "os": "OSX",
                "imei": [],
            }));
        }
        scene
    }
}

fn client(apple: &FakeAde, token: ServerToken) -> Client {
    let transport = ReqwestTransport::builder()
        .no_proxy()
        .root(apple.root_certificate().to_der())
        .only_roots(true)
        .build()
        .unwrap();
    // Stands still but for the waits of a retry, which then take no time.
    let clock = Arc::new(ManualClock::new(Utc::now()));
    Client::builder(transport, clock, token, USER_AGENT)
        .base_url(&apple.url())
        .build()
        .unwrap()
}

fn new_token(apple: &FakeAde, pair: &TokenKeyPair) -> ServerToken {
    let file = apple
        .new_server_token(pair.certificate_pem().as_bytes())
        .unwrap();
    pair.open(&file).unwrap()
}

fn serials(count: usize) -> Vec<SerialNumber> {
    (0..count)
        .map(|n| format!("C02TEST{n:05}").parse().unwrap())
        .collect()
}

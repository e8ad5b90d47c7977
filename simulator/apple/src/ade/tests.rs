//! What the service answers and refuses, request by request. A signature is made here from the
//! RFC's words once more, so that the verifier is not its own judge.

mod faults;
mod gates;
mod outcomes;
mod pages;
mod requests;
mod shapes;

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::TimeDelta;
use http::{Method, Request};
use mdm_core::{Clock, ManualClock};
use mdm_pki::DigestAlgorithm;
use serde_json::{Value, json};

use super::*;

const JSON: &str = "application/json;charset=UTF8";

/// The service with a client of hand-made requests, on a clock that stands still.
struct Service {
    apple: AdeService,
    clock: Arc<ManualClock>,
    token: Value,
    session: String,
    version: &'static str,
    nonces: u32,
}

impl Service {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let start = "2026-01-02T03:04:05Z".parse().unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let config = Config::default().with(|config| {
            config.clock = Arc::clone(&clock) as Arc<dyn Clock>;
            config.seed = Some(1);
            change(config);
        });
        let apple = AdeService::new(config).unwrap();
        let token = apple.new_server_token_json();
        let mut service = Self {
            apple,
            clock,
            token,
            session: String::new(),
            version: "10",
            nonces: 0,
        };
        service.enter();
        service
    }

    /// Opens a session and goes on in it.
    fn enter(&mut self) {
        let (status, body) = self.open(|_| {});
        assert_eq!(status, 200, "{body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        answer["auth_session_token"]
            .as_str()
            .unwrap()
            .clone_into(&mut self.session);
    }

    fn send(&mut self, request: Request<Bytes>) -> (u16, String) {
        match self.apple.answer(&request) {
            Answer::Answered(response) => {
                let body = String::from_utf8(response.body().to_vec()).unwrap();
                (response.status().as_u16(), body)
            }
            Answer::HungUp { .. } => (0, String::new()),
        }
    }

    /// `GET /session`, with the OAuth parameters as `change` leaves them.
    fn open(&mut self, change: impl FnOnce(&mut Vec<(String, String)>)) -> (u16, String) {
        let header = self.header(change);
        self.send(session_request(Some(&header)))
    }

    fn header(&mut self, change: impl FnOnce(&mut Vec<(String, String)>)) -> String {
        self.nonces += 1;
        let token = |key: &str| self.token[key].as_str().unwrap().to_owned();
        let mut parameters: Vec<(String, String)> = [
            ("oauth_consumer_key", token("consumer_key")),
            ("oauth_nonce", format!("nonce{}", self.nonces)),
            ("oauth_signature_method", "HMAC-SHA1".to_owned()),
            ("oauth_timestamp", self.clock.now().timestamp().to_string()),
            ("oauth_token", token("access_token")),
            ("oauth_version", "1.0".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        change(&mut parameters);
        parameters.sort();
        // None of these values needs escaping on its own.
        let normalized: Vec<_> = parameters
            .iter()
            .map(|(n, v)| format!("{n}%3D{v}"))
            .collect();
        let base = format!(
            "GET&https%3A%2F%2Flocalhost%3A4433%2Fsession&{}",
            normalized.join("%26")
        );
        let key = format!("{}&{}", token("consumer_secret"), token("access_secret"));
        let mac = mdm_pki::hmac(DigestAlgorithm::Sha1, key.as_bytes(), base.as_bytes()).unwrap();
        let signature = STANDARD
            .encode(mac)
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D");
        if !parameters.iter().any(|(name, _)| name == "oauth_signature") {
            parameters.push(("oauth_signature".to_owned(), signature));
        }
        let shown: Vec<_> = parameters
            .iter()
            .map(|(n, v)| format!("{n}=\"{v}\""))
            .collect();
        format!("OAuth realm=\"ADM\", {}", shown.join(", "))
    }

    fn request(&self, method: &str, path: &str, body: &Value) -> Request<Bytes> {
        Request::builder()
            .method(method)
            .uri(path)
            .header("user-agent", "test/1")
            .header("content-type", JSON)
            .header("x-server-protocol-version", self.version)
            .header("x-adm-auth-session", &self.session)
            .body(Bytes::from(body.to_string()))
            .unwrap()
    }

    fn call(&mut self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let request = self.request(method, path, body);
        self.send(request)
    }

    /// What a request is answered that has to succeed.
    fn ok(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call(method, path, body);
        assert_eq!(status, 200, "{method} {path}: {answer}");
        serde_json::from_str(&answer).unwrap()
    }

    fn refused(&mut self, method: &str, path: &str, body: &Value, status: u16, code: &str) {
        let answer = self.call(method, path, body);
        assert_eq!(answer, (status, code.to_owned()), "{method} {path} {body}");
    }

    fn fetch(&mut self, cursor: &str, limit: usize) -> Value {
        self.ok(
            "POST",
            "/server/devices",
            &json!({"cursor": cursor, "limit": limit}),
        )
    }

    fn sync(&mut self, cursor: &str, limit: usize) -> Value {
        self.ok(
            "POST",
            "/devices/sync",
            &json!({"cursor": cursor, "limit": limit}),
        )
    }

    /// A cursor behind all that is there.
    fn caught_up(&mut self) -> String {
        let mut cursor = String::new();
        loop {
            let page = self.fetch(&cursor, 1000);
            page["cursor"].as_str().unwrap().clone_into(&mut cursor);
            if page["more_to_follow"] == false {
                return cursor;
            }
        }
    }

    fn define(&mut self, devices: &[&str]) -> Value {
        let profile = json!({"profile_name": "n", "url": "https://a.example", "devices": devices});
        self.ok("POST", "/profile", &profile)
    }

    fn add(&self, serials: &[&str]) {
        for serial in serials {
            self.apple.add_device(json!({"serial_number": serial}));
        }
    }
}

/// One member of each device of a page.
fn each(page: &Value, key: &str) -> Vec<String> {
    let devices = page["devices"].as_array().unwrap();
    let text = |device: &Value| device[key].as_str().unwrap_or_default().to_owned();
    devices.iter().map(text).collect()
}

fn serials(page: &Value) -> Vec<String> {
    each(page, "serial_number")
}

fn cursor(page: &Value) -> String {
    page["cursor"].as_str().unwrap().to_owned()
}

fn session_request(authorization: Option<&str>) -> Request<Bytes> {
    let mut request = Request::get("/session")
        .header("host", "localhost:4433")
        .header("user-agent", "test/1")
        .header("content-type", JSON);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    request.body(Bytes::new()).unwrap()
}

fn set(name: &str, value: impl Into<String>) -> impl FnOnce(&mut Vec<(String, String)>) {
    let (name, value) = (name.to_owned(), value.into());
    move |parameters| {
        parameters.retain(|(known, _)| *known != name);
        parameters.push((name, value));
    }
}

fn without(name: &'static str) -> impl FnOnce(&mut Vec<(String, String)>) {
    move |parameters| parameters.retain(|(known, _)| known != name)
}

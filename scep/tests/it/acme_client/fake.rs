//! A server that answers each path from a script. It knows raw JSON alone, none of the types under test; what it checks by
//! itself is that every nonce is one of its own and used once.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Request, Response};
use mdm_core::{Clock, ManualClock};
use mdm_pki::{KeySpec, PrivateKey};
use mdm_scep::acme::{
    AcmeUrl, Client, Registration,
    client::{Error, Registered, Session, Settings},
};
use mdm_transport::{HttpTransport, TransportError, transport_fn};
use serde_json::{Value, json};

pub(crate) const BASE: &str = "https://ca.example";
/// A path that is nobody's business.
pub(crate) const DIRECTORY: &str = "/s3cret/directory";

/// What an answer is made of.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            body: body.into(),
        }
    }

    pub(crate) fn json(body: Value) -> Self {
        Self::new(200, "application/json", body.to_string())
    }

    pub(crate) fn problem(status: u16, kind: &str) -> Self {
        let kind = format!("urn:ietf:params:acme:error:{kind}");
        let body = json!({"type": kind, "detail": "no"});
        Self::new(status, "application/problem+json", body.to_string())
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) protected: Value,
    /// `Null` for POST-as-GET.
    pub(crate) payload: Value,
    pub(crate) body: Value,
}

#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) directory: Mutex<Value>,
    scripts: Mutex<HashMap<String, VecDeque<Answer>>>,
    seen: Mutex<Vec<Seen>>,
    nonces: Mutex<(u32, HashSet<String>)>,
    pub(crate) clock: Option<Arc<ManualClock>>,
}

impl Fake {
    pub(crate) fn new() -> Arc<Self> {
        let url = |path: &str| format!("{BASE}{path}");
        let directory = json!({
            "newNonce": url("/nonce"), "newAccount": url("/new-account"), "newOrder": url("/new-order"),
            "revokeCert": url("/revoke"), "keyChange": url("/key-change"), "renewalInfo": url("/ari/"),
        });
        let start: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
        let fake = Self {
            directory: Mutex::new(directory),
            clock: Some(Arc::new(ManualClock::new(start))),
            ..Self::default()
        };
        fake.on(
            "/new-account",
            [Answer::json(json!({"status": "valid"}))
                .status(201)
                .header("location", format!("{BASE}/account/1"))],
        );
        Arc::new(fake)
    }

    /// What a path answers, one after the other; the last answer stays.
    pub(crate) fn on(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        let answers = answers.into_iter().collect();
        self.scripts
            .lock()
            .unwrap()
            .insert(path.to_owned(), answers);
    }

    /// The signed requests so far.
    pub(crate) fn posts(&self) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|it| it.method == "POST")
            .cloned()
            .collect()
    }

    /// Method and path of every request so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .map(|it| format!("{} {}", it.method, it.path))
            .collect()
    }

    pub(crate) fn forget(&self) {
        self.seen.lock().unwrap().clear();
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.as_ref().unwrap().now()
    }

    pub(crate) fn client(self: &Arc<Self>) -> Client<impl HttpTransport + use<>> {
        self.client_with(Settings::default())
    }

    pub(crate) fn client_with(
        self: &Arc<Self>,
        settings: Settings,
    ) -> Client<impl HttpTransport + use<>> {
        let fake = self.clone();
        let transport = transport_fn(move |request| {
            let answer = fake.answer(&request);
            async move { Ok::<_, TransportError>(answer) }
        });
        let url = AcmeUrl::new(&format!("{BASE}{DIRECTORY}")).unwrap();
        let clock = self.clock.clone().unwrap();
        Client::with_settings(transport, url, clock, settings)
    }

    pub(crate) async fn register(
        self: &Arc<Self>,
    ) -> Result<Registered<impl HttpTransport + use<>>, Error> {
        self.client().register(key(), &Registration::new()).await
    }

    /// A session whose account was made, and nothing seen of that.
    pub(crate) async fn session(self: &Arc<Self>) -> Session<impl HttpTransport + use<>> {
        let registered = self.register().await.unwrap();
        self.forget();
        registered.session
    }

    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path().to_owned();
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let seen = Seen {
            method: request.method().to_string(),
            path: path.clone(),
            headers: request.headers().clone(),
            protected: part(&body["protected"]),
            payload: part(&body["payload"]),
            body,
        };
        let nonce = seen.protected["nonce"].as_str().map(ToOwned::to_owned);
        let is_post = seen.method == "POST";
        self.seen.lock().unwrap().push(seen);
        if path == DIRECTORY {
            return self.respond(&Answer::json(self.directory.lock().unwrap().clone()), false);
        }
        if path == "/nonce" {
            return self.respond(&Answer::new(200, "text/plain", ""), true);
        }
        let is_ours = nonce.is_some_and(|nonce| self.nonces.lock().unwrap().1.remove(&nonce));
        assert!(
            !is_post || is_ours,
            "a nonce of somebody else, or a spent one"
        );
        let mut scripts = self.scripts.lock().unwrap();
        let script = scripts
            .get_mut(&path)
            .unwrap_or_else(|| panic!("no answer for {path}"));
        let answer = match script.len() {
            1 => script[0].clone(),
            _ => script.pop_front().unwrap(),
        };
        self.respond(&answer, is_post)
    }

    fn respond(&self, answer: &Answer, nonce: bool) -> Response<Bytes> {
        let mut response = Response::builder().status(answer.status);
        for (name, value) in &answer.headers {
            response = response.header(*name, value);
        }
        let withheld = answer
            .headers
            .iter()
            .any(|(name, _)| *name == "replay-nonce");
        if nonce && !withheld {
            let mut nonces = self.nonces.lock().unwrap();
            nonces.0 += 1;
            let fresh = format!("nonce-{}", nonces.0);
            nonces.1.insert(fresh.clone());
            response = response.header("replay-nonce", fresh);
        }
        response.body(Bytes::from(answer.body.clone())).unwrap()
    }
}

fn part(text: &Value) -> Value {
    let bytes = text
        .as_str()
        .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

/// An account's key.
pub(crate) fn key() -> Arc<PrivateKey> {
    Arc::new(PrivateKey::generate(KeySpec::P256).unwrap())
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

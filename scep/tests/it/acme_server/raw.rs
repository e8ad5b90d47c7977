//! A client of ACME that writes everything itself: keys, signatures, objects.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, Request, Response, StatusCode};
use mdm_pki::{DigestAlgorithm, KeySpec, PrivateKey, SignatureAlgorithm, digest};
use mdm_scep::acme::Server;
use serde_json::{Value, json};

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn unb64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// A P-256 key as JWK, from the last 64 bytes of its SubjectPublicKeyInfo.
pub(crate) fn jwk(key: &PrivateKey) -> Value {
    let spki = key.public_key().to_spki_der();
    let point = &spki[spki.len() - 64..];
    json!({"crv": "P-256", "kty": "EC", "x": b64(&point[..32]), "y": b64(&point[32..])})
}

/// RFC 7638, by hand.
pub(crate) fn thumbprint(key: &PrivateKey) -> String {
    let jwk = jwk(key);
    let (x, y) = (jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap());
    let text = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    b64(digest(DigestAlgorithm::Sha256, text.as_bytes()).unwrap())
}

/// Both numbers of a DER signature at 32 bytes each.
fn fixed(der: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = &der[2..];
    for _ in 0..2 {
        let length = usize::from(rest[1]);
        let number = &rest[2..2 + length];
        let number = &number[number.iter().take_while(|byte| **byte == 0).count()..];
        out.extend(std::iter::repeat_n(0, 32 - number.len()));
        out.extend(number);
        rest = &rest[2 + length..];
    }
    out
}

/// A signed request as JSON.
pub(crate) fn jws(header: &Value, payload: &[u8], key: &PrivateKey) -> Value {
    let protected = b64(serde_json::to_vec(header).unwrap());
    let payload = b64(payload);
    let text = format!("{protected}.{payload}");
    let signature = key
        .sign_message(SignatureAlgorithm::EcdsaSha256, text.as_bytes())
        .unwrap();
    json!({"protected": protected, "payload": payload, "signature": b64(fixed(&signature))})
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    fn new(response: Response<Bytes>) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn nonce(&self) -> String {
        let nonce = self.header("replay-nonce");
        assert!(!nonce.is_empty(), "no nonce: {self:?}");
        nonce.to_owned()
    }

    #[track_caller]
    pub(crate) fn ok(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// A problem of this type and status.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, kind: &str) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        let expected = format!("urn:ietf:params:acme:error:{kind}");
        assert_eq!(problem["type"], expected, "{self:?}");
        assert_eq!(problem["status"], status);
        self
    }
}

/// A client with an account, or on its way to one.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) server: Arc<Server>,
    pub(crate) key: PrivateKey,
    pub(crate) kid: Option<String>,
    pub(crate) directory: Value,
    /// Whether an answer that does not come at once is given up: the process has ended.
    pub(crate) impatient: bool,
}

static COUNT: AtomicUsize = AtomicUsize::new(0);

impl Raw {
    pub(crate) async fn new(server: &Arc<Server>) -> Self {
        Self::at(server, &server.directory_url()).await
    }

    pub(crate) async fn at(server: &Arc<Server>, directory: &str) -> Self {
        let mut raw = Self {
            server: server.clone(),
            key: PrivateKey::generate(KeySpec::P256).unwrap(),
            kid: None,
            directory: Value::Null,
            impatient: false,
        };
        raw.directory = raw.get(directory).await.ok(200).json();
        raw
    }

    /// With an account.
    pub(crate) async fn registered(server: &Arc<Server>) -> Self {
        let mut raw = Self::new(server).await;
        raw.register(json!({})).await.ok(201);
        raw
    }

    pub(crate) fn url(&self, resource: &str) -> String {
        self.directory[resource].as_str().unwrap().to_owned()
    }

    pub(crate) async fn send(&self, request: Request<Bytes>) -> Answer {
        let handled = self.server.handle(request);
        if !self.impatient {
            return Answer::new(handled.await);
        }
        Answer::new(handled.now_or_never().unwrap_or_else(|| {
            let mut gone = Response::new(Bytes::new());
            *gone.status_mut() = StatusCode::BAD_GATEWAY;
            gone
        }))
    }

    pub(crate) async fn get(&self, url: &str) -> Answer {
        self.send(Request::get(url).body(Bytes::new()).unwrap())
            .await
    }

    pub(crate) async fn nonce(&self) -> String {
        let request = Request::head(self.url("newNonce"));
        self.send(request.body(Bytes::new()).unwrap())
            .await
            .ok(200)
            .nonce()
    }

    pub(crate) async fn post_body(&self, url: &str, body: impl Into<Bytes>) -> Answer {
        // Clients send the path alone, as HTTP/1.1 has it, or the whole URL, as HTTP/2 does.
        let uri = match COUNT.fetch_add(1, Ordering::Relaxed) % 2 {
            0 => url,
            _ => &url[url.find("//").map_or(0, |at| at + 2)..],
        };
        let path = uri
            .find('/')
            .filter(|_| uri != url)
            .map_or(uri, |at| &uri[at..]);
        let request = Request::post(path).header("content-type", "application/jose+json");
        self.send(request.body(body.into()).unwrap()).await
    }

    /// The header of a request as it should be.
    pub(crate) async fn header(&self, url: &str) -> Value {
        let mut header = json!({"alg": "ES256", "nonce": self.nonce().await, "url": url});
        match &self.kid {
            Some(kid) => header["kid"] = json!(kid),
            None => header["jwk"] = jwk(&self.key),
        }
        header
    }

    pub(crate) async fn post_bytes(&self, url: &str, payload: &[u8]) -> Answer {
        let header = self.header(url).await;
        self.post_header(url, &header, payload).await
    }

    pub(crate) async fn post_header(&self, url: &str, header: &Value, payload: &[u8]) -> Answer {
        let jws = jws(header, payload, &self.key);
        self.post_body(url, serde_json::to_vec(&jws).unwrap()).await
    }

    pub(crate) async fn post(&self, url: &str, payload: Value) -> Answer {
        let payload = serde_json::to_vec(&payload).unwrap();
        self.post_bytes(url, &payload).await
    }

    /// POST-as-GET.
    pub(crate) async fn fetch(&self, url: &str) -> Answer {
        self.post_bytes(url, b"").await
    }

    pub(crate) async fn register(&mut self, account: Value) -> Answer {
        let answer = self.post(&self.url("newAccount"), account).await;
        if answer.status.is_success() {
            self.kid = Some(answer.header("location").to_owned());
        }
        answer
    }

    pub(crate) async fn order(&self, identifiers: Value) -> Answer {
        let payload = json!({"identifiers": identifiers});
        self.post(&self.url("newOrder"), payload).await
    }
}

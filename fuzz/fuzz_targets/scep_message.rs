//! Any bytes as what a stranger sends to a SCEP server: as a query, as a message, as an envelope inside of a message
//! that is signed, as the request inside of an envelope. Whoever has no challenge gets no certificate.
#![no_main]

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use http::Request;
use libfuzzer_sys::fuzz_target;
use mdm_core::ManualClock;
use mdm_fuzz::spliced;
use mdm_pki::{
    Certificate, CertificateBuilder, CertificateRequestBuilder, DigestAlgorithm, KeySpec, Name,
    PrivateKey, cms::EnvelopedDataBuilder,
};
use mdm_scep::{
    EmbeddedCa, MemoryStore, MessageType, Nonce, OneTime, PkiMessage, Policy, Responder, Server,
    TransactionId,
    ca::{RootUse, root},
};

struct World {
    server: Server,
    store: Arc<MemoryStore>,
    ca: Certificate,
    key: PrivateKey,
    signer: Certificate,
    csr: Vec<u8>,
    envelope: Vec<u8>,
    message: Vec<u8>,
}

fuzz_target!(|data: &[u8]| {
    let world = world();
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    let kind = match mode >> 4 {
        0..10 => MessageType::PkcsReq,
        10..12 => MessageType::RenewalReq,
        12..14 => MessageType::CertPoll,
        14 => MessageType::GetCert,
        _ => MessageType::GetCrl,
    };
    match mode % 8 {
        0 => world.query(data),
        1 => world.post(data.to_vec()),
        2 | 3 => world.post(spliced(&world.message, data)),
        4 => world.signed(kind, data.to_vec()),
        5 => world.signed(kind, spliced(&world.envelope, data)),
        6 => world.enveloped(kind, data),
        _ => world.enveloped(kind, &spliced(&world.csr, data)),
    }
    assert_eq!(world.store.issued(), 0, "a certificate for a stranger");
});

impl World {
    fn new() -> Self {
        let now: DateTime<Utc> = DateTime::from_timestamp(1_780_000_000, 0).expect("a time");
        let ca_key = PrivateKey::generate(KeySpec::Rsa2048).expect("a key");
        let name = Name::from_common_name("Example CA");
        let year = Duration::from_secs(365 * 24 * 60 * 60);
        let ca = root(name, &ca_key, RootUse::Alone, year, now).expect("a root");
        let store = Arc::new(MemoryStore::new());
        let authority = EmbeddedCa::new(vec![ca.clone()], Arc::new(ca_key.clone()), store.clone())
            .expect("an authority");
        let responder = Responder::local(ca.clone(), ca_key).expect("a responder");
        let verifier = Arc::new(OneTime::new(store.clone()));
        let clock = Arc::new(ManualClock::new(now));
        // Everything that can be read is read, but for what needs a provider that a machine may lack.
        let policy = Policy::default().with(|policy| {
            policy.sha1 = true;
            policy.triple_des = true;
            policy.min_rsa_bits = 1024;
        });
        let server = Server::builder(Arc::new(authority), responder, verifier, clock)
            .policy(policy)
            .build()
            .expect("a server");
        // Short, for it signs each message that is made here.
        let key = PrivateKey::generate(KeySpec::Rsa1024).expect("a key");
        let signer = CertificateBuilder::new(Name::from_common_name("temporary"), key.public_key())
            .validity(now, now + TimeDelta::days(1))
            .self_signed(&key)
            .expect("a signer");
        let csr = CertificateRequestBuilder::new(Name::from_common_name("device"))
            .challenge_password("never issued")
            .sign(&key)
            .expect("a request");
        let mut world = Self {
            server,
            store,
            ca,
            key,
            signer,
            csr: csr.to_der().to_vec(),
            envelope: Vec::new(),
            message: Vec::new(),
        };
        world.envelope = world.seal(&world.csr);
        world.message = world.sign(MessageType::PkcsReq, world.envelope.clone());
        world
    }

    fn seal(&self, content: &[u8]) -> Vec<u8> {
        let envelope = EnvelopedDataBuilder::new(content).recipient(&self.ca);
        envelope.encrypt().expect("an envelope")
    }

    fn sign(&self, kind: MessageType, envelope: Vec<u8>) -> Vec<u8> {
        let transaction = TransactionId::new("transaction").expect("a transaction");
        let nonce = Nonce::new(vec![7; 16]).expect("a nonce");
        PkiMessage::build(kind, transaction, nonce)
            .envelope(envelope)
            .sign(&self.signer, DigestAlgorithm::Sha256, &self.key)
            .expect("a message")
    }

    fn enveloped(&self, kind: MessageType, content: &[u8]) {
        self.signed(kind, self.seal(content));
    }

    fn signed(&self, kind: MessageType, envelope: Vec<u8>) {
        self.post(self.sign(kind, envelope));
    }

    fn query(&self, data: &[u8]) {
        // What is no URI never reaches a server.
        let uri = [b"/scep?", data].concat();
        let Ok(request) = Request::get(uri).body(Bytes::new()) else {
            return;
        };
        self.answered(request);
    }

    fn post(&self, message: Vec<u8>) {
        let request = Request::post("/scep?operation=PKIOperation").body(message.into());
        self.answered(request.expect("a request"));
    }

    /// Every answer is one, at once, and its own client can read it.
    fn answered(&self, request: Request<Bytes>) {
        let response = self
            .server
            .handle(request)
            .now_or_never()
            .expect("an answer");
        let is_message = response.headers()["content-type"] == "application/x-pki-message";
        if is_message {
            let reply = PkiMessage::parse(response.body(), 1 << 20).expect("a message");
            reply.verify().expect("a signature");
        }
    }
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(World::new)
}

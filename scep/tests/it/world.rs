//! A server with everything around it, and requests that can be wrong in any place.

use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{Request, Response};
use mdm_core::{Clock as _, ManualClock, Secret};
use mdm_pki::{
    Certificate, CertificateBuilder, CertificateRequest, CertificateRequestBuilder,
    DigestAlgorithm, KeySpec, Name, PrivateKey,
    cms::{ContentCipher, DecryptPolicy, EnvelopedDataBuilder, SignedData},
};
use mdm_scep::{
    Bound, CaTrust, CertificateProfile, Client, EmbeddedCa, Enrolment, EnrolmentRequest, Event,
    FailInfo, MemoryStore, MessageType, Nonce, Observer, OneTime, PkiMessage, PkiStatus, Policy,
    Responder, Server, TransactionId,
    ca::{CrlProfile, NextCa, RootUse, registration_authority, root},
    challenge::{ChallengeVerifier, Verdict},
    store::StoreError,
};
use mdm_transport::{HttpTransport, transport_fn};

pub(crate) const URL: &str = "https://ca.example.com/scep";
pub(crate) const YEAR: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 3600);

pub(crate) fn start() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// RSA keys take long to make; the tests share four.
pub(crate) fn rsa_key(number: usize) -> PrivateKey {
    static KEYS: [OnceLock<PrivateKey>; 4] = [const { OnceLock::new() }; 4];
    KEYS[number]
        .get_or_init(|| PrivateKey::generate(KeySpec::Rsa2048).unwrap())
        .clone()
}

pub(crate) const CA_KEY: usize = 0;
pub(crate) const RA_KEY: usize = 1;
pub(crate) const DEVICE_KEY: usize = 2;
pub(crate) const OTHER_KEY: usize = 3;

/// Notes down what the operator hears.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<String>>);

impl Observer for Recorder {
    fn observe(&self, event: &Event<'_>) {
        let line = match event {
            Event::Issued { label, .. } => format!("issued: {label}"),
            Event::Repeated { label, .. } => format!("repeated: {label}"),
            Event::Pending { label, .. } => format!("pending: {label}"),
            Event::Answered { message_type, .. } => format!("answered: {message_type}"),
            Event::Refused { refusal, .. } => format!("refused: {refusal}"),
            Event::Unreadable { error } => format!("unreadable: {error}"),
            Event::Unavailable { error, .. } => format!("unavailable: {error}"),
            Event::Limited { peer, wait } => format!("limited: {peer} for {} s", wait.as_secs()),
            Event::Expiring { certificate, now } => {
                let days = (certificate.not_after() - *now).num_days();
                format!("expiring: {} in {days} days", certificate.subject())
            }
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(line);
    }
}

impl Recorder {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn last(&self) -> String {
        self.lines().last().cloned().unwrap_or_default()
    }
}

/// What is unusual about a server.
pub(crate) struct Setup {
    /// An EC root with an RSA registration authority, instead of one RSA root.
    pub(crate) ra: bool,
    pub(crate) policy: Policy,
    pub(crate) profile: CertificateProfile,
    pub(crate) crl: CrlProfile,
    pub(crate) root_validity: std::time::Duration,
    pub(crate) next_ca: Option<NextCa>,
    /// A root that was made before, of the usual key.
    pub(crate) root: Option<Certificate>,
    pub(crate) verifier: Option<Arc<dyn ChallengeVerifier>>,
    pub(crate) store: Option<Arc<MemoryStore>>,
    pub(crate) warn_before: std::time::Duration,
    /// When it is, for programs that have a clock of their own.
    pub(crate) now: Option<DateTime<Utc>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            ra: false,
            policy: Policy::default(),
            profile: CertificateProfile::default(),
            crl: CrlProfile::default(),
            root_validity: YEAR * 10,
            next_ca: None,
            root: None,
            verifier: None,
            store: None,
            warn_before: YEAR / 12,
            now: None,
        }
    }
}

/// A verifier of an embedder's.
#[derive(Debug)]
pub(crate) struct Fixed(pub(crate) Result<Verdict, StoreError>);

#[async_trait]
impl ChallengeVerifier for Fixed {
    async fn verify(&self, _: &EnrolmentRequest) -> Result<Verdict, StoreError> {
        self.0.clone()
    }
}

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) challenges: OneTime,
    pub(crate) events: Arc<Recorder>,
    pub(crate) root: Certificate,
    pub(crate) responder: Certificate,
    pub(crate) ca: Arc<EmbeddedCa>,
    pub(crate) server: Arc<Server>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Setup::default())
    }

    pub(crate) fn with(setup: Setup) -> Self {
        let clock = Arc::new(ManualClock::new(setup.now.unwrap_or_else(start)));
        let store = setup.store.unwrap_or_default();
        let now = clock.now();
        let name = Name::from_common_name("Example CA");
        let (root_key, root, responder_key, responder) = if setup.ra {
            static EC: OnceLock<PrivateKey> = OnceLock::new();
            let key = EC
                .get_or_init(|| PrivateKey::generate(KeySpec::P256).unwrap())
                .clone();
            let root = root(name, &key, RootUse::BehindRa, setup.root_validity, now).unwrap();
            let ra_key = rsa_key(RA_KEY);
            let ra = registration_authority(
                Name::from_common_name("Example RA"),
                ra_key.public_key(),
                &root,
                &key,
                YEAR,
                now,
            )
            .unwrap();
            (key, root, ra_key, ra)
        } else {
            let key = rsa_key(CA_KEY);
            let root = setup.root.unwrap_or_else(|| {
                root(name, &key, RootUse::Alone, setup.root_validity, now).unwrap()
            });
            (key.clone(), root.clone(), key, root)
        };
        let ca = EmbeddedCa::new(vec![root.clone()], Arc::new(root_key), store.clone())
            .unwrap()
            .profile(setup.profile)
            .crl_profile(setup.crl);
        let ca = Arc::new(ca);
        let challenges = OneTime::new(store.clone());
        let events = Arc::new(Recorder::default());
        let mut builder = Server::builder(
            ca.clone(),
            Responder::local(responder.clone(), responder_key).unwrap(),
            setup
                .verifier
                .unwrap_or_else(|| Arc::new(challenges.clone())),
            clock.clone(),
        )
        .policy(setup.policy)
        .warn_before(setup.warn_before)
        .observer(events.clone());
        if let Some(next) = setup.next_ca {
            builder = builder.next_ca(next);
        }
        let server = builder.build().unwrap();
        Self {
            clock,
            store,
            challenges,
            events,
            root,
            responder,
            ca,
            server: Arc::new(server),
        }
    }

    /// A challenge for "device 7".
    pub(crate) async fn challenge(&self) -> Secret<String> {
        self.challenge_bound(Bound::default()).await
    }

    pub(crate) async fn challenge_bound(&self, bound: Bound) -> Secret<String> {
        self.challenges
            .issue("device 7", bound, self.clock.now())
            .await
            .unwrap()
    }

    /// The server as a transport.
    pub(crate) fn transport(&self) -> impl HttpTransport + use<> {
        let server = self.server.clone();
        transport_fn(move |request: Request<Bytes>| {
            let server = server.clone();
            async move { Ok(server.handle(request).await) }
        })
    }

    pub(crate) fn client(&self) -> Client<impl HttpTransport + use<>> {
        self.client_over(self.transport())
    }

    pub(crate) fn client_over<T: HttpTransport>(&self, transport: T) -> Client<T> {
        let fingerprint = self.root.fingerprint(DigestAlgorithm::Sha256).unwrap();
        Client::new(
            transport,
            URL.parse().unwrap(),
            CaTrust::sha256(fingerprint),
            self.clock.clone(),
        )
    }

    pub(crate) fn enrolment(&self, challenge: Secret<String>) -> Enrolment {
        Enrolment::new(
            rsa_key(DEVICE_KEY),
            Name::from_common_name("device 7"),
            Some(challenge),
        )
        .unwrap()
    }

    /// A good request, to be spoiled.
    pub(crate) fn request(&self, challenge: &Secret<String>) -> Raw {
        let key = rsa_key(DEVICE_KEY);
        let csr = csr(&key, "device 7", Some(challenge.expose()));
        Raw {
            message_type: MessageType::PkcsReq,
            transaction_id: TransactionId::for_key(key.public_key()).unwrap(),
            nonce: Nonce::new(vec![7; 16]).unwrap(),
            digest: DigestAlgorithm::Sha256,
            cipher: ContentCipher::Aes128Cbc,
            signer: self_signed(&key, "temporary signer"),
            envelope: None,
            content: csr.to_der().to_vec(),
            recipient: self.responder.clone(),
            key,
        }
    }

    pub(crate) async fn post(&self, message: impl Into<Bytes>) -> Response<Bytes> {
        let request = Request::post("/scep?operation=PKIOperation")
            .header("content-type", "application/x-pki-message")
            .body(message.into())
            .unwrap();
        self.server.handle(request).await
    }

    /// Sends a message and reads the CertRep.
    pub(crate) async fn ask(&self, message: impl Into<Bytes>) -> Reply {
        let response = self.post(message).await;
        assert_eq!(response.status(), 200, "{:?}", response.body());
        assert_eq!(
            response.headers()["content-type"],
            "application/x-pki-message"
        );
        let message = PkiMessage::parse(response.body(), 1 << 20).unwrap();
        message.verify().unwrap();
        assert_eq!(message.signer().unwrap(), &self.responder);
        assert_eq!(message.attributes.message_type, Some(MessageType::CertRep));
        Reply {
            bytes: response.into_body(),
            message,
        }
    }

    /// Sends a message that has to be refused, for this reason, without a certificate.
    pub(crate) async fn refused(&self, raw: &Raw, fail_info: FailInfo) -> Reply {
        let issued = self.store.issued();
        let reply = self.ask(raw.build()).await;
        let attributes = &reply.message.attributes;
        assert_eq!(attributes.status, Some(PkiStatus::Failure));
        assert_eq!(attributes.fail_info, Some(fail_info), "{attributes:?}");
        assert_eq!(
            attributes.transaction_id.as_ref(),
            Some(&raw.transaction_id)
        );
        assert_eq!(attributes.recipient_nonce.as_ref(), Some(&raw.nonce));
        assert!(
            reply.message.envelope().is_none(),
            "a refusal has no content"
        );
        assert_eq!(self.store.issued(), issued, "nothing may be issued");
        reply
    }
}

pub(crate) struct Reply {
    pub(crate) bytes: Bytes,
    pub(crate) message: PkiMessage,
}

impl Reply {
    /// The certificates in a SUCCESS, opened with this key.
    pub(crate) fn certificates(&self, key: &PrivateKey) -> Vec<Certificate> {
        assert_eq!(
            self.message.attributes.status,
            Some(PkiStatus::Success),
            "{:?}",
            self.message.attributes
        );
        let envelope = self.message.open_envelope().unwrap();
        certificates_in(&envelope.decrypt(key, &DecryptPolicy::default()).unwrap())
    }

    /// The certificates in a SUCCESS for an EC key, opened with the challenge.
    pub(crate) fn certificates_under(&self, challenge: &str) -> Vec<Certificate> {
        let status = self.message.attributes.status;
        assert_eq!(status, Some(PkiStatus::Success));
        let envelope = self.message.open_envelope().unwrap();
        assert!(envelope.recipients().is_empty());
        let policy = DecryptPolicy::default();
        let content = envelope.decrypt_with_password(challenge.as_bytes(), &policy);
        certificates_in(&content.unwrap())
    }
}

fn certificates_in(content: &[u8]) -> Vec<Certificate> {
    SignedData::parse(content, &Default::default())
        .unwrap()
        .certificates()
        .to_vec()
}

/// A request whose every part can be changed.
#[derive(Clone)]
pub(crate) struct Raw {
    pub(crate) message_type: MessageType,
    pub(crate) transaction_id: TransactionId,
    pub(crate) nonce: Nonce,
    pub(crate) digest: DigestAlgorithm,
    pub(crate) cipher: ContentCipher,
    pub(crate) signer: Certificate,
    pub(crate) key: PrivateKey,
    /// What is in the envelope.
    pub(crate) content: Vec<u8>,
    /// In place of the envelope.
    pub(crate) envelope: Option<Vec<u8>>,
    pub(crate) recipient: Certificate,
}

impl Raw {
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn seal(&self) -> Vec<u8> {
        EnvelopedDataBuilder::new(&self.content)
            .cipher(self.cipher)
            .recipient(&self.recipient)
            .encrypt()
            .unwrap()
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let envelope = self.envelope.clone().unwrap_or_else(|| self.seal());
        PkiMessage::build(
            self.message_type,
            self.transaction_id.clone(),
            self.nonce.clone(),
        )
        .envelope(envelope)
        .sign(&self.signer, self.digest, &self.key)
        .unwrap()
    }
}

pub(crate) fn csr(key: &PrivateKey, name: &str, challenge: Option<&str>) -> CertificateRequest {
    let mut builder = CertificateRequestBuilder::new(Name::from_common_name(name));
    if let Some(challenge) = challenge {
        builder = builder.challenge_password(challenge);
    }
    builder.sign(key).unwrap()
}

pub(crate) fn self_signed(key: &PrivateKey, name: &str) -> Certificate {
    CertificateBuilder::new(Name::from_common_name(name), key.public_key())
        .validity(start() - TimeDelta::days(1), start() + TimeDelta::days(1))
        .self_signed(key)
        .unwrap()
}

//! CertPoll, GetCert and GetCRL against messages that are not ours, as few programs have them: recorded ones, made by openssl's
//! programs and DER by hand (`recorded/peer.py` says how), and the same script as a server for our client.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Request, Response};
use mdm_core::ManualClock;
use mdm_pki::{
    Certificate, CertificateRequest, PrivateKey, RevocationList, RevocationReason,
    cms::{DecryptPolicy, SignedData},
};
use mdm_scep::{
    Approval, CaTrust, Client, EmbeddedCa, Enrolment, Error, FailInfo, MemoryStore, MessageType,
    PkiMessage, PkiStatus, Requester, Responder, Server, Store as _, TransactionId,
    pending::{PendingId, PendingRequest, PendingStore as _, Resolution},
    store::{Grant, Issuance, RequestId},
};
use mdm_transport::{HttpTransport, transport_fn};

use crate::{
    listener::found,
    peers::missing,
    world::{Recorder, URL},
};

macro_rules! recorded {
    ($name:literal) => {
        include_bytes!(concat!("recorded/", $name)).as_slice()
    };
}

/// What is known about the recorded messages.
struct Known {
    ca: Certificate,
    ca_key: PrivateKey,
    device: Certificate,
    device_key: PrivateKey,
    csr: CertificateRequest,
}

impl Known {
    fn recorded() -> Self {
        Self {
            ca: Certificate::from_pem(recorded!("ca.pem")).unwrap(),
            ca_key: PrivateKey::from_pem(recorded!("ca.key"), None).unwrap(),
            device: Certificate::from_pem(recorded!("device.pem")).unwrap(),
            device_key: PrivateKey::from_pem(recorded!("device.key"), None).unwrap(),
            csr: CertificateRequest::from_pem(recorded!("device.csr")).unwrap(),
        }
    }

    /// What the script has made here.
    fn in_folder(folder: &Path) -> Self {
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
        Self {
            ca: Certificate::from_pem(&read("ca.pem")).unwrap(),
            ca_key: PrivateKey::from_pem(&read("ca.key"), None).unwrap(),
            device: Certificate::from_pem(&read("device.pem")).unwrap(),
            device_key: PrivateKey::from_pem(&read("device.key"), None).unwrap(),
            csr: CertificateRequest::from_pem(&read("device.csr")).unwrap(),
        }
    }
}

fn then() -> DateTime<Utc> {
    "2027-01-01T00:00:00Z".parse().unwrap()
}

/// A server of the recorded authority that has issued the recorded certificate, and lets requests wait.
struct Serving {
    known: Known,
    server: Server,
    approval: Approval,
    store: Arc<MemoryStore>,
    events: Arc<Recorder>,
}

impl Serving {
    async fn new() -> Self {
        let known = Known::recorded();
        let store = Arc::new(MemoryStore::new());
        let request = RequestId::from_bytes([0; 32]);
        let grant = Grant::elsewhere("recorded");
        let issuance = Issuance::new(known.device.clone(), grant, request, then());
        store.commit(issuance).await.unwrap();
        let key = Arc::new(known.ca_key.clone());
        let ca = EmbeddedCa::new(vec![known.ca.clone()], key, store.clone()).unwrap();
        let approval = Approval::new(store.clone(), store.clone());
        let events = Arc::new(Recorder::default());
        let server = Server::builder(
            Arc::new(ca),
            Responder::local(known.ca.clone(), known.ca_key.clone()).unwrap(),
            Arc::new(approval.clone()),
            Arc::new(ManualClock::new(then())),
        )
        .observer(events.clone())
        .build()
        .unwrap();
        Self {
            known,
            server,
            approval,
            store,
            events,
        }
    }

    async fn ask(&self, message: &'static [u8]) -> PkiMessage {
        let request = Request::post("/?operation=PKIOperation");
        let request = request.body(Bytes::from_static(message)).unwrap();
        let response = self.server.handle(request).await;
        assert_eq!(response.status(), 200);
        let reply = PkiMessage::parse(response.body(), 1 << 16).unwrap();
        reply.verify().unwrap();
        reply
    }

    /// What a granted request got.
    fn open(&self, reply: &PkiMessage) -> SignedData {
        open(reply, &self.known.device_key)
    }
}

fn open(reply: &PkiMessage, key: &PrivateKey) -> SignedData {
    assert_eq!(reply.attributes.status, Some(PkiStatus::Success));
    let envelope = reply.open_envelope().unwrap();
    let content = envelope.decrypt(key, &DecryptPolicy::default()).unwrap();
    SignedData::parse(&content, &Default::default()).unwrap()
}

#[tokio::test]
async fn our_server_answers_a_recorded_get_cert_and_get_crl() {
    let serving = Serving::new().await;
    let reply = serving.ask(recorded!("getcert-request.der")).await;
    assert!(
        serving
            .open(&reply)
            .certificates()
            .iter()
            .eq([&serving.known.device])
    );
    assert_eq!(serving.events.last(), "answered: GetCert");
    let reply = serving.ask(recorded!("getcrl-request.der")).await;
    let found = serving.open(&reply);
    let list = RevocationList::from_der(&found.crls()[0], 10).unwrap();
    list.verify_signed_by(&serving.known.ca).unwrap();
    assert!(list.is_empty());
    assert_eq!(serving.events.last(), "answered: GetCRL");
}

#[tokio::test]
async fn our_server_answers_a_recorded_cert_poll() {
    let serving = Serving::new().await;
    let poll = recorded!("certpoll-request.der");
    let reply = serving.ask(poll).await;
    assert_eq!(reply.attributes.fail_info, Some(FailInfo::BadCertId));
    // The request that it asks about, which came before it.
    let transaction = TransactionId::new("4D0C5F0E6A9B").unwrap();
    let csr = serving.known.csr.clone();
    let request = RequestId::of(&transaction, csr.to_der()).unwrap();
    let id = PendingId::of(&transaction, &csr.public_key().unwrap()).unwrap();
    let grant = Grant::elsewhere("recorded");
    let pending = PendingRequest::new(request, csr, grant, then());
    serving.store.hold(id, pending).await.unwrap();
    let reply = serving.ask(poll).await;
    assert_eq!(reply.attributes.status, Some(PkiStatus::Pending));
    assert_eq!(serving.store.issued(), 1);
    let resolved = serving.approval.resolve(&id, request, Resolution::Approved);
    resolved.await.unwrap().unwrap();
    let reply = serving.ask(poll).await;
    let issued = serving.open(&reply).certificates()[0].clone();
    assert_eq!(issued.subject(), serving.known.csr.subject());
    assert_eq!(reply.attributes.transaction_id, Some(transaction));
    assert_eq!(serving.store.issued(), 2);
}

#[test]
fn recorded_answers_are_read_down_to_what_they_hold() {
    let known = Known::recorded();
    for (request, answer) in [
        (
            recorded!("getcert-request.der"),
            recorded!("getcert-answer.der"),
        ),
        (
            recorded!("getcrl-request.der"),
            recorded!("getcrl-answer.der"),
        ),
        (
            recorded!("certpoll-request.der"),
            recorded!("certpoll-answer.der"),
        ),
    ] {
        let request = PkiMessage::parse(request, 1 << 16).unwrap();
        request.verify().unwrap();
        let answer = PkiMessage::parse(answer, 1 << 16).unwrap();
        answer.verify().unwrap();
        assert_eq!(answer.signer().unwrap(), &known.ca);
        let (asked, said) = (&request.attributes, &answer.attributes);
        assert_eq!(said.message_type, Some(MessageType::CertRep));
        assert_eq!(said.transaction_id, asked.transaction_id);
        assert_eq!(said.recipient_nonce, asked.sender_nonce);
        let found = open(&answer, &known.device_key);
        if asked.message_type == Some(MessageType::GetCrl) {
            let list = RevocationList::from_der(&found.crls()[0], 10).unwrap();
            list.verify_signed_by(&known.ca).unwrap();
            let revoked = list.find(&[0x40, 0x02]).unwrap();
            assert_eq!(revoked.reason, RevocationReason::KeyCompromise);
        } else {
            assert!(found.certificates().iter().eq([&known.device]));
        }
    }
}

/// Runs the script in this folder.
fn script(folder: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/recorded/peer.py");
    let mut child = Command::new("python3")
        .arg(file)
        .arg(arguments[0])
        .arg(folder)
        .args(&arguments[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    output.stdout
}

/// A client of the script as a server that ends every request so.
fn client_of(folder: &Path, status: &'static str) -> Client<impl HttpTransport + use<>> {
    let ca = Known::in_folder(folder).ca;
    let (folder, shown) = (folder.to_owned(), ca.to_der().to_vec());
    let transport = transport_fn(move |request: Request<Bytes>| {
        let body = match request.uri().query() {
            Some("operation=GetCACert") => shown.clone(),
            Some("operation=GetCACaps") => b"AES\nSHA-256\nPOSTPKIOperation\n".to_vec(),
            _ => script(&folder, &["answer", status], request.body()),
        };
        async move { Ok(Response::new(body.into())) }
    });
    Client::new(
        transport,
        URL.parse().unwrap(),
        CaTrust::Certificate(Box::new(ca)),
        // The program dates its list by the machine's clock.
        Arc::new(ManualClock::new(Utc::now() + chrono::TimeDelta::minutes(5))),
    )
}

#[tokio::test]
async fn our_client_asks_a_server_made_of_openssls_programs() {
    for program in ["python3", "openssl"] {
        if !found(program) {
            return missing(program);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    script(folder.path(), &["init"], b"");
    let known = Known::in_folder(folder.path());
    let (device, key) = (known.device.clone(), known.device_key.clone());
    let requester = Requester::new(device.clone(), key.clone()).unwrap();
    let client = client_of(folder.path(), "0");

    let found = client.certificate(&requester, device.serial()).await;
    assert_eq!(found.unwrap(), device);
    let unknown = client.certificate(&requester, &[0x40, 0x03]).await;
    assert!(matches!(
        unknown,
        Err(Error::Refused {
            fail_info: FailInfo::BadCertId,
            ..
        })
    ));
    let list = client.revocation_list(&requester, device.serial()).await;
    let list = list.unwrap();
    let revoked = list.find(&[0x40, 0x02]).unwrap();
    assert_eq!(revoked.reason, RevocationReason::KeyCompromise);
    assert!(list.find(device.serial()).is_none());

    let enrolment = Enrolment::from_csr(key, known.csr).unwrap();
    let polled = client.poll(&enrolment).await.unwrap();
    assert_eq!(polled.certificate, device);
    assert_eq!(polled.issuer, known.ca);
    let waits = client_of(folder.path(), "3").poll(&enrolment).await;
    assert!(matches!(waits, Err(Error::Pending { .. })));
    let refused = client_of(folder.path(), "2").poll(&enrolment).await;
    assert!(matches!(refused, Err(Error::Refused { .. })));
}

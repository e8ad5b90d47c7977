//! Peers of `device-attest-01`, over TLS on loopback: the `instant-acme` crate at our server, and our client at smallstep's
//! `step-ca`. Both where `cargo xtask peers` has built them.
//!
//! | Step | instant-acme 0.8.5 | step-ca 0.30.2 |
//! |---|---|---|
//! | account, order, finalize, chain | works | works |
//! | `device-attest-01`, identifier of the server's choice | works | refused: it has to be serial number or UDID |
//! | `device-attest-01`, identifier is the serial number | works | works |
//! | answer without attestation | not offered | refused |
//! | attestation without freshness | refused by us | it issues |
//! | attestation of another token, of another root, over | refused by us | refused |
//! | `http-01` | works | not tried |
//! | account with an Ed25519 key | not offered: P-256 | works |
//! | authorization ahead of orders; another chain | not offered | not offered |
//! | renewal information, key change, revocation by the account | works | key change and renewal information not offered |

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Write as _},
    net::IpAddr,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::Utc;
use http::{Request, Response};
use mdm_core::{SerialNumber, SystemClock};
use mdm_fake_apple::{
    attestation::{AttestationAuthority, Defect},
    authority::Authority,
    http::Server as Web,
};
use mdm_pki::{
    Certificate, CertificateRequestBuilder, GeneralName, KeySpec, Name, PrivateKey, PublicKey,
    attestation::Verifier,
};
use mdm_scep::{
    EmbeddedCa, MemoryStore,
    acme::{
        AcmeUrl, AddressLookup, Client, DeviceIdentity, ExpectedDevice, HttpValidation,
        MemoryAcmeStore, Registration, Server,
        client::{ChallengeResponse, Error, Offer, solver_fn},
        identifier::Identifier,
        problem::ErrorType,
        resource::{ChallengeType, NewOrder},
        validate::{ByAddress, LookupError},
    },
    ca::{RootUse, root},
};
use mdm_transport::transport_fn;
use mdm_transport_reqwest::ReqwestTransport;

use crate::{
    acme_server::world::{Expected, Heard},
    listener::{built, built_folder},
    stepca::StepCa,
};

const CLIENT: &str = "client-7";
const SERIAL: &str = "C02AAAAAAAAA";
const HOST: &str = "device7.example.com";

/// Every host has the same public address.
#[derive(Debug)]
struct Everywhere;

#[async_trait]
impl AddressLookup for Everywhere {
    async fn addresses(&self, _host: &str) -> Result<Vec<IpAddr>, LookupError> {
        Ok(vec!["93.184.215.14".parse().unwrap()])
    }
}

/// Our server by the machine's clock, with TLS.
struct World {
    apple: AttestationAuthority,
    web: Authority,
    socket: Web,
    ca: Certificate,
    store: Arc<MemoryStore>,
    heard: Arc<Heard>,
    /// What every host's web server answers.
    proof: Arc<Mutex<String>>,
}

impl World {
    async fn new() -> Self {
        let now = Utc::now();
        let apple = AttestationAuthority::new(now).unwrap();
        let web = Authority::new("Web Root").unwrap();
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let year = Duration::from_secs(365 * 24 * 3600);
        let name = Name::from_common_name("Example CA");
        let ca = root(name, &key, RootUse::BehindRa, year, now).unwrap();
        let store = Arc::new(MemoryStore::new());
        let issuing = EmbeddedCa::new(vec![ca.clone()], Arc::new(key), store.clone()).unwrap();
        let expected = Arc::new(Expected::default());
        let serial = DeviceIdentity::SerialNumber(SerialNumber::new(SERIAL).unwrap());
        for identifier in [CLIENT, SERIAL] {
            expected.add(
                identifier,
                None,
                ExpectedDevice::new("Ada's Mac", serial.clone()),
            );
        }
        // The server has to know its own port.
        let server = Arc::new(OnceLock::<Server>::new());
        let serving = server.clone();
        let handler = move |request: Request<Bytes>| {
            let server = serving.clone();
            async move { server.get().unwrap().handle(request).await }
        };
        let identity = web.server_identity().unwrap();
        let socket = Web::start(Some(identity), handler).await.unwrap();
        let heard = Arc::new(Heard::default());
        let proof = Arc::new(Mutex::new(String::new()));
        let shown = proof.clone();
        let hosts = transport_fn(move |_| {
            let proof = shown.lock().unwrap().clone();
            async move { Ok(Response::new(Bytes::from(proof))) }
        });
        let apple_root = Certificate::from_der(apple.root()).unwrap();
        let base = format!("{}/acme", socket.url());
        let built = Server::builder(
            Arc::new(issuing),
            store.clone(),
            Arc::new(MemoryAcmeStore::new()),
            Arc::new(SystemClock),
            base.parse().unwrap(),
        )
        .devices(expected, Verifier::new(&[apple_root]).unwrap())
        .http(HttpValidation::new(
            Arc::new(Everywhere),
            Arc::new(ByAddress(hosts)),
        ))
        .observer(heard.clone())
        .build()
        .unwrap();
        server.set(built).unwrap();
        Self {
            apple,
            web,
            socket,
            ca,
            store,
            heard,
            proof,
        }
    }

    /// Runs the program, which gets `answer` to the line that it says first. Its other lines, if it succeeds.
    fn instant_acme(
        &self,
        program: &PathBuf,
        arguments: [&str; 2],
        answer: impl FnOnce(&str, &str) -> String,
    ) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("root.pem");
        std::fs::write(&ca, self.web.root().to_pem()).unwrap();
        let mut process = Command::new(program)
            .arg(&ca)
            .arg(format!("{}/acme/directory", self.socket.url()))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        if let Some((token, other)) = line.trim().split_once(' ') {
            let answer = answer(token, other);
            let mut stdin = process.stdin.take().unwrap();
            writeln!(stdin, "{answer}").unwrap();
        }
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut said, &mut rest).unwrap();
        let output = process.wait_with_output().unwrap();
        match output.status.success() {
            true => Ok(rest),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// What the program got and did; its certificate is ours.
    #[track_caller]
    fn checked(&self, said: &str) -> Certificate {
        let chain = Certificate::stack_from_pem(said.as_bytes()).unwrap();
        let issuer = self.ca.public_key().unwrap();
        chain[0].verify_signed_by(&issuer).unwrap();
        for word in ["renewal-info", "key-change", "revoked"] {
            assert!(said.lines().any(|line| line == word), "{word}: {said}");
        }
        self.heard.has("revoked: Superseded");
        chain[0].clone()
    }
}

fn program() -> Option<PathBuf> {
    built_folder("instant-acme/release/mdm-peer-instant-acme")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = (0..text.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn their_client_enrols_by_http_01_and_revokes() {
    let Some(program) = program() else {
        return;
    };
    let world = World::new().await;
    let said = world.instant_acme(&program, ["http-01", HOST], |token, proof| {
        assert!(proof.starts_with(token));
        proof.clone_into(&mut world.proof.lock().unwrap());
        String::new()
    });
    let certificate = world.checked(&said.unwrap());
    let names = certificate.subject_alt_names();
    assert_eq!(names, [GeneralName::Dns(HOST.to_owned())]);
    assert_eq!(world.store.issued(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn their_client_enrols_with_an_attested_key_and_without_a_good_one_does_not() {
    let Some(program) = program() else {
        return;
    };
    let world = World::new().await;
    let attest = |identifier: &str, defect: Option<Defect>| {
        let mut attested = None;
        let said = world.instant_acme(&program, ["device-attest-01", identifier], |token, key| {
            let key = PublicKey::from_spki_der(&unhex(key)).unwrap();
            let leaf = world.apple.leaf(&key).acme(token).healthy_mac();
            attested = Some(key);
            hex(&match defect {
                Some(defect) => leaf.defect(defect).cbor().unwrap(),
                None => leaf.cbor().unwrap(),
            })
        });
        (said, attested)
    };
    for identifier in [CLIENT, SERIAL] {
        let (said, attested) = attest(identifier, None);
        let certificate = world.checked(&said.unwrap());
        assert_eq!(certificate.public_key().unwrap(), attested.unwrap());
        world.heard.has("proven: Ada's Mac, true");
    }
    assert_eq!(world.store.issued(), 2);
    for defect in [
        Defect::NoFreshness,
        Defect::OtherFreshness,
        Defect::UnknownRoot,
        Defect::Expired,
    ] {
        let (said, _) = attest(CLIENT, Some(defect));
        let said = said.unwrap_err();
        assert!(
            said.contains("badAttestationStatement"),
            "{defect:?}: {said}"
        );
    }
    let (said, _) = attest(CLIENT, Some(Defect::OtherKey));
    let said = said.unwrap_err();
    assert!(said.contains("badCSR"), "{said}");
    let (said, attested) = attest("client-8", None);
    assert!(attested.is_none());
    let said = said.unwrap_err();
    assert!(said.contains("rejectedIdentifier"), "{said}");
    assert_eq!(world.store.issued(), 2);
}

/// What step-ca makes of a device's answer.
async fn at_step_ca(
    step: &StepCa,
    apple: &AttestationAuthority,
    account: KeySpec,
    identifier: &str,
    defect: Option<Defect>,
    attests: bool,
) -> Result<Certificate, Error> {
    let transport = ReqwestTransport::builder()
        .root(step.root.to_pem().as_bytes())
        .only_roots(true)
        .no_proxy()
        .build()
        .unwrap();
    let url = format!("https://localhost:{}/acme/devices/directory", step.tls);
    let url = AcmeUrl::new(&url).unwrap();
    let client = Client::new(transport, url, Arc::new(SystemClock));
    let account = Arc::new(PrivateKey::generate(account).unwrap());
    let registered = client.register(account, &Registration::new()).await?;
    let key = PrivateKey::generate(KeySpec::P384).unwrap();
    let solver = solver_fn(|offer: Offer| {
        let leaf = apple
            .leaf(key.public_key())
            .healthy_mac()
            .nonce(offer.freshness());
        let leaf = match defect {
            Some(defect) => leaf.defect(defect),
            None => leaf,
        };
        let answer = match attests {
            true => ChallengeResponse::Attestation(leaf.cbor().unwrap()),
            false => ChallengeResponse::Ready,
        };
        async move {
            let device = offer.kind == ChallengeType::DeviceAttest01;
            Ok(device.then_some(answer))
        }
    });
    let order = NewOrder::new([Identifier::permanent_identifier(identifier)]);
    let name = Name::from_common_name(identifier);
    let csr = CertificateRequestBuilder::new(name).sign(&key).unwrap();
    let chain = registered.session.obtain(&order, &csr, &solver).await?;
    assert!(chain.alternates.is_empty());
    let ahead = registered.session.new_authorization(&order.identifiers[0]);
    assert!(matches!(ahead.await, Err(Error::NotOffered("newAuthz"))));
    let issuer = chain.issuers[0].public_key().unwrap();
    chain.leaf.verify_signed_by(&issuer).unwrap();
    assert!(chain.leaf.public_key().unwrap().same_key(key.public_key()));
    Ok(chain.leaf)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_client_enrols_with_an_attested_key_at_step_ca() {
    let Some(program) = built("step-ca") else {
        return;
    };
    let apple = AttestationAuthority::new(Utc::now()).unwrap();
    let roots = STANDARD.encode(Certificate::from_der(apple.root()).unwrap().to_pem());
    let provisioner = format!(
        r#"{{"type":"ACME","name":"devices","challenges":["device-attest-01"],
            "attestationFormats":["apple"],"attestationRoots":"{roots}"}}"#
    );
    let step = StepCa::with(&program, &provisioner, "Serving HTTPS on");
    for account in [KeySpec::P256, KeySpec::Ed25519, KeySpec::Rsa2048] {
        let enrolled = at_step_ca(&step, &apple, account, SERIAL, None, true);
        let name = enrolled.await.unwrap().subject().common_name();
        assert_eq!(name.as_deref(), Some(SERIAL));
    }
    // What no verifier should take, and this one does.
    let defect = Some(Defect::NoFreshness);
    at_step_ca(&step, &apple, KeySpec::P256, SERIAL, defect, true)
        .await
        .unwrap();
    for (identifier, defect, attests) in [
        (CLIENT, None, true),
        (SERIAL, None, false),
        (SERIAL, Some(Defect::OtherFreshness), true),
        (SERIAL, Some(Defect::UnknownRoot), true),
        (SERIAL, Some(Defect::Expired), true),
    ] {
        let refused = at_step_ca(&step, &apple, KeySpec::P256, identifier, defect, attests).await;
        let refused = refused.unwrap_err();
        assert!(
            refused.is(&ErrorType::BadAttestationStatement),
            "{identifier} {defect:?} {attests}: {refused:?}"
        );
    }
    let other = Some(Defect::OtherKey);
    let refused = at_step_ca(&step, &apple, KeySpec::P256, SERIAL, other, true).await;
    assert!(refused.unwrap_err().is_refused());
}

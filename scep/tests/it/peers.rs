//! What other programs make of our messages. Without the program a test says so and passes, unless
//! `REQUIRE_PEERS=1` turns that into a failure.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

use mdm_core::Secret;
use mdm_pki::{CertificateRequest, cms::ContentCipher};
use mdm_scep::{FailInfo, PkiMessage, Policy, attributes};
use tempfile::TempDir;

use crate::world::{CA_KEY, DEVICE_KEY, Raw, World, rsa_key};

/// Says that a peer is missing, which is a failure where peers are required.
pub(crate) fn missing(peer: &str) {
    let required = std::env::var("REQUIRE_PEERS").as_deref() == Ok("1");
    assert!(!required, "{peer} is missing");
    eprintln!("skipped: {peer} is missing");
}

/// Free ports for a program that has to be told them. The system gives those from 32768 on to whoever connects or asks
/// for any port: one of them may be another's before the program listens, and who connects to it may meet himself.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let random = || 20_000 + RandomState::new().hash_one(()) % 10_000;
    let mut free = std::iter::repeat_with(|| u16::try_from(random()).unwrap())
        .take(10_000)
        .filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    // All are held until all are found.
    let held: [TcpListener; N] = std::array::from_fn(|_| free.next().unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

/// A folder with files for the `openssl` program.
struct OpenSsl {
    folder: TempDir,
}

impl OpenSsl {
    /// `None`, once said so, where the program is missing.
    fn find() -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_ok() {
            return Some(Self {
                folder: tempfile::tempdir().unwrap(),
            });
        }
        missing("the openssl program");
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments:?}: {said}");
        output.stdout
    }
}

fn key_file(openssl: &OpenSsl, name: &str, key: usize) -> PathBuf {
    openssl.file(name, rsa_key(key).to_pkcs8_pem().unwrap().as_bytes())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn openssl_reads_a_request_down_to_the_csr() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    let world = World::new();
    for cipher in [ContentCipher::Aes128Cbc, ContentCipher::Aes256Cbc] {
        let raw: Raw = world
            .request(&Secret::new("c".to_owned()))
            .with(|raw| raw.cipher = cipher);
        let message = openssl.file("message.der", &raw.build());
        let envelope = openssl.path("envelope.der");
        openssl.run(&[
            "cms",
            "-verify",
            "-noverify",
            "-inform",
            "DER",
            "-binary",
            "-in",
            text(&message),
            "-out",
            text(&envelope),
        ]);
        let key = key_file(&openssl, "ca.pem", CA_KEY);
        let csr = openssl.run(&[
            "cms",
            "-decrypt",
            "-inform",
            "DER",
            "-binary",
            "-in",
            text(&envelope),
            "-inkey",
            text(&key),
        ]);
        assert_eq!(csr, raw.content);
        let csr = openssl.file("csr.der", &csr);
        openssl.run(&[
            "req",
            "-inform",
            "DER",
            "-verify",
            "-noout",
            "-in",
            text(&csr),
        ]);
    }
}

#[tokio::test]
async fn openssl_reads_an_answer_down_to_the_certificate() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    let world = World::new();
    let challenge = world.challenge().await;
    let reply = world.ask(world.request(&challenge).build()).await;
    let message = openssl.file("reply.der", &reply.bytes);
    let root = openssl.file("root.pem", world.root.to_pem().as_bytes());
    let envelope = openssl.path("envelope.der");
    openssl.run(&[
        "cms",
        "-verify",
        "-inform",
        "DER",
        "-binary",
        "-in",
        text(&message),
        "-CAfile",
        text(&root),
        "-purpose",
        "any",
        "-attime",
        "1772366400",
        "-out",
        text(&envelope),
    ]);
    let key = key_file(&openssl, "device.pem", DEVICE_KEY);
    let inner = openssl.path("inner.der");
    openssl.run(&[
        "cms",
        "-decrypt",
        "-inform",
        "DER",
        "-binary",
        "-in",
        text(&envelope),
        "-inkey",
        text(&key),
        "-out",
        text(&inner),
    ]);
    let pem = openssl.run(&[
        "pkcs7",
        "-inform",
        "DER",
        "-print_certs",
        "-in",
        text(&inner),
    ]);
    let leaf = openssl.file("leaf.pem", &pem);
    openssl.run(&[
        "verify",
        "-CAfile",
        text(&root),
        "-purpose",
        "sslclient",
        "-attime",
        "1772366400",
        text(&leaf),
    ]);
}

#[tokio::test]
async fn openssl_finds_the_attributes_of_a_refusal_and_no_content() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    let world = World::new();
    let raw = world.request(&Secret::new("unknown".to_owned()));
    let reply = world.ask(raw.build()).await;
    let message = openssl.file("reply.der", &reply.bytes);
    let dump = openssl.run(&["asn1parse", "-inform", "DER", "-in", text(&message)]);
    let dump = String::from_utf8(dump).unwrap();
    for oid in [
        attributes::MESSAGE_TYPE,
        attributes::PKI_STATUS,
        attributes::FAIL_INFO,
        attributes::TRANSACTION_ID,
        attributes::SENDER_NONCE,
        attributes::RECIPIENT_NONCE,
        attributes::FAIL_INFO_TEXT,
    ] {
        let dotted = oid.to_string();
        assert!(dump.contains(&dotted), "{dotted} is missing in\n{dump}");
    }
    let printed = openssl.run(&[
        "cms",
        "-cmsout",
        "-print",
        "-inform",
        "DER",
        "-in",
        text(&message),
    ]);
    let printed = String::from_utf8(printed).unwrap();
    assert!(printed.contains("eContent: <ABSENT>"), "{printed}");
    assert!(
        printed.contains("the challenge is not accepted"),
        "{printed}"
    );
}

/// A request as Apple's client sends it: BER of indefinite length, made by another program, too.
#[tokio::test]
async fn an_envelope_streamed_by_openssl_is_opened() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    for cipher in ["-aes-128-cbc", "-aes-256-cbc"] {
        let world = World::new();
        let challenge = world.challenge().await;
        let raw = world.request(&challenge);
        let csr = openssl.file("csr.der", &raw.content);
        let root = openssl.file("root.pem", world.root.to_pem().as_bytes());
        let envelope = openssl.run(&[
            "cms",
            "-encrypt",
            "-stream",
            "-binary",
            "-outform",
            "DER",
            cipher,
            "-in",
            text(&csr),
            text(&root),
        ]);
        assert_eq!(envelope[..2], [0x30, 0x80], "indefinite length");
        let raw = raw.with(|raw| raw.envelope = Some(envelope));
        world.ask(raw.build()).await.certificates(&raw.key);
    }
}

/// Policy alone decides over Triple DES; the answer never has it.
#[tokio::test]
async fn triple_des_is_read_by_policy_and_answered_in_aes() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    for allowed in [false, true] {
        let world = World::with(crate::world::Setup {
            policy: Policy::default().with(|policy| policy.triple_des = allowed),
            ..Default::default()
        });
        let challenge = world.challenge().await;
        let raw = world.request(&challenge);
        let csr = openssl.file("csr.der", &raw.content);
        let root = openssl.file("root.pem", world.root.to_pem().as_bytes());
        let envelope = openssl.run(&[
            "cms",
            "-encrypt",
            "-binary",
            "-outform",
            "DER",
            "-des3",
            "-in",
            text(&csr),
            text(&root),
        ]);
        let raw = raw.with(|raw| raw.envelope = Some(envelope));
        if allowed {
            let reply = world.ask(raw.build()).await;
            reply.certificates(&raw.key);
            let cipher = reply.message.open_envelope().unwrap().cipher().unwrap();
            assert_eq!(cipher, ContentCipher::Aes128Cbc);
        } else {
            world.refused(&raw, FailInfo::BadAlg).await;
            assert!(world.events.last().contains("TripleDes"));
        }
    }
}

/// What micromdm's client sends, whatever the server lists.
#[tokio::test]
async fn single_des_is_refused_by_name_and_read_by_a_policy_of_its_own() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    let legacy = Command::new("openssl")
        .args(["list", "-providers", "-provider", "legacy"])
        .output();
    if !legacy.is_ok_and(|output| output.status.success()) {
        return missing("openssl's legacy provider");
    }
    let world = World::with(crate::world::Setup {
        policy: Policy::default().with(|policy| policy.triple_des = true),
        ..Default::default()
    });
    let challenge = world.challenge().await;
    let raw = world.request(&challenge);
    let csr = openssl.file("csr.der", &raw.content);
    let root = openssl.file("root.pem", world.root.to_pem().as_bytes());
    let envelope = openssl.run(&[
        "cms",
        "-encrypt",
        "-binary",
        "-outform",
        "DER",
        "-des",
        "-provider",
        "legacy",
        "-provider",
        "default",
        "-in",
        text(&csr),
        text(&root),
    ]);
    let raw = raw.with(|raw| raw.envelope = Some(envelope));
    world.refused(&raw, FailInfo::BadAlg).await;
    assert_eq!(
        world.events.last(),
        "refused: the algorithm is not allowed: DesCbc"
    );

    let tolerant = World::with(crate::world::Setup {
        policy: Policy::default().with(|policy| policy.legacy_des = true),
        root: Some(world.root.clone()),
        store: Some(world.store.clone()),
        ..Default::default()
    });
    let reply = tolerant.ask(raw.build()).await;
    let cipher = reply.message.open_envelope().unwrap().cipher().unwrap();
    assert_eq!(cipher, ContentCipher::Aes128Cbc);
    reply.certificates(&raw.key);
    // With a byte changed it is refused like every other envelope.
    let mut changed = raw.envelope.clone().unwrap();
    *changed.last_mut().unwrap() ^= 1;
    let changed = raw.with(|raw| raw.envelope = Some(changed));
    tolerant.refused(&changed, FailInfo::BadMessageCheck).await;
}

/// What our reader makes of our writer's message after a detour.
#[test]
fn a_message_signed_by_us_survives_openssls_own_writer() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    let world = World::new();
    let raw = world.request(&Secret::new("c".to_owned()));
    let message = openssl.file("message.der", &raw.build());
    let again = openssl.run(&[
        "cms",
        "-cmsout",
        "-inform",
        "DER",
        "-outform",
        "DER",
        "-in",
        text(&message),
    ]);
    let read = PkiMessage::parse(&again, 1 << 16).unwrap();
    read.verify().unwrap();
    assert_eq!(
        read.attributes.transaction_id.as_ref(),
        Some(&raw.transaction_id)
    );
    CertificateRequest::from_der(&raw.content)
        .unwrap()
        .verify()
        .unwrap();
}

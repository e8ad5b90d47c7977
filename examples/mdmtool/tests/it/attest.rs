//! `attest decode` over attestations that a fake Apple makes.

mod decode;
mod hostile;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::Utc;
use mdm_fake_apple::attestation::{AttestationAuthority, Leaf};
use mdm_pki::{KeySpec, PrivateKey, pem};
use serde_json::Value;
use tempfile::TempDir;

use crate::run;

const TOKEN: &str = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ";
const NONCE: [u8; 16] = [0xab; 16];

/// An Apple, with its root in a file, and a device.
struct World {
    apple: AttestationAuthority,
    key: PrivateKey,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self {
            apple: AttestationAuthority::new(Utc::now()).unwrap(),
            key: PrivateKey::generate(KeySpec::P384).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        let pem = pem::encode("CERTIFICATE", world.apple.root());
        std::fs::write(world.root(), pem).unwrap();
        world
    }

    fn root(&self) -> String {
        self.folder.path().join("root.pem").display().to_string()
    }

    fn mac(&self) -> Leaf<'_> {
        self.apple
            .leaf(self.key.public_key())
            .acme(TOKEN)
            .healthy_mac()
    }

    fn decode(&self, input: &[u8], more: &[&str]) -> Told {
        let root = self.root();
        let mut arguments = vec!["attest", "decode", "-"];
        arguments.extend(
            more.iter()
                .map(|it| if *it == "ROOT" { root.as_str() } else { it }),
        );
        let output = run(&arguments, input);
        Told {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

#[derive(Debug)]
struct Told {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// It failed with this code and one line, in which these words are.
    fn failed(&self, code: i32, words: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        assert!(self.stderr.starts_with("mdmtool: "), "{self:?}");
        assert!(self.stderr.contains(words), "no {words:?} in {self:?}");
    }
}

/// The response to DeviceInformation with these certificates.
fn response(chain: &[Vec<u8>]) -> Vec<u8> {
    let chain: String = chain
        .iter()
        .map(|der| format!("<data>{}</data>", STANDARD.encode(der)))
        .collect();
    format!(
        "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict>
         <key>CommandUUID</key><string>1</string><key>Status</key><string>Acknowledged</string>
         <key>QueryResponses</key><dict>
         <key>DevicePropertiesAttestation</key><array>{chain}</array></dict></dict></plist>"
    )
    .into_bytes()
}

/// The payload of ACME's challenge.
fn payload(att_obj: &[u8]) -> Vec<u8> {
    format!("{{\"attObj\": \"{}\"}}", URL_SAFE_NO_PAD.encode(att_obj)).into_bytes()
}

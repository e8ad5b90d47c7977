//! A folder with a vendor, its authorities and push certificates, and the program run in it.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use chrono::{TimeDelta, Utc};
use mdm_pki::{CertificateBuilder, Identity, KeySpec, KeyUsage, Name, Oid, PrivateKey};
use serde_json::Value;
use tempfile::TempDir;

use crate::told::Told;

pub(crate) const TOPIC: &str = "com.apple.mgmt.External.3a1c9b52-5e0f-4d3a-9f43-0c1d2e3f4a5b";
pub(crate) const OTHER_TOPIC: &str = "com.apple.mgmt.External.00000000-5e0f-4d3a-9f43-0c1d2e3f4a5b";

const PRODUCTION: Oid = Oid::constant("1.2.840.113635.100.6.3.2");

/// A folder that the program runs in.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// `name.pem` and `name-key.pem`.
    pub(crate) fn write_identity(&self, name: &str, identity: &Identity) {
        self.write(&format!("{name}.pem"), identity.certificate.to_pem());
        let key = identity.key.to_pkcs8_pem().unwrap();
        self.write(&format!("{name}-key.pem"), key.as_bytes());
    }

    /// The program with `mdmtool push` and these words, split at spaces.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mdmtool"));
        command
            .current_dir(self.0.path())
            .env("NO_PROXY", "localhost,127.0.0.1")
            .env_remove("MDMTOOL_PASSPHRASE")
            .env_remove("MDMCERT_API_KEY")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .arg("push")
            .args(line.split_whitespace());
        command
    }

    pub(crate) fn run(&self, line: &str) -> Told {
        self.command(line).output().unwrap().into()
    }

    /// With this on standard input.
    pub(crate) fn run_with(&self, line: &str, input: &[u8]) -> Told {
        let mut child = self.command(line).stdin(Stdio::piped()).spawn().unwrap();
        // A program that stops reading early closes the pipe; its exit tells why.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap().into()
    }

    /// What it answers with `--json`, having succeeded.
    pub(crate) fn json(&self, line: &str) -> Value {
        let told = self.run(&format!("{line} --json"));
        told.succeeded();
        serde_json::from_str(&told.stdout).unwrap()
    }
}

fn days(count: i64) -> TimeDelta {
    TimeDelta::days(count)
}

fn builder(subject: Name, key: &PrivateKey) -> CertificateBuilder {
    let now = Utc::now();
    CertificateBuilder::new(subject, key.public_key()).validity(now - days(1), now + days(90))
}

/// A push certificate with Apple's production extension, which ends in so many days.
pub(crate) fn push_certificate(topic: &str, ends_in: i64) -> Identity {
    let subject = Name::builder()
        .user_id(topic)
        .common_name("APSP:aaaaaaaa-0000-4d3a-9f43-0c1d2e3f4a5b")
        .build();
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let now = Utc::now();
    let certificate = builder(subject, &key)
        .validity(now - days(100), now + days(ends_in) + TimeDelta::hours(1))
        .extension(PRODUCTION, false, &[5, 0])
        .self_signed(&key)
        .unwrap();
    Identity::new(certificate, Vec::new(), key).unwrap()
}

/// A root, an intermediate below it, and a vendor below that.
pub(crate) fn vendor() -> [Identity; 3] {
    let root = issued("Test Root CA", None, true);
    let middle = issued("Test Developer Relations", Some(&root), true);
    let vendor = issued("MDM Vendor: Example", Some(&middle), false);
    [root, middle, vendor]
}

fn issued(name: &str, issuer: Option<&Identity>, is_authority: bool) -> Identity {
    let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
    let mut builder = builder(Name::from_common_name(name), &key);
    if is_authority {
        builder = builder.ca(None).key_usage(KeyUsage::KEY_CERT_SIGN);
    }
    let certificate = match issuer {
        Some(issuer) => builder.sign(&issuer.certificate, &issuer.key),
        None => builder.self_signed(&key),
    };
    Identity::new(certificate.unwrap(), Vec::new(), key).unwrap()
}

//! Identities to sign with and to encrypt to, and the `openssl` program.

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{Certificate, CertificateBuilder, Identity, KeySpec, KeyUsage, Name, PrivateKey};
use tempfile::TempDir;

use crate::programs::found;

/// The programs check validity against the machine's clock.
pub(crate) fn now() -> DateTime<Utc> {
    static NOW: OnceLock<DateTime<Utc>> = OnceLock::new();
    *NOW.get_or_init(Utc::now)
}

/// A root, and below it a signer with the root for its chain.
pub(crate) fn signer() -> &'static (Certificate, Identity) {
    static SIGNER: OnceLock<(Certificate, Identity)> = OnceLock::new();
    SIGNER.get_or_init(|| {
        let root = PrivateKey::generate(KeySpec::P256).unwrap();
        let certificate = builder("Root", &root)
            .ca(None)
            .key_usage(KeyUsage::KEY_CERT_SIGN)
            .self_signed(&root)
            .unwrap();
        let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
        let leaf = builder("Signer", &key).sign(&certificate, &root).unwrap();
        let identity = Identity::new(leaf, vec![certificate.clone()], key).unwrap();
        (certificate, identity)
    })
}

/// A device with a certificate of its own making.
pub(crate) fn device(spec: KeySpec) -> Identity {
    let key = PrivateKey::generate(spec).unwrap();
    let certificate = builder("Device", &key).self_signed(&key).unwrap();
    Identity::new(certificate, Vec::new(), key).unwrap()
}

/// The one device that most are encrypted to.
pub(crate) fn rsa_device() -> &'static Identity {
    static DEVICE: OnceLock<Identity> = OnceLock::new();
    DEVICE.get_or_init(|| device(KeySpec::Rsa2048))
}

fn builder(name: &str, key: &PrivateKey) -> CertificateBuilder {
    CertificateBuilder::new(Name::from_common_name(name), key.public_key())
        .validity(now() - TimeDelta::days(1), now() + TimeDelta::days(30))
}

/// The `openssl` program in a folder of its own.
pub(crate) struct OpenSsl {
    folder: TempDir,
}

impl OpenSsl {
    /// `None`, once said so, where the program is missing.
    pub(crate) fn find() -> Option<Self> {
        found("openssl").then(|| Self {
            folder: tempfile::tempdir().unwrap(),
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// `NAME.crt`, `NAME.key` and the authorities above it, `NAME.chain`.
    pub(crate) fn write_identity(&self, name: &str, identity: &Identity) {
        self.write(&format!("{name}.crt"), identity.certificate.to_pem());
        let chain: String = identity.chain.iter().map(Certificate::to_pem).collect();
        self.write(&format!("{name}.chain"), chain);
        let key = identity.key.to_pkcs8_pem().unwrap();
        self.write(&format!("{name}.key"), key.as_bytes());
    }

    /// Runs with arguments split at spaces, in the folder; it must succeed.
    pub(crate) fn run(&self, line: &str) {
        let mut command = Command::new("openssl");
        command
            .args(line.split(' '))
            .current_dir(self.folder.path());
        succeeded(&mut command);
    }
}

/// Runs a program that must succeed.
pub(crate) fn succeeded(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output
}

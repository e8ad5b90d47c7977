//! A small authority and the `openssl` program as peer.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{
    Certificate, CertificateBuilder, Identity, KeySpec, KeyUsage, Name, PrivateKey, oid,
};
use tempfile::TempDir;

pub(crate) fn now() -> DateTime<Utc> {
    // The program checks validity against the machine's clock.
    static NOW: OnceLock<DateTime<Utc>> = OnceLock::new();
    *NOW.get_or_init(Utc::now)
}

pub(crate) fn days(count: i64) -> TimeDelta {
    TimeDelta::days(count)
}

/// A root, an authority below it, and who they issue to.
pub(crate) struct Pki {
    pub(crate) root: Identity,
    pub(crate) issuing: Identity,
}

pub(crate) fn builder(name: &str, key: &PrivateKey) -> CertificateBuilder {
    CertificateBuilder::new(Name::from_common_name(name), key.public_key())
        .validity(now() - days(1), now() + days(30))
}

pub(crate) fn authority(name: &str, spec: KeySpec, issuer: Option<&Identity>) -> Identity {
    let key = PrivateKey::generate(spec).unwrap();
    let builder = builder(name, &key)
        .ca(None)
        .key_usage(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN);
    let certificate = match issuer {
        Some(issuer) => builder.sign(&issuer.certificate, &issuer.key),
        None => builder.self_signed(&key),
    };
    Identity::new(certificate.unwrap(), Vec::new(), key).unwrap()
}

pub(crate) fn device(name: &str, spec: KeySpec, issuer: &Identity) -> Identity {
    let key = PrivateKey::generate(spec).unwrap();
    let certificate = builder(name, &key)
        .key_usage(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT)
        .extended_key_usage(&[oid::CLIENT_AUTH])
        .sign(&issuer.certificate, &issuer.key)
        .unwrap();
    Identity::new(certificate, vec![issuer.certificate.clone()], key).unwrap()
}

impl Pki {
    pub(crate) fn get() -> &'static Self {
        static PKI: OnceLock<Pki> = OnceLock::new();
        PKI.get_or_init(|| {
            let root = authority("Test Root", KeySpec::Rsa2048, None);
            let issuing = authority("Test Issuing CA", KeySpec::P256, Some(&root));
            Self { root, issuing }
        })
    }

    /// A device with an RSA key directly under the root.
    pub(crate) fn rsa_device(&self) -> &'static Identity {
        static DEVICE: OnceLock<Identity> = OnceLock::new();
        DEVICE.get_or_init(|| device("rsa device", KeySpec::Rsa2048, &self.root))
    }

    /// A device with an EC key under the issuing authority.
    pub(crate) fn ec_device(&self) -> &'static Identity {
        static DEVICE: OnceLock<Identity> = OnceLock::new();
        DEVICE.get_or_init(|| device("ec device", KeySpec::P256, &self.issuing))
    }
}

/// The `openssl` program in a folder of its own.
pub(crate) struct Openssl {
    folder: TempDir,
}

impl Openssl {
    /// `None`, said aloud, where the program is missing; a failure where peers are required.
    pub(crate) fn find(test: &str) -> Option<Self> {
        let found = Command::new("openssl")
            .arg("version")
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if found {
            let folder = tempfile::tempdir().unwrap();
            return Some(Self { folder });
        }
        skip(test, "the openssl program is missing");
        None
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Runs with arguments split at spaces in the folder; standard output, or standard error.
    pub(crate) fn run(&self, line: &str) -> Result<Vec<u8>, String> {
        let output = Command::new("openssl")
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// As [`Self::run`]; it must succeed.
    pub(crate) fn ok(&self, line: &str) -> Vec<u8> {
        self.run(line)
            .unwrap_or_else(|error| panic!("openssl {line}: {error}"))
    }

    pub(crate) fn write_identity(&self, name: &str, identity: &Identity) {
        self.write(&format!("{name}.crt"), identity.certificate.to_pem());
        self.write(
            &format!("{name}.key"),
            identity.key.to_pkcs8_pem().unwrap().as_bytes(),
        );
    }

    pub(crate) fn write_roots(&self, certificates: &[&Certificate]) {
        let pem: String = certificates
            .iter()
            .map(|certificate| certificate.to_pem())
            .collect();
        self.write("roots.pem", pem);
    }

    /// Whether the legacy provider can be loaded by the program.
    pub(crate) fn has_legacy(&self) -> bool {
        self.run("list -providers -provider legacy").is_ok()
    }
}

/// Says that a test is skipped, and fails it where peers are required.
pub(crate) fn skip(test: &str, reason: &str) {
    eprintln!("skipped: {test}: {reason}");
    assert!(
        std::env::var_os("REQUIRE_PEERS").is_none_or(|value| value != "1"),
        "{test} needs a peer: {reason}"
    );
}

//! How one comes by a push certificate, and what it says: held against `openssl` and `plistlib`.

mod customer;
mod mdmcert;
mod push_certificate;
mod vendor;

use std::{
    process::{Command, Stdio},
    sync::OnceLock,
};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use mdm_apns::certificate::{CustomerRequest, Vendor};
use mdm_pki::{
    Certificate, CertificateBuilder, CertificateRequest, Identity, KeySpec, KeyUsage, Name,
    PrivateKey,
};
use tempfile::TempDir;

/// The machine's time: `openssl` checks validity against it.
fn now() -> DateTime<Utc> {
    static NOW: OnceLock<DateTime<Utc>> = OnceLock::new();
    *NOW.get_or_init(|| Utc::now().trunc_subsecs(0))
}

fn days(count: i64) -> TimeDelta {
    TimeDelta::days(count)
}

fn builder(name: &str, key: &PrivateKey) -> CertificateBuilder {
    CertificateBuilder::new(Name::from_common_name(name), key.public_key())
        .validity(now() - days(1), now() + days(30))
}

fn authority(name: &str, issuer: Option<&Identity>) -> Identity {
    let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
    let builder = builder(name, &key)
        .ca(None)
        .key_usage(KeyUsage::KEY_CERT_SIGN);
    let certificate = match issuer {
        Some(issuer) => builder.sign(&issuer.certificate, &issuer.key),
        None => builder.self_signed(&key),
    };
    Identity::new(certificate.unwrap(), Vec::new(), key).unwrap()
}

/// A root, an intermediate as Apple's WWDR, a vendor below it, and a customer.
struct House {
    root: Identity,
    wwdr: Identity,
    vendor: Identity,
    customer: PrivateKey,
    csr: CertificateRequest,
}

impl House {
    fn get() -> &'static Self {
        static HOUSE: OnceLock<House> = OnceLock::new();
        HOUSE.get_or_init(|| {
            let root = authority("Test Root CA", None);
            let wwdr = authority("Test Developer Relations", Some(&root));
            let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
            let vendor = builder("MDM Vendor: Example", &key)
                .key_usage(KeyUsage::DIGITAL_SIGNATURE)
                .sign(&wwdr.certificate, &wwdr.key)
                .unwrap();
            let vendor = Identity::new(vendor, Vec::new(), key).unwrap();
            let (customer, csr) = customer_request().generate().unwrap();
            Self {
                root,
                wwdr,
                vendor,
                customer,
                csr,
            }
        })
    }

    fn authorities(&self) -> [Certificate; 2] {
        [self.root.certificate.clone(), self.wwdr.certificate.clone()]
    }

    fn vendor(&self) -> Vendor {
        Vendor::new(self.vendor.certificate.clone(), &self.authorities()).unwrap()
    }
}

fn customer_request() -> CustomerRequest {
    CustomerRequest::new("Example MDM push", "admin@example.com", "de")
}

/// A program of others in a folder of its own.
struct Peer {
    program: &'static str,
    folder: TempDir,
}

impl Peer {
    /// `None`, said aloud, where the program is missing; a failure where peers are required.
    #[allow(clippy::print_stderr)] // that is where it is said
    fn find(program: &'static str, version: &str, test: &str) -> Option<Self> {
        let found = Command::new(program)
            .arg(version)
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if found {
            let folder = tempfile::tempdir().unwrap();
            return Some(Self { program, folder });
        }
        eprintln!("skipped: {test}: {program} is missing");
        assert!(
            std::env::var_os("REQUIRE_PEERS").is_none_or(|value| value != "1"),
            "{test} needs {program}"
        );
        None
    }

    fn openssl(test: &str) -> Option<Self> {
        Self::find("openssl", "version", test)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    /// Runs it with arguments split at spaces; it must succeed.
    fn ok(&self, line: &str) -> Vec<u8> {
        self.run(&line.split_whitespace().collect::<Vec<_>>())
    }

    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new(self.program)
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        output.stdout
    }
}

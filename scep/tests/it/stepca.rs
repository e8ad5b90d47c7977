//! smallstep's `step-ca` 0.30.2, where `cargo xtask peers` has built it, as the server of our client:
//!
//! | Message | By default | With `sha1` | With `legacy_des` too |
//! |---|---|---|---|
//! | PKCSReq, as it comes | `Error::Algorithm`: SHA-1 | `Error::Algorithm`: single DES | works |
//! | PKCSReq, set to AES (`encryptionAlgorithmIdentifier` 1 or 2) | the same | works | works |
//! | RenewalReq | the same | refused: it wants the challenge here too | the same |
//!
//! An intermediate that only signs certificates, as `step ca init` makes it, is to no client (Apple's looks, too) one that opens
//! requests. It offers neither CertPoll, nor GetCert, GetCRL and GetNextCACert, and has no client.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use chrono::{TimeDelta, Utc};
use mdm_core::SystemClock;
use mdm_pki::{Certificate, CertificateBuilder, KeyUsage, Name, PrivateKey};
use mdm_scep::{CaTrust, Client, Enrolment, Error, Policy};
use mdm_transport::{HttpTransport, transport_fn};
use tempfile::TempDir;

use crate::{
    listener::{Ended, built, over_a_socket},
    peers::free_ports,
    world::{CA_KEY, DEVICE_KEY, OTHER_KEY, RA_KEY, rsa_key},
};

/// A server with an intermediate of its own that answers under this cipher.
pub(crate) struct StepCa {
    _server: Ended,
    _folder: TempDir,
    pub(crate) root: Certificate,
    url: String,
    /// Where it listens with TLS, as `localhost`.
    pub(crate) tls: u16,
}

fn authority(name: &str, key: &PrivateKey, path: u8) -> CertificateBuilder {
    let now = Utc::now();
    CertificateBuilder::new(Name::from_common_name(name), key.public_key())
        .validity(now - TimeDelta::days(1), now + TimeDelta::days(365))
        .ca(Some(path))
        // Its intermediate opens requests and signs answers, too; Apple's client looks whether it may.
        .key_usage(
            KeyUsage::KEY_CERT_SIGN
                | KeyUsage::CRL_SIGN
                | KeyUsage::DIGITAL_SIGNATURE
                | KeyUsage::KEY_ENCIPHERMENT,
        )
}

impl StepCa {
    fn start(program: &Path, cipher: u8) -> Self {
        let provisioner = format!(
            r#"{{"type":"SCEP","name":"devices","challenge":"secret",
                "minimumPublicKeyLength":2048,"includeRoot":true,
                "encryptionAlgorithmIdentifier":{cipher}}}"#
        );
        Self::with(program, &provisioner, "Serving HTTP on")
    }

    /// With one provisioner, in JSON. Without TLS it listens for SCEP alone; the line that tells when it does differs.
    pub(crate) fn with(program: &Path, provisioner: &str, listens: &str) -> Self {
        let (root_key, key) = (rsa_key(CA_KEY), rsa_key(RA_KEY));
        let root = authority("Step Root", &root_key, 1);
        let root = root.self_signed(&root_key).unwrap();
        let issuer = authority("Step Intermediate", &key, 0);
        let issuer = issuer.sign(&root, &root_key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let [tls, plain] = free_ports();
        let pem = key.to_pkcs8_pem().unwrap();
        let config = format!(
            r#"{{"root":"root.crt","crt":"ca.crt","key":"ca.key",
                "address":"127.0.0.1:{tls}","insecureAddress":"127.0.0.1:{plain}",
                "dnsNames":["localhost"],"logger":{{"format":"text"}},
                "db":{{"type":"badgerv2","dataSource":"db"}},
                "authority":{{"provisioners":[{provisioner}]}}}}"#
        );
        for (name, content) in [
            ("root.crt", root.to_pem()),
            ("ca.crt", issuer.to_pem()),
            ("ca.key", pem.to_string()),
            ("ca.json", config),
        ] {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let mut server = Command::new(program)
            .arg("ca.json")
            .current_dir(folder.path())
            .env("STEPPATH", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map(Ended)
            .unwrap();
        let mut log = BufReader::new(server.0.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains(listens) {
            assert_ne!(log.read_line(&mut said).unwrap(), 0, "it ended: {said}");
        }
        // It writes on, and would stop were nobody to read.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self {
            _server: server,
            _folder: folder,
            root,
            url: format!("http://127.0.0.1:{plain}/scep/devices"),
            tls,
        }
    }

    fn client(&self, policy: Policy) -> Client<impl HttpTransport + use<>> {
        Client::new(
            transport_fn(|request| async move { Ok(over_a_socket(&request)) }),
            self.url.parse().unwrap(),
            CaTrust::Certificate(Box::new(self.root.clone())),
            Arc::new(SystemClock),
        )
        .policy(policy)
    }
}

fn enrolment() -> Enrolment {
    let challenge = Some("secret".to_owned().into());
    let name = Name::from_common_name("device7");
    Enrolment::new(rsa_key(DEVICE_KEY), name, challenge).unwrap()
}

async fn refused(step: &StepCa, policy: Policy, named: &str) {
    let refused = step.client(policy).enrol(&enrolment()).await;
    assert!(
        matches!(&refused, Err(Error::Algorithm(name)) if name == named),
        "{refused:?}"
    );
}

#[tokio::test]
async fn our_client_enrols_at_step_ca_by_policy_alone() {
    let Some(program) = built("step-ca") else {
        return;
    };
    let sha1 = Policy::default().with(|policy| policy.sha1 = true);
    for cipher in [1, 2] {
        let step = StepCa::start(&program, cipher);
        refused(&step, Policy::default(), "Sha1").await;
        let client = step.client(sha1.clone());
        let enrolled = client.enrol(&enrolment()).await.unwrap();
        let name = enrolled.certificate.subject().common_name();
        assert_eq!(name.as_deref(), Some("device7"));
        let (old, key) = (enrolled.certificate, rsa_key(DEVICE_KEY));
        let renewal = Enrolment::renewal(old, key, rsa_key(OTHER_KEY)).unwrap();
        let refused = client.enrol(&renewal).await;
        assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    }
    let step = StepCa::start(&program, 0);
    refused(&step, sha1.clone(), "single DES").await;
    let legacy = sha1.with(|policy| policy.legacy_des = true);
    step.client(legacy).enrol(&enrolment()).await.unwrap();
}

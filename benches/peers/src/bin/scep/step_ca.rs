//! smallstep's step-ca with one SCEP provisioner that answers in AES, where `cargo xtask peers` has built it.

use std::{
    fs,
    io::{BufRead, BufReader, copy, sink},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use chrono::{TimeDelta, Utc};
use mdm_pki::{CertificateBuilder, KeySpec, KeyUsage, Name, PrivateKey};

use crate::{Failure, process::CHALLENGE};

/// Where it is built, seen from the workspace's folder.
const PROGRAM: &str = ".peers/go/step-ca";

pub(crate) fn is_built() -> bool {
    Path::new(PROGRAM).exists()
}

/// Starts it over a new authority in this folder; tells its URL once it answers.
pub(crate) fn start(folder: &Path) -> Result<(Child, String), Failure> {
    let (root_key, key) = (
        PrivateKey::generate(KeySpec::Rsa2048)?,
        PrivateKey::generate(KeySpec::Rsa2048)?,
    );
    let root = authority("Step Root", &root_key, 1).self_signed(&root_key)?;
    let issuer = authority("Step Intermediate", &key, 0).sign(&root, &root_key)?;
    let (tls, plain) = (free_port()?, free_port()?);
    let config = format!(
        r#"{{"root":"root.crt","crt":"ca.crt","key":"ca.key",
            "address":"127.0.0.1:{tls}","insecureAddress":"127.0.0.1:{plain}",
            "dnsNames":["localhost"],"db":{{"type":"badgerv2","dataSource":"db"}},
            "authority":{{"provisioners":[{{"type":"SCEP","name":"devices",
            "challenge":"{CHALLENGE}","minimumPublicKeyLength":2048,
            "encryptionAlgorithmIdentifier":1}}]}}}}"#
    );
    for (name, content) in [
        ("root.crt", root.to_pem()),
        ("ca.crt", issuer.to_pem()),
        ("ca.key", key.to_pkcs8_pem()?.to_string()),
        ("ca.json", config),
    ] {
        fs::write(folder.join(name), content)?;
    }
    let mut process = Command::new(PathBuf::from(PROGRAM).canonicalize()?)
        .arg("ca.json")
        .current_dir(folder)
        .env("STEPPATH", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut log = BufReader::new(process.stderr.take().ok_or("no standard error")?);
    let mut said = String::new();
    while !said.contains("Serving HTTP on") {
        if log.read_line(&mut said)? == 0 {
            let _ = process.wait();
            return Err(format!("step-ca ended: {said}").into());
        }
    }
    // It writes on, and would stop were nobody to read.
    thread::spawn(move || copy(&mut log, &mut sink()));
    Ok((process, format!("http://127.0.0.1:{plain}/scep/devices")))
}

fn authority(name: &str, key: &PrivateKey, path: u8) -> CertificateBuilder {
    let now = Utc::now();
    CertificateBuilder::new(Name::from_common_name(name), key.public_key())
        .validity(now - TimeDelta::days(1), now + TimeDelta::days(3650))
        .ca(Some(path))
        // Its intermediate opens requests and signs answers, too.
        .key_usage(
            KeyUsage::KEY_CERT_SIGN
                | KeyUsage::CRL_SIGN
                | KeyUsage::DIGITAL_SIGNATURE
                | KeyUsage::KEY_ENCIPHERMENT,
        )
}

fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

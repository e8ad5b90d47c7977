//! strongSwan's `pki --scep` of Debian 12 (5.9.8; packages `strongswan-pki` and `libstrongswan-extra-plugins`), which misreads
//! the list of capabilities: it finds neither AES, nor SHA-256, nor Renewal in any (mended in 5.9.11). What is left is Triple
//! DES under SHA-512:
//!
//! | Pairing | By default | With `triple_des` |
//! |---|---|---|
//! | their client, AES or SHA-256, or RenewalReq | the client gives up | the client gives up |
//! | their client, PKCSReq | badAlg: Triple DES | works, answered in AES |
//! | their client, CertPoll | badAlg: Triple DES | works |
//!
//! It has no server, and offers neither GetCert nor GetCRL.

use std::{
    path::Path,
    process::{Command, Output},
};

use mdm_pki::Certificate;
use mdm_scep::Policy;

use crate::{
    listener::{Enrolling, Waiting, found, shown},
    peers::missing,
    world::{DEVICE_KEY, OTHER_KEY, rsa_key},
};

/// What it can do at all.
const USABLE: [&str; 4] = ["--cipher", "des3", "--digest", "sha512"];

fn triple_des() -> Policy {
    Policy::default().with(|policy| policy.triple_des = true)
}

fn is_there() -> bool {
    let plugin = Path::new("/usr/lib/ipsec/plugins/libstrongswan-curl.so").exists();
    let there = found("pki") && plugin;
    if !there {
        missing("strongSwan's pki with its plugin for HTTP");
    }
    there
}

/// Runs their client with this key: what it said, and the certificate that it wrote.
fn run(url: &str, ca: &Certificate, key: usize, options: &[&str]) -> (Output, Option<Certificate>) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("ca.der"), ca.to_der()).unwrap();
    for (name, key) in [("key.pem", key), ("old.pem", DEVICE_KEY)] {
        let pem = rsa_key(key).to_pkcs8_pem().unwrap();
        std::fs::write(path(name), pem.as_bytes()).unwrap();
    }
    let output = Command::new("timeout")
        .args(["60", "pki", "--scep", "--url", url])
        .args(["--in", "key.pem", "--dn", "CN=device7"])
        .args(["--cacert-enc", "ca.der", "--cacert-sig", "ca.der"])
        .args(options)
        .current_dir(folder.path())
        .output()
        .unwrap();
    let certificate = Certificate::from_der(&output.stdout).ok();
    (output, certificate)
}

/// Enrols with a challenge at a server of this policy.
fn enrol(policy: Policy, options: &[&str]) -> (Output, Option<Certificate>, Vec<String>) {
    let server = Enrolling::start("strongSwan", policy);
    let password = ["--password", server.challenge.expose()];
    let options = [options, &password].concat();
    let (output, leaf) = run(&server.listener.url, &server.ca, DEVICE_KEY, &options);
    (output, leaf, server.events.lines())
}

#[test]
fn their_client_enrols_at_our_server_in_triple_des_by_policy_alone() {
    if !is_there() {
        return;
    }
    for (options, said) in [
        (
            &["--digest", "sha512"][..],
            "AES_CBC encryption algorithm not supported by CA",
        ),
        (
            &["--cipher", "des3"],
            "sha256 digest algorithm not supported by CA",
        ),
    ] {
        let (output, leaf, events) = enrol(triple_des(), options);
        assert!(!output.status.success() && leaf.is_none());
        assert!(shown(&output).contains(said), "{}", shown(&output));
        assert!(events.is_empty(), "{events:?}");
    }
    let (output, leaf, events) = enrol(Policy::default(), &USABLE);
    assert!(!output.status.success() && leaf.is_none());
    assert!(shown(&output).contains("badAlg"), "{}", shown(&output));
    assert_eq!(
        events,
        ["refused: the algorithm is not allowed: TripleDesCbc"]
    );

    let (output, leaf, events) = enrol(triple_des(), &USABLE);
    assert!(output.status.success(), "{}", shown(&output));
    let name = leaf.unwrap().subject().common_name();
    assert_eq!(name.as_deref(), Some("device7"));
    assert_eq!(events, ["issued: strongSwan"]);
}

#[test]
fn their_client_does_not_see_that_we_renew() {
    if !is_there() {
        return;
    }
    let server = Enrolling::start("strongSwan", triple_des());
    let url = &server.listener.url;
    let first = [&USABLE[..], &["--password", server.challenge.expose()]].concat();
    let (output, old) = run(url, &server.ca, DEVICE_KEY, &first);
    let old = old.unwrap_or_else(|| panic!("{}", shown(&output)));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("old.der");
    std::fs::write(&file, old.to_der()).unwrap();
    let renews = ["--cert", file.to_str().unwrap(), "--key", "old.pem"];
    let renews = [&USABLE[..], &renews].concat();
    let (output, new) = run(url, &server.ca, OTHER_KEY, &renews);
    assert!(!output.status.success() && new.is_none());
    let said = "Renewal operation not supported by SCEP server";
    assert!(shown(&output).contains(said), "{}", shown(&output));
    assert_eq!(server.store.issued(), 1);
}

#[test]
fn their_client_polls_until_a_person_has_decided() {
    if !is_there() {
        return;
    }
    let server = Waiting::start(triple_des());
    let polls = ["--interval", "1", "--maxpolltime", "30"];
    let options = [&USABLE[..], &polls].concat();
    let (output, leaf) = run(&server.listener.url, &server.ca, DEVICE_KEY, &options);
    let leaf = leaf.unwrap_or_else(|| panic!("{} {:?}", shown(&output), server.observer.1.lines()));
    leaf.verify_signed_by(&server.ca.public_key().unwrap())
        .unwrap();
    let events = server.observer.1.lines();
    let [waits, issued] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert!(waits.starts_with("pending") && issued.starts_with("issued"));
}

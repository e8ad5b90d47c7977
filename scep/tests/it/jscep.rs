//! The client of jscep 2.5.8, a library for Java (`jscep/Peer.java`), where `cargo xtask peers` has fetched it. It chooses AES and
//! SHA-512 from our list of capabilities, renews by a RenewalReq, and is the one that speaks every message.

use std::{path::Path, process::Command};

use mdm_scep::Policy;

use crate::{
    listener::{Enrolling, Waiting, built_folder, found, shown},
    peers::missing,
};

/// What their client says, line by line; `None`, once said so, without Java or the library.
fn their_client(url: &str, challenge: &str) -> Option<Vec<String>> {
    let folder = built_folder("jscep")?;
    if !found("java") {
        missing("java");
        return None;
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/jscep/Peer.java");
    let output = Command::new("java")
        .arg("-cp")
        .arg(folder.join("*"))
        .arg(program)
        .args([url, challenge])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let said = String::from_utf8_lossy(&output.stdout);
    Some(said.lines().map(ToOwned::to_owned).collect())
}

#[test]
fn their_client_enrols_asks_what_there_is_to_ask_and_renews() {
    let server = Enrolling::start("jscep", Policy::default());
    let challenge = server.challenge.expose();
    let Some(said) = their_client(&server.listener.url, challenge) else {
        return;
    };
    let events = server.events.lines();
    assert_eq!(
        said[1..],
        [
            "enrolled CN=device7",
            "found true",
            "list CN=Example CA",
            // It looks beside the content, where the signer's certificate is, and not into it (RFC 8894 section 4.7).
            "next CN=Example CA",
            "renewed true"
        ],
        "{said:?} {events:?}"
    );
    let [issued, certificate, list, renewed] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(issued, "issued: jscep");
    assert_eq!(certificate, "answered: GetCert");
    assert_eq!(list, "answered: GetCRL");
    assert!(renewed.starts_with("issued: the renewal of"), "{renewed}");
}

#[test]
fn their_client_polls_until_a_person_has_decided() {
    let server = Waiting::start(Policy::default());
    let Some(said) = their_client(&server.listener.url, "none") else {
        return;
    };
    let events = server.observer.1.lines();
    assert_eq!(said[1..3], ["pending", "enrolled CN=device7"], "{said:?}");
    assert!(events[0].starts_with("pending") && events[1].starts_with("issued"));
}

#[test]
fn their_client_reads_a_refusal() {
    let server = Enrolling::start("jscep", Policy::default());
    let Some(said) = their_client(&server.listener.url, "wrong") else {
        return;
    };
    assert_eq!(said[1..], ["refused badRequest"], "{said:?}");
}

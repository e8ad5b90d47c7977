//! micromdm's `scepclient` and `scepserver`, over real sockets: 2.1.0 of Debian (package `scep`), and 2.3.0 where
//! `cargo xtask peers` has built them. All send single DES and SHA-1 whatever their peer offers:
//!
//! | Pairing | By default | With `sha1` | With `legacy_des` too |
//! |---|---|---|---|
//! | their client, our server | badAlg: SHA-1 | badAlg: single DES | works |
//! | our client, their server | `Error::Algorithm`: SHA-1 | `Error::Algorithm`: single DES | works |
//!
//! GetCert, GetCRL, CertPoll and GetNextCACert are not offered by either.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};

use mdm_core::SystemClock;
use mdm_pki::{Certificate, Name};
use mdm_scep::{CaTrust, Client, Enrolment, Error, Policy};
use mdm_transport::transport_fn;

use crate::{
    listener::{Ended, Enrolling, built, found, over_a_socket, shown},
    peers::missing,
    world::{DEVICE_KEY, rsa_key},
};

fn lenient() -> Policy {
    Policy::default().with(|policy| {
        policy.legacy_des = true;
        policy.sha1 = true;
    })
}

/// Their clients that are there, Debian's first.
fn clients() -> Vec<PathBuf> {
    let mut clients = Vec::new();
    match found("scepclient") {
        true => clients.push(PathBuf::from("scepclient")),
        false => missing("scepclient"),
    }
    clients.extend(built("scepclient"));
    clients
}

fn run(client: &Path, server: &Enrolling, folder: &Path) -> Output {
    Command::new(client)
        .current_dir(folder)
        .args(["-private-key", "key.pem", "-certificate", "leaf.pem"])
        .args(["-cn", "device7", "-challenge", server.challenge.expose()])
        .args(["-server-url", &server.listener.url])
        .output()
        .unwrap()
}

/// Runs their client against our server: what it said, what it got, what our operator heard.
fn their_client(client: &Path, policy: Policy) -> (Output, Option<Certificate>, Vec<String>) {
    let server = Enrolling::start("micromdm", policy);
    let folder = tempfile::tempdir().unwrap();
    let output = run(client, &server, folder.path());
    let leaf = std::fs::read(folder.path().join("leaf.pem")).ok();
    let leaf = leaf.and_then(|pem| Certificate::from_pem(&pem).ok());
    (output, leaf, server.events.lines())
}

#[test]
fn their_client_enrols_at_our_server_by_policy_alone() {
    for client in clients() {
        let (output, leaf, events) = their_client(&client, Policy::default());
        assert!(!output.status.success(), "{}", shown(&output));
        assert_eq!(leaf, None);
        assert_eq!(events, ["refused: the algorithm is not allowed: Sha1"]);

        let sha1 = Policy::default().with(|policy| policy.sha1 = true);
        let (output, leaf, events) = their_client(&client, sha1);
        assert!(!output.status.success(), "{}", shown(&output));
        assert_eq!(leaf, None);
        assert_eq!(events, ["refused: the algorithm is not allowed: DesCbc"]);

        let (output, leaf, events) = their_client(&client, lenient());
        assert!(output.status.success(), "{}", shown(&output));
        let name = leaf.unwrap().subject().common_name();
        assert_eq!(name.as_deref(), Some("device7"));
        assert_eq!(events, ["issued: micromdm"]);
    }
}

/// With a certificate at hand their client renews it, by a RenewalReq of the same key.
#[test]
fn their_client_renews_at_our_server_by_policy_alone() {
    for client in clients() {
        let server = Enrolling::start("micromdm", lenient());
        let folder = tempfile::tempdir().unwrap();
        for (heard, issued) in [("issued: micromdm", 1), ("issued: the renewal of", 2)] {
            let output = run(&client, &server, folder.path());
            assert!(output.status.success(), "{}", shown(&output));
            let events = server.events.lines();
            assert!(server.events.last().starts_with(heard), "{events:?}");
            assert_eq!(server.store.issued(), issued);
        }
    }
}

const ISOLATED: &str = "MDM_SCEP_TEST_ISOLATED";

/// Their server listens on every interface: it runs in a network of its own, and so does this test.
#[test]
fn our_client_enrols_at_their_server_by_policy_alone() {
    for program in ["scepserver", "unshare", "ip"] {
        if !found(program) {
            return missing(program);
        }
    }
    if std::env::var_os(ISOLATED).is_none() {
        let script = "ip link set lo up && exec \"$0\" --exact \"$1\" --nocapture";
        let output = Command::new("unshare")
            .args(["--map-root-user", "--net", "sh", "-c", script])
            .arg(std::env::current_exe().unwrap())
            .arg("micromdm::our_client_enrols_at_their_server_by_policy_alone")
            .env(ISOLATED, "1")
            .output()
            .unwrap();
        let said = shown(&output);
        if !said.contains("Operation not permitted") {
            assert!(output.status.success(), "{said}");
            assert!(said.contains("1 passed"), "{said}");
            return;
        }
        // Where peers are required the machine is there for the tests alone.
        if std::env::var("REQUIRE_PEERS").as_deref() != Ok("1") {
            return missing("a network namespace");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let init = Command::new("scepserver")
        .args(["ca", "-init", "-depot", "depot", "-keySize", "2048"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(init.status.success(), "{}", shown(&init));
    let server = Command::new("scepserver")
        .args(["-depot", "depot", "-port", "8089", "-challenge", "secret"])
        .args(["-allowrenew", "0"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut server = Ended(server);
    let mut log = BufReader::new(server.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("msg=listening") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended");
    }
    // It writes on, and would stop were nobody to read.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    check_our_client("http://127.0.0.1:8089/scep", &folder.path().join("depot"));
}

/// The newest listens on the loopback interface alone, where the program around it tells it to.
#[test]
fn our_client_enrols_at_their_newest_server_by_policy_alone() {
    let Some(program) = built("scep") else {
        return;
    };
    let depot = tempfile::tempdir().unwrap();
    let mut server = Command::new(program)
        .arg(depot.path())
        .arg("secret")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(Ended)
        .unwrap();
    let mut url = String::new();
    let mut said = BufReader::new(server.0.stdout.take().unwrap());
    said.read_line(&mut url).unwrap();
    check_our_client(url.trim(), depot.path());
}

fn check_our_client(url: &str, depot: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let sha1 = Policy::default().with(|policy| policy.sha1 = true);
    for (policy, named) in [(Policy::default(), "Sha1"), (sha1, "single DES")] {
        let refused = runtime.block_on(our_client(url, depot, policy));
        assert!(
            matches!(&refused, Err(Error::Algorithm(name)) if name == named),
            "{refused:?}"
        );
    }
    let enrolled = runtime.block_on(our_client(url, depot, lenient()));
    assert_eq!(enrolled.unwrap().common_name().as_deref(), Some("device7"));
}

async fn our_client(url: &str, depot: &Path, policy: Policy) -> Result<Name, Error> {
    let ca = std::fs::read(depot.join("ca.pem")).unwrap();
    let ca = Certificate::from_pem(&ca).unwrap();
    let client = Client::new(
        transport_fn(|request| async move { Ok(over_a_socket(&request)) }),
        url.parse().unwrap(),
        CaTrust::Certificate(Box::new(ca)),
        Arc::new(SystemClock),
    )
    .policy(policy);
    let subject = Name::from_common_name("device7");
    let challenge = Some("secret".to_owned().into());
    let enrolment = Enrolment::new(rsa_key(DEVICE_KEY), subject, challenge).unwrap();
    let enrolled = client.enrol(&enrolment).await?;
    Ok(enrolled.certificate.subject())
}

//! A client that is not ours, over a real socket: certmonger enrols at our server and renews. It cannot wait.

use std::process::{Command, Output};

use mdm_pki::Certificate;
use mdm_scep::Policy;
use tempfile::TempDir;

use crate::{
    listener::{Enrolling, Waiting, shown},
    peers::missing,
};

/// A daemon in a session of its own that knows our server as `peer`, and what the script then asks it for.
struct Session {
    folder: TempDir,
    output: Output,
}

impl Session {
    /// `None`, once said so, where a program is missing.
    fn run(url: &str, ca: &Certificate, challenge: &str, script: &str) -> Option<Self> {
        // Debian keeps the session's daemon outside of the usual path.
        let path_variable = format!(
            "{}:/usr/lib/certmonger:/usr/libexec/certmonger",
            std::env::var("PATH").unwrap_or_default()
        );
        for program in ["getcert", "certmonger-session", "dbus-run-session"] {
            let found = Command::new("sh")
                .args(["-c", "command -v \"$0\" >/dev/null", program])
                .env("PATH", &path_variable)
                .status();
            if !found.is_ok_and(|status| status.success()) {
                missing(program);
                return None;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), ca.to_pem()).unwrap();
        let script = format!(
            "certmonger-session -n -d 1 >log 2>&1 &
            daemon=$!
            trap 'kill $daemon; wait $daemon' EXIT
            for _ in $(seq 100); do getcert list -s >/dev/null 2>&1 && break; sleep 0.1; done
            getcert add-scep-ca -s -c peer -u \"$URL\" -r \"$PWD/ca.pem\" -N \"$PWD/ca.pem\" &&
            {script}
            code=$?
            getcert list -s
            cat log
            exit $code"
        );
        let output = Command::new("dbus-run-session")
            .args(["--", "sh", "-c", &script])
            .current_dir(folder.path())
            .env("PATH", &path_variable)
            .env("HOME", folder.path())
            .env("XDG_CONFIG_HOME", folder.path().join("config"))
            .env("XDG_RUNTIME_DIR", folder.path())
            .env("URL", url)
            .env("CHALLENGE", challenge)
            .output()
            .unwrap();
        Some(Self { folder, output })
    }

    /// The certificate of this authority for `CN=device7`.
    #[track_caller]
    fn leaf(&self, ca: &Certificate) -> Certificate {
        assert!(self.output.status.success(), "{}", shown(&self.output));
        let leaf = std::fs::read(self.folder.path().join("leaf.pem")).unwrap();
        let leaf = Certificate::from_pem(&leaf).unwrap();
        assert_eq!(leaf.subject().common_name().as_deref(), Some("device7"));
        leaf.verify_signed_by(&ca.public_key().unwrap()).unwrap();
        leaf
    }
}

#[test]
fn certmonger_enrols_with_a_one_time_challenge_and_renews() {
    let server = Enrolling::start("certmonger", Policy::default());
    let script = "
        timeout 60 getcert request -s -c peer -I id -f \"$PWD/leaf.pem\" -k \"$PWD/key.pem\" \
            -N CN=device7 -L \"$CHALLENGE\" -w -v &&
        timeout 60 getcert resubmit -s -i id -w -v";
    let (url, challenge) = (&server.listener.url, server.challenge.expose());
    let Some(session) = Session::run(url, &server.ca, challenge, script) else {
        return;
    };
    session.leaf(&server.ca);
    // Its renewal is a PKCSReq that the certificate at hand signs.
    let events = server.events.lines();
    let [first, second] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(first, "issued: certmonger");
    assert!(second.starts_with("issued: the renewal of"), "{second}");
    assert_eq!(server.store.issued(), 2);
}

/// It verifies answers with OpenSSL's PKCS7_verify, which takes no message without content; and an answer that somebody has to wait
/// has none (RFC 8894 section 3.3.2). So it never comes to a CertPoll.
#[test]
fn certmonger_takes_no_answer_that_says_to_wait() {
    let server = Waiting::start(Policy::default());
    let script = "
        ! timeout 60 getcert request -s -c peer -I id -f \"$PWD/leaf.pem\" -k \"$PWD/key.pem\" \
            -N CN=device7 -L none -w -v";
    let Some(session) = Session::run(&server.listener.url, &server.ca, "none", script) else {
        return;
    };
    let said = shown(&session.output);
    assert!(session.output.status.success(), "{said}");
    assert!(said.contains("PKCS7 routines::no content"), "{said}");
    let events = server.observer.1.lines();
    assert!(
        events.iter().all(|it| it.starts_with("pending")),
        "{events:?}"
    );
}

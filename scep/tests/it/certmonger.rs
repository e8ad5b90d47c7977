//! A client that is not ours, over a real socket: certmonger enrols at our server and renews.

use std::process::Command;

use mdm_pki::Certificate;
use mdm_scep::Policy;

use crate::{listener::Enrolling, peers::missing};

#[test]
fn certmonger_enrols_with_a_one_time_challenge_and_renews() {
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
            return missing(program);
        }
    }
    let server = Enrolling::start("certmonger", Policy::default());
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("ca.pem"), server.ca.to_pem()).unwrap();
    let script = "
        certmonger-session -n -d 1 >log 2>&1 &
        daemon=$!
        trap 'kill $daemon; wait $daemon' EXIT
        for _ in $(seq 100); do getcert list -s >/dev/null 2>&1 && break; sleep 0.1; done
        getcert add-scep-ca -s -c peer -u \"$URL\" -r \"$PWD/ca.pem\" -N \"$PWD/ca.pem\" &&
        timeout 60 getcert request -s -c peer -I id -f \"$PWD/leaf.pem\" -k \"$PWD/key.pem\" \
            -N CN=device7 -L \"$CHALLENGE\" -w -v &&
        timeout 60 getcert resubmit -s -i id -w -v
        code=$?
        getcert list -s
        cat log
        exit $code";
    let output = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", script])
        .current_dir(folder.path())
        .env("PATH", &path_variable)
        .env("HOME", folder.path())
        .env("XDG_CONFIG_HOME", path("config"))
        .env("XDG_RUNTIME_DIR", folder.path())
        .env("URL", &server.listener.url)
        .env("CHALLENGE", server.challenge.expose())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let leaf = Certificate::from_pem(&std::fs::read(path("leaf.pem")).unwrap()).unwrap();
    assert_eq!(leaf.subject().common_name().as_deref(), Some("device7"));
    leaf.verify_signed_by(&server.ca.public_key().unwrap())
        .unwrap();
    // Its renewal is a PKCSReq that the certificate at hand signs.
    let events = server.events.lines();
    let [first, second] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(first, "issued: certmonger");
    assert!(second.starts_with("issued: the renewal of"), "{second}");
    assert_eq!(server.store.issued(), 2);
}

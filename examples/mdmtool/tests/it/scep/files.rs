//! Files that are there already, that are not there, that are somebody else's.

use super::world::{World, enroll};

#[test]
fn nothing_is_written_over_and_nothing_is_asked_for_that_could_not_be_kept() {
    let world = World::new();
    let server = world.serve("");
    world.challenge("challenge", "");
    world.write("a.pem", "mine");
    let told = world.run(&enroll(&server, "a"));
    told.failed(2, &["a.pem is there already", "nothing was asked for"]);
    assert_eq!(world.read("a.pem"), b"mine");
    assert!(!world.path("a-key.pem").exists());
    world
        .run(&format!("{} --ca-out challenge", enroll(&server, "b")))
        .failed(2, &["challenge is there already"]);

    // A key that is there is used, if it is one, and of the kind.
    world.write("b-key.pem", "mine");
    world.run(&enroll(&server, "b")).failed(2, &["b-key.pem"]);
    assert_eq!(world.read("b-key.pem"), b"mine");
    world
        .run(&format!("{} --key rsa2048", enroll(&server, "c")))
        .succeeded();
    std::fs::copy(world.path("c-key.pem"), world.path("d-key.pem")).unwrap();
    let told = world.run(&format!("{} --key p256", enroll(&server, "d")));
    told.failed(2, &["another kind of key: RSA 2048"]);
    assert_eq!(world.read("c-key.pem"), world.read("d-key.pem"));
}

#[test]
fn an_authority_is_made_once_and_has_to_be_there() {
    let world = World::new();
    let serve = "serve --listen 127.0.0.1:0 --store scep.db --ca-dir ca";
    world
        .run(serve)
        .failed(2, &["ca holds no authority", "--new-ca"]);
    let server = world.serve("--ca-subject CN=Ours,O=Example");
    let fingerprint = server.fingerprint.clone();
    server.kill();
    let ca = world.certificate("ca/ca.pem");
    assert_eq!(ca.subject().to_string(), "CN=Ours,O=Example");
    let key = world.read("ca/ca-key.pem");
    world
        .run(&format!("{serve} --new-ca"))
        .failed(2, &["is there already", "Leave --new-ca out"]);
    assert_eq!(world.read("ca/ca-key.pem"), key);
    assert_eq!(world.start("").fingerprint, fingerprint);

    for line in [
        "certs",
        "revoke --serial 01",
        "pending",
        "approve 01",
        "deny 01",
    ] {
        let told = world.run(&format!("{line} --store missing.db"));
        told.failed(2, &["missing.db"]);
    }
    assert!(!world.path("missing.db").exists());
    world.write("other.db", "no database at all, by any means");
    world.run("certs --store other.db --json").error(1, "store");
}

#[cfg(unix)]
#[test]
fn keys_requests_and_the_store_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let world = World::new();
    let server = world.serve("--ca-key p384");
    world.write("challenge", "wrong");
    let line = enroll(&server, "a");
    // Nobody answers, so the request stays.
    world
        .run(&line.replace(server.origin(), "http://127.0.0.1:1"))
        .failed(1, &[]);
    for file in [
        "a-key.pem",
        "a.pem.csr",
        "ca/ca-key.pem",
        "ca/ra-key.pem",
        "scep.db",
    ] {
        let mode = std::fs::metadata(world.path(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

//! Certificates got and renewed, refused, interrupted and fetched after all.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use mdm_pki::{GeneralName, KeySpec, PrivateKey};

use super::world::{World, certificate, enroll};

#[test]
fn a_device_enrols_renews_by_its_key_and_renews_with_a_challenge() {
    let world = World::new();
    let server = world.serve("--san copy --validity 30d");
    let challenge = world.challenge("challenge", "--bind-cn device");
    let line = format!(
        "enroll {} --subject CN=device,O=Example --san dns:device.example --challenge-file challenge \
         --key-out key.pem --cert-out cert.pem --ca-out ca.pem",
        server.trusted()
    );
    let told = world.run(&line);
    told.succeeded();
    told.holds_none_of(&[&challenge, "PRIVATE KEY"]);
    assert!(told.stdout.contains("CN=device,O=Example"), "{told:?}");
    let first = world.certificate("cert.pem");
    assert_eq!(first.subject().to_string(), "CN=device,O=Example");
    let name = GeneralName::Dns("device.example".to_owned());
    assert_eq!(first.subject_alt_names(), [name]);
    let ca = world.certificate("ca.pem");
    assert_eq!(ca, world.certificate("ca/ca.pem"));
    assert!(first.verify_signed_by(&ca.public_key().unwrap()).is_ok());
    let key = PrivateKey::from_pem(&world.read("key.pem"), None).unwrap();
    assert!(first.public_key().unwrap().same_key(key.public_key()));
    assert!(!world.path("cert.pem.csr").exists());
    assert_eq!(server.event("issued")["label"], "test");

    // The certificate's own key, and then a new one.
    let renew = format!("renew {} --cert cert.pem --key key.pem", server.trusted());
    let told = world.json(&format!("{renew} --cert-out second.pem"));
    assert_eq!(told["subject"], "CN=device,O=Example");
    assert_eq!(told["key"], "key.pem");
    let second = world.certificate("second.pem");
    assert!(second.public_key().unwrap().same_key(key.public_key()));
    assert_ne!(second.serial(), first.serial());
    world
        .run(&format!(
            "{renew} --key-out new-key.pem --new-key rsa3072 --cert-out third.pem"
        ))
        .succeeded();
    let new = PrivateKey::from_pem(&world.read("new-key.pem"), None).unwrap();
    let third = world.certificate("third.pem");
    assert!(third.public_key().unwrap().same_key(new.public_key()));
    assert_eq!(third.subject_alt_names(), first.subject_alt_names());

    // As Apple's client renews.
    world.challenge("challenge", "--bind-cn device");
    world
        .run(&format!(
            "{renew} --challenge-file challenge --cert-out fourth.pem"
        ))
        .succeeded();
    assert_eq!(world.certificate("fourth.pem").subject(), first.subject());
    assert_eq!(world.listed().len(), 4);
}

#[test]
fn the_challenge_comes_from_the_environment_too_and_the_key_is_encrypted_with_a_passphrase() {
    let world = World::new();
    let server = world.serve("--ca-key p256");
    let challenge = world.challenge("challenge", "");
    world.write("passphrase", "hunter2");
    let line = format!(
        "enroll {} --subject CN=a --challenge-env CHALLENGE --key-out key.pem --passphrase-file passphrase \
         --key rsa3072 --cert-out cert.pem",
        server.trusted()
    );
    let told = world.run(&line);
    told.failed(2, &["the challenge is empty"]);
    let told = world.command(&line).env("CHALLENGE", &challenge).output();
    let told = crate::told::Told::from(told.unwrap());
    told.succeeded();
    told.holds_none_of(&[&challenge, "hunter2"]);
    let key = world.read("key.pem");
    assert!(PrivateKey::from_pem(&key, None).is_err());
    let key = PrivateKey::from_pem(&key, Some("hunter2")).unwrap();
    let certificate = world.certificate("cert.pem");
    assert!(certificate.public_key().unwrap().same_key(key.public_key()));
}

#[test]
fn a_wrong_challenge_is_refused_and_the_right_one_then_works_with_the_same_key() {
    let world = World::new();
    let server = world.serve("");
    world.write("challenge", "hunter2-is-no-challenge");
    let told = world.run(&enroll(&server, "a"));
    told.failed(
        1,
        &["refused", "badRequest", "the challenge is wrong, spent"],
    );
    told.holds_none_of(&["hunter2"]);
    let refused = server.event("refused");
    assert!(
        refused["why"].as_str().unwrap().contains("not known"),
        "{refused}"
    );
    let key = world.read("a-key.pem");

    // One that is good for somebody else.
    world.challenge("challenge", "--bind-cn b");
    let told = world.run(&format!("{} --json", enroll(&server, "a")));
    told.error(1, "refused");
    let refused = server.event("refused");
    assert!(
        refused["why"].as_str().unwrap().contains("common name"),
        "{refused}"
    );
    assert!(world.listed().is_empty());

    world.challenge("challenge", "--bind-cn a");
    world.run(&enroll(&server, "a")).succeeded();
    assert_eq!(world.read("a-key.pem"), key);

    // It was good for one certificate.
    world.run(&enroll(&server, "c")).failed(1, &["refused"]);
    assert_eq!(world.listed().len(), 1);
}

#[test]
fn another_fingerprint_or_authority_is_not_trusted_and_nothing_is_sent() {
    let world = World::new();
    let server = world.serve("");
    world.challenge("challenge", "");
    let rest = "--subject CN=a --challenge-file challenge --key-out k --cert-out c";
    let wrong = "00".repeat(32);
    world
        .run(&format!(
            "enroll --url {} --fingerprint {wrong} {rest}",
            server.url
        ))
        .failed(1, &["not the trusted ones", "mdmtool scep caps"]);
    let other = PrivateKey::generate(KeySpec::P256).unwrap();
    let other = certificate("other", &other).self_signed(&other).unwrap();
    world.write("other.pem", other.to_pem());
    world
        .run(&format!(
            "enroll --url {} --ca other.pem {rest} --json",
            server.url
        ))
        .error(1, "untrusted");
    // The challenge is as good as before, also for those who trust whatever they see.
    let blind = world.run(&format!(
        "enroll --url {} --trust-any --subject CN=b --key-out k --cert-out b",
        server.url
    ));
    assert!(
        blind.stderr.contains("nothing proves this server"),
        "{blind:?}"
    );
    world
        .run(&format!(
            "enroll --url {} --ca ca/ca.pem {rest}",
            server.url
        ))
        .succeeded();
    for trust in ["--fingerprint 12", "--fingerprint xy", "--ca missing"] {
        world
            .run(&format!(
                "enroll --url {} {trust} --subject CN=a --key-out k2 --cert-out c2",
                server.url
            ))
            .failed(2, &[]);
    }
    assert!(!world.path("k2").exists());
    let both = format!(
        "enroll --url {} {rest} --trust-any --ca ca/ca.pem",
        server.url
    );
    assert_eq!(world.run(&both).code, Some(2));
    assert_eq!(
        world
            .run(&format!("enroll --url {} {rest}", server.url))
            .code,
        Some(2)
    );
}

#[test]
fn while_the_server_is_down_the_key_stays_and_later_gets_its_certificate() {
    let world = World::new();
    let server = world.serve("");
    world.challenge("challenge", "");
    let (line, listen) = (enroll(&server, "a"), server.origin().replace("http://", ""));
    server.kill();
    let told = world.run(&line);
    told.failed(1, &["no connection", "--url"]);
    world.run(&format!("{line} --json")).error(1, "unreachable");
    let key = world.read("a-key.pem");
    let _server = world.start_at(&listen, "");
    world.run(&line).succeeded();
    assert_eq!(world.read("a-key.pem"), key);
}

/// Passes requests on to the server, but not the answer to the first that is posted.
fn lossy(server: &str) -> String {
    let server = server.replace("http://", "");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut lost = false;
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let request = request(&mut client);
            if request.is_empty() {
                continue;
            }
            let mut to = TcpStream::connect(&server).unwrap();
            to.write_all(&request).unwrap();
            let mut answer = Vec::new();
            to.read_to_end(&mut answer).unwrap();
            if request.starts_with(b"POST") && !lost {
                lost = true;
                continue;
            }
            let _ = client.write_all(&answer);
        }
    });
    url
}

/// One request, changed to be the last of its connection.
fn request(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).unwrap_or(0);
        bytes.extend_from_slice(&buffer[..read]);
        let Some(head) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else {
            if read == 0 {
                return Vec::new();
            }
            continue;
        };
        let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.trim().parse().unwrap());
        if bytes.len() == head + 4 + length {
            let mut request = bytes[..head].to_vec();
            request.extend_from_slice(b"\r\nconnection: close\r\n\r\n");
            request.extend_from_slice(&bytes[head + 4..]);
            return request;
        }
        if read == 0 {
            return Vec::new();
        }
    }
}

#[test]
fn an_answer_that_was_lost_is_fetched_by_the_same_command_and_is_the_same_certificate() {
    let world = World::new();
    let server = world.serve("");
    world.challenge("challenge", "");
    let proxy = lossy(server.origin());
    let line = enroll(&server, "a").replace(server.origin(), &proxy);
    let told = world.run(&line);
    told.failed(1, &["Try again with the same command"]);
    let issued = server.event("issued");
    let key = world.read("a-key.pem");
    assert!(world.path("a.pem.csr").exists() && !world.path("a.pem").exists());

    // Without the challenge even, which stands in the request.
    let line = line.replace("--challenge-file challenge", "");
    let told = world.json(&line);
    assert_eq!(told["serial"], issued["serial"]);
    assert_eq!(world.read("a-key.pem"), key);
    assert!(!world.path("a.pem.csr").exists());
    assert_eq!(server.event("repeated")["serial"], issued["serial"]);
    assert_eq!(world.listed().len(), 1);
}

#[test]
fn killed_before_it_had_an_answer_it_goes_on_with_its_key() {
    let world = World::new();
    let server = world.serve("");
    world.challenge("challenge", "");
    // It takes the first question, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let line = enroll(&server, "a");
    let mut child = world
        .command(&line.replace(server.origin(), &url))
        .spawn()
        .unwrap();
    let (connection, _) = silent.accept().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(connection);
    let key = world.read("a-key.pem");
    world.run(&line).succeeded();
    assert_eq!(world.read("a-key.pem"), key);
    let certificate = world.certificate("a.pem");
    assert_eq!(certificate.subject().common_name().as_deref(), Some("a"));
}

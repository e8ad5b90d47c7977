//! A push to a fake Apple over real TLS, and every way in which it is not taken.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{TimeDelta, TimeZone, Utc};
use mdm_fake_apple::apns::{Config, FakeApns, Fault, PushAuthority};
use tokio::runtime::Runtime;

use super::world::{Folder, OTHER_TOPIC, TOPIC};
use crate::fixtures::plist;
use crate::told::Told;

const TOKEN: &[u8] = b"\x00\xffa token of thirty-two bytes here";
const MAGIC: &str = "hunter2-magic";

/// A fake push service, and in a folder what its server needs to push.
struct World {
    folder: Folder,
    fake: FakeApns,
    authority: PushAuthority,
    _runtime: Runtime,
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let authority = PushAuthority::new().unwrap();
        let config = Config::new(vec![authority.root().clone()]);
        let fake = runtime.block_on(FakeApns::start(config)).unwrap();
        fake.accept_token_for(TOKEN, TOPIC);
        let folder = Folder::new();
        folder.write("ca.pem", fake.root_pem());
        folder.write_identity("push", &authority.issue(TOPIC).unwrap());
        folder.write("update", update(TOPIC));
        Self {
            folder,
            fake,
            authority,
            _runtime: runtime,
        }
    }

    /// `send` to the fake, with this certificate and these words.
    fn line(&self, certificate: &str, rest: &str) -> String {
        let port = self.fake.port();
        format!(
            "send --cert {certificate}.pem --key {certificate}-key.pem --host localhost --port {port} \
             --ca ca.pem {rest}"
        )
    }

    /// How many pushes the service took.
    fn taken(&self) -> usize {
        self.fake.pushes().len()
    }

    fn send(&self, rest: &str) -> Told {
        let told = self.folder.run(&self.line("push", rest));
        let (hex, base64) = (hexed(), STANDARD.encode(TOKEN));
        told.holds_none_of(&["hunter2", &hex, &base64, "PRIVATE KEY"]);
        told
    }
}

fn hexed() -> String {
    TOKEN.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The message that the device sent.
fn update(topic: &str) -> Vec<u8> {
    let token = STANDARD.encode(TOKEN);
    plist(&format!(
        "<key>MessageType</key><string>TokenUpdate</string>
         <key>Topic</key><string>{topic}</string>
         <key>Token</key><data>{token}</data>
         <key>PushMagic</key><string>{MAGIC}</string>
         <key>UDID</key><string>U-1</string>"
    ))
}

#[test]
fn a_push_is_taken_for_the_device_that_sent_its_token_update() {
    let world = World::new();
    let told = world.send("--token-update update");
    told.succeeded();
    assert!(told.stdout.contains("outcome  delivered\n"), "{told:?}");
    let told = world.send("--token-update update --json");
    told.succeeded();
    let document: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(document["outcome"], "delivered");
    assert_eq!(document["status"], 200);
    assert_eq!(document["topic"], TOPIC);
    let pushes = world.fake.pushes();
    assert_eq!(pushes.len(), 2);
    for push in pushes {
        assert_eq!((&*push.token, &*push.magic), (TOKEN, MAGIC));
    }
    assert_eq!(world.fake.refusals(), []);
}

#[test]
fn token_and_magic_come_from_files_in_the_forms_that_people_keep() {
    let world = World::new();
    let hex = hexed();
    let spaced = format!("{} \n{}\n", &hex[..20], hex[20..].to_uppercase());
    world.folder.write("magic", format!("{MAGIC}\n"));
    for form in [hex, spaced, STANDARD.encode(TOKEN)] {
        world.folder.write("token", &form);
        world.send("--token token --magic magic").succeeded();
        let line = world.line("push", "--token - --magic magic");
        world.folder.run_with(&line, form.as_bytes()).succeeded();
    }
    assert_eq!(world.taken(), 6);

    for token in ["", "no token!", "abc"] {
        world.folder.write("token", token);
        let told = world.send("--token token --magic magic");
        told.failed(2, &["holds no push token", "base64"]);
    }
    world.folder.write("token", hexed());
    world.folder.write("magic", "\n");
    let told = world.send("--token token --magic magic");
    told.failed(2, &["PushMagic is empty"]);
    world.folder.write("magic", "x".repeat(5000));
    let told = world.send("--token token --magic magic");
    told.failed(2, &["4096 bytes"]);
    world.folder.write("token", "ab".repeat(1025));
    world.folder.write("magic", "x");
    let told = world.send("--token token --magic magic");
    told.failed(2, &["1024 bytes"]);
    assert_eq!(world.taken(), 6);
}

#[test]
fn every_answer_that_is_no_success_says_what_to_do() {
    let world = World::new();
    for (status, reason, outcome, next) in [
        (400, "BadDeviceToken", "misconfigured", "Unenrol nobody"),
        (
            400,
            "DeviceTokenNotForTopic",
            "misconfigured",
            "Unenrol nobody",
        ),
        (
            400,
            "BadExpirationDate",
            "misconfigured",
            "Do not send it again",
        ),
        (
            403,
            "BadCertificate",
            "topic_broken",
            "Stop all pushes of this topic",
        ),
        (
            400,
            "BadTopic",
            "topic_broken",
            "Stop all pushes of this topic",
        ),
        (418, "Teapot", "unknown", "Check --host"),
    ] {
        world.fake.fault(Fault::reject(status, reason));
        let told = world.send("--token-update update --json");
        let error = told.error(1, "push");
        let message = format!("the push was not taken: {status} {reason}");
        assert_eq!(error["message"], message);
        let said = error["next"].as_str().unwrap().to_lowercase();
        assert!(said.contains(&next.to_lowercase()), "{said}");
        let document: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
        assert_eq!(document["outcome"], outcome);
        assert_eq!(document["status"], status);
        assert_eq!(document["reason"], reason);
    }
    world.fake.fault(Fault::reject(410, "Unregistered"));
    let told = world.send("--token-update update");
    told.failed(1, &["410 Unregistered", "last TokenUpdate"]);

    let since = Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap();
    world.fake.kill_token(TOKEN, since);
    let told = world.send("--token-update update --json");
    let error = told.error(1, "push");
    assert!(
        error["next"]
            .as_str()
            .unwrap()
            .contains("2026-01-02T03:04:05Z")
    );
    let document: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(document["outcome"], "dead_token");
    assert_eq!(document["since"], "2026-01-02T03:04:05Z");
    assert_eq!(world.taken(), 0);
}

#[test]
fn a_service_that_is_busy_says_when_to_come_again() {
    let world = World::new();
    world.fake.fault(Fault::reject(503, "ServiceUnavailable"));
    let told = world.send("--token-update update --json");
    let error = told.error(1, "push");
    assert_eq!(error["next"], "try again in 900 seconds");
    let document: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(document["retry_after_seconds"], 900);
}

#[test]
fn a_certificate_that_is_not_the_one_is_told_before_or_by_the_service() {
    let world = World::new();
    let issue = |name: &str, authority: &PushAuthority, topic: &str, ends_in: i64| {
        let now = Utc::now();
        let from = now - TimeDelta::days(9);
        let identity = authority.issue_valid(topic, from, now + TimeDelta::days(ends_in));
        world.folder.write_identity(name, &identity.unwrap());
    };
    issue("other", &world.authority, OTHER_TOPIC, 9);
    issue("expired", &world.authority, TOPIC, -1);
    issue("app", &world.authority, "com.example.app", 9);
    issue("foreign", &PushAuthority::new().unwrap(), TOPIC, 9);
    let send = |name: &str| world.folder.run(&world.line(name, "--token-update update"));
    send("other").failed(1, &[TOPIC, OTHER_TOPIC, "enrolled with"]);
    send("expired").failed(1, &["has expired on", "cert info"]);
    send("app").failed(2, &["not one of MDM"]);
    assert_eq!(world.fake.refusals(), []);
    send("foreign").failed(1, &["does not take the certificate"]);
    assert_eq!(world.fake.refusals().len(), 1);
    assert_eq!(world.taken(), 0);
}

#[test]
fn a_server_that_is_not_trusted_or_not_there_gets_no_push() {
    let world = World::new();
    let port = world.fake.port();
    let line = |host: &str, port: u16, ca: &str| {
        format!(
            "send --cert push.pem --key push-key.pem --token-update update --host {host} --port {port} \
             --ca {ca}"
        )
    };
    let root = world.authority.root().to_pem();
    world.folder.write("other-ca.pem", root);
    let told = world.folder.run(&line("localhost", port, "other-ca.pem"));
    told.failed(1, &["TLS", "--ca"]);
    let told = world.folder.run(&line("localhost", port, "nowhere.pem"));
    told.failed(2, &["cannot read nowhere.pem"]);
    let told = world.folder.run(&line("not a host", port, "ca.pem"));
    assert_eq!(told.code, Some(2), "{told:?}");

    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = free.local_addr().unwrap().port();
    drop(free);
    let told = world.folder.run(&line("127.0.0.1", closed, "ca.pem"));
    told.failed(1, &["no connection", "2197"]);
    assert_eq!(world.taken(), 0);
}

#[test]
fn a_file_that_is_no_token_update_is_refused_by_what_it_is() {
    let world = World::new();
    let check_out = plist(
        "<key>MessageType</key><string>CheckOut</string><key>UDID</key><string>U</string>\
         <key>Topic</key><string>t</string>",
    );
    let cut = update(TOPIC);
    for (bytes, word) in [
        (&check_out[..], "is a CheckOut"),
        (b"", "bad"),
        (b"hello", "bad"),
        (&cut[..cut.len() / 2], "bad"),
        (&vec![b' '; 1024 * 1024 + 1], "longer than the limit"),
    ] {
        world.folder.write("bad", bytes);
        world.send("--token-update bad").failed(2, &[word]);
    }
    for rest in [
        "",
        "--token update",
        "--magic update",
        "--token-update update --token update --magic update",
        "--token-update update --timeout 0",
        "--token-update update --port 99999",
    ] {
        assert_eq!(world.send(rest).code, Some(2), "{rest}");
    }
    world
        .send("--token - --magic -")
        .failed(2, &["standard input"]);
    let told = world.send("--token-update update --proxy nonsense");
    told.failed(2, &["--proxy HOST:PORT"]);
    assert_eq!(world.taken(), 0);
}

/// An HTTP proxy for one connection, which goes to this port whatever it is asked for.
fn proxy(to: u16) -> (u16, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let mut server = TcpStream::connect(("127.0.0.1", to)).unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let (mut from, mut back) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || io::copy(&mut from, &mut back));
        let _ = io::copy(&mut server, &mut client);
        String::from_utf8(head).unwrap()
    });
    (port, asked)
}

#[test]
fn a_push_goes_through_a_proxy_where_one_is_named() {
    let world = World::new();
    let (port, asked) = proxy(world.fake.port());
    let told = world.send(&format!("--token-update update --proxy 127.0.0.1:{port}"));
    told.succeeded();
    let head = asked.join().unwrap();
    let expected = format!("CONNECT localhost:{} HTTP/1.1\r\n", world.fake.port());
    assert!(head.starts_with(&expected), "{head}");
    assert_eq!(world.taken(), 1);
}

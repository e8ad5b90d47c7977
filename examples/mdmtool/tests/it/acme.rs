//! `mdmtool acme`, client and server of the built program over real sockets, with attestations of the fake Apple.

use std::{
    net::{SocketAddr, TcpListener},
    process::Command,
};

use chrono::{TimeDelta, Utc};
use mdm_fake_apple::attestation::AttestationAuthority;
use mdm_pki::{Certificate, CertificateBuilder, GeneralName, KeySpec, PrivateKey, pem};
use serde_json::Value;

use crate::{
    scep::world::{Server, World, certificate},
    told::Told,
};

const DEVICES: &str = r#"[
    {"identifier": "ada", "serial_number": "C02AAAAAAAAA", "label": "Ada's Mac"},
    {"identifier": "old", "serial_number": "C02BBBBBBBBB", "unattested": true},
    {"identifier": "own", "user_enrollment": true}
]"#;

/// A server of devices that this authority vouches for.
struct Devices {
    world: World,
    apple: AttestationAuthority,
    server: Server,
}

impl Devices {
    fn new() -> Self {
        let world = World::new();
        let apple = AttestationAuthority::new(Utc::now()).unwrap();
        world.write("apple.pem", pem::encode("CERTIFICATE", apple.root()));
        world.write("devices.json", DEVICES);
        let server = Server::of(serve(&world, "--new-ca"));
        Self {
            world,
            apple,
            server,
        }
    }

    /// `enroll` for this identifier.
    fn enroll(&self, identifier: &str, rest: &str) -> Told {
        let line = format!(
            "acme enroll --directory {}/directory --insecure --account-key account.pem \
             --identifier permanent-identifier:{identifier} --key-out key.pem --cert-out cert.pem {rest}",
            self.server.url
        );
        self.world.tool(&line).output().unwrap().into()
    }

    /// The token that the key has to be attested for.
    fn token(&self, identifier: &str) -> String {
        let told = self.enroll(identifier, "--json");
        told.error(1, "attestation");
        told.json()["token"].as_str().unwrap().to_owned()
    }

    /// An attestation of the key in `key.pem`, in `attestation`.
    fn attest(&self, token: &str, serial: Option<&str>) {
        let key = PrivateKey::from_pem(&self.world.read("key.pem"), None).unwrap();
        let leaf = self.apple.leaf(key.public_key()).acme(token);
        let leaf = match serial {
            Some(serial) => leaf.serial(serial),
            None => leaf,
        };
        self.world.write("attestation", leaf.cbor().unwrap());
    }

    fn ends(&self) -> bool {
        !self.world.path("cert.pem.order").exists() && !self.world.path("cert.pem.csr").exists()
    }
}

fn serve(world: &World, rest: &str) -> Command {
    serve_at(world, "127.0.0.1:0", "scep.db", rest)
}

fn serve_at(world: &World, listen: &str, store: &str, rest: &str) -> Command {
    world.tool(&format!(
        "acme serve --listen {listen} --store {store} --ca-dir ca --attestation-root apple.pem \
         --devices devices.json --json {rest}"
    ))
}

#[test]
fn a_device_attests_its_key_and_gets_a_certificate() {
    let devices = Devices::new();
    let told = devices.enroll("ada", "");
    told.failed(1, &["has to be attested first", "--attestation"]);
    assert!(told.stdout.contains("freshness  "), "{told:?}");
    // The same order goes on.
    let token = devices.token("ada");
    assert!(told.stdout.contains(&token), "{told:?}");
    devices.attest(&token, Some("C02AAAAAAAAA"));
    let told = devices.enroll("ada", "--attestation attestation --ca-out ca-of.pem");
    told.succeeded();
    let certificate = devices.world.certificate("cert.pem");
    let key = PrivateKey::from_pem(&devices.world.read("key.pem"), None).unwrap();
    assert!(certificate.public_key().unwrap().same_key(key.public_key()));
    let ca = devices.world.certificate("ca-of.pem");
    assert_eq!(ca, devices.world.certificate("ca/ca.pem"));
    assert!(
        certificate
            .verify_signed_by(&ca.public_key().unwrap())
            .is_ok()
    );
    assert!(matches!(
        certificate.subject_alt_names()[..],
        [GeneralName::OtherName { .. }]
    ));
    let proven = devices.server.event("proven");
    assert_eq!(
        (&proven["label"], &proven["attested"]),
        (&"Ada's Mac".into(), &"true".into())
    );
    assert_eq!(devices.server.event("issued")["label"], "Ada's Mac");
    assert_eq!(devices.world.listed().len(), 1);
    assert!(devices.ends());
}

#[test]
fn one_address_waits_where_it_makes_too_many_accounts_or_orders() {
    let world = World::new();
    world.write("apple.pem", {
        let apple = AttestationAuthority::new(Utc::now()).unwrap();
        pem::encode("CERTIFICATE", apple.root())
    });
    world.write("devices.json", DEVICES);
    let server = Server::of(serve(&world, "--new-ca --max-per-minute 1"));
    let enroll = |account: &str, identifier: &str| -> Told {
        let line = format!(
            "acme enroll --directory {}/directory --insecure --account-key {account}.pem \
             --identifier permanent-identifier:{identifier} --key-out {account}-{identifier}.pem \
             --cert-out {account}-{identifier}-cert.pem",
            server.url
        );
        world.tool(&line).output().unwrap().into()
    };
    enroll("a", "ada").failed(1, &["has to be attested first"]);
    // Another order, and another account.
    enroll("a", "old").failed(1, &["rateLimited"]);
    enroll("b", "ada").failed(1, &["rateLimited"]);
}

#[test]
fn another_device_another_token_and_no_attestation_get_nothing() {
    let devices = Devices::new();
    for (identifier, serial) in [
        ("ada", Some("C02CCCCCCCCC")),
        ("ada", None),
        ("own", Some("C02AAAAAAAAA")),
    ] {
        let token = devices.token(identifier);
        devices.attest(&token, serial);
        devices
            .enroll(identifier, "--attestation attestation --json")
            .error(1, "attestation");
        assert!(devices.ends());
    }
    devices.token("ada");
    devices.attest("of-another-order-altogether", Some("C02AAAAAAAAA"));
    let told = devices.enroll("ada", "--attestation attestation");
    told.failed(1, &["badAttestationStatement", "begin anew"]);
    let why = devices.server.event("not_proven");
    assert!(!why["why"].as_str().unwrap().is_empty());
    devices
        .enroll("ada", "--unattested")
        .failed(1, &["badAttestationStatement"]);
    devices
        .enroll("nobody", "")
        .failed(1, &["rejectedIdentifier", "check --identifier"]);
    assert!(devices.world.listed().is_empty());

    // Whoever may answer without, does.
    devices.enroll("old", "--unattested").succeeded();
    let proven = devices.server.event("proven");
    assert_eq!(proven["attested"], "false");
}

#[test]
fn a_device_that_withholds_its_names_enrols_by_an_identifier_that_was_added_while_the_server_ran() {
    let devices = Devices::new();
    devices.enroll("new", "").failed(1, &["rejectedIdentifier"]);
    let listed = DEVICES.replace("\"own\"", "\"new\"");
    devices.world.write("devices.json", listed);
    let token = devices.token("new");
    devices.attest(&token, None);
    let payload = devices.world.read("attestation");
    devices.world.write("attestation", base64(&payload));
    devices
        .enroll("new", "--attestation attestation")
        .succeeded();
}

fn base64(bytes: &[u8]) -> String {
    use ::base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let att_obj = URL_SAFE_NO_PAD.encode(bytes);
    serde_json::json!({"attObj": att_obj}).to_string()
}

impl Devices {
    /// The same after a kill, at the same address, with this store.
    fn restarted(self, store: &str) -> Self {
        let listen = self.server.url.replace("http://", "");
        let Self {
            world,
            apple,
            server,
        } = self;
        server.kill();
        Self {
            server: Server::of(serve_at(&world, &listen, store, "")),
            world,
            apple,
        }
    }
}

#[test]
fn an_order_outlives_the_server_and_is_begun_anew_where_nobody_knows_it_any_more() {
    let devices = Devices::new();
    let token = devices.token("ada");
    let account = devices.world.read("account.pem");
    devices.attest(&token, Some("C02AAAAAAAAA"));
    let devices = devices.restarted("scep.db");
    devices
        .enroll("ada", "--attestation attestation")
        .succeeded();
    assert_eq!(devices.world.listed().len(), 1);
    let devices = devices.restarted("scep.db");
    assert_eq!(devices.world.listed().len(), 1);

    for file in ["key.pem", "cert.pem"] {
        std::fs::remove_file(devices.world.path(file)).unwrap();
    }
    let token = devices.token("ada");
    devices.attest(&token, Some("C02AAAAAAAAA"));
    let devices = devices.restarted("other.db");
    let told = devices.enroll("ada", "--attestation attestation");
    told.failed(1, &["Begin anew"]);
    assert!(devices.ends());
    let again = devices.token("ada");
    assert_ne!(again, token);
    devices.attest(&again, Some("C02AAAAAAAAA"));
    devices
        .enroll("ada", "--attestation attestation")
        .succeeded();
    assert_eq!(devices.world.read("account.pem"), account);
}

/// A port that nobody listens on.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[test]
fn host_names_are_proven_by_a_web_server_of_the_program_itself_over_tls() {
    let world = World::new();
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let web = certificate("web", &key)
        .san(GeneralName::Ip("127.0.0.1".parse().unwrap()))
        .self_signed(&key)
        .unwrap();
    world.write("web.pem", web.to_pem());
    world.write("web-key.pem", key.to_pkcs8_pem().unwrap().as_bytes());
    let shown = free();
    let mut serve = world.tool(&format!(
        "acme serve --listen 127.0.0.1:0 --store scep.db --ca-dir ca --new-ca --ca-key p256 --http-01 \
         --http-01-port {} --http-01-allow 127.0.0.0/8 --http-01-host a.example=127.0.0.1 \
         --http-01-host b.example=127.0.0.1 --tls-cert web.pem --tls-key web-key.pem --json",
        shown.port()
    ));
    // Nobody is there, and nobody is asked there.
    serve.env("http_proxy", "http://127.0.0.1:9");
    let server = Server::of(serve);
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let enroll = |root: &str| -> Told {
        let line = format!(
            "acme enroll --directory {}/directory {root} --account-key account.pem --identifier dns:a.example \
             --identifier dns:b.example --subject CN=a.example --key rsa2048 --key-out key.pem \
             --cert-out cert.pem --http-01 {shown}",
            server.url
        );
        world.tool(&line).output().unwrap().into()
    };
    enroll("").failed(1, &["no connection", "--root"]);
    enroll("--root web.pem").succeeded();
    let names = ["a.example", "b.example"].map(|it| GeneralName::Dns(it.to_owned()));
    assert_eq!(world.certificate("cert.pem").subject_alt_names(), names);
    assert_eq!(world.listed().len(), 1);
}

#[test]
fn another_chain_is_offered_and_taken_and_an_account_may_have_an_ed25519_key() {
    let world = World::new();
    let shown = free();
    let serve = |more: &str| {
        world.tool(&format!(
            "acme serve --listen 127.0.0.1:0 --store scep.db --ca-dir ca --http-01 --http-01-port {} \
             --http-01-allow 127.0.0.1 --http-01-host a.example=127.0.0.1 --pre-authorization --json {more}",
            shown.port()
        ))
    };
    Server::of(serve("--new-ca --ca-key p256")).kill();
    let own = world.certificate("ca/ca.pem");
    let (old_key, now) = (PrivateKey::generate(KeySpec::P256).unwrap(), Utc::now());
    let old = certificate("Old", &old_key)
        .ca(Some(1))
        .self_signed(&old_key)
        .unwrap();
    let cross = CertificateBuilder::new(own.subject(), &own.public_key().unwrap())
        .validity(now - TimeDelta::hours(1), now + TimeDelta::days(9))
        .ca(Some(0))
        .sign(&old, &old_key)
        .unwrap();
    world.write("wrong.pem", own.to_pem() + &old.to_pem());
    let wrong: Told = serve("--alternate-chain wrong.pem")
        .output()
        .unwrap()
        .into();
    wrong.error(2, "input");
    assert!(
        wrong.stderr.contains("none of this authority's"),
        "{wrong:?}"
    );
    world.write("chain.pem", cross.to_pem() + &old.to_pem());
    let server = Server::of(serve("--alternate-chain chain.pem"));
    let account = PrivateKey::generate(KeySpec::Ed25519).unwrap();
    world.write("account.pem", account.to_pkcs8_pem().unwrap().as_bytes());
    let enroll = |name: &str, more: &str| -> Vec<Certificate> {
        let line = format!(
            "acme enroll --directory {}/directory --insecure --account-key account.pem --identifier dns:a.example \
             --key-out {name}-key.pem --cert-out {name}.pem --chain-out {name}-chain.pem --http-01 {shown} {more}",
            server.url
        );
        Told::from(world.tool(&line).output().unwrap()).succeeded();
        Certificate::stack_from_pem(&world.read(&format!("{name}-chain.pem"))).unwrap()
    };
    let (usual, other) = (
        enroll("usual", ""),
        enroll("other", "--preferred-chain Other"),
    );
    assert_eq!(usual[1..], other[1..]);
    assert_eq!(other[1..], [own]);
    assert_eq!(enroll("old", "--preferred-chain Old")[1..], [cross, old]);
}

#[test]
fn what_cannot_be_used_is_told_before_anything_is_asked() {
    let world = World::new();
    let run = |line: &str| -> Told { world.tool(line).output().unwrap().into() };
    let enroll = "acme enroll --account-key a --key-out k --cert-out c";
    run(&format!(
        "{enroll} --directory http://127.0.0.1:1/ --identifier dns:a.example"
    ))
    .failed(2, &["it is not https", "--insecure"]);
    for identifier in ["a", "dns:", "email:a@b"] {
        let told = run(&format!(
            "{enroll} --directory https://x/ --identifier {identifier}"
        ));
        told.failed_usage();
    }
    world.write("bad", "no attestation at all!");
    run(&format!(
        "{enroll} --directory https://127.0.0.1:1/ --identifier permanent-identifier:a --attestation bad"
    ))
    .failed(2, &["bad holds no attestation"]);
    assert!(!world.path("a").exists() && !world.path("k").exists());

    let serve = "acme serve --listen 127.0.0.1:0 --store s --ca-dir ca --new-ca";
    for wrong in [
        "--http-01-allow 10.0.0.1/8",
        "--http-01-allow example.com",
        "--http-01-host a.example",
    ] {
        run(&format!("{serve} --http-01 {wrong}")).failed_usage();
    }
    run(&format!("{serve} --http-01-allow 10.0.0.0/8")).failed_usage();
    run(serve).failed(2, &["no order could be fulfilled", "--http-01"]);
    let apple = AttestationAuthority::new(Utc::now()).unwrap();
    world.write("apple.pem", pem::encode("CERTIFICATE", apple.root()));
    for (devices, word) in [
        ("no JSON", "devices.json"),
        (r#"[{"identifier": "x"}]"#, "user_enrollment"),
        (r#"[{"identifier": "x", "serial": "y"}]"#, "serial"),
    ] {
        world.write("devices.json", devices);
        run(&format!(
            "{serve} --attestation-root apple.pem --devices devices.json"
        ))
        .failed(2, &[word]);
    }
    assert!(!world.path("ca").exists() && !world.path("s").exists());
    let told: Value = serde_json::from_str(&run(&format!("{serve} --json")).stderr).unwrap();
    assert_eq!(told["error"]["kind"], "input");
}

//! Our server of ACME and the clients of others, over loopback.
//!
//! | Step | certbot 2.1 | lego 4.9 |
//! |---|---|---|
//! | account, order, `http-01`, finalize, chain | works | works |
//! | external account binding | works; refused without | works; refused without |
//! | renewal | works | works |
//! | the other chain, by `--preferred-chain` | works | works |
//! | account with an Ed25519 key | not offered: RSA | not offered: RSA or a NIST curve |
//! | authorization ahead of orders | not offered | not offered |
//! | revocation by the account | works | works |
//! | account changed and given up | works | not offered |
//! | `dns-01` | by a hook; not tried | by a provider; not tried |
//! | `device-attest-01` | not offered | not offered |

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use mdm_core::SystemClock;
use mdm_pki::{Certificate, GeneralName, Name};
use mdm_scep::{
    CertificateAuthority as _, EmbeddedCa, MemoryStore,
    acme::{
        AddressLookup, ExternalAccountRule, ExternalAccounts, HttpValidation, MemoryAcmeStore,
        PinnedTransport, Server, jws::ExternalAccountKey, validate::LookupError,
    },
    ca::{RootUse, root},
    store::StoreError,
};
use mdm_transport::{TransportError, TransportErrorKind};
use tempfile::TempDir;

use super::{
    chains::crossed,
    world::{Heard, ec},
};
use crate::{
    listener::{found, shown},
    peers::{free_ports, missing},
};

const HOST: &str = "device7.example.com";
const MAC_KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

/// Every host is the client's own web server.
#[derive(Debug)]
struct Loopback;

#[async_trait]
impl AddressLookup for Loopback {
    async fn addresses(&self, _host: &str) -> Result<Vec<IpAddr>, LookupError> {
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    }
}

#[async_trait]
impl PinnedTransport for Loopback {
    async fn send_to(
        &self,
        addresses: &[IpAddr],
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, TransportError> {
        let failed = |_| TransportError::new(TransportErrorKind::Connect);
        let port = request.uri().port_u16().unwrap();
        let mut stream = TcpStream::connect((addresses[0], port)).map_err(failed)?;
        let (path, host) = (request.uri().path(), request.uri().host().unwrap());
        let head = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n");
        stream.write_all(head.as_bytes()).map_err(failed)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(failed)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut response = Response::new(Bytes::from(body.to_owned()));
        *response.status_mut() = status.try_into().unwrap();
        Ok(response)
    }
}

#[derive(Debug)]
struct OneKey;

#[async_trait]
impl ExternalAccounts for OneKey {
    async fn key(&self, kid: &str) -> Result<Option<ExternalAccountKey>, StoreError> {
        let key = ExternalAccountKey::from_base64url(kid, MAC_KEY).unwrap();
        Ok((kid == "kid-1").then_some(key))
    }
}

/// A server by the machine's clock; its threads end with the test's process.
struct Loop {
    directory: String,
    /// Where the client's own web server has to listen.
    port: u16,
    heard: Arc<Heard>,
    store: Arc<MemoryStore>,
    ca: Arc<EmbeddedCa>,
    folder: TempDir,
}

impl Loop {
    fn start(external: bool) -> Self {
        let [port] = free_ports();
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let base = format!("http://{}/acme", socket.local_addr().unwrap());
        let store = Arc::new(MemoryStore::new());
        let key = ec();
        let year = Duration::from_secs(365 * 24 * 3600);
        let name = Name::from_common_name("Example CA");
        let now = chrono::Utc::now();
        let root = root(name, &key, RootUse::BehindRa, year, now).unwrap();
        let other = crossed(&root, "Old Root", now, 365);
        let ca = EmbeddedCa::new(vec![root], Arc::new(key), store.clone()).unwrap();
        let ca = Arc::new(ca.alternate_chain(other).unwrap());
        let heard = Arc::new(Heard::default());
        let loopback = Arc::new(Loopback);
        let http = HttpValidation::new(loopback.clone(), loopback).with(|it| {
            it.allowed = vec!["127.0.0.0/8".parse().unwrap()];
            it.port = port;
        });
        let mut builder = Server::builder(
            ca.clone(),
            store.clone(),
            Arc::new(MemoryAcmeStore::new()),
            Arc::new(SystemClock),
            base.parse().unwrap(),
        )
        .http(http)
        .observer(heard.clone());
        if external {
            let rule = ExternalAccountRule::Required(Arc::new(OneKey));
            builder = builder.external_accounts(rule);
        }
        let server = Arc::new(builder.build().unwrap());
        let directory = server.directory_url();
        std::thread::spawn(move || {
            for stream in socket.incoming() {
                let server = server.clone();
                std::thread::spawn(move || serve(&server, stream.unwrap()));
            }
        });
        Self {
            directory,
            port,
            heard,
            store,
            ca,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs a program that has to succeed, or to fail.
    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str], succeeds: bool) -> String {
        let output = Command::new(program).args(arguments).output().unwrap();
        let said = shown(&output);
        assert_eq!(
            output.status.success(),
            succeeds,
            "{arguments:?}: {said}\n{:#?}",
            self.heard.lines()
        );
        said
    }

    /// The certificate in a file, which is the authority's and for the host.
    fn certificate(&self, path: impl AsRef<Path>) -> Certificate {
        let pem = std::fs::read(path).unwrap();
        let chain = Certificate::stack_from_pem(&pem).unwrap();
        let issuer = self.ca.chain()[0].public_key().unwrap();
        chain[0].verify_signed_by(&issuer).unwrap();
        let names = chain[0].subject_alt_names();
        assert_eq!(names, [GeneralName::Dns(HOST.to_owned())]);
        chain[0].clone()
    }
}

/// The common name at the end of the chain in a file.
fn top(path: impl AsRef<Path>) -> Option<String> {
    let chain = Certificate::stack_from_pem(&std::fs::read(path).unwrap()).unwrap();
    chain.last().unwrap().subject().common_name()
}

/// One request of one connection.
fn serve(server: &Server, mut stream: TcpStream) {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().unwrap());
    let mut text = Vec::new();
    let (head, length) = loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).unwrap_or_default();
        if read == 0 {
            return;
        }
        text.extend(&buffer[..read]);
        let Some(end) = text.windows(4).position(|it| it == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(text[..end].to_vec()).unwrap();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().unwrap())
        });
        text.drain(..end + 4);
        break (head, length.unwrap_or_default());
    };
    let have = text.len();
    text.resize(length.max(have), 0);
    stream.read_exact(&mut text[have..]).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let mut request = Request::new(Bytes::from(text));
    *request.method_mut() = first.next().unwrap().parse().unwrap();
    *request.uri_mut() = first.next().unwrap().parse().unwrap();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let name: HeaderName = name.parse().unwrap();
        let value = HeaderValue::from_str(value.trim()).unwrap();
        request.headers_mut().insert(name, value);
    }
    let response = runtime.block_on(server.handle(request));
    let mut head = format!("HTTP/1.1 {}\r\n", response.status());
    for (name, value) in response.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    let length = response.body().len();
    head.push_str(&format!(
        "content-length: {length}\r\nconnection: close\r\n\r\n"
    ));
    let _ = stream.write_all(&[head.as_bytes(), response.body()].concat());
}

fn certbot<'a>(world: &'a Loop, more: &[&'a str]) -> Vec<String> {
    let folder = world.path("certbot");
    let common = [
        "--non-interactive",
        "--config-dir",
        &folder,
        "--work-dir",
        &folder,
        "--logs-dir",
        &folder,
    ];
    more.iter()
        .chain(&common)
        .map(|it| (*it).to_owned())
        .collect()
}

#[track_caller]
fn run_certbot(world: &Loop, more: &[&str], succeeds: bool) -> String {
    let arguments = certbot(world, more);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    world.run("certbot", &arguments, succeeds)
}

#[test]
fn certbot_enrols_renews_revokes_and_leaves() {
    if !found("certbot") {
        return missing("certbot");
    }
    let world = Loop::start(true);
    let port = world.port.to_string();
    let server = world.directory.as_str();
    let enrol = [
        "certonly",
        "--standalone",
        "--http-01-port",
        &port,
        "--http-01-address",
        "127.0.0.1",
        "--server",
        server,
        "-d",
        HOST,
        "--agree-tos",
        "-m",
        "ada@example.com",
        "--no-eff-email",
    ];
    // It reads in the directory that it needs a binding, and does not try without.
    run_certbot(&world, &enrol, false);
    assert_eq!(world.heard.count("AccountMade"), 0);
    let bound = [
        &enrol[..],
        &["--eab-kid", "kid-1", "--eab-hmac-key", MAC_KEY],
    ]
    .concat();
    run_certbot(&world, &bound, true);
    let live = format!("{}/live/{HOST}", world.path("certbot"));
    let first = world.certificate(format!("{live}/fullchain.pem"));
    run_certbot(
        &world,
        &["renew", "--force-renewal", "--no-random-sleep-on-renew"],
        true,
    );
    let second = world.certificate(format!("{live}/fullchain.pem"));
    assert_ne!(first, second);
    assert_eq!(world.store.issued(), 2);
    assert_eq!(
        top(format!("{live}/fullchain.pem")).as_deref(),
        Some("Example CA")
    );
    let old = ["renew", "--force-renewal", "--no-random-sleep-on-renew"];
    let old = [&old[..], &["--preferred-chain", "Old Root"]].concat();
    run_certbot(&world, &old, true);
    world.certificate(format!("{live}/fullchain.pem"));
    assert_eq!(
        top(format!("{live}/fullchain.pem")).as_deref(),
        Some("Old Root")
    );
    let path = format!("{live}/cert.pem");
    let revoke = ["revoke", "--server", server, "--cert-path", &path];
    let reason = ["--reason", "superseded", "--no-delete-after-revoke"];
    run_certbot(&world, &[&revoke[..], &reason].concat(), true);
    world.heard.has("revoked: Superseded");
    let update = [
        "update_account",
        "--server",
        server,
        "-m",
        "bob@example.com",
    ];
    run_certbot(&world, &[&update[..], &["--no-eff-email"]].concat(), true);
    run_certbot(&world, &["unregister", "--server", server], true);
    assert_eq!(world.heard.count("AccountDeactivated"), 1);
}

#[test]
fn lego_enrols_renews_and_revokes() {
    if !found("lego") {
        return missing("lego");
    }
    let world = Loop::start(true);
    let (port, folder) = (format!("127.0.0.1:{}", world.port), world.path("lego"));
    let common = [
        "--server",
        &world.directory,
        "--accept-tos",
        "--email",
        "ada@example.com",
        "--domains",
        HOST,
        "--http",
        "--http.port",
        &port,
        "--path",
        &folder,
    ];
    let lego = |more: &[&str], succeeds| {
        let arguments = [&common[..], more].concat();
        world.run("lego", &arguments, succeeds)
    };
    lego(&["run"], false);
    assert_eq!(world.heard.count("AccountMade"), 0);
    let lego = |more: &[&str]| {
        let bound = ["--eab", "--kid", "kid-1", "--hmac", MAC_KEY];
        lego(&[&bound, more].concat(), true)
    };
    lego(&["run"]);
    let path = format!("{folder}/certificates/{HOST}.crt");
    let first = world.certificate(&path);
    lego(&["renew", "--days", "9999", "--no-random-sleep"]);
    let second = world.certificate(&path);
    assert_ne!(first, second);
    assert_eq!(world.store.issued(), 2);
    assert_eq!(top(&path).as_deref(), Some("Example CA"));
    let renew = ["renew", "--days", "9999", "--no-random-sleep"];
    lego(&[&renew[..], &["--preferred-chain", "Old Root"]].concat());
    world.certificate(&path);
    assert_eq!(top(&path).as_deref(), Some("Old Root"));
    lego(&["revoke", "--reason", "4"]);
    world.heard.has("revoked: Superseded");
}

//! Enrolments move from nanomdm to us and from us to nanomdm, and the device goes on.

use std::{
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command as Process},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{TimeDelta, Utc};
use http::{Request, StatusCode};
use mdm_core::SystemClock;
use mdm_pki::{CertificateBuilder, KeySpec, Name, PrivateKey};
use mdm_protocol::{
    Command,
    command::{DeviceInformation, Query},
};
use mdm_service::{MdmSignature, Service, identity::AdoptImported};
use tempfile::TempDir;

use crate::device::*;

const UDID: &str = "00008101-001938611EE9001E";
const API_KEY: &str = "secret";

/// Says that the peer is missing, which is a failure where peers are required.
fn missing() {
    let required = std::env::var("REQUIRE_PEERS").as_deref() == Ok("1");
    assert!(!required, "nanomdm is missing");
    eprintln!("skipped: nanomdm is missing");
}

/// An authority and a device that are valid by the clock on the wall, which nanomdm looks at.
fn today() -> (mdm_pki::Certificate, Device) {
    let now = Utc::now();
    let (ca_key, key) = (
        PrivateKey::generate(KeySpec::Rsa2048).unwrap(),
        PrivateKey::generate(KeySpec::Rsa2048).unwrap(),
    );
    let validity = (now - TimeDelta::hours(1), now + TimeDelta::days(1));
    let ca = CertificateBuilder::new(Name::from_common_name("Device CA"), ca_key.public_key())
        .validity(validity.0, validity.1)
        .ca(Some(0))
        .self_signed(&ca_key)
        .unwrap();
    let certificate = CertificateBuilder::new(Name::from_common_name("phone"), key.public_key())
        .validity(validity.0, validity.1)
        .sign(&ca, &ca_key)
        .unwrap();
    let udid = UDID.to_owned();
    (
        ca,
        Device {
            udid,
            certificate,
            key,
        },
    )
}

/// Waits until it says that it begins, or has ended; reads what it says afterwards, or it would wait for that.
fn begins(said: impl Read + Send + 'static) -> bool {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            if line.contains("starting server") {
                let _ = tell.send(());
            }
        }
    });
    told.recv().is_ok()
}

/// A nanomdm that ends with the test.
struct Nanomdm {
    process: Child,
    folder: TempDir,
    address: SocketAddr,
}

impl Drop for Nanomdm {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Nanomdm {
    /// `None`, once said so, where there is no nanomdm.
    fn start(ca: &mdm_pki::Certificate) -> Option<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.peers/go/nanomdm");
        if !program.is_file() {
            missing();
            return None;
        }
        // A port that was free a moment ago may be taken: then another one.
        (0..5).find_map(|_| Self::try_start(&program, ca))
    }

    fn try_start(program: &Path, ca: &mdm_pki::Certificate) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("ca.pem"), ca.to_pem()).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let (said, says) = io::pipe().unwrap();
        let process = Process::new(program)
            .arg("-ca")
            .arg(file("ca.pem"))
            .args(["-storage", "file", "-storage-dsn"])
            .arg(file("db"))
            .args(["-api", API_KEY, "-migration", "-retro", "-listen"])
            .arg(address.to_string())
            .stdout(says.try_clone().unwrap())
            .stderr(says)
            .spawn()
            .unwrap();
        let mut nanomdm = Self {
            process,
            folder,
            address,
        };
        if !begins(said) {
            return None;
        }
        // It says so right before it listens.
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if TcpStream::connect(address).is_ok() {
                return Some(nanomdm);
            }
            if nanomdm.process.try_wait().unwrap().is_some() {
                return None;
            }
            std::thread::yield_now();
        }
        panic!("nanomdm does not listen");
    }

    /// Status and body of the answer.
    fn send(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
        let mut head = format!(
            "PUT {path} HTTP/1.1\r\nHost: nanomdm\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream
            .write_all(&[head.as_bytes(), b"\r\n", body].concat())
            .unwrap();
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => {}
        }
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let status = std::str::from_utf8(&answer[9..12])
            .unwrap()
            .parse()
            .unwrap();
        (status, answer[end + 4..].to_vec())
    }

    fn api(&self, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let credentials = STANDARD.encode(format!("nanomdm:{API_KEY}"));
        self.send(
            path,
            &[("Authorization", &format!("Basic {credentials}"))],
            body,
        )
    }

    fn device(&self, device: &Device, kind: &str, keys: &str) -> (u16, Vec<u8>) {
        let body = device.plist(keys).into_bytes();
        let signature = device.signature(&body);
        let headers = [
            ("Content-Type", kind),
            ("Mdm-Signature", signature.as_str()),
        ];
        self.send("/mdm", &headers, &body)
    }

    fn kept(&self, enrollment: &str, name: &str) -> Vec<u8> {
        let path = self.folder.path().join("db").join(enrollment).join(name);
        std::fs::read(path).unwrap()
    }
}

fn service(ca: &mdm_pki::Certificate) -> Service {
    let identity = MdmSignature::new(vec![ca.clone()]).unwrap();
    Service::builder(Arc::new(Shared::default()), SystemClock, identity)
        .pins(AdoptImported::new())
        .build()
}

fn command() -> Command {
    Command::new("C-1", &DeviceInformation::new([Query::OsVersion]))
}

#[tokio::test]
async fn a_device_goes_on_at_nanomdm_with_what_we_export() {
    let (ca, device) = today();
    let Some(nanomdm) = Nanomdm::start(&ca) else {
        return;
    };
    let service = service(&ca);
    device.enroll(&service).await;
    device.log_in(&service, "U1").await;
    let token = "<key>BootstrapToken</key><data>Ym9vdA==</data>";
    device
        .check_in(&service, &message("SetBootstrapToken", token))
        .await;

    let exported = service.export(&device.id()).await.unwrap().unwrap();
    assert_eq!(exported.messages.len(), 4);
    for message in &exported.messages {
        let (status, answer) = nanomdm.api("/migration", message.as_ref());
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    }
    let path = format!("/v1/enqueue/{UDID}?nopush=1");
    let (status, answer) = nanomdm.api(&path, &command().to_xml().unwrap());
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    let (status, offered) = nanomdm.device(&device, REPORT, IDLE);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&offered));
    assert_eq!(Command::decode(&offered).unwrap(), command());
    let (status, answer) = nanomdm.device(&device, CHECK_IN, &message("GetBootstrapToken", ""));
    assert_eq!(status, 200);
    assert!(String::from_utf8_lossy(&answer).contains("Ym9vdA=="));
}

#[tokio::test]
async fn a_device_goes_on_here_with_what_nanomdm_kept() {
    let (ca, device) = today();
    let Some(nanomdm) = Nanomdm::start(&ca) else {
        return;
    };
    for keys in [
        authenticate(),
        token_update("<key>UnlockToken</key><data>aHVudGVyMg==</data>"),
        token_update(&user_id("U1")),
    ] {
        let (status, answer) = nanomdm.device(&device, CHECK_IN, &keys);
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    }
    let service = service(&ca);
    for (enrollment, name) in [
        (UDID, "Authenticate.plist"),
        (UDID, "TokenUpdate.plist"),
        (&format!("{UDID}:U1"), "TokenUpdate.plist"),
    ] {
        let message = nanomdm.kept(enrollment, name);
        service.import(&message.into()).await.unwrap();
    }
    let queued = service.enqueue(&device.id(), &command()).await;
    assert!(queued.is_ok());
    let body = device.plist(IDLE);
    let request: Request<bytes::Bytes> = device.request(REPORT, body);
    let answer = service.handle(request).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(Command::decode(answer.body()).unwrap(), command());
    device.log_in(&service, "U1").await;
}

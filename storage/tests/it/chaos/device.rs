//! A device over bare TCP: it repeats what got no answer, at whichever server, and now and then hangs up itself.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use chrono::{TimeDelta, Utc};
use mdm_pki::{
    Certificate, CertificateBuilder, DigestAlgorithm, KeySpec, Name, PrivateKey,
    cms::SignedDataBuilder,
};
use mdm_protocol::signature::encode_header;
use mdm_service::EnrollmentId;

use super::{Progress, Random, server::Address};

const CHECK_IN: &str = "application/x-apple-aspen-mdm-checkin";
const REPORT: &str = "application/x-apple-aspen-mdm";
const TOPIC: &str = "<key>Topic</key><string>com.apple.mgmt.External.chaos</string>";

/// A server that says nothing for so long counts as lost.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Of so many messages, a device hangs up after one before it has its answer.
const HANGS_UP: usize = 30;

pub(super) struct Authority {
    pub(super) certificate: Certificate,
    key: PrivateKey,
}

impl Authority {
    pub(super) fn new() -> Self {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let certificate = certificate("Device CA", &key).ca(Some(0));
        let certificate = certificate.self_signed(&key).unwrap();
        Self { certificate, key }
    }
}

fn certificate(name: &str, key: &PrivateKey) -> CertificateBuilder {
    let now = Utc::now();
    CertificateBuilder::new(Name::from_common_name(name), key.public_key())
        .validity(now - TimeDelta::days(1), now + TimeDelta::days(1))
}

pub(super) struct Device {
    pub(super) id: EnrollmentId,
    udid: String,
    certificate: Certificate,
    key: PrivateKey,
    /// The CommandUUIDs as they came, repetitions included.
    pub(super) received: Vec<String>,
    /// What it answered to each.
    pub(super) answers: BTreeMap<String, String>,
    /// How often it said something that got no answer.
    pub(super) repeats: usize,
}

fn udid(n: usize) -> String {
    format!("CHAOS-{n:04}")
}

pub(super) fn id(n: usize) -> EnrollmentId {
    EnrollmentId::device(udid(n)).unwrap()
}

impl Device {
    pub(super) fn new(authority: &Authority, n: usize) -> Self {
        let (udid, key) = (udid(n), PrivateKey::generate(KeySpec::P256).unwrap());
        let issued = certificate(&udid, &key).sign(&authority.certificate, &authority.key);
        Self {
            id: id(n),
            udid,
            certificate: issued.unwrap(),
            key,
            received: Vec::new(),
            answers: BTreeMap::new(),
            repeats: 0,
        }
    }

    pub(super) fn enrol(
        &mut self,
        servers: &[Address; 2],
        random: &mut Random,
        progress: &Progress,
    ) {
        let authenticate = self.message(&format!(
            "<key>MessageType</key><string>Authenticate</string>{TOPIC}\
             <key>SerialNumber</key><string>{}</string>",
            self.udid
        ));
        let token_update = self.message(&format!(
            "<key>MessageType</key><string>TokenUpdate</string>{TOPIC}\
             <key>Token</key><data>aHVudGVyMg==</data><key>PushMagic</key><string>hunter2</string>"
        ));
        for message in [authenticate, token_update] {
            self.say(CHECK_IN, &message, servers, random, progress);
        }
    }

    /// `Idle`, and answers to what comes, until nothing does.
    pub(super) fn session(
        &mut self,
        servers: &[Address; 2],
        random: &mut Random,
        progress: &Progress,
    ) {
        let mut message = self.message("<key>Status</key><string>Idle</string>");
        loop {
            let answer = self.say(REPORT, &message, servers, random, progress);
            let Some((_, rest)) = answer.split_once("<key>CommandUUID</key><string>") else {
                assert!(answer.is_empty(), "{answer}");
                return;
            };
            let (uuid, _) = rest.split_once('<').unwrap();
            self.received.push(uuid.to_owned());
            // What it carried out already is told as before.
            let said = format!("{} times before", self.received.len());
            message = self.message(&format!(
                "<key>CommandUUID</key><string>{uuid}</string><key>Said</key><string>{said}</string>\
                 <key>Status</key><string>Acknowledged</string>"
            ));
            message = self
                .answers
                .entry(uuid.to_owned())
                .or_insert(message)
                .clone();
        }
    }

    fn message(&self, keys: &str) -> String {
        plist(&format!(
            "{keys}<key>UDID</key><string>{}</string>",
            self.udid
        ))
    }

    /// Says it until it is answered.
    fn say(
        &mut self,
        content_type: &str,
        message: &str,
        servers: &[Address; 2],
        random: &mut Random,
        progress: &Progress,
    ) -> String {
        let cms = SignedDataBuilder::new(message.as_bytes())
            .detached()
            .signer(&self.certificate, DigestAlgorithm::Sha256)
            .signing_time(Utc::now())
            .sign(&self.key)
            .unwrap();
        let (signature, length) = (encode_header(&cms), message.len());
        let request = format!(
            "PUT /mdm HTTP/1.1\r\nHost: mdm\r\nConnection: close\r\nContent-Type: {content_type}\r\n\
             Mdm-Signature: {signature}\r\nContent-Length: {length}\r\n\r\n{message}"
        );
        loop {
            let address = *servers[random.below(2)].lock().unwrap();
            let Ok(stream) = TcpStream::connect(address) else {
                // That one is dead at the moment.
                thread::yield_now();
                continue;
            };
            // Not while it enrols: an `Authenticate` that is read late begins anew.
            let hangs_up = content_type == REPORT && random.below(HANGS_UP) == 0;
            if let Some(answer) = ask(stream, &request, hangs_up) {
                progress.told(|told| told.answers += 1);
                return answer;
            }
            self.repeats += 1;
        }
    }
}

/// The body of the answer; `None` where none came, or the server cannot take it now.
fn ask(mut stream: TcpStream, request: &str, hangs_up: bool) -> Option<String> {
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.write_all(request.as_bytes()).ok()?;
    if hangs_up {
        return None;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?;
    if status == "503" {
        return None;
    }
    assert_eq!(status, "200", "{answer}");
    let length = format!("content-length: {}", body.len());
    let whole = head.lines().any(|line| line.eq_ignore_ascii_case(&length));
    whole.then(|| body.to_owned())
}

pub(super) fn plist(keys: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><plist version=\"1.0\"><dict>{keys}</dict></plist>"
    )
}

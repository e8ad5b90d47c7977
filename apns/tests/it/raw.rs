//! A server that speaks HTTP/2 byte by byte, to say what no well-behaved one says.

use std::sync::Arc;

use mdm_apns::{Client, Config, PushCertificate};
use mdm_fake_apple::apns::PushAuthority;
use mdm_pki::{CertificateBuilder, GeneralName, Identity, KeySpec, KeyUsage, Name, PrivateKey};
use mdm_tls::{Roots, ServerConfig, TlsStream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::house::{TOPIC, TestClock, patient, run};

/// One end of the wire, and how to reach it.
pub(crate) struct RawServer {
    listener: TcpListener,
    tls: ServerConfig,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) config: Config,
    pub(crate) certificate: PushCertificate,
}

impl RawServer {
    pub(crate) async fn new(alpn: &[&str], clock: Arc<TestClock>) -> Self {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let now = chrono::Utc::now();
        let day = chrono::TimeDelta::days(1);
        let own = CertificateBuilder::new(Name::from_common_name("raw"), key.public_key())
            .validity(now - day, now + day)
            .key_usage(KeyUsage::DIGITAL_SIGNATURE)
            .san(GeneralName::Ip([127, 0, 0, 1].into()))
            .self_signed(&key)
            .unwrap();
        let identity = Identity::new(own.clone(), Vec::new(), key).unwrap();
        let tls = ServerConfig::builder(identity).alpn(alpn).build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let push = PushAuthority::new().unwrap().issue(TOPIC).unwrap();
        Self {
            listener,
            tls,
            config: patient(
                Config::new("127.0.0.1", port)
                    .roots(Roots::Only(vec![own]))
                    .clock(clock.clone()),
            ),
            clock,
            certificate: PushCertificate::new(push).unwrap(),
        }
    }

    pub(crate) async fn tcp(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    /// The next connection, after the client's preface.
    pub(crate) async fn accept(&self) -> TlsStream<TcpStream> {
        let mut stream = self.tls.accept(self.tcp().await).await.unwrap();
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        stream
    }

    pub(crate) async fn handshake(&self) {
        let _ = self.tls.accept(self.tcp().await).await;
    }

    /// A client whose driver runs.
    pub(crate) fn client(&self) -> Client {
        run(self.config.clone(), self.certificate.clone()).0
    }
}

pub(crate) const DATA: u8 = 0;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const HEADERS: u8 = 1;

/// A frame (RFC 9113 §4.1) without flags on the connection itself.
pub(crate) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, 0, 0, 0, 0, 0]);
    frame.extend_from_slice(payload);
    frame
}

/// SETTINGS with this limit of streams.
pub(crate) fn settings(max_streams: u32) -> Vec<u8> {
    let mut payload = vec![0, 3];
    payload.extend(max_streams.to_be_bytes());
    frame(SETTINGS, &payload)
}

/// The head of an answer to the first push, with a body to follow.
pub(crate) fn answer(status: &[u8; 3]) -> Vec<u8> {
    // `:status` by its place in the static table, the value as text (RFC 7541 §6.2.2).
    let mut frame = frame(HEADERS, &[&[0x08, 3], &status[..]].concat());
    frame[4] = END_HEADERS;
    frame[8] = 1;
    frame
}

/// The whole answer to the push on this stream: 200 and nothing else.
pub(crate) fn taken(stream: u32) -> Vec<u8> {
    let mut frame = answer(b"200");
    frame[4] |= END_STREAM;
    frame[5..9].copy_from_slice(&stream.to_be_bytes());
    frame
}

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// GOAWAY before any stream.
pub(crate) fn go_away(code: u32, debug_data: &[u8]) -> Vec<u8> {
    let mut payload = vec![0; 4];
    payload.extend(code.to_be_bytes());
    payload.extend_from_slice(debug_data);
    frame(GOAWAY, &payload)
}

/// Reads frames until one of this kind has come; its stream.
pub(crate) async fn until(stream: &mut TlsStream<TcpStream>, kind: u8) -> u32 {
    loop {
        let (found, number) = any(stream).await;
        if found == kind {
            return number;
        }
    }
}

/// The kinds of these whole frames.
pub(crate) fn kinds(mut frames: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [a, b, c, kind, ..] = *frames {
        kinds.push(kind);
        frames = &frames[9 + u32::from_be_bytes([0, a, b, c]) as usize..];
    }
    kinds
}

/// Reads one frame: its kind and its stream.
pub(crate) async fn any(stream: &mut TlsStream<TcpStream>) -> (u8, u32) {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    stream
        .read_exact(&mut vec![0; length as usize])
        .await
        .unwrap();
    let number = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    (head[3], number)
}

pub(crate) async fn write(stream: &mut TlsStream<TcpStream>, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
    stream.flush().await.unwrap();
}

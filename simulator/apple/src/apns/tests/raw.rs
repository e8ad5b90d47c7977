//! A client that writes and reads frames, and so can do what no library lets it.

use mdm_tls::TlsStream;
use tokio::io::AsyncWriteExt;

use super::{
    super::{frame, hpack},
    *,
};

pub(super) struct Raw {
    stream: TlsStream<TcpStream>,
    input: Vec<u8>,
}

/// A frame that came: type, flags, stream and payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Came {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Raw {
    /// Behind the TLS handshake, with nothing said.
    pub(super) async fn silent(house: &House) -> Self {
        let identity = house.authority.issue(TOPIC).unwrap();
        let tcp = TcpStream::connect(house.fake.addr()).await.unwrap();
        let tls = house.tls(Some(identity), &["h2"]);
        Self::over(tls.connect("localhost", tcp).await.unwrap())
    }

    pub(super) fn over(stream: TlsStream<TcpStream>) -> Self {
        let input = Vec::new();
        Self { stream, input }
    }

    /// Greeted, and the server's SETTINGS read and acknowledged.
    pub(super) async fn new(house: &House) -> Self {
        let mut raw = Self::silent(house).await;
        raw.greet().await;
        raw
    }

    pub(super) async fn greet(&mut self) {
        let mut hello = frame::PREFACE.to_vec();
        frame::put_settings(&mut hello, &[]);
        frame::put(&mut hello, frame::kind::SETTINGS, frame::flag::ACK, 0, &[]);
        self.write(&hello).await;
        // The server's own, and its acknowledgement of ours.
        self.until(frame::kind::SETTINGS).await;
        self.until(frame::kind::SETTINGS).await;
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    pub(super) async fn put(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut out = Vec::new();
        frame::put(&mut out, kind, flags, stream, payload);
        self.write(&out).await;
    }

    /// Sends a good push.
    pub(super) async fn push(&mut self, stream: u32) {
        let mut block = Vec::new();
        let path = format!("/3/device/{}", hex::encode(b"token"));
        for (name, value) in [
            (":method", "POST"),
            (":path", &path),
            ("apns-push-type", "mdm"),
            ("apns-topic", TOPIC),
        ] {
            hpack::put_field(&mut block, name.as_bytes(), value.as_bytes());
        }
        self.push_as(stream, &block).await;
    }

    /// Sends a push with these headers.
    pub(super) async fn push_as(&mut self, stream: u32, block: &[u8]) {
        let mut out = Vec::new();
        frame::put_headers(&mut out, stream, false, block);
        let end = frame::flag::END_STREAM;
        frame::put(&mut out, frame::kind::DATA, end, stream, BODY.as_bytes());
        self.write(&out).await;
    }

    /// The next frame; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Came> {
        loop {
            if let Some((came, rest)) = frame::Frame::split(&self.input).unwrap() {
                let taken = self.input.len() - rest.len();
                let came = Came {
                    kind: came.kind,
                    flags: came.flags,
                    stream: came.stream,
                    payload: came.payload.to_vec(),
                };
                self.input.drain(..taken);
                return Some(came);
            }
            match self.stream.read_buf(&mut self.input).await {
                Ok(read) if read > 0 => {}
                _ => return None,
            }
        }
    }

    /// The next frame of this type.
    pub(super) async fn until(&mut self, kind: u8) -> Came {
        loop {
            let came = self.next().await.unwrap();
            if came.kind == kind {
                return came;
            }
        }
    }

    /// Every frame until the end.
    pub(super) async fn rest(&mut self) -> Vec<Came> {
        let mut all = Vec::new();
        while let Some(came) = self.next().await {
            all.push(came);
        }
        all
    }
}

/// GOAWAY with this last stream, code and data.
pub(super) fn go_away(last: u32, code: u32, data: &[u8]) -> Came {
    Came {
        kind: frame::kind::GOAWAY,
        flags: 0,
        stream: 0,
        payload: [&last.to_be_bytes()[..], &code.to_be_bytes(), data].concat(),
    }
}

/// The streams that were answered 200, in order.
pub(super) fn answered(frames: &[Came]) -> Vec<u32> {
    let answers = frames
        .iter()
        .filter(|came| came.kind == frame::kind::HEADERS && came.payload.first() == Some(&0x88));
    answers.map(|came| came.stream).collect()
}

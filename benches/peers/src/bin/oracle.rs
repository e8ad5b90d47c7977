//! `cargo xtask bench oracle`: whether a clock tells how a SCEP request failed inside its envelope.
//!
//! A content key that does not unwrap, and content that was altered or is of another sender, are answers that an
//! attacker would need to tell apart to decrypt what others have sent. Both are the same refusal; here the processor
//! time of the whole operation is taken, in the process, with no network and no neighbour to blur it. Runs of the kinds take
//! turns in an order by chance, and each message is read from a fresh copy: where a kind's messages lie in memory would tell
//! them apart by a microsecond, whatever is in them. The medians of two kinds may differ by no more than those of two halves
//! of one kind do.

use std::{error::Error, process::ExitCode, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use http::Request;
use mdm_core::SystemClock;
use mdm_pki::{
    Certificate, CertificateBuilder, CertificateRequestBuilder, DigestAlgorithm, KeySpec, Name,
    PrivateKey,
    cms::{ContentCipher, EnvelopedDataBuilder},
    random,
};
use mdm_scep::{
    EmbeddedCa, FailInfo, MemoryStore, MessageType, Nonce, OneTime, PkiMessage, Responder, Server,
    TransactionId,
    ca::{RootUse, root},
};
use nix::time::{ClockId, clock_gettime};

type Failure = Box<dyn Error + Send + Sync>;

/// How often each kind is measured.
const SAMPLES: usize = 20_000;

/// How many messages of each kind take turns.
const MESSAGES: usize = 200;

/// How often a kind is halved by chance, and the part of these halvings that sets the bar.
const HALVINGS: usize = 1000;
const MOST: f64 = 0.99;

/// A way to fail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The wrapped content key is random.
    RandomKey,
    /// The encrypted content is random.
    RandomContent,
    /// One bit of the encrypted content is altered, so that the padding mostly holds.
    AlteredContent,
    /// The content is a sound CSR, of another key than the message's.
    OthersCsr,
}

const KINDS: [Kind; 4] = [
    Kind::RandomKey,
    Kind::RandomContent,
    Kind::AlteredContent,
    Kind::OthersCsr,
];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::RandomKey => "random key",
            Self::RandomContent => "random content",
            Self::AlteredContent => "altered content",
            Self::OthersCsr => "another's CSR",
        }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("oracle: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, Failure> {
    let world = World::new()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let [key, random, altered, others] = runtime.block_on(world.measure())?;
    println!(
        "oracle: {SAMPLES} refusals of each kind, in turns by chance, the same in class and size"
    );
    let mut dice = Dice(1);
    let mut met = true;
    for (kind, times) in [
        (Kind::RandomContent, random),
        (Kind::AlteredContent, altered),
        (Kind::OthersCsr, others),
    ] {
        let (one, other) = (median(&key), median(&times));
        let apart = (one - other).abs();
        let bar = halves(&key, &mut dice).max(halves(&times, &mut dice));
        let holds = apart <= bar;
        met &= holds;
        println!(
            "oracle {}, {}: medians {one:.2} µs and {other:.2} µs, {apart:.3} µs apart; bar {bar:.3} µs {}",
            Kind::RandomKey.name(),
            kind.name(),
            if holds { "met" } else { "MISSED" }
        );
    }
    println!(
        "oracle: the bar is what {MOST:.2} of {HALVINGS} pairs of halves of one kind stay within"
    );
    Ok(met)
}

struct World {
    server: Server,
    ca: Certificate,
    key: PrivateKey,
    signer: Certificate,
    csr: Vec<u8>,
    others_csr: Vec<u8>,
}

impl World {
    fn new() -> Result<Self, Failure> {
        let now = Utc::now();
        let ca_key = PrivateKey::generate(KeySpec::Rsa2048)?;
        let year = Duration::from_secs(365 * 24 * 60 * 60);
        let ca = root(
            Name::from_common_name("Example CA"),
            &ca_key,
            RootUse::Alone,
            year,
            now,
        )?;
        let store = Arc::new(MemoryStore::new());
        let authority = EmbeddedCa::new(vec![ca.clone()], Arc::new(ca_key.clone()), store.clone())?;
        let responder = Responder::local(ca.clone(), ca_key)?;
        let verifier = Arc::new(OneTime::new(store));
        let clock = Arc::new(SystemClock);
        let server = Server::builder(Arc::new(authority), responder, verifier, clock).build()?;
        let key = PrivateKey::generate(KeySpec::Rsa2048)?;
        let signer = CertificateBuilder::new(Name::from_common_name("temporary"), key.public_key())
            .validity(now, now + TimeDelta::days(1))
            .self_signed(&key)?;
        let csr = CertificateRequestBuilder::new(Name::from_common_name("device"))
            .challenge_password("d2c1f9a0b7e34856d2c1f9a0b7e34856d2c1f9a0");
        let others_csr = csr.clone().sign(&PrivateKey::generate(KeySpec::Rsa2048)?)?;
        let csr = csr.sign(&key)?;
        Ok(Self {
            server,
            ca,
            key,
            signer,
            csr: csr.to_der().to_vec(),
            others_csr: others_csr.to_der().to_vec(),
        })
    }

    /// A message that fails in this way, its outer signature sound.
    fn message(&self, kind: Kind) -> Result<Vec<u8>, Failure> {
        let content = match kind {
            Kind::OthersCsr => &self.others_csr,
            _ => &self.csr,
        };
        let mut envelope = EnvelopedDataBuilder::new(content)
            .cipher(ContentCipher::Aes128Cbc)
            .recipient(&self.ca)
            .encrypt()?;
        match kind {
            Kind::OthersCsr => {}
            Kind::RandomKey => wrapped_key(&mut envelope)?.copy_from_slice(&below_modulus()?),
            Kind::RandomContent => {
                for block in self.content(&mut envelope)?.chunks_mut(16) {
                    let noise = random::<16>()?;
                    block
                        .iter_mut()
                        .zip(noise)
                        .for_each(|(byte, noise)| *byte = noise);
                }
            }
            Kind::AlteredContent => {
                let [a, b, bit] = random::<3>()?;
                let content = self.content(&mut envelope)?;
                let at = usize::from(u16::from_be_bytes([a, b])) % content.len();
                if let Some(byte) = content.get_mut(at) {
                    *byte ^= 1 << (bit % 8);
                }
            }
        }
        let transaction = TransactionId::for_key(self.key.public_key())?;
        let message = PkiMessage::build(MessageType::PkcsReq, transaction, Nonce::random()?)
            .envelope(envelope)
            .sign(&self.signer, DigestAlgorithm::Sha256, &self.key)?;
        Ok(message)
    }

    /// The encrypted content, which an envelope ends with.
    fn content<'a>(&self, envelope: &'a mut [u8]) -> Result<&'a mut [u8], Failure> {
        let length = (self.csr.len() / 16 + 1) * 16;
        let start = envelope.len().checked_sub(length).ok_or("no content")?;
        Ok(envelope.get_mut(start..).ok_or("no content")?)
    }

    /// Times in microseconds, by kind.
    async fn measure(&self) -> Result<[Vec<f64>; KINDS.len()], Failure> {
        let mut messages = [const { Vec::new() }; KINDS.len()];
        for _ in 0..MESSAGES {
            for (messages, kind) in messages.iter_mut().zip(KINDS) {
                messages.push(self.message(kind)?);
            }
        }
        let mut times = [const { Vec::new() }; KINDS.len()];
        let (mut dice, mut size) = (Dice(7), None);
        // The first turns warm up.
        for turn in 0..SAMPLES + MESSAGES {
            for kind in dice.order() {
                let message = Bytes::copy_from_slice(&messages[kind][turn % MESSAGES]);
                let (time, length) = self.refused(message).await?;
                if *size.get_or_insert(length) != length {
                    return Err("refusals differ in size".into());
                }
                if turn >= MESSAGES {
                    times[kind].push(time);
                }
            }
        }
        Ok(times)
    }

    /// How long the refusal of a message took, and its size.
    async fn refused(&self, message: Bytes) -> Result<(f64, usize), Failure> {
        let request = Request::post("/scep?operation=PKIOperation").body(message)?;
        let began = clock()?;
        let response = self.server.handle(request).await;
        let time = clock()? - began;
        let reply = PkiMessage::parse(response.body(), 1 << 16)?;
        match reply.attributes.fail_info {
            Some(FailInfo::BadMessageCheck) => Ok((time, response.body().len())),
            _ => Err(format!("answered otherwise: {:?}", reply.attributes).into()),
        }
    }
}

/// Processor time of this thread, in microseconds: what is left of a time where nobody else is in the way.
fn clock() -> Result<f64, Failure> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
    Ok(time.tv_sec() as f64 * 1e6 + time.tv_nsec() as f64 / 1e3)
}

/// The content key as it was wrapped: the one OCTET STRING of 256 bytes.
fn wrapped_key(envelope: &mut [u8]) -> Result<&mut [u8], Failure> {
    const HEAD: [u8; 4] = [0x04, 0x82, 0x01, 0x00];
    let head = envelope.windows(HEAD.len()).position(|at| at == HEAD);
    let start = head.ok_or("no wrapped key")? + HEAD.len();
    Ok(envelope
        .get_mut(start..start + 256)
        .ok_or("no wrapped key")?)
}

/// A number that is smaller than any modulus of 2048 bits.
fn below_modulus() -> Result<[u8; 256], Failure> {
    let mut number = random::<256>()?;
    number[0] &= 0x7f;
    Ok(number)
}

/// How far the medians of two halves of one kind are apart: what most halvings stay within.
fn halves(times: &[f64], dice: &mut Dice) -> f64 {
    let mut shuffled = times.to_vec();
    let mut apart: Vec<f64> = (0..HALVINGS)
        .map(|_| {
            dice.shuffle(&mut shuffled);
            let (one, other) = shuffled.split_at(shuffled.len() / 2);
            (median(one) - median(other)).abs()
        })
        .collect();
    apart.sort_by(f64::total_cmp);
    let at = (MOST * HALVINGS as f64) as usize;
    apart.get(at).copied().unwrap_or(f64::NAN)
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    let middle = values.len() / 2;
    let (_, median, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    *median
}

/// Chance that is the same in every run (xorshift64*).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }

    /// The kinds in some order.
    fn order(&mut self) -> [usize; KINDS.len()] {
        let mut order = std::array::from_fn(|kind| kind);
        self.shuffle(&mut order);
        order
    }
}

//! `cargo xtask bench signature`: the verification of an `Mdm-Signature` header, base64 included, against
//! `Pkcs7::verify` of the `openssl` crate with a ready store that accepts any purpose. Both start from the header's
//! text and end with the signer's certificate in DER.

use std::process::ExitCode;

use chrono::{DateTime, TimeDelta, Utc};
use mdm_benches::{Case, Comparison};
use mdm_pki::{
    Certificate, CertificateBuilder, DigestAlgorithm, Identity, KeySpec, KeyUsage, Name,
    PrivateKey, SignatureVerifier, cms::SignedDataBuilder, oid, pem,
};
use openssl::{
    pkcs7::{Pkcs7, Pkcs7Flags},
    stack::Stack,
    x509::{
        X509, X509PurposeId,
        store::{X509Store, X509StoreBuilder},
        verify::X509VerifyFlags,
    },
};

/// How many times as many per second.
const BAR: f64 = 2.0;

/// The size of a check-in or of a small report.
const BODY: [u8; 2000] = [b'x'; 2000];

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match Bench::new() {
        Ok(bench) => bench.run(),
        Err(error) => {
            eprintln!("signature: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Bench {
    now: DateTime<Utc>,
    ours: SignatureVerifier,
    peer: X509Store,
    rsa: Identity,
    ec: Identity,
    stranger: Identity,
    old: Identity,
}

impl Bench {
    fn new() -> Result<Self, Failure> {
        let now = Utc::now();
        let root = issue("Acme CA", KeySpec::Rsa2048, None, now)?;
        let foreign = issue("Acme CA", KeySpec::Rsa2048, None, now)?;
        let mut store = X509StoreBuilder::new()?;
        store.add_cert(X509::from_der(root.certificate.to_der())?)?;
        store.set_purpose(X509PurposeId::ANY)?;
        store.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
        Ok(Self {
            now,
            ours: SignatureVerifier::new(vec![root.certificate.clone()])?,
            peer: store.build(),
            rsa: issue("device", KeySpec::Rsa2048, Some(&root), now)?,
            ec: issue("device", KeySpec::P256, Some(&root), now)?,
            stranger: issue("device", KeySpec::Rsa2048, Some(&foreign), now)?,
            old: issue(
                "device",
                KeySpec::Rsa2048,
                Some(&root),
                now - TimeDelta::days(60),
            )?,
        })
    }

    fn run(&self) -> ExitCode {
        let (rsa, ec) = match (header(&self.rsa, false), header(&self.ec, false)) {
            (Ok(rsa), Ok(ec)) => (rsa, ec),
            _ => return ExitCode::FAILURE,
        };
        let case = |name: &str, header: &'static str, bar: Option<f64>| {
            Case::rate(name, move || self.verify_ours(header, &BODY)).peer(
                "Pkcs7::verify",
                bar,
                move || self.verify_theirs(header, &BODY),
            )
        };
        Comparison::new("signature", || {
            self.agree().map_err(|error| error.to_string())
        })
        .rounds(11)
        .case(case("RSA-2048 with chain", rsa.leak(), Some(BAR)))
        .case(case("P-256 under RSA-2048", ec.leak(), None))
        .run()
    }

    fn verify_ours(&self, header: &str, body: &[u8]) -> Option<Vec<u8>> {
        let signer = self.ours.verify(header.as_bytes(), body, self.now).ok()?;
        Some(signer.to_der().to_vec())
    }

    fn verify_theirs(&self, header: &str, body: &[u8]) -> Option<Vec<u8>> {
        let message = Pkcs7::from_der(&openssl::base64::decode_block(header).ok()?).ok()?;
        let none = Stack::new().ok()?;
        message
            .verify(&none, &self.peer, Some(body), None, Pkcs7Flags::BINARY)
            .ok()?;
        let signers = message.signers(&none, Pkcs7Flags::BINARY).ok()?;
        signers.get(0)?.to_der().ok()
    }

    /// Both accept and refuse the same, and name the same signer.
    fn agree(&self) -> Result<(), Failure> {
        let good = header(&self.rsa, false)?;
        let tampered = {
            let mut der = pem::decode_base64(good.as_bytes())?;
            if let Some(last) = der.last_mut() {
                *last ^= 1;
            }
            base64(&der)
        };
        let ec = header(&self.ec, false)?;
        let (stranger, old) = (header(&self.stranger, false)?, header(&self.old, false)?);
        let ber = header(&self.rsa, true)?;
        for (name, header, body, accepted) in [
            ("valid, clientAuth only", &good, &BODY[..], true),
            ("valid EC", &ec, &BODY, true),
            ("BER", &ber, &BODY, true),
            ("tampered body", &good, b"other", false),
            ("tampered signature", &tampered, &BODY, false),
            ("foreign signer", &stranger, &BODY, false),
            ("expired", &old, &BODY, false),
        ] {
            let ours = self.verify_ours(header, body);
            let theirs = self.verify_theirs(header, body);
            if ours != theirs || ours.is_some() != accepted {
                return Err(format!(
                    "{name}: ours {}, the peer {}",
                    ours.is_some(),
                    theirs.is_some()
                )
                .into());
            }
        }
        Ok(())
    }
}

/// A root, or a device certificate that allows clientAuth alone, valid for 30 days from `from`.
fn issue(
    name: &str,
    spec: KeySpec,
    issuer: Option<&Identity>,
    from: DateTime<Utc>,
) -> Result<Identity, Failure> {
    let key = PrivateKey::generate(spec)?;
    let from = from - TimeDelta::days(1);
    let builder = CertificateBuilder::new(Name::from_common_name(name), key.public_key())
        .validity(from, from + TimeDelta::days(30));
    let certificate = match issuer {
        None => builder
            .ca(None)
            .key_usage(KeyUsage::KEY_CERT_SIGN)
            .self_signed(&key)?,
        Some(issuer) => builder
            .key_usage(KeyUsage::DIGITAL_SIGNATURE)
            .extended_key_usage(&[oid::CLIENT_AUTH])
            .sign(&issuer.certificate, &issuer.key)?,
    };
    let chain: Vec<Certificate> = issuer
        .map(|issuer| issuer.certificate.clone())
        .into_iter()
        .collect();
    Ok(Identity::new(certificate, chain, key)?)
}

/// The header's text: base64 of the detached signature over the body, with the chain, in DER or in BER.
fn header(identity: &Identity, ber: bool) -> Result<String, Failure> {
    let der = SignedDataBuilder::new(&BODY)
        .detached()
        .signer(&identity.certificate, DigestAlgorithm::Sha256)
        .chain(&identity.chain)
        .sign(&identity.key)?;
    if !ber {
        return Ok(base64(&der));
    }
    // Both outer elements, whose headers take four bytes each, with indefinite lengths.
    let (content_type, signed_data) = (&der[4..15], &der[19..]);
    let ber = [
        &[0x30, 0x80],
        content_type,
        &[0xa0, 0x80],
        signed_data,
        &[0; 4],
    ];
    Ok(base64(&ber.concat()))
}

fn base64(bytes: &[u8]) -> String {
    openssl::base64::encode_block(bytes)
}

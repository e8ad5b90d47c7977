use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use mdm_pki::{
    Certificate, CertificateBuilder, DigestAlgorithm, KeySpec, Name, PrivateKey,
    cms::{Limits, SignedDataBuilder},
};
use mdm_protocol::{
    Error,
    enroll::{DeviceAuthorities, MachineInfo, MachineInfoError, device_info},
    signature::{
        ClockSkew, HeaderError, MAX_HEADER_BYTES, MessageVerifier, decode_header, encode_header,
    },
};

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 5, 9, 0, 0).unwrap()
}

/// An authority and a device that it certified, valid for a year from `start`.
struct Issued {
    ca: Certificate,
    device: Certificate,
    key: PrivateKey,
}

fn issue(spec: KeySpec, digest: DigestAlgorithm, start: DateTime<Utc>) -> Issued {
    let validity = (start, start + TimeDelta::days(365));
    let ca_key = PrivateKey::generate(spec).unwrap();
    let key = PrivateKey::generate(spec).unwrap();
    let algorithm = |key: &PrivateKey| {
        *key.algorithms()
            .iter()
            .find(|a| a.digest() == digest)
            .unwrap()
    };
    let ca = CertificateBuilder::new(Name::from_common_name("Device CA"), ca_key.public_key())
        .validity(validity.0, validity.1)
        .ca(Some(0))
        .signature_algorithm(algorithm(&ca_key))
        .self_signed(&ca_key)
        .unwrap();
    let device = CertificateBuilder::new(Name::from_common_name("device"), key.public_key())
        .validity(validity.0, validity.1)
        .signature_algorithm(algorithm(&ca_key))
        .sign(&ca, &ca_key)
        .unwrap();
    Issued { ca, device, key }
}

impl Issued {
    fn today() -> Self {
        issue(
            KeySpec::P256,
            DigestAlgorithm::Sha256,
            now() - TimeDelta::days(1),
        )
    }

    fn header(&self, body: &[u8]) -> String {
        let cms = SignedDataBuilder::new(body)
            .detached()
            .signer(&self.device, DigestAlgorithm::Sha256)
            .sign(&self.key)
            .unwrap();
        encode_header(&cms)
    }

    fn machine_info(&self, digest: DigestAlgorithm, attributes: bool) -> Vec<u8> {
        let info = MachineInfo::default().with(|i| i.product = Some("iPhone4,1".into()));
        let xml = info.to_xml().unwrap();
        let builder = SignedDataBuilder::new(&xml).signer(&self.device, digest);
        let builder = if attributes {
            builder
        } else {
            builder.without_signed_attributes()
        };
        builder.sign(&self.key).unwrap()
    }
}

#[test]
fn a_signed_message_names_its_signer() {
    let issued = Issued::today();
    let verifier = MessageVerifier::new(vec![issued.ca.clone()]).unwrap();
    let header = issued.header(b"body");
    assert_eq!(
        verifier.verify(&header, b"body", now()).unwrap(),
        issued.device
    );
    let folded = header.replace('A', "\r\n A");
    assert_eq!(
        verifier.verify(&folded, b"body", now()).unwrap(),
        issued.device
    );
}

#[test]
fn q04_a_foreign_signer_with_a_plausible_subject_is_refused() {
    let (ours, foreign) = (Issued::today(), Issued::today());
    assert_eq!(ours.device.subject(), foreign.device.subject());
    let verifier = MessageVerifier::new(vec![ours.ca.clone()]).unwrap();
    let error = verifier.verify(&foreign.header(b"body"), b"body", now());
    assert!(matches!(error, Err(HeaderError::Signature(_))), "{error:?}");
}

#[test]
fn a_changed_body_and_an_expired_signer_are_refused() {
    let issued = Issued::today();
    let verifier = MessageVerifier::new(vec![issued.ca.clone()]).unwrap();
    let header = issued.header(b"body");
    for (body, at) in [
        (&b"other"[..], now()),
        (b"body", now() + TimeDelta::days(400)),
    ] {
        let error = verifier.verify(&header, body, at);
        assert!(matches!(error, Err(HeaderError::Signature(_))), "{error:?}");
    }
}

#[test]
fn a_header_that_is_none_is_refused() {
    let verifier = MessageVerifier::new(vec![Issued::today().ca]).unwrap();
    let header = |text: &str| verifier.verify(text, b"body", now()).unwrap_err();
    assert!(matches!(header(""), HeaderError::Header(Error::Base64(_))));
    assert!(matches!(header("*"), HeaderError::Header(Error::Base64(_))));
    assert!(matches!(header("AAAA"), HeaderError::Signature(_)));
    let long = "A".repeat(MAX_HEADER_BYTES + 1);
    assert!(matches!(
        header(&long),
        HeaderError::Header(Error::TooLarge { .. })
    ));
    assert_eq!(decode_header(&encode_header(b"x")).unwrap(), b"x");
}

#[test]
fn q02_machine_info_of_an_expired_weak_chain_counts_where_its_authority_is_pinned() {
    let long_ago = now() - TimeDelta::days(5000);
    let cases = [
        (KeySpec::Rsa1024, DigestAlgorithm::Sha1),
        (KeySpec::Rsa2048, DigestAlgorithm::Sha256),
        (KeySpec::P256, DigestAlgorithm::Sha256),
    ];
    for (spec, digest) in cases {
        let issued = issue(spec, digest, long_ago);
        let pinned = DeviceAuthorities::new(vec![issued.ca.clone()]).unwrap();
        for attributes in [true, false] {
            let cms = issued.machine_info(digest, attributes);
            let verified = pinned.verify(&cms, now()).unwrap();
            assert_eq!(verified.info.product.as_deref(), Some("iPhone4,1"));
            assert_eq!(verified.signer, issued.device);
        }
    }
}

#[test]
fn q02_machine_info_of_a_foreign_chain_is_refused() {
    let (ours, foreign) = (Issued::today(), Issued::today());
    let pinned = DeviceAuthorities::new(vec![ours.ca.clone()]).unwrap();
    let cms = foreign.machine_info(DigestAlgorithm::Sha256, true);
    assert!(matches!(
        pinned.verify(&cms, now()),
        Err(MachineInfoError::Signature(_))
    ));
}

#[test]
fn q02_certificates_without_a_signer_are_no_machine_info() {
    let one = Issued::today();
    let pinned = DeviceAuthorities::new(vec![one.ca.clone()]).unwrap();
    let none = mdm_pki::cms::certs_only(std::slice::from_ref(&one.device)).unwrap();
    let error = pinned.verify(&none, now()).unwrap_err();
    assert!(matches!(error, MachineInfoError::NoContent));
}

#[test]
fn machine_info_is_read_within_bounds_that_can_be_changed() {
    let one = Issued::today();
    let pinned = DeviceAuthorities::new(vec![one.ca.clone()]).unwrap();
    let cms = one.machine_info(DigestAlgorithm::Sha256, true);
    assert!(pinned.verify(&cms, now()).is_ok());
    let tight = pinned
        .clone()
        .limits(Limits::default().with(|limits| limits.bytes = cms.len() - 1));
    for refused in [
        tight.verify(&cms, now()),
        pinned.verify(&vec![0x30; (256 << 10) + 1], now()),
        pinned.verify(
            &mdm_pki::cms::certs_only(&vec![one.device.clone(); 17]).unwrap(),
            now(),
        ),
    ] {
        assert!(
            matches!(refused, Err(MachineInfoError::Cms(_))),
            "{refused:?}"
        );
    }
}

/// The message in BER of indefinite length, with its signers that many times.
fn streamed(der: &[u8], signers: usize) -> Vec<u8> {
    let (_, info, _) = element(der);
    let (_, _, after_oid) = element(info);
    let (_, explicit, _) = element(after_oid);
    let (_, signed, _) = element(explicit);
    let mut rest = signed;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (whole, content, after) = element(rest);
        parts.push((whole, content));
        rest = after;
    }
    let (_, last) = parts.pop().unwrap();
    let oid = &info[..info.len() - after_oid.len()];
    let mut ber = [&[0x30, 0x80][..], oid, &[0xA0, 0x80, 0x30, 0x80]].concat();
    for (whole, _) in parts {
        ber.extend_from_slice(whole);
    }
    ber.extend([0x31, 0x80]);
    for _ in 0..signers {
        ber.extend_from_slice(last);
    }
    ber.extend([0; 8]);
    ber
}

/// The first element, its content, and what follows it.
fn element(der: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let (header, length) = match der[1] {
        short @ 0..0x80 => (2, usize::from(short)),
        long => {
            let octets = usize::from(long & 0x7F);
            let length = der[2..2 + octets].iter();
            let length = length.fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
            (2 + octets, length)
        }
    };
    let (whole, after) = der.split_at(header + length);
    (whole, &whole[header..], after)
}

#[test]
fn q02_machine_info_is_read_in_ber_and_refused_with_two_signers() {
    let issued = Issued::today();
    let pinned = DeviceAuthorities::new(vec![issued.ca.clone()]).unwrap();
    for attributes in [true, false] {
        let cms = issued.machine_info(DigestAlgorithm::Sha256, attributes);
        assert!(pinned.verify(&streamed(&cms, 1), now()).is_ok());
        let twice = pinned.verify(&streamed(&cms, 2), now());
        assert!(
            matches!(twice, Err(MachineInfoError::Signers(2))),
            "{twice:?}"
        );
    }
}

#[test]
fn q02_only_an_authority_can_be_pinned() {
    let issued = Issued::today();
    let error = DeviceAuthorities::new(vec![issued.device]).unwrap_err();
    assert!(matches!(error, MachineInfoError::NotAnAuthority));
}

#[test]
fn q05_machine_info_comes_through_a_header_as_well() {
    let issued = Issued::today();
    let pinned = DeviceAuthorities::new(vec![issued.ca.clone()]).unwrap();
    let cms = issued.machine_info(DigestAlgorithm::Sha256, true);
    let header = encode_header(&cms)
        .replace('+', "-")
        .replace('/', "_")
        .replace('=', "");
    assert!(pinned.verify(&device_info(&header).unwrap(), now()).is_ok());
}

#[test]
fn what_is_no_signed_machine_info_is_refused() {
    let issued = Issued::today();
    let pinned = DeviceAuthorities::new(vec![issued.ca.clone()]).unwrap();
    assert!(matches!(
        pinned.verify(b"x", now()),
        Err(MachineInfoError::Cms(_))
    ));
    let other = SignedDataBuilder::new(b"<plist><dict/></plist>")
        .signer(&issued.device, DigestAlgorithm::Sha256)
        .sign(&issued.key)
        .unwrap();
    assert!(matches!(
        pinned.verify(&other, now()),
        Err(MachineInfoError::Document(_))
    ));
    let detached = SignedDataBuilder::new(b"x")
        .detached()
        .signer(&issued.device, DigestAlgorithm::Sha256)
        .sign(&issued.key)
        .unwrap();
    assert!(matches!(
        pinned.verify(&detached, now()),
        Err(MachineInfoError::NoContent)
    ));
}

#[test]
fn q03_signed_attributes_are_hashed_as_a_set_and_a_message_without_them_by_its_content() {
    let issued = Issued::today();
    let verifier = MessageVerifier::new(vec![issued.ca.clone()]).unwrap();
    let sign = |attributes: bool| {
        let builder = SignedDataBuilder::new(b"body")
            .detached()
            .signer(&issued.device, DigestAlgorithm::Sha256);
        let builder = match attributes {
            true => builder.signing_time(now()),
            false => builder.without_signed_attributes(),
        };
        builder.sign(&issued.key).unwrap()
    };
    let with = sign(true);
    for cms in [&with, &sign(false)] {
        let header = encode_header(cms);
        assert!(verifier.verify(&header, b"body", now()).is_ok());
    }
    // What was hashed begins with the tag of a SET, which is not what was sent.
    let signed = mdm_pki::cms::SignedData::parse(&with, &Limits::default()).unwrap();
    let signature = signed.signers()[0].signature();
    // A context tag 0 whose first attribute is a SEQUENCE that begins with an OID.
    let is_attributes = |w: &[u8]| w[0] == 0xA0 && w[2] == 0x30 && w[4] == 0x06;
    let start = with.windows(5).position(is_attributes).unwrap();
    let (as_sent, _, _) = element(&with[start..]);
    let as_set = [&[0x31][..], &as_sent[1..]].concat();
    let key = issued.device.public_key().unwrap();
    let algorithm = issued.key.algorithms()[0];
    let holds = |bytes: &[u8]| {
        let digest = mdm_pki::digest(DigestAlgorithm::Sha256, bytes).unwrap();
        key.verify_digest(algorithm, &digest, signature).is_ok()
    };
    assert!(holds(&as_set));
    assert!(!holds(as_sent));
}

#[test]
fn a_clock_that_is_a_little_off_stops_nobody() {
    let issued = Issued::today();
    let sign = |at: Option<DateTime<Utc>>| {
        let mut builder = SignedDataBuilder::new(b"body")
            .detached()
            .signer(&issued.device, DigestAlgorithm::Sha256);
        if let Some(at) = at {
            builder = builder.signing_time(at);
        }
        encode_header(&builder.sign(&issued.key).unwrap())
    };
    let strict = |verifier: MessageVerifier| {
        verifier.clock_skew(ClockSkew::default().with(|skew| {
            skew.signing_time = Some(TimeDelta::zero());
            skew.not_before = TimeDelta::zero();
        }))
    };
    let verifier = || MessageVerifier::new(vec![issued.ca.clone()]).unwrap();

    // The signing time: before the certificate was issued, a wrong time zone, and none at all.
    for off in [
        TimeDelta::hours(-23),
        TimeDelta::hours(14),
        TimeDelta::zero(),
    ] {
        let header = sign(Some(now() + off));
        assert!(verifier().verify(&header, b"body", now()).is_ok());
    }
    assert!(
        strict(verifier())
            .verify(&sign(None), b"body", now())
            .is_ok()
    );
    for off in [TimeDelta::days(2), TimeDelta::days(-9000)] {
        let header = sign(Some(now() + off));
        let error = verifier().verify(&header, b"body", now()).unwrap_err();
        assert!(matches!(error, HeaderError::SigningTime { .. }), "{error}");
        let blind = verifier().clock_skew(ClockSkew::default().with(|s| s.signing_time = None));
        assert!(blind.verify(&header, b"body", now()).is_ok());
    }

    // The validity: the issuer's clock is ahead of ours.
    let header = sign(None);
    let begins = now() - TimeDelta::days(1);
    for (early, counts) in [(1, true), (600, true), (601, false)] {
        let at = begins - TimeDelta::seconds(early);
        assert_eq!(
            verifier().verify(&header, b"body", at).is_ok(),
            counts,
            "{early}"
        );
        assert!(strict(verifier()).verify(&header, b"body", at).is_err());
    }
}

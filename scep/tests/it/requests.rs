//! Requests that must not get a certificate, each for its own reason.

use mdm_pki::{
    CertificateBuilder, CertificateRequest, CertificateRequestBuilder, DigestAlgorithm, KeySpec,
    Name, PrivateKey,
    cms::{ContentCipher, EnvelopedDataBuilder},
};
use mdm_scep::{FailInfo, MessageType, PkiMessage, PkiStatus, Policy, TransactionId};

use crate::world::{
    CA_KEY, DEVICE_KEY, OTHER_KEY, RA_KEY, Setup, World, csr, rsa_key, self_signed, start,
};

#[tokio::test]
async fn every_other_message_type_is_refused_with_bad_request_and_issues_nothing() {
    let world = World::new();
    let challenge = world.challenge().await;
    let good = world.request(&challenge);
    for number in [0, 1, 2, 3, 4, 18, 99, 999_999_999] {
        let raw = good
            .clone()
            .with(|raw| raw.message_type = MessageType::from(number));
        world.refused(&raw, FailInfo::BadRequest).await;
        assert!(world.events.last().contains("is not served"), "{number}");
    }
    // None of that has cost the device its challenge.
    world.ask(good.build()).await.certificates(&good.key);
}

#[tokio::test]
async fn a_request_without_type_nonce_or_transaction_is_refused() {
    // These are built from parts, since the builder cannot leave an attribute out.
    use mdm_pki::cms::SignedDataBuilder;
    use mdm_scep::attributes as at;
    let world = World::new();
    let challenge = world.challenge().await;
    let raw = world.request(&challenge);
    let printable = |text: &[u8]| [&[0x13, text.len() as u8], text].concat();
    let all = [
        (at::MESSAGE_TYPE, printable(b"19")),
        (at::TRANSACTION_ID, printable(b"T1")),
        (at::SENDER_NONCE, [&[4, 16][..], &[7; 16]].concat()),
    ];
    let without = |missing| {
        let envelope = raw.seal();
        all.iter()
            .filter(|(oid, _)| *oid != missing)
            .fold(
                SignedDataBuilder::new(&envelope).signer(&raw.signer, raw.digest),
                |builder, (oid, value)| builder.signed_attribute(*oid, value),
            )
            .sign(&raw.key)
            .unwrap()
    };
    for (oid, name) in [
        (at::MESSAGE_TYPE, "messageType"),
        (at::SENDER_NONCE, "senderNonce"),
    ] {
        let reply = world.ask(without(oid)).await;
        assert_eq!(
            reply.message.attributes.fail_info,
            Some(FailInfo::BadRequest)
        );
        assert!(world.events.last().contains(name));
    }
    let response = world.post(without(at::TRANSACTION_ID)).await;
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(world.store.issued(), 0);
}

#[tokio::test]
async fn a_csr_that_another_key_signed_is_refused() {
    let world = World::new();
    let challenge = world.challenge().await;
    let raw = world.request(&challenge);
    // The signature is the last part of a CSR.
    for back in [1, 100, 256] {
        let spoiled = raw.clone().with(|raw| {
            let place = raw.content.len() - back;
            raw.content[place] ^= 1;
        });
        world.refused(&spoiled, FailInfo::BadMessageCheck).await;
    }
}

#[tokio::test]
async fn a_csr_in_a_message_that_another_key_signed_is_refused() {
    let world = World::new();
    let challenge = world.challenge().await;
    let other = rsa_key(OTHER_KEY);
    let raw = world.request(&challenge).with(|raw| {
        raw.signer = self_signed(&other, "somebody else");
        raw.key = other;
    });
    world.refused(&raw, FailInfo::BadMessageCheck).await;
}

#[tokio::test]
async fn a_signer_that_did_not_sign_its_own_certificate_is_refused() {
    let world = World::new();
    let challenge = world.challenge().await;
    let raw = world.request(&challenge);
    let other = self_signed(&rsa_key(OTHER_KEY), "somebody else");
    let foreign = CertificateBuilder::new(Name::from_common_name("device 7"), raw.key.public_key())
        .validity(start(), world.root.not_after())
        .sign(&other, &rsa_key(OTHER_KEY))
        .unwrap();
    let raw = raw.with(|raw| raw.signer = foreign);
    world.refused(&raw, FailInfo::BadMessageCheck).await;
}

#[tokio::test]
async fn a_message_whose_signature_does_not_hold_is_refused() {
    let world = World::new();
    let challenge = world.challenge().await;
    let raw = world.request(&challenge);
    let mut bytes = raw.build();
    let place = bytes.len() - 10;
    bytes[place] ^= 1;
    let reply = world.ask(bytes).await;
    assert_eq!(
        reply.message.attributes.fail_info,
        Some(FailInfo::BadMessageCheck)
    );
    assert_eq!(world.store.issued(), 0);
    assert!(world.events.last().contains("signature"));
}

#[tokio::test]
async fn weak_digests_and_ciphers_are_refused_with_bad_alg() {
    let world = World::new();
    let challenge = world.challenge().await;
    let sha1 = world
        .request(&challenge)
        .with(|raw| raw.digest = DigestAlgorithm::Sha1);
    let reply = world.refused(&sha1, FailInfo::BadAlg).await;
    assert_eq!(reply.message.digest(), Some(DigestAlgorithm::Sha256));

    let lenient = World::with(Setup {
        policy: Policy::default().with(|policy| policy.sha1 = true),
        ..Setup::default()
    });
    let challenge = lenient.challenge().await;
    let sha1 = lenient
        .request(&challenge)
        .with(|raw| raw.digest = DigestAlgorithm::Sha1);
    let reply = lenient.ask(sha1.build()).await;
    assert_eq!(
        reply.message.digest(),
        Some(DigestAlgorithm::Sha1),
        "mirrored by policy"
    );
    reply.certificates(&sha1.key);
}

/// The cipher's OID in an AES-128 envelope, replaced by one of another cipher.
fn with_cipher(envelope: &[u8], oid: &[u8]) -> Vec<u8> {
    const AES128_CBC: &[u8] = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x02";
    let place = envelope
        .windows(AES128_CBC.len())
        .position(|window| window == AES128_CBC)
        .unwrap();
    let mut changed = envelope.to_vec();
    changed.splice(place..place + AES128_CBC.len(), oid.iter().copied());
    changed
}

#[tokio::test]
async fn unknown_ciphers_are_refused_with_bad_alg() {
    let world = World::new();
    let challenge = world.challenge().await;
    let raw = world.request(&challenge);
    // Nine bytes each, so that no length around them changes.
    for oid in [
        b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x06", // aes128-GCM
        b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x63", // nothing
    ] {
        let raw = raw
            .clone()
            .with(|raw| raw.envelope = Some(with_cipher(&raw.seal(), oid)));
        let reply = world.ask(raw.build()).await;
        assert_eq!(reply.message.attributes.fail_info, Some(FailInfo::BadAlg));
    }
    assert_eq!(world.store.issued(), 0);
}

#[tokio::test]
async fn keys_outside_of_the_policy_are_refused() {
    let world = World::with(Setup {
        policy: Policy::default().with(|policy| policy.ec_keys = false),
        ..Setup::default()
    });
    let small = PrivateKey::generate(KeySpec::Rsa1024).unwrap();
    let ec = PrivateKey::generate(KeySpec::P256).unwrap();
    let challenge = world.challenge().await;
    let with_key = |key: &PrivateKey| {
        world.request(&challenge).with(|raw| {
            raw.signer = self_signed(key, "temporary signer");
            raw.content = csr(key, "device 7", Some(challenge.expose()))
                .to_der()
                .to_vec();
            raw.key = key.clone();
        })
    };
    world.refused(&with_key(&small), FailInfo::BadRequest).await;
    assert!(world.events.last().contains("RSA with 1024 bits"));
    world.refused(&with_key(&ec), FailInfo::BadAlg).await;

    let tolerant = World::with(Setup {
        policy: Policy::default().with(|policy| policy.min_rsa_bits = 1024),
        ..Setup::default()
    });
    let challenge = tolerant.challenge().await;
    let raw = tolerant.request(&challenge).with(|raw| {
        raw.signer = self_signed(&small, "temporary signer");
        raw.content = csr(&small, "device 7", Some(challenge.expose()))
            .to_der()
            .to_vec();
        raw.key = small.clone();
    });
    tolerant.ask(raw.build()).await.certificates(&small);

    let strict = World::with(Setup {
        policy: Policy::default().with(|policy| policy.max_rsa_bits = 2047),
        ..Setup::default()
    });
    let challenge = strict.challenge().await;
    strict
        .refused(&strict.request(&challenge), FailInfo::BadRequest)
        .await;
}

#[tokio::test]
async fn the_authoritys_own_keys_get_no_certificate() {
    let world = World::with(Setup {
        ra: true,
        ..Setup::default()
    });
    let challenge = world.challenge().await;
    let key = rsa_key(RA_KEY);
    let raw = world.request(&challenge).with(|raw| {
        raw.signer = self_signed(&key, "impostor");
        raw.content = csr(&key, "device 7", Some(challenge.expose()))
            .to_der()
            .to_vec();
        raw.key = key.clone();
    });
    world.refused(&raw, FailInfo::BadRequest).await;
    assert!(world.events.last().contains("own"));
}

#[tokio::test]
async fn whatever_is_wrong_inside_an_envelope_looks_the_same_from_outside() {
    let world = World::new();
    let challenge = world.challenge().await;
    let raw = world.request(&challenge);
    let sealed = raw.seal();
    let tampered = |back: usize| {
        let mut envelope = sealed.clone();
        let place = envelope.len() - back;
        envelope[place] ^= 0x55;
        raw.clone().with(|raw| raw.envelope = Some(envelope))
    };
    // The wrapped key of 256 bytes begins where the recipient's identifier ends.
    let wrapped = sealed
        .windows(4)
        .position(|window| window == [0x04, 0x82, 0x01, 0x00])
        .unwrap()
        + 4;
    let other_key = |value: &[u8]| {
        let mut envelope = sealed.clone();
        envelope[wrapped..wrapped + 256].copy_from_slice(value);
        raw.clone().with(|raw| raw.envelope = Some(envelope))
    };
    let foreign_csr = csr(&rsa_key(OTHER_KEY), "device 7", Some(challenge.expose()));
    let mut with_trailer = raw.content.clone();
    with_trailer.push(0);
    let cases = [
        ("last block", tampered(1)),
        ("padding block", tampered(17)),
        ("middle", tampered(200)),
        ("random key", other_key(&[0x17; 256])),
        ("zero key", other_key(&[0; 256])),
        ("key over the modulus", other_key(&[0xff; 256])),
        (
            "no CSR",
            raw.clone().with(|raw| raw.content = b"hello".to_vec()),
        ),
        ("nothing", raw.clone().with(|raw| raw.content = Vec::new())),
        (
            "trailing byte",
            raw.clone().with(|raw| raw.content = with_trailer),
        ),
        (
            "foreign CSR",
            raw.clone()
                .with(|raw| raw.content = foreign_csr.to_der().to_vec()),
        ),
        (
            "other recipient",
            raw.clone()
                .with(|raw| raw.recipient = self_signed(&rsa_key(OTHER_KEY), "other")),
        ),
        (
            "no envelope",
            raw.clone()
                .with(|raw| raw.envelope = Some(b"hello".to_vec())),
        ),
    ];
    let mut sizes = Vec::new();
    for (name, raw) in cases {
        let reply = world.refused(&raw, FailInfo::BadMessageCheck).await;
        let text = reply.message.attributes.fail_info_text.clone().unwrap();
        assert_eq!(text, "the request in the envelope does not hold", "{name}");
        sizes.push(reply.bytes.len());
    }
    assert!(sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");
}

#[tokio::test]
async fn a_random_key_and_a_tampered_content_are_refused_alike_every_time() {
    let world = World::new();
    let challenge = world.challenge().await;
    let raw = world.request(&challenge);
    let sealed = raw.seal();
    let start = sealed
        .windows(4)
        .position(|w| w == [4, 0x82, 1, 0])
        .unwrap()
        + 4;
    let mut classes = std::collections::BTreeSet::new();
    for round in 0..64_u8 {
        let mut key = sealed.clone();
        key[start + 1 + usize::from(round)] ^= 0x40;
        let mut content = sealed.clone();
        let place = content.len() - 1 - usize::from(round);
        content[place] ^= round | 1;
        for envelope in [key, content] {
            let raw = raw.clone().with(|raw| raw.envelope = Some(envelope));
            let reply = world.ask(raw.build()).await;
            let attributes = reply.message.attributes.clone();
            classes.insert((
                attributes.fail_info.map(FailInfo::number),
                attributes.fail_info_text,
                reply.bytes.len(),
            ));
        }
    }
    assert_eq!(classes.len(), 1, "{classes:?}");
    assert_eq!(world.store.issued(), 0);
}

#[tokio::test]
async fn a_challenge_is_read_in_every_string_type() {
    for tag in [0x13, 0x0c, 0x16, 0x14] {
        let world = World::new();
        let challenge = world.challenge().await;
        let key = rsa_key(DEVICE_KEY);
        let value = [&[tag, 40], challenge.expose().as_bytes()].concat();
        let csr: CertificateRequest =
            CertificateRequestBuilder::new(Name::from_common_name("device 7"))
                .attribute(mdm_pki::oid::CHALLENGE_PASSWORD, &value)
                .sign(&key)
                .unwrap();
        let raw = world
            .request(&challenge)
            .with(|raw| raw.content = csr.to_der().to_vec());
        world.ask(raw.build()).await.certificates(&key);
    }
}

#[tokio::test]
async fn the_subject_is_taken_over_byte_for_byte() {
    // CN before O before C, one name of two attributes, and a T61String: each is a habit of some
    // client that some server "corrects".
    let subject = b"\x30\x45\
        \x31\x11\x30\x0f\x06\x03\x55\x04\x03\x14\x08device 7\
        \x31\x23\x30\x0e\x06\x03\x55\x04\x0a\x0c\x07Example\x30\x11\x06\x03\x55\x04\x0b\x0c\x0aFieldworks\
        \x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02CH";
    let subject = Name::from_der(subject).unwrap();
    let world = World::new();
    let challenge = world.challenge().await;
    let key = rsa_key(DEVICE_KEY);
    let csr = CertificateRequestBuilder::new(subject.clone())
        .challenge_password(challenge.expose())
        .sign(&key)
        .unwrap();
    let raw = world
        .request(&challenge)
        .with(|raw| raw.content = csr.to_der().to_vec());
    let issued = world.ask(raw.build()).await.certificates(&key);
    assert_eq!(issued[0].subject().to_der(), subject.to_der());
}

#[tokio::test]
async fn an_envelope_by_oaep_is_opened() {
    use mdm_pki::KeyTransport;
    for transport in [KeyTransport::RsaOaepSha1, KeyTransport::RsaOaepSha256] {
        let world = World::new();
        let challenge = world.challenge().await;
        let raw = world.request(&challenge);
        let envelope = EnvelopedDataBuilder::new(&raw.content)
            .cipher(ContentCipher::Aes256Cbc)
            .key_transport(transport)
            .recipient(&raw.recipient)
            .encrypt()
            .unwrap();
        let raw = raw.with(|raw| raw.envelope = Some(envelope));
        world.ask(raw.build()).await.certificates(&raw.key);
    }
}

#[tokio::test]
async fn the_responder_is_found_among_several_recipients() {
    let world = World::new();
    let other = self_signed(&rsa_key(OTHER_KEY), "other");
    for recipients in [[&other, &world.responder], [&world.responder, &other]] {
        let challenge = world.challenge().await;
        let raw = world.request(&challenge);
        let envelope = recipients
            .into_iter()
            .fold(
                EnvelopedDataBuilder::new(&raw.content).cipher(ContentCipher::Aes128Cbc),
                EnvelopedDataBuilder::recipient,
            )
            .encrypt()
            .unwrap();
        let raw = raw.with(|raw| raw.envelope = Some(envelope));
        world.ask(raw.build()).await.certificates(&raw.key);
    }
}

#[tokio::test]
async fn a_transaction_with_odd_characters_comes_back_as_it_was() {
    let world = World::new();
    for id in ["a_b@c*", "MIIB+/==", &"F".repeat(256)] {
        let challenge = world.challenge().await;
        let raw = world
            .request(&challenge)
            .with(|raw| raw.transaction_id = TransactionId::new(id).unwrap());
        let reply = world.ask(raw.build()).await;
        assert_eq!(
            reply.message.attributes.transaction_id.unwrap().as_str(),
            id
        );
    }
}

#[tokio::test]
async fn what_is_no_scep_message_is_answered_with_status_400() {
    let world = World::new();
    let challenge = world.challenge().await;
    let raw = world.request(&challenge);
    let certs_only = mdm_pki::cms::certs_only(std::slice::from_ref(&raw.signer)).unwrap();
    for bytes in [
        Vec::new(),
        vec![0x30],
        vec![0xff; 100],
        raw.seal(),
        certs_only,
    ] {
        let response = world.post(bytes).await;
        assert_eq!(response.status(), 400);
        assert_eq!(response.body(), "no SCEP message\n");
        assert!(world.events.last().starts_with("unreadable"));
    }
    let mut many = raw.build();
    many.extend(vec![0; 64 * 1024]);
    assert_eq!(world.post(many).await.status(), 413);
}

#[tokio::test]
async fn a_pending_or_successful_answer_sent_as_a_request_is_refused() {
    let world = World::new();
    let key = rsa_key(CA_KEY);
    let challenge = world.challenge().await;
    let raw = world.request(&challenge);
    for status in [PkiStatus::Success, PkiStatus::Pending] {
        let bytes = PkiMessage::build(
            MessageType::CertRep,
            raw.transaction_id.clone(),
            raw.nonce.clone(),
        )
        .status(status)
        .sign(&world.responder, DigestAlgorithm::Sha256, &key)
        .unwrap();
        let reply = world.ask(bytes).await;
        assert_eq!(
            reply.message.attributes.fail_info,
            Some(FailInfo::BadRequest)
        );
    }
}

#[tokio::test]
async fn the_clocks_of_devices_are_not_judged() {
    use chrono::{DateTime, TimeDelta};
    use mdm_pki::cms::SignedDataBuilder;
    use mdm_scep::attributes as at;
    for (from, signed_at) in [
        (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH),
        (
            start() + TimeDelta::days(9000),
            start() + TimeDelta::days(9000),
        ),
    ] {
        let world = World::new();
        let challenge = world.challenge().await;
        let raw = world.request(&challenge);
        let name = Name::from_common_name("temporary signer");
        let signer = CertificateBuilder::new(name, raw.key.public_key())
            .validity(from, from + TimeDelta::days(1))
            .self_signed(&raw.key)
            .unwrap();
        let envelope = raw.seal();
        let message = SignedDataBuilder::new(&envelope)
            .signer(&signer, raw.digest)
            .signing_time(signed_at)
            .signed_attribute(at::MESSAGE_TYPE, b"\x13\x0219")
            .signed_attribute(at::TRANSACTION_ID, b"\x13\x02T1")
            .signed_attribute(at::SENDER_NONCE, &[&[4, 16][..], &[7; 16]].concat())
            .sign(&raw.key)
            .unwrap();
        world.ask(message).await.certificates(&raw.key);
    }
}

/// An element of BER with indefinite length.
pub(crate) fn indefinite(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, 0x80], content, &[0, 0]].concat()
}

/// The elements inside a DER element, tags and all.
pub(crate) fn elements(der: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &der[header(der)..];
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (one, after) = rest.split_at(header(rest) + length(rest));
        all.push(one.to_vec());
        rest = after;
    }
    all
}

fn header(der: &[u8]) -> usize {
    match der[1] {
        0x81 => 3,
        0x82 => 4,
        _ => 2,
    }
}

fn length(der: &[u8]) -> usize {
    match der[1] {
        0x81 => der[2].into(),
        0x82 => u16::from_be_bytes([der[2], der[3]]).into(),
        short => short.into(),
    }
}

#[tokio::test]
async fn a_message_in_ber_with_its_content_in_pieces_is_read() {
    let world = World::new();
    let challenge = world.challenge().await;
    let raw = world.request(&challenge);
    let message = raw.build();
    // ContentInfo, [0], SignedData, encapContentInfo, [0], OCTET STRING: each is opened up.
    let info = elements(&message);
    let signed = elements(&elements(&info[1])[0]);
    let encapsulated = elements(&signed[2]);
    let content = &elements(&encapsulated[1])[0];
    let pieces: Vec<u8> = content[header(content)..]
        .chunks(100)
        .flat_map(|chunk| [&[4, chunk.len() as u8], chunk].concat())
        .collect();
    let content = indefinite(0xa0, &indefinite(0x24, &pieces));
    let encapsulated = indefinite(0x30, &[&encapsulated[0][..], &content].concat());
    let parts = [
        &signed[..2].concat()[..],
        &encapsulated,
        &signed[3..].concat(),
    ]
    .concat();
    let ber = indefinite(
        0x30,
        &[&info[0][..], &indefinite(0xa0, &indefinite(0x30, &parts))].concat(),
    );
    assert_ne!(ber, message);
    world.ask(ber).await.certificates(&raw.key);
}

#[tokio::test]
async fn nothing_that_is_printed_shows_a_challenge() {
    use mdm_core::Clock as _;
    let world = World::new();
    let challenge = world.challenge().await;
    let enrolment = world.enrolment(challenge.clone());
    world.client().enrol(&enrolment).await.unwrap();
    let shown = format!(
        "{enrolment:?} {:?} {:?} {:?} {:?}",
        world.server,
        world.store,
        world.events,
        world.clock.now()
    );
    assert!(!shown.contains(challenge.expose().as_str()));
}

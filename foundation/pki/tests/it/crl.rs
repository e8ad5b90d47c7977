//! Revocation lists: written, read, verified, and held against the openssl program.

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{
    Certificate, CertificateBuilder, Error, KeySpec, Name, PrivateKey, RevocationList,
    RevocationListBuilder, RevocationReason, RevokedCertificate,
    cms::{Limits, SignedData, crl_only},
};

use crate::support::{Openssl, authority, days, device};

fn at() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn list(number: u64) -> RevocationListBuilder {
    RevocationListBuilder::new(number, at(), at() + days(7))
}

#[test]
fn a_list_reads_back_with_every_reason_and_number() {
    let ca = authority("CA", KeySpec::P256, None);
    let reasons: Vec<_> = (0..=255)
        .filter_map(RevocationReason::from_number)
        .collect();
    assert_eq!(reasons.len(), 9, "7 is no reason, 8 only stands in a delta");
    for (number, bytes) in [
        (0, &[0][..]),
        (127, &[127]),
        (128, &[0, 128]),
        (u64::MAX, &[0, 255, 255, 255, 255, 255, 255, 255, 255]),
    ] {
        let mut builder = list(number);
        for reason in &reasons {
            let serial = [reason.number() + 1];
            builder = builder.revoke(RevokedCertificate::new(serial, at(), *reason));
        }
        let list = builder.sign(&ca.certificate, &ca.key).unwrap();
        let read = RevocationList::from_der(list.to_der(), 9).unwrap();
        read.verify_signed_by(&ca.certificate).unwrap();
        assert_eq!(read.number(), Some(bytes));
        assert_eq!(read.issuer(), &ca.certificate.subject());
        assert_eq!(read.len(), 9);
        for reason in &reasons {
            let found = read.find(&[reason.number() + 1]).unwrap();
            assert_eq!((found.reason, found.at), (*reason, read.this_update()));
        }
        assert_eq!(read.find(&[99]), None);
        let times = [-1, 0, 7 * 86400, 7 * 86400 + 1];
        let current = times.map(|seconds| read.is_current_at(at() + TimeDelta::seconds(seconds)));
        assert_eq!(current, [false, true, true, false]);
    }
}

#[test]
fn a_list_of_another_issuer_or_with_a_changed_byte_is_not_believed() {
    let ca = authority("CA", KeySpec::P256, None);
    let twin = authority("CA", KeySpec::P256, None);
    let leaf = device("leaf", KeySpec::P256, &ca);
    let entry = RevokedCertificate::new(
        leaf.certificate.serial(),
        at(),
        RevocationReason::KeyCompromise,
    );
    let good = list(1)
        .revoke(entry)
        .sign(&ca.certificate, &ca.key)
        .unwrap();
    for stranger in [&twin, &leaf, &authority("Other", KeySpec::P256, None)] {
        assert!(good.verify_signed_by(&stranger.certificate).is_err());
    }
    let mut der = good.to_der().to_vec();
    for place in 0..der.len() {
        der[place] ^= 1 << (place % 8);
        if let Ok(changed) = RevocationList::from_der(&der, 9) {
            assert!(
                changed.verify_signed_by(&ca.certificate).is_err(),
                "byte {place}"
            );
        }
        der[place] ^= 1 << (place % 8);
    }
    assert!(matches!(
        list(1).sign(&ca.certificate, &twin.key),
        Err(Error::KeyMismatch)
    ));
    assert!(
        list(1).sign(&leaf.certificate, &leaf.key).is_err(),
        "its key usage does not allow it"
    );
}

/// An authority that went over from one type of string to another: its certificates with the one and with the other.
pub(crate) fn in_two_types_of_string(key: &PrivateKey) -> [Certificate; 2] {
    [0x13, 0x0c].map(|kind| {
        let name = [
            &[0x30, 13, 0x31, 11, 0x30, 9, 6, 3, 0x55, 4, 3, kind, 2][..],
            b"CA",
        ]
        .concat();
        let name = Name::from_der(&name).unwrap();
        let builder = CertificateBuilder::new(name, key.public_key()).ca(None);
        let valid = builder.validity(at() - days(1), at() + days(1));
        valid.self_signed(key).unwrap()
    })
}

/// RFC 5280, section 7.1.
#[test]
fn an_issuer_whose_name_has_another_type_of_string_is_the_same() {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let [printable, utf8] = in_two_types_of_string(&key);
    assert_ne!(printable.subject(), utf8.subject());
    let list = list(1).sign(&utf8, &key).unwrap();
    list.verify_signed_by(&printable).unwrap();
    list.verify_signed_by(&utf8).unwrap();
}

#[test]
fn entries_are_bounded_and_a_long_list_reads_back() {
    let ca = authority("CA", KeySpec::P256, None);
    let mut builder = list(1);
    for number in 0..10_000_u32 {
        let serial = [&[1], &number.to_be_bytes()[..]].concat();
        builder = builder.revoke(RevokedCertificate::new(
            serial,
            at(),
            RevocationReason::Superseded,
        ));
    }
    let long = builder.sign(&ca.certificate, &ca.key).unwrap();
    assert_eq!(long.len(), 10_000);
    assert!(RevocationList::from_der(long.to_der(), 10_000).is_ok());
    assert!(matches!(
        RevocationList::from_der(long.to_der(), 9_999),
        Err(Error::TooMany { limit: 9_999, .. })
    ));
    let message = crl_only(&long).unwrap();
    let read = SignedData::parse(&message, &Limits::default()).unwrap();
    assert_eq!(read.crls(), [long.to_der()]);
    assert!(read.certificates().is_empty() && read.signers().is_empty());
}

#[test]
fn the_openssl_program_believes_our_list_and_we_believe_its() {
    let Some(openssl) = Openssl::find("revocation lists") else {
        return;
    };
    for spec in [KeySpec::Rsa2048, KeySpec::P256] {
        let ca = authority("CA", spec, None);
        openssl.write_identity("ca", &ca);
        let entry = |serial: u8, reason| RevokedCertificate::new([serial], at(), reason);
        for builder in [
            list(1),
            list(300)
                .revoke(entry(0x41, RevocationReason::KeyCompromise))
                .revoke(entry(0x42, RevocationReason::Unspecified)),
        ] {
            let ours = builder.sign(&ca.certificate, &ca.key).unwrap();
            openssl.write("list.pem", ours.to_pem());
            openssl.write("ca.pem", ca.certificate.to_pem());
            let line = "crl -in list.pem -CAfile ca.pem -verify -noout -text";
            let said = String::from_utf8(openssl.ok(line)).unwrap();
            if ours.is_empty() {
                assert!(said.contains("No Revoked Certificates"), "{said}");
                continue;
            }
            for part in ["Version 2", "300", "Serial Number: 41", "Key Compromise"] {
                assert!(said.contains(part), "{part}: {said}");
            }
        }
    }
}

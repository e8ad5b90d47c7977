//! Bytes that nobody should send: bounded work, a typed error, and never an attestation.

use mdm_fake_apple::attestation::cbor::{
    array, bytes, head, indefinite, map, statement as written, text,
};
use mdm_pki::attestation::{Answer, AttestationError, Freshness, Limits};
use proptest::prelude::*;

use super::{TOKEN, key, mac, read, verifier, verify};
use crate::support::now;

fn error(att_obj: &[u8]) -> AttestationError {
    read(att_obj).unwrap_err()
}

fn chain() -> Vec<Vec<u8>> {
    mac().chain().unwrap()
}

/// Whether it is the attestation of [`key`], verified.
fn is_believed(att_obj: &[u8]) -> bool {
    let Ok(Some(statement)) = read(att_obj) else {
        return false;
    };
    match verifier().verify(&statement, &Freshness::acme(TOKEN), now()) {
        Ok(attestation) => {
            assert!(attestation.key().matches(key().public_key()));
            let serial = attestation.posture().serial_number.known().cloned();
            assert_eq!(serial.unwrap().as_str(), "C02AAAAAAAAA");
            true
        }
        Err(_) => false,
    }
}

#[test]
fn no_altered_byte_of_an_attestation_verifies() {
    let att_obj = mac().with_root().cbor().unwrap();
    assert!(is_believed(&att_obj));
    let mut altered = att_obj.clone();
    for at in 0..att_obj.len() {
        for flip in [0x01, 0x80] {
            altered[at] ^= flip;
            assert!(!is_believed(&altered), "byte {at} by {flip:#x}");
            altered[at] = att_obj[at];
        }
    }
    assert!(is_believed(&altered));
}

#[test]
fn every_value_of_every_byte_around_the_certificates_is_refused() {
    let chain = chain();
    let att_obj = written("apple", &chain);
    let [leaf, sub] = chain.as_slice() else {
        panic!("{} certificates", chain.len());
    };
    let begins = att_obj.len() - sub.len() - 3 - leaf.len();
    let frame = (0..begins).chain(begins + leaf.len()..begins + leaf.len() + 3);
    let mut altered = att_obj.clone();
    for at in frame {
        for value in 0..=255 {
            altered[at] = value;
            // The one other spelling that means the same: none.
            assert_eq!(
                is_believed(&altered),
                value == att_obj[at],
                "byte {at} as {value:#x}"
            );
        }
        altered[at] = att_obj[at];
    }
}

#[test]
fn what_is_cut_off_or_goes_on_is_refused() {
    let att_obj = mac().cbor().unwrap();
    for end in 1..att_obj.len() {
        assert!(read(&att_obj[..end]).is_err(), "cut off at {end}");
    }
    let longer = [att_obj.as_slice(), b"\0"].concat();
    assert!(matches!(error(&longer), AttestationError::Cbor { .. }));
    assert!(
        error(&[att_obj.as_slice(), &att_obj].concat())
            .to_string()
            .contains("after")
    );
}

#[test]
fn another_spelling_of_the_same_statement_is_read() {
    let chain: Vec<_> = chain().iter().map(|der| bytes(der)).collect();
    let x5c = |chain: Vec<u8>| map(&[("x5c", chain)]);
    let in_parts: Vec<_> = mac()
        .chain()
        .unwrap()
        .iter()
        .map(|der| indefinite(2, &der.chunks(100).map(bytes).collect::<Vec<_>>()))
        .collect();
    for att_obj in [
        map(&[("attStmt", x5c(array(&chain))), ("fmt", text("apple"))]),
        map(&[
            ("fmt", text("apple")),
            ("authData", bytes(&[1, 2, 3])),
            (
                "later",
                map(&[("a", array(&[text("b"), head(0, 1 << 40)]))]),
            ),
            ("tagged", [head(6, 1), text("now")].concat()),
            (
                "floats",
                array(&[vec![0xf9, 0, 0], vec![0xfa, 0, 0, 0, 0], vec![0xf6]]),
            ),
            ("attStmt", x5c(array(&chain))),
        ]),
        indefinite(
            5,
            &[
                indefinite(3, &[text("f"), text("mt")]),
                text("apple"),
                text("attStmt"),
                indefinite(5, &[text("x5c"), indefinite(4, &in_parts)]),
            ],
        ),
        // A length in more bytes than it needs.
        [
            vec![0xb8, 2],
            written("apple", &mac().chain().unwrap())[1..].to_vec(),
        ]
        .concat(),
    ] {
        assert!(is_believed(&att_obj), "{:02x?}", &att_obj[..40]);
    }
}

#[test]
fn empty_arrays_are_an_error_and_no_attestation() {
    assert!(matches!(
        error(&written("apple", &[])),
        AttestationError::EmptyChain
    ));
    let no_chain = |statement| map(&[("fmt", text("apple")), ("attStmt", statement)]);
    for att_obj in [
        no_chain(map(&[])),
        no_chain(array(&[])),
        no_chain(map(&[("x5c", map(&[]))])),
        no_chain(map(&[("x5c", array(&[array(&[])]))])),
        no_chain(map(&[("x5c", bytes(b"no array"))])),
        map(&[("fmt", text("apple"))]),
        map(&[("attStmt", map(&[("x5c", array(&[]))]))]),
        array(&[]),
        text("apple"),
    ] {
        let error = error(&att_obj);
        assert!(matches!(error, AttestationError::Cbor { .. }), "{error}");
    }
    let error = error(&written("apple", &[Vec::new()]));
    assert!(
        matches!(error, AttestationError::Certificate { index: 0, .. }),
        "{error}"
    );
}

#[test]
fn empty_and_broken_extended_key_usages_do_no_harm() {
    const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
    for value in [
        &b"\x30\x00"[..],
        b"",
        b"\x30",
        b"\x30\x02\x06\x00",
        b"\x30\x02\x06\x80",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x05\x00",
    ] {
        // Whether it is believed is OpenSSL's to say; nothing ends the program.
        let leaf = mac().extension(EXTENDED_KEY_USAGE, value);
        if let Ok(attestation) = verify(&leaf) {
            assert!(attestation.chain()[0].extended_key_usages().is_empty());
        }
    }
}

#[test]
fn ten_thousand_certificates_are_refused_before_they_are_read() {
    let leaf = chain().swap_remove(0);
    let many = vec![leaf; 10_000];
    let limits = Limits::default();
    let roomy = limits.with(|limits| limits.bytes = usize::MAX);
    for error in [
        Answer::from_cbor(&written("apple", &many), &limits).unwrap_err(),
        Answer::from_cbor(&written("apple", &many), &roomy).unwrap_err(),
        Answer::from_chain(&many, &limits).unwrap_err(),
        // It only says so.
        error(&map(&[
            ("fmt", text("apple")),
            (
                "attStmt",
                [head(5, 1), text("x5c"), head(4, 10_000)].concat(),
            ),
        ])),
        error(&map(&[
            ("fmt", text("apple")),
            (
                "attStmt",
                [head(5, 1), text("x5c"), head(4, u64::MAX)].concat(),
            ),
        ])),
    ] {
        assert!(matches!(error, AttestationError::TooMany { .. }), "{error}");
    }
    let endless = indefinite(4, &many.iter().map(|der| bytes(der)).collect::<Vec<_>>());
    let endless = map(&[("attStmt", map(&[("x5c", endless)]))]);
    let error = Answer::from_cbor(&endless, &roomy).unwrap_err();
    assert!(
        matches!(error, AttestationError::TooMany { limit: 8, .. }),
        "{error}"
    );
}

#[test]
fn every_limit_is_kept() {
    let att_obj = mac().cbor().unwrap();
    let all = Limits::default();
    for limits in [
        all.with(|limits| limits.bytes = att_obj.len() - 1),
        all.with(|limits| limits.certificates = 1),
        all.with(|limits| limits.certificate_bytes = 300),
        all.with(|limits| limits.keys = 1),
    ] {
        let error = Answer::from_cbor(&att_obj, &limits).unwrap_err();
        assert!(matches!(error, AttestationError::TooMany { .. }), "{error}");
    }
    let limits = all.with(|limits| limits.bytes = att_obj.len());
    Answer::from_cbor(&att_obj, &limits).unwrap();
    let huge = all.with(|limits| limits.certificate_bytes = 100);
    assert!(Answer::from_chain(&chain(), &huge).is_err());
    let short = all.with(|limits| limits.bytes = 1000);
    assert!(Answer::from_chain(&chain(), &short).is_err());
}

#[test]
fn deep_nesting_is_refused_and_costs_no_stack() {
    for opening in [
        &[0x81][..],
        &[0x9f],
        &[0xa1, 0x61, b'a'],
        &[0xbf, 0x61, b'a'],
        &[0xc1],
    ] {
        let deep = opening.repeat(30_000 / opening.len());
        for att_obj in [
            [head(5, 1), text("later"), deep.clone()].concat(),
            map(&[
                ("fmt", text("apple")),
                (
                    "attStmt",
                    [head(5, 1), text("later"), deep.clone()].concat(),
                ),
            ]),
        ] {
            let error = error(&att_obj);
            assert!(
                matches!(error, AttestationError::TooMany { what: "levels", .. }),
                "{error}"
            );
        }
        assert!(read(&deep).is_err());
    }
    // Six levels below the first two fit into eight, seven do not.
    let nested = |depth| (0..depth).fold(text("end"), |inside, _| array(&[inside]));
    let below = |depth| map(&[("attStmt", map(&[("later", nested(depth))]))]);
    assert!(matches!(error(&below(6)), AttestationError::Cbor { .. }));
    assert!(matches!(error(&below(7)), AttestationError::TooMany { .. }));
}

#[test]
fn a_key_that_stands_there_twice_is_refused() {
    let x5c = || map(&[("x5c", array(&[]))]);
    let chain: Vec<_> = chain().iter().map(|der| bytes(der)).collect();
    for att_obj in [
        map(&[
            ("fmt", text("apple")),
            ("fmt", text("apple")),
            ("attStmt", x5c()),
        ]),
        map(&[
            ("fmt", text("apple")),
            ("attStmt", x5c()),
            ("attStmt", x5c()),
        ]),
        map(&[("a", text("")), ("a", text(""))]),
        map(&[
            ("fmt", text("apple")),
            (
                "attStmt",
                map(&[("x5c", array(&chain)), ("x5c", array(&chain))]),
            ),
        ]),
    ] {
        assert!(error(&att_obj).to_string().contains("twice"));
    }
    let many: Vec<String> = (0..33).map(|at| at.to_string()).collect();
    let many: Vec<_> = many.iter().map(|key| (key.as_str(), text(""))).collect();
    assert!(matches!(
        error(&map(&many)),
        AttestationError::TooMany { limit: 32, .. }
    ));
}

#[test]
fn other_formats_are_named_and_refused() {
    for format in ["packed", "none", "", "Apple", "apple ", "apple-appattest"] {
        match error(&written(format, &chain())) {
            AttestationError::Format(found) => assert_eq!(found, format),
            other => panic!("{format}: {other}"),
        }
    }
    match error(&written(&"x".repeat(10_000), &chain())) {
        AttestationError::Format(found) => assert_eq!(found.len(), 64),
        other => panic!("{other}"),
    }
    // Keys that are no text, text that is no UTF-8, breaks where none can be, reserved heads.
    for broken in [
        &[0xa1, 0x01, 0x02][..],
        &[0xa1, 0x61, 0xff, 0x00],
        &[0xa1, 0x61, b'a', 0xff],
        &[0xff],
        &[0xbf],
        &[0xbf, 0x61, b'a', 0xff],
        &[0x1c],
        &[0xa1, 0x61, b'a', 0x1c],
        &[0xa1, 0x61, b'a', 0x5f, 0x5f, 0xff, 0xff],
        &[0xa1, 0x61, b'a', 0x5f, 0x61, b'x', 0xff],
        &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xa1, 0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        b"{\"fmt\":\"apple\"}",
    ] {
        assert!(read(broken).is_err(), "{broken:02x?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_an_attestation(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(!is_believed(&bytes));
    }

    #[test]
    fn no_mixture_of_two_attestations_is_a_third(at in 0.0..1.0_f64, other in any::<bool>()) {
        let mine = mac().cbor().unwrap();
        let theirs = mac().serial("C02BBBBBBBBB").cbor().unwrap();
        let (first, second) = if other { (mine, theirs) } else { (theirs, mine) };
        let cut = 1 + (at * (first.len().min(second.len()) - 2) as f64) as usize;
        let mixed = [&first[..cut], &second[cut.min(second.len())..]].concat();
        if let Ok(Some(statement)) = read(&mixed) {
            let outcome = verifier().verify(&statement, &Freshness::acme(TOKEN), now());
            // Only where the cut lies before or behind all that differs.
            prop_assert!(outcome.is_err() || mixed == first || mixed == second);
        }
    }
}

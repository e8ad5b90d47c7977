//! BER becomes DER, under bounds.

use mdm_pki::cms::{BerError, DecryptPolicy, Limits, normalize};
use proptest::prelude::*;

fn der(ber: &[u8]) -> Result<Vec<u8>, BerError> {
    normalize(ber, &Limits::default()).map(|der| der.into_owned())
}

#[test]
fn der_comes_back_as_it_is() {
    for input in [
        &[0x30, 0][..],
        &[0x30, 3, 2, 1, 5],
        &[0x04, 2, 0x24, 0x80],
        &[0x1f, 0x81, 0x01, 0],
        &[0xbf, 0x21, 3, 2, 1, 5],
    ] {
        let out = normalize(input, &Limits::default()).unwrap();
        assert!(matches!(out, std::borrow::Cow::Borrowed(_)));
        assert_eq!(*out, *input);
    }
}

#[test]
fn every_form_of_ber_becomes_der() {
    for (ber, expected) in [
        // Indefinite lengths, nested.
        (
            &[0x30, 0x80, 0x30, 0x80, 2, 1, 5, 0, 0, 0, 0][..],
            &[0x30, 5, 0x30, 3, 2, 1, 5][..],
        ),
        // A definite length inside an indefinite one and the other way round.
        (
            &[0x30, 0x80, 0x30, 3, 2, 1, 5, 0, 0],
            &[0x30, 5, 0x30, 3, 2, 1, 5],
        ),
        (
            &[0x30, 7, 0x30, 0x80, 2, 1, 5, 0, 0],
            &[0x30, 5, 0x30, 3, 2, 1, 5],
        ),
        // Padded lengths.
        (&[0x30, 0x83, 0, 0, 3, 2, 0x81, 1, 5][..8], &[]),
        (&[0x30, 0x82, 0, 4, 2, 0x81, 1, 5], &[0x30, 3, 2, 1, 5]),
        // An OCTET STRING in parts, nested, with an empty one.
        (
            &[0x24, 0x80, 4, 1, 1, 0x24, 4, 4, 0, 4, 0, 4, 2, 2, 3, 0, 0],
            &[4, 3, 1, 2, 3],
        ),
        (&[0x24, 0], &[4, 0]),
        // A BIT STRING in parts: the last one's unused bits count.
        (
            &[0x23, 0x80, 3, 2, 0, 0xaa, 3, 2, 4, 0xf0, 0, 0],
            &[3, 3, 4, 0xaa, 0xf0],
        ),
        (&[0x23, 0], &[3, 1, 0]),
        // A UTF8String in parts, one of them tagged as OCTET STRING.
        (
            &[0x2c, 6, 0x0c, 1, b'a', 4, 1, b'b'],
            &[0x0c, 2, b'a', b'b'],
        ),
        // A context tag keeps its parts: only its reader knows what it is.
        (
            &[0xa0, 0x80, 4, 1, 1, 4, 1, 2, 0, 0],
            &[0xa0, 6, 4, 1, 1, 4, 1, 2],
        ),
        // What follows as padding is dropped.
        (&[0x30, 0, b'\r', b'\n', 0, b' '], &[0x30, 0]),
    ] {
        if expected.is_empty() {
            assert!(der(ber).is_err());
        } else {
            assert_eq!(der(ber).unwrap(), expected, "{ber:02x?}");
        }
    }
}

#[test]
fn lengths_grow_through_every_boundary() {
    for size in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000] {
        let mut ber = vec![0x30, 0x80, 0x24, 0x80];
        for chunk in vec![7; size].chunks(100) {
            ber.extend([4, chunk.len() as u8]);
            ber.extend(chunk);
        }
        ber.extend([0; 4]);
        let out = der(&ber).unwrap();
        assert_eq!(normalize(&out, &Limits::default()).unwrap(), out);
        assert_eq!(
            out.iter().filter(|byte| **byte == 7).count(),
            size + usize::from(size == 7)
        );
    }
}

#[test]
fn broken_encodings_have_typed_errors() {
    for (ber, expected) in [
        (&[][..], BerError::Truncated { offset: 0 }),
        (&[0x30], BerError::Truncated { offset: 0 }),
        (&[0x30, 3, 2, 1], BerError::Truncated { offset: 0 }),
        (&[0x30, 0x80, 2, 1, 5], BerError::Truncated { offset: 5 }),
        (&[0x30, 0x80, 2, 1, 5, 0], BerError::Truncated { offset: 5 }),
        (&[0, 0], BerError::Broken { offset: 0 }),
        (&[0x30, 2, 0, 0], BerError::Broken { offset: 2 }),
        (&[0x04, 0x80, 0, 0], BerError::Broken { offset: 0 }),
        (&[0x30, 0xff, 0], BerError::Broken { offset: 0 }),
        (
            &[0x30, 4, 2, 9, 5, 5, 5, 5, 5, 5, 5, 5],
            BerError::Broken { offset: 2 },
        ),
        // An end-of-contents that lies half outside of its parent.
        (
            &[0x30, 3, 0x30, 0x80, 0, 0, 0],
            BerError::Broken { offset: 6 },
        ),
        // A string in parts of another kind.
        (&[0x24, 3, 2, 1, 5], BerError::Broken { offset: 2 }),
        (&[0x23, 3, 4, 1, 5], BerError::Broken { offset: 2 }),
        (
            &[0x1f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
            BerError::Broken { offset: 0 },
        ),
        (&[0x30, 0, 1], BerError::TrailingData { count: 1 }),
    ] {
        assert_eq!(der(ber), Err(expected), "{ber:02x?}");
    }
}

#[test]
fn a_length_that_claims_much_costs_nothing() {
    for claim in [
        &[0x84, 0x06, 0, 0, 0][..],
        &[0x84, 0xff, 0xff, 0xff, 0xff],
        &[0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ] {
        for tag in [0x30, 0x04, 0x24] {
            let ber = [&[tag][..], claim, &[1, 2, 3]].concat();
            assert_eq!(der(&ber), Err(BerError::Truncated { offset: 0 }));
        }
    }
}

#[test]
fn depth_is_bounded_for_both_kinds_of_length() {
    let indefinite = [0x30, 0x80].repeat(1_000_000);
    assert_eq!(
        der(&indefinite),
        Err(BerError::TooDeep {
            limit: 64,
            offset: 128
        })
    );
    let strings = [0x24, 0x80].repeat(1_000_000);
    assert!(matches!(der(&strings), Err(BerError::TooDeep { .. })));
    let mut definite = vec![0x30, 0];
    for _ in 0..100 {
        let mut outer = vec![0x30, 0x82];
        outer.extend((definite.len() as u16).to_be_bytes());
        outer.extend(definite);
        definite = outer;
    }
    assert!(matches!(der(&definite), Err(BerError::TooDeep { .. })));
    let limits = Limits::default().with(|limits| limits.depth = 101);
    assert!(normalize(&definite, &limits).is_ok());
}

#[test]
fn raised_depth_does_not_use_the_stack() {
    let limits = Limits::default().with(|limits| {
        limits.depth = usize::MAX;
        limits.elements = usize::MAX;
    });
    let mut nested = [0x30, 0x80].repeat(20_000);
    nested.extend(vec![0; 40_000]);
    let run = move || normalize(&nested, &limits).map(|der| der.len());
    let length = std::thread::Builder::new()
        .stack_size(64 << 10)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
    assert!(length.unwrap() > 40_000);
}

#[test]
fn bytes_and_elements_are_bounded() {
    let limits = Limits::default().with(|limits| limits.bytes = 5);
    assert_eq!(
        normalize(&[0x30, 4, 2, 1, 5], &limits),
        Err(BerError::Broken { offset: 0 }).or(Err(BerError::Truncated { offset: 0 }))
    );
    assert_eq!(
        normalize(&[0x30, 4, 2, 2, 5, 5], &limits),
        Err(BerError::TooLong { limit: 5 })
    );
    let limits = Limits::default().with(|limits| limits.elements = 2);
    assert!(normalize(&[0x30, 2, 5, 0], &limits).is_ok());
    assert_eq!(
        normalize(&[0x30, 4, 5, 0, 5, 0], &limits),
        Err(BerError::TooManyElements {
            limit: 2,
            offset: 4
        })
    );
}

fn tree() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop::collection::vec(any::<u8>(), 0..200).prop_map(|value| {
        let mut out = vec![0x04];
        length(&mut out, value.len());
        out.extend(value);
        out
    });
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop::collection::vec(inner, 0..6).prop_map(|children| {
            let value = children.concat();
            let mut out = vec![0x30];
            length(&mut out, value.len());
            out.extend(value);
            out
        })
    })
}

fn length(out: &mut Vec<u8>, length: usize) {
    match length {
        0..=0x7f => out.push(length as u8),
        0x80..=0xff => out.extend([0x81, length as u8]),
        _ => {
            out.push(0x82);
            out.extend((length as u16).to_be_bytes());
        }
    }
}

/// Rewrites DER as BER: sequences get indefinite lengths, strings come in parts of three bytes.
fn loosen(der: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < der.len() {
        let header = match der[at + 1] {
            0x81 => 3,
            0x82 => 4,
            _ => 2,
        };
        let size = match header {
            2 => usize::from(der[at + 1]),
            3 => usize::from(der[at + 2]),
            _ => usize::from(der[at + 2]) << 8 | usize::from(der[at + 3]),
        };
        let value = &der[at + header..at + header + size];
        if der[at] == 0x30 {
            out.extend([0x30, 0x80]);
            loosen(value, out);
        } else {
            out.extend([0x24, 0x80]);
            for part in value.chunks(3) {
                out.extend([4, 0x81, part.len() as u8]);
                out.extend(part);
            }
        }
        out.extend([0, 0]);
        at += header + size;
    }
}

proptest! {
    #[test]
    fn ber_written_from_any_der_comes_back_as_that_der(der in tree()) {
        let mut ber = Vec::new();
        loosen(&der, &mut ber);
        prop_assert_eq!(&*normalize(&ber, &Limits::default()).unwrap(), &der[..]);
        prop_assert_eq!(&*normalize(&der, &Limits::default()).unwrap(), &der[..]);
    }

    #[test]
    fn no_input_panics_and_what_is_accepted_is_stable(input in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(once) = normalize(&input, &Limits::default()) {
            prop_assert_eq!(&normalize(&once, &Limits::default()).unwrap(), &once);
        }
    }
}

#[test]
fn a_further_change_keeps_the_earlier_ones() {
    let limits = Limits::default()
        .with(|limits| limits.depth = 7)
        .with(|limits| limits.bytes = 5);
    assert_eq!((limits.depth, limits.bytes), (7, 5));
    let policy = DecryptPolicy::default()
        .with(|policy| policy.triple_des = false)
        .with(|policy| policy.tried_recipients = 1);
    assert!(!policy.triple_des);
    assert_eq!(policy.tried_recipients, 1);
}

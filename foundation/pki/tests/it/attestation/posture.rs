//! Every property in every form, and what is unknown is never good.

use mdm_fake_apple::attestation::{Form, Kind};
use mdm_pki::attestation::{Posture, Property, SecureBoot, Sip, ThirdPartyKexts, Verdict};

use super::{TOKEN, apple, key, mac, verify};

fn posture_with(kind: Kind, form: Form, text: &str) -> Posture {
    let leaf = apple().leaf(key().public_key()).acme(TOKEN);
    let leaf = match kind {
        Kind::Freshness => leaf,
        _ => leaf.property(kind, form, text),
    };
    verify(&leaf).unwrap().posture().clone()
}

/// A text property as text, or why there is none.
fn text(posture: &Posture, kind: Kind) -> Property<String> {
    fn as_text<T: ToString>(property: &Property<T>) -> Property<String> {
        match property {
            Property::Absent => Property::Absent,
            Property::Unknown(bytes) => Property::Unknown(bytes.clone()),
            Property::Known(value) => Property::Known(value.to_string()),
        }
    }
    match kind {
        Kind::SerialNumber => as_text(&posture.serial_number),
        Kind::Udid => as_text(&posture.udid),
        Kind::SoftwareUpdateDeviceId => as_text(&posture.software_update_device_id),
        Kind::OsVersion => as_text(&posture.os_version),
        Kind::SepOsVersion => as_text(&posture.sep_os_version),
        Kind::LlbVersion => as_text(&posture.llb_version),
        other => panic!("{other:?} is no text"),
    }
}

const TEXTS: [Kind; 6] = [
    Kind::SerialNumber,
    Kind::Udid,
    Kind::SoftwareUpdateDeviceId,
    Kind::OsVersion,
    Kind::SepOsVersion,
    Kind::LlbVersion,
];

#[test]
fn every_text_is_read_in_every_form() {
    for kind in TEXTS {
        for form in Form::ALL {
            let found = text(&posture_with(kind, form, "15.1"), kind);
            let expected = match form {
                Form::Integer | Form::Blank | Form::Spaces => Property::Unknown(form.bytes("15.1")),
                _ => Property::Known("15.1".to_owned()),
            };
            assert_eq!(found, expected, "{kind:?} as {form:?}");
        }
        let others = posture_with(Kind::Sip, Form::Integer, "0");
        assert_eq!(text(&others, kind), Property::Absent);
    }
}

#[test]
fn every_number_is_read_in_every_form() {
    for form in Form::ALL {
        let readable = !matches!(form, Form::Blank | Form::Spaces);
        for (number, sip, kexts) in [
            ("0", Some(Sip::Enabled), Some(ThirdPartyKexts::NotAllowed)),
            ("1", Some(Sip::Disabled), Some(ThirdPartyKexts::Allowed)),
            ("2", None, Some(ThirdPartyKexts::Allowed)),
            ("-1", None, Some(ThirdPartyKexts::Allowed)),
        ] {
            // A dash is no character of PrintableString, which nobody minds.
            let found = posture_with(Kind::Sip, form, number);
            let expected = sip.filter(|_| readable);
            assert_eq!(found.sip.known(), expected.as_ref(), "{form:?} {number}");
            let found = posture_with(Kind::ThirdPartyKexts, form, number);
            let expected = kexts.filter(|_| readable);
            let known = found.third_party_kexts.known();
            assert_eq!(known, expected.as_ref(), "{form:?} {number}");
        }
    }
}

#[test]
fn secure_boot_is_read_as_text_and_as_the_one_number_that_is_known() {
    for (text, expected) in [
        ("Full Security", Some(SecureBoot::Full)),
        ("FullSecurity", Some(SecureBoot::Full)),
        ("full", Some(SecureBoot::Full)),
        ("Reduced Security", Some(SecureBoot::Reduced)),
        ("Permissive Security", Some(SecureBoot::Permissive)),
        ("PERMISSIVE", Some(SecureBoot::Permissive)),
        ("Security", None),
        ("Not Full Security", None),
        ("None", None),
    ] {
        for form in [
            Form::Raw,
            Form::Utf8,
            Form::Printable,
            Form::Ia5,
            Form::Octets,
        ] {
            let found = posture_with(Kind::SecureBoot, form, text);
            assert_eq!(
                found.secure_boot.known(),
                expected.as_ref(),
                "{form:?} {text}"
            );
        }
    }
    let number = |text| posture_with(Kind::SecureBoot, Form::Integer, text).secure_boot;
    assert_eq!(number("0"), Property::Known(SecureBoot::Full));
    assert_eq!(number("1"), Property::Unknown(vec![2, 1, 1]));
    assert_eq!(number("2"), Property::Unknown(vec![2, 1, 2]));
}

#[test]
fn what_is_unknown_is_never_good() {
    type Judge = fn(&Posture) -> Verdict;
    let judges: [(Kind, &str, &str, Judge); 3] = [
        (Kind::Sip, "0", "1", Posture::sip_enabled),
        (
            Kind::SecureBoot,
            "Full Security",
            "Reduced Security",
            Posture::full_security,
        ),
        (
            Kind::ThirdPartyKexts,
            "0",
            "1",
            Posture::no_third_party_kexts,
        ),
    ];
    for (kind, good, bad, judge) in judges {
        let told = |form, text| judge(&posture_with(kind, form, text));
        assert_eq!(told(Form::Raw, good), Verdict::Good);
        assert_eq!(told(Form::Raw, bad), Verdict::Bad);
        for form in [Form::Blank, Form::Spaces] {
            assert_eq!(told(form, good), Verdict::Unknown, "{kind:?}");
        }
        for nonsense in ["enabled", "true", "yes", "00x"] {
            assert_eq!(told(Form::Raw, nonsense), Verdict::Unknown, "{nonsense}");
        }
        let absent = judge(&posture_with(Kind::OsVersion, Form::Raw, "15.1"));
        assert_eq!(absent, Verdict::Unknown);
        // A BOOLEAN: of what, nobody says.
        for boolean in [b"\x01\x01\x00", b"\x01\x01\xff"] {
            let leaf = mac().extension(kind.oid(), boolean);
            let verdict = judge(verify(&leaf).unwrap().posture());
            assert_eq!(verdict, Verdict::Unknown);
        }
    }
    assert!(!Verdict::Unknown.is_good() && !Verdict::Bad.is_good() && Verdict::Good.is_good());
}

#[test]
fn a_mac_that_is_as_it_should_be_is_good_in_every_respect() {
    let attestation = verify(&mac()).unwrap();
    let posture = attestation.posture();
    for verdict in [
        posture.sip_enabled(),
        posture.full_security(),
        posture.no_third_party_kexts(),
    ] {
        assert_eq!(verdict, Verdict::Good);
    }
    assert_eq!(
        posture.software_update_device_id,
        Property::Known("J413AP".to_owned())
    );
    assert!(posture.others.is_empty() && !posture.withholds_identity());
}

#[test]
fn user_enrolment_names_no_device_and_says_so() {
    let leaf = mac()
        .without(Kind::SerialNumber.oid())
        .without(Kind::Udid.oid());
    let attestation = verify(&leaf).unwrap();
    let posture = attestation.posture();
    assert!(posture.withholds_identity());
    assert!(posture.serial_number.is_absent() && posture.udid.is_absent());
    assert_eq!(posture.sip_enabled(), Verdict::Good);
    for kind in [Kind::SerialNumber, Kind::Udid] {
        for form in [Form::Raw, Form::Blank] {
            let posture = posture_with(kind, form, "C02AAAAAAAAA");
            assert!(!posture.withholds_identity(), "{kind:?} {form:?}");
        }
    }
}

#[test]
fn extensions_of_apples_that_nobody_describes_are_kept_as_they_are() {
    let leaf = mac()
        .property(Kind::Undescribed, Form::Raw, "what")
        .property(Kind::AlsoUndescribed, Form::Integer, "1")
        .extension("1.2.840.113635.100.6.1.99", b"\xff\x00")
        .extension("1.3.6.1.4.1.99999.1", b"somebody else's");
    let attestation = verify(&leaf).unwrap();
    let others: Vec<_> = attestation
        .posture()
        .others
        .iter()
        .map(|it| (it.oid.to_string(), it.value.as_slice()))
        .collect();
    let expected: [(String, &[u8]); 3] = [
        (Kind::Undescribed.oid().to_owned(), b"what"),
        (Kind::AlsoUndescribed.oid().to_owned(), b"\x02\x01\x01"),
        ("1.2.840.113635.100.6.1.99".to_owned(), b"\xff\x00"),
    ];
    assert_eq!(others, expected);
}

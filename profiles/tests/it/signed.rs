use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use mdm_pki::{Certificate, CertificateBuilder, Identity, KeySpec, Name, PrivateKey};
use mdm_profiles::{
    Error, Profile,
    predict::Signer,
    sign::{sign, sign_bytes, sign_with},
    verify::{Rejected, Require, Trust, open},
};

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 5, 9, 0, 0).unwrap()
}

fn profile() -> Profile {
    Profile::decode(
        b"<plist version=\"1.0\"><dict><key>PayloadContent</key><array/>
          <key>PayloadIdentifier</key><string>com.example</string>
          <key>PayloadType</key><string>Configuration</string>
          <key>PayloadUUID</key><string>0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D3E</string>
          <key>PayloadVersion</key><integer>1</integer></dict></plist>",
    )
    .unwrap()
}

/// A root, an intermediate and a signer below it.
fn identity(spec: KeySpec) -> (Certificate, Identity) {
    let certificate = |name: &str, key: &PrivateKey| {
        CertificateBuilder::new(Name::from_common_name(name), key.public_key())
            .validity(now() - TimeDelta::days(1), now() + TimeDelta::days(365))
    };
    let keys = [0; 3].map(|_| PrivateKey::generate(spec).unwrap());
    let root = certificate("Root", &keys[0])
        .ca(None)
        .self_signed(&keys[0])
        .unwrap();
    let middle = certificate("Middle", &keys[1])
        .ca(Some(0))
        .sign(&root, &keys[0])
        .unwrap();
    let leaf = certificate("Signer", &keys[2])
        .sign(&middle, &keys[1])
        .unwrap();
    let identity = Identity::new(leaf, vec![middle], keys[2].clone()).unwrap();
    (root, identity)
}

#[test]
fn a_signed_profile_opens_to_the_same_profile_with_every_layer_holding() {
    let (root, identity) = identity(KeySpec::P256);
    let signed = sign(&profile(), &identity, now()).unwrap();
    let roots = [root];
    let opened = open(&signed, &Trust::new(&roots, now())).unwrap();
    assert_eq!(opened.signers.len(), 1);
    assert_eq!(
        opened.signers[0].signer.as_ref(),
        Some(&identity.certificate)
    );
    assert_eq!(opened.content, profile().to_xml().unwrap());
    assert_eq!(opened.accept(Require::default()).unwrap(), profile());
}

#[test]
fn the_same_profile_signed_twice_by_rsa_is_the_same_bytes() {
    let (_, identity) = identity(KeySpec::Rsa2048);
    let signed = sign(&profile(), &identity, now()).unwrap();
    assert_eq!(signed, sign(&profile(), &identity, now()).unwrap());
    assert_eq!(
        signed,
        sign_bytes(&profile().to_xml().unwrap(), &identity, now()).unwrap()
    );
}

#[test]
fn a_key_that_lies_elsewhere_signs_the_same() {
    let (_, identity) = identity(KeySpec::Rsa2048);
    let elsewhere = ready(sign_with(
        &profile(),
        &identity.certificate,
        &identity.chain,
        &identity.key,
        now(),
    ));
    assert_eq!(
        elsewhere.unwrap(),
        sign(&profile(), &identity, now()).unwrap()
    );
    let (_, other) = self::identity(KeySpec::Rsa2048);
    let wrong = ready(sign_with(
        &profile(),
        &identity.certificate,
        &[],
        &other.key,
        now(),
    ));
    assert!(matches!(wrong, Err(Error::Crypto(_))));
}

/// Polls a future that never waits: the key at hand answers at once.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match Box::pin(future).as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the future waits"),
    }
}

#[test]
fn a_signed_profile_is_read_within_the_bounds_of_the_trust() {
    let (root, identity) = identity(KeySpec::P256);
    let signed = sign(&profile(), &identity, now()).unwrap();
    let roots = [root];
    let trust = Trust::new(&roots, now());
    assert!(open(&signed, &trust).is_ok());
    let tight = trust.with(|trust| trust.limits.bytes = signed.len() - 1);
    assert!(matches!(open(&signed, &tight), Err(Error::Crypto(_))));
}

#[test]
fn each_layer_is_told_apart_from_the_others() {
    let (root, identity) = identity(KeySpec::P256);
    let (foreign, _) = self::identity(KeySpec::P256);
    let signed = sign(&profile(), &identity, now()).unwrap();
    let (roots, foreigners) = ([root], [foreign]);
    let nobody = |_: &Certificate| false;
    let late = now() + TimeDelta::days(400);

    let trust = Trust::new(&roots, now());
    let cases = [
        (
            Trust::new(&foreigners, now()),
            Rejected::Chain,
            Require::default().with(|r| r.chain = false),
        ),
        (
            trust.with(|t| t.allowed = &nobody),
            Rejected::Signer,
            Require::default().with(|r| r.allowed = false),
        ),
        (
            Trust::new(&roots, late),
            Rejected::Validity,
            Require::default().with(|r| r.validity = false),
        ),
    ];
    for (trust, rejected, without) in cases {
        let opened = open(&signed, &trust).unwrap();
        assert!(opened.signers[0].signature.is_ok());
        assert_eq!(opened.accept(Require::default()).unwrap_err(), rejected);
        let again = open(&signed, &trust).unwrap();
        // Where the chain is unknown, so is the validity of its parts.
        let without = without.with(|r| r.validity = r.validity && rejected != Rejected::Chain);
        assert!(again.accept(without).is_ok(), "{rejected:?}");
    }

    let mut tampered = signed.clone();
    let at = tampered
        .windows(11)
        .position(|w| w == b"com.example")
        .unwrap();
    tampered[at + 4] = b'E';
    let opened = open(&tampered, &trust).unwrap();
    let none =
        Require::default().with(|r| (r.chain, r.allowed, r.validity) = (false, false, false));
    assert_eq!(opened.accept(none).unwrap_err(), Rejected::Signature);
}

#[test]
fn an_unsigned_profile_opens_but_is_not_accepted_as_signed() {
    let xml = profile().to_xml().unwrap();
    let opened = open(&xml, &Trust::new(&[], now())).unwrap();
    assert_eq!(opened.profile, profile());
    assert_eq!(
        opened.accept(Require::default()).unwrap_err(),
        Rejected::Unsigned
    );
}

#[test]
fn a_signed_profile_is_read_in_pem_as_well() {
    let (root, identity) = identity(KeySpec::P256);
    let signed = sign(&profile(), &identity, now()).unwrap();
    let pem = mdm_pki::pem::encode("PKCS7", &signed);
    let roots = [root];
    let opened = open(pem.as_bytes(), &Trust::new(&roots, now())).unwrap();
    assert_eq!(opened.accept(Require::default()).unwrap(), profile());
}

#[test]
fn a_message_without_a_profile_is_refused() {
    let (_, identity) = identity(KeySpec::P256);
    let trust = Trust::new(&[], now());
    let text = sign_bytes(b"hello", &identity, now()).unwrap();
    assert!(matches!(open(&text, &trust), Err(Error::Plist(_))));
    let only = mdm_pki::cms::certs_only(&[identity.certificate]).unwrap();
    assert!(matches!(open(&only, &trust), Err(Error::NoContent)));
    let cut = &text[..text.len() / 2];
    assert!(matches!(open(cut, &trust), Err(Error::Crypto(_))));
}

#[test]
fn the_signers_of_two_profiles_are_compared() {
    let (_, one) = identity(KeySpec::P256);
    let (_, two) = identity(KeySpec::P256);
    let trust = Trust::new(&[], now());
    let opened = |identity: &Identity| {
        let signed = sign(&profile(), identity, now()).unwrap();
        open(&signed, &trust).unwrap()
    };
    let plain = open(&profile().to_xml().unwrap(), &trust).unwrap();
    assert_eq!(Signer::of(&opened(&one), &opened(&one)), Signer::Same);
    assert_eq!(Signer::of(&opened(&one), &opened(&two)), Signer::Other);
    assert_eq!(Signer::of(&opened(&one), &plain), Signer::Lost);
    assert_eq!(Signer::of(&plain, &opened(&one)), Signer::Same);
}

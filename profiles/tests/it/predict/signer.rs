//! Who signed what is installed, and who its update.

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{CertificateBuilder, Identity, KeySpec, Name, PrivateKey};
use mdm_profiles::{
    predict::Signer,
    sign::sign,
    verify::{Opened, Trust, open},
};

use super::same_profile;

fn now() -> DateTime<Utc> {
    "2026-11-05T09:00:00Z".parse().unwrap()
}

/// The profile, signed by a certificate of this name and key that ends in so many days.
fn signed(name: &str, key: &PrivateKey, days: i64) -> Opened {
    let certificate = CertificateBuilder::new(Name::from_common_name(name), key.public_key())
        .validity(now(), now() + TimeDelta::days(days))
        .self_signed(key)
        .unwrap();
    let identity = Identity::new(certificate, Vec::new(), key.clone()).unwrap();
    let bytes = sign(&same_profile(), &identity, now()).unwrap();
    open(&bytes, &Trust::new(&[], now())).unwrap()
}

#[test]
fn a_renewed_certificate_is_one_of_the_same_key_and_name() {
    let [key, other] = [0; 2].map(|_| PrivateKey::generate(KeySpec::P256).unwrap());
    let installed = signed("Signer", &key, 30);
    let renewed = signed("Signer", &key, 365);
    assert_eq!(Signer::of(&installed, &installed), Signer::Same);
    assert_eq!(Signer::of(&installed, &renewed), Signer::Renewed);
    assert_eq!(
        Signer::of(&installed, &signed("Signer", &other, 30)),
        Signer::Other
    );
    assert_eq!(
        Signer::of(&installed, &signed("Another", &key, 30)),
        Signer::Other
    );
    let plain = open(&same_profile().to_xml().unwrap(), &Trust::new(&[], now())).unwrap();
    assert_eq!(Signer::of(&installed, &plain), Signer::Lost);
    assert_eq!(Signer::of(&plain, &installed), Signer::Same);
}

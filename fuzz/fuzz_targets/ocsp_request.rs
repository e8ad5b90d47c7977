//! Any bytes as a question about certificates: what is read is written and read again as the same question.
#![no_main]

use std::sync::OnceLock;

use chrono::{DateTime, TimeDelta};
use libfuzzer_sys::fuzz_target;
use mdm_fuzz::spliced;
use mdm_pki::{
    Certificate, CertificateBuilder, KeySpec, Name, PrivateKey,
    ocsp::{CertId, OcspRequest},
};

const LIMIT: usize = 16;

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    let (authority, genuine) = world();
    let altered;
    let der = match mode % 2 {
        0 => data,
        _ => {
            altered = spliced(genuine, data);
            &altered
        }
    };
    let Ok(request) = OcspRequest::from_der(der, LIMIT) else {
        return;
    };
    assert!(request.certificates.len() <= LIMIT, "over the limit");
    for id in &request.certificates {
        let _ = (id.serial(), id.is_of(authority));
    }
    let written = request.to_der();
    let again = OcspRequest::from_der(&written, LIMIT).expect("our own question is readable");
    assert!(
        again.to_der() == written,
        "a second round changed the question"
    );
});

fn world() -> &'static (Certificate, Vec<u8>) {
    static WORLD: OnceLock<(Certificate, Vec<u8>)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let now = DateTime::from_timestamp(1_780_000_000, 0).expect("a time");
        let key = PrivateKey::generate(KeySpec::P256).expect("a key");
        let authority = CertificateBuilder::new(Name::from_common_name("CA"), key.public_key())
            .validity(now, now + TimeDelta::days(1))
            .ca(None)
            .self_signed(&key)
            .expect("an authority");
        let ids = [[7; 1].to_vec(), vec![9; 16]];
        let ids = ids.map(|serial| CertId::new(&authority, &serial).expect("a name"));
        let question = OcspRequest::new(ids.to_vec()).with_nonce(&[1; 16]);
        (authority, question.to_der())
    })
}

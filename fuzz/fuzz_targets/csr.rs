//! Any bytes as a certificate request, and a genuine one with any of its bytes exchanged: whatever still verifies
//! asks for the same as before.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use mdm_fuzz::spliced;
use mdm_pki::{
    CertificateRequest, CertificateRequestBuilder, GeneralName, KeySpec, KeyUsage, Name, PrivateKey,
};

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    if mode % 2 == 0 {
        if let Some(request) = read(data) {
            let _ = request.verify();
        }
        return;
    }
    let genuine = genuine();
    let altered = spliced(genuine.to_der(), data);
    if let Some(request) = read(&altered)
        && request.verify().is_ok()
    {
        assert!(said(&request) == said(genuine), "altered and still signed");
    }
});

/// Reads a request and everything in it.
fn read(der: &[u8]) -> Option<CertificateRequest> {
    let request = CertificateRequest::from_der(der).ok()?;
    assert!(request.to_der() == der, "kept otherwise than it came");
    let _ = (
        said(&request),
        request.key_usage(),
        request.extended_key_usages(),
    );
    let again =
        CertificateRequest::from_pem(request.to_pem().as_bytes()).expect("our own PEM is readable");
    assert!(again.to_der() == der, "PEM changed the request");
    Some(request)
}

/// What is asked for.
type Said = (Vec<u8>, Option<Vec<u8>>, Option<String>, Vec<GeneralName>);

fn said(request: &CertificateRequest) -> Said {
    let challenge = request.challenge_password();
    (
        request.subject().to_der().to_vec(),
        request
            .public_key()
            .ok()
            .map(|key| key.to_spki_der().to_vec()),
        challenge.map(|challenge| challenge.expose().clone()),
        request.subject_alt_names(),
    )
}

fn genuine() -> &'static CertificateRequest {
    static REQUEST: OnceLock<CertificateRequest> = OnceLock::new();
    REQUEST.get_or_init(|| {
        let key = PrivateKey::generate(KeySpec::P256).expect("a key");
        let subject = Name::builder()
            .common_name("device")
            .organization("Example")
            .build();
        CertificateRequestBuilder::new(subject)
            .challenge_password("hunter2")
            .san(GeneralName::Dns("device.example.com".to_owned()))
            .san(GeneralName::UserPrincipalName("ada@example.com".to_owned()))
            .key_usage(KeyUsage::DIGITAL_SIGNATURE)
            .sign(&key)
            .expect("a request")
    })
}

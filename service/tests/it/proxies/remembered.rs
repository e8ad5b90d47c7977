//! What is remembered of a certificate, and what is not.

use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_pki::{CertificateBuilder, KeySpec, Name, PrivateKey};

use super::*;

/// A vendor's list of what it took back, around what tells who it is.
#[derive(Debug)]
struct Unrevoked<S>(S, Mutex<Vec<Certificate>>);

#[async_trait]
impl<S: IdentitySource> IdentitySource for Unrevoked<S> {
    async fn identify(
        &self,
        request: &Request<Bytes>,
        now: DateTime<Utc>,
    ) -> Result<Certificate, IdentityError> {
        let found = self.0.identify(request, now).await?;
        match self.1.lock().unwrap().contains(&found) {
            true => Err(IdentityError::invalid("revoked")),
            false => Ok(found),
        }
    }
}

fn shown(certificate: &Certificate, chain: &[Certificate]) -> Request<Bytes> {
    let mut request = request();
    let shown = PeerCertificate::with_chain(certificate.clone(), chain.to_vec());
    request.extensions_mut().insert(shown);
    request
}

/// That an issuer issued it is remembered, and nothing else.
#[tokio::test]
async fn a_remembered_certificate_counts_no_longer_than_it_should() {
    let device = Device::new("D1");
    // Below an authority that ends before its certificates do.
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let below = CertificateBuilder::new(Name::from_common_name("Below"), key.public_key())
        .validity(now() - TimeDelta::hours(2), now() + TimeDelta::days(1))
        .ca(Some(0))
        .sign(&AUTHORITY.certificate, &AUTHORITY.key);
    let authority = Authority {
        certificate: below.unwrap(),
        key,
    };
    let deep = Device::issued_by(&authority, "D2");
    let stranger = Device::issued_by(&Authority::new("Other"), "D1");
    let chain = [authority.certificate];
    let source = Unrevoked(MutualTls::new(&issuers()).unwrap(), Mutex::default());
    let counts = async |device: &Device, chain: &[Certificate], at: DateTime<Utc>| {
        let request = shown(&device.certificate, chain);
        source.identify(&request, at).await.is_ok()
    };
    let second = TimeDelta::seconds(1);
    for _ in 0..3 {
        assert!(counts(&device, &[], now()).await);
        assert!(counts(&deep, &chain, now()).await);
        let (since, until) = (
            device.certificate.not_before(),
            device.certificate.not_after(),
        );
        assert!(counts(&device, &[], until).await);
        assert!(!counts(&device, &[], until + second).await);
        let skew = ClockSkew::default().not_before;
        assert!(counts(&device, &[], since - skew).await);
        assert!(!counts(&device, &[], since - skew - second).await);
        let until = chain[0].not_after();
        assert!(counts(&deep, &chain, until).await);
        assert!(!counts(&deep, &chain, until + second).await);
        assert!(!counts(&stranger, &[], now()).await);
    }
    source.1.lock().unwrap().push(device.certificate.clone());
    assert!(!counts(&device, &[], now()).await);

    // Whoever trusts another issuer remembers nothing of this one.
    let other = MutualTls::new(&[Authority::new("New").certificate]).unwrap();
    let request = shown(&device.certificate, &[]);
    assert!(other.identify(&request, now()).await.is_err());
}

//! What takes thousands of certificates to see: the authority alone, without the messages around it.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use mdm_pki::{CertificateRequest, CertificateRequestBuilder, KeySpec, Name, PrivateKey};

use super::*;
use crate::{
    attributes::TransactionId,
    authorize::{Decision, EnrolmentRequest, authorize},
    ca::{RootUse, root},
    challenge::{ChallengeVerifier, Verdict},
    store::{Grant, MemoryStore},
};

#[derive(Debug)]
struct Everybody;

#[async_trait]
impl ChallengeVerifier for Everybody {
    async fn verify(&self, _: &EnrolmentRequest) -> Result<Verdict, StoreError> {
        Ok(Verdict::Granted(Grant::elsewhere("x")))
    }
}

fn authorized(csr: &CertificateRequest, now: DateTime<Utc>) -> Authorized {
    let transaction_id = TransactionId::new("T").unwrap();
    let request = EnrolmentRequest::new(transaction_id, csr.clone(), now).unwrap();
    match authorize(&Everybody, request).now_or_never().unwrap() {
        Ok(Decision::Authorized(authorized)) => *authorized,
        _ => panic!("everybody is"),
    }
}

#[test]
fn ten_thousand_certificates_in_parallel_have_serial_numbers_of_their_own() {
    const THREADS: usize = 4;
    const EACH: usize = 2500;
    let now = DateTime::UNIX_EPOCH;
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let name = Name::from_common_name("Example CA");
    let validity = std::time::Duration::from_secs(365 * 24 * 3600);
    let root = root(name, &key, RootUse::BehindRa, validity, now).unwrap();
    let store = Arc::new(MemoryStore::new());
    let ca = EmbeddedCa::new(vec![root], Arc::new(key.clone()), store.clone()).unwrap();
    let device = PrivateKey::generate(KeySpec::P256).unwrap();
    let csr = CertificateRequestBuilder::new(Name::from_common_name("device 7"));
    let csr = csr.sign(&device).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let issued = ca.issue(authorized(&csr, now)).now_or_never().unwrap();
                    let Ok(Issued::New(certificate)) = issued else {
                        panic!("{issued:?}");
                    };
                    assert_eq!(certificate.serial().len(), 17);
                }
            });
        }
    });
    // The store finds certificates by their serial numbers: two of one number would be one.
    assert_eq!(store.issued(), THREADS * EACH);
}

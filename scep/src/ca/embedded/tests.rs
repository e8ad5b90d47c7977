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

fn a_root(key: &PrivateKey, now: DateTime<Utc>) -> Certificate {
    let name = Name::from_common_name("Example CA");
    let validity = std::time::Duration::from_secs(365 * 24 * 3600);
    root(name, key, RootUse::BehindRa, validity, now).unwrap()
}

#[test]
fn that_too_many_are_revoked_for_a_list_is_looked_into_once_in_a_while() {
    let now = DateTime::UNIX_EPOCH;
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let store = Arc::new(MemoryStore::new());
    let ca = EmbeddedCa::new(
        vec![a_root(&key, now)],
        Arc::new(key.clone()),
        store.clone(),
    );
    let ca = ca.unwrap();
    let ca = ca.crl_profile(CrlProfile::default().with(|profile| profile.entries = 1));
    let csr = CertificateRequestBuilder::new(Name::from_common_name("device 7"));
    let csr = csr.sign(&key).unwrap();
    let revoke = || {
        let issued = ca.issue(authorized(&csr, now)).now_or_never().unwrap();
        let Ok(Issued::New(certificate)) = issued else {
            panic!("{issued:?}");
        };
        let revocation = Revocation::new(now, mdm_pki::RevocationReason::Superseded);
        let revoked = ca.revoke(certificate.serial(), revocation);
        assert!(revoked.now_or_never().unwrap().unwrap().is_some());
    };
    let ask = |minutes| {
        let list = ca.crl(now + TimeDelta::minutes(minutes));
        list.now_or_never().unwrap()
    };
    let number = || store.next_crl_number().now_or_never().unwrap().unwrap();
    revoke();
    assert!(ask(0).is_ok());
    revoke();
    for (minutes, looked_into) in [(1, 1), (2, 0), (5, 0), (7, 1)] {
        let before = number();
        let listed = ask(minutes);
        let too_long = matches!(listed, Err(IssueError::CrlTooLong { limit: 1 }));
        assert!(too_long, "{listed:?}");
        // Each attempt takes a number first.
        assert_eq!(number() - before - 1, looked_into, "{minutes}");
        revoke();
    }
}

#[test]
fn the_authoritys_own_name_is_nobodys_however_it_is_written() {
    let now = DateTime::UNIX_EPOCH;
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let store = Arc::new(MemoryStore::new());
    let ca = EmbeddedCa::new(vec![a_root(&key, now)], Arc::new(key.clone()), store);
    let ca = ca.unwrap();
    for (name, refused) in [
        ("Example CA", true),
        ("example ca", true),
        (" EXAMPLE  Ca ", true),
        ("Example CA 2", false),
    ] {
        let csr = CertificateRequestBuilder::new(Name::from_common_name(name));
        let csr = csr.sign(&key).unwrap();
        let issued = ca.issue(authorized(&csr, now)).now_or_never().unwrap();
        assert_eq!(issued.is_err(), refused, "{name}: {issued:?}");
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

//! The store of `mdm-scep`: challenges spent by the certificates that they granted.

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{
    Certificate, CertificateBuilder, CertificateRequestBuilder, KeySpec, Name, PrivateKey,
};
use mdm_scep::{
    Store, TransactionId,
    pending::{PendingId, PendingRequest},
    store::{ChallengeId, ChallengeRecord, Committed, Grant, Issuance, RequestId, StoreError},
};

pub(crate) mod acme;
mod bounds;
mod contract;
mod faults;
mod kill;
mod listing;
mod looking;
mod migration;
mod race;

pub(crate) const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

pub(crate) fn key() -> PrivateKey {
    PrivateKey::generate(KeySpec::P256).unwrap()
}

/// A certificate of this key with a serial number of its own.
pub(crate) fn certificate(key: &PrivateKey) -> Certificate {
    CertificateBuilder::new(Name::from_common_name("device"), key.public_key())
        .validity(NOW, NOW + TimeDelta::days(1))
        .self_signed(key)
        .unwrap()
}

pub(crate) fn challenge(n: usize) -> ChallengeId {
    ChallengeId::of(&format!("challenge {n}")).unwrap()
}

pub(crate) fn request(n: usize) -> RequestId {
    let transaction = TransactionId::new(format!("T{n}")).unwrap();
    RequestId::of(&transaction, b"csr").unwrap()
}

/// Keeps challenge `n`, which expires `n` seconds after now.
pub(crate) async fn issue(store: &impl Store, n: usize) -> Result<(), StoreError> {
    let expires_at = NOW + TimeDelta::seconds(n as i64);
    let record = ChallengeRecord::new(format!("device {n}"), NOW, expires_at);
    store.insert_challenge(challenge(n), record).await
}

/// Spends challenge `n` for this certificate.
pub(crate) async fn spend(
    store: &impl Store,
    n: usize,
    certificate: Certificate,
) -> Result<Committed, StoreError> {
    let grant = Grant::challenge(challenge(n), format!("device {n}"));
    let issuance = Issuance::new(certificate, grant, request(n), NOW);
    store.commit(issuance).await
}

/// A request of this key that waits since `n` seconds after now.
pub(crate) fn waiting(key: &PrivateKey, n: usize) -> (PendingId, PendingRequest) {
    let transaction = TransactionId::new(format!("T{n}")).unwrap();
    let id = PendingId::of(&transaction, key.public_key()).unwrap();
    let csr = CertificateRequestBuilder::new(Name::from_common_name("device"))
        .sign(key)
        .unwrap();
    let since = NOW + TimeDelta::seconds(n as i64);
    let grant = Grant::elsewhere(format!("device {n}"));
    (id, PendingRequest::new(request(n), csr, grant, since))
}

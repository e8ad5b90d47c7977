//! What every store must do, as a check that any of them can be put to.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{
    Certificate, CertificateBuilder, CertificateRequestBuilder, GeneralName, KeySpec, Name,
    PrivateKey, RevocationReason,
};

use super::{
    CertificateRecord, ChallengeId, ChallengeRecord, Committed, Grant, Issuance, RequestId,
    Revocation, Store, StoreError,
};
use crate::{
    attributes::TransactionId,
    challenge::Bound,
    error::Error,
    pending::{PendingId, PendingRequest, PendingStore, Resolution},
};

/// Puts an empty store through the rules of [`Store`].
///
/// # Errors
/// [`Broken`] with the first rule that does not hold.
pub async fn check(store: &dyn Store) -> Result<(), Broken> {
    let now = DateTime::UNIX_EPOCH;
    challenges_are_kept(store, now).await?;
    one_commit_wins(store, now).await?;
    other_grants_spend_nothing(store, now).await?;
    a_certificate_is_kept_with_what_granted_it(store, now).await?;
    a_certificate_renews_once_for_one_request(store, now).await?;
    the_first_revocation_counts(store, now).await?;
    expired_challenges_are_forgotten(store, now).await
}

/// Puts an empty store through the rules of [`PendingStore`].
///
/// # Errors
/// [`Broken`] with the first rule that does not hold.
pub async fn check_pending(store: &dyn PendingStore) -> Result<(), Broken> {
    let now = DateTime::UNIX_EPOCH;
    let key = PrivateKey::generate(KeySpec::P256)?;
    let csr = CertificateRequestBuilder::new(Name::from_common_name("x")).sign(&key)?;
    let pending = |request| {
        let grant = Grant::challenge(ChallengeId::from_bytes([7; 32]), "device 7");
        PendingRequest::new(request, csr.clone(), grant, now)
    };
    let id = PendingId::of(&TransactionId::new("T1")?, key.public_key())?;
    let other = PendingId::of(&TransactionId::new("T2")?, key.public_key())?;
    let (first, second) = (request("a")?, request("b")?);
    let approve = |request| store.resolve(&id, request, Resolution::Approved);

    let unknown = store.pending(&id).await?.is_none() && approve(first).await?.is_none();
    rule(unknown, "an unknown pending request is none")?;
    store.hold(id, pending(first)).await?;
    let kept = store.pending(&id).await?.is_some_and(|found| {
        found.request == first
            && found.csr.to_der() == csr.to_der()
            && found.grant.label() == "device 7"
            && matches!(found.grant, Grant::Challenge { id, .. } if id.as_bytes() == &[7; 32])
            && found.since == now
            && found.resolution.is_none()
    });
    rule(
        kept,
        "a pending request is kept with all that is known of it",
    )?;
    let again = store.hold(id, pending(first)).await;
    rule(
        matches!(again, Err(StoreError::Exists)),
        "a pending request is not overwritten by itself",
    )?;
    let mut later = pending(second);
    later.since = now + TimeDelta::seconds(1);
    store.hold(other, later).await?;
    let listed = store.unresolved(1).await?;
    rule(
        matches!(listed.as_slice(), [(listed, found)] if *listed == id && found.request == first),
        "unresolved requests are listed from the oldest on, as many as asked for",
    )?;
    let stranger = approve(second).await?;
    rule(
        stranger.is_none(),
        "a resolution is for one request, not for whatever waits in its place",
    )?;
    let resolved = approve(first).await?;
    let late = store
        .resolve(&id, first, Resolution::denied("late"))
        .await?;
    rule(
        resolved == Some(Resolution::Approved) && late == resolved,
        "the first resolution of a request counts",
    )?;
    let kept = store.pending(&id).await?.and_then(|found| found.resolution);
    rule(
        kept == resolved && store.unresolved(9).await?.len() == 1,
        "a resolution is kept with its request",
    )?;
    store.hold(id, pending(second)).await?;
    let replaced = store.pending(&id).await?;
    rule(
        replaced.is_some_and(|found| found.request == second && found.resolution.is_none()),
        "another request takes the place of the first and is not resolved by its resolution",
    )?;
    let none = store.forget_pending(now).await?;
    let one = store.forget_pending(now + TimeDelta::seconds(1)).await?;
    let left = store.pending(&other).await?.is_some() && store.pending(&id).await?.is_none();
    rule(
        none == 0 && one == 1 && left,
        "requests that came before the given time are forgotten, and no others",
    )
}

/// A rule of a store that does not hold.
#[derive(Debug, Clone, thiserror::Error)]
#[error("a store must hold to this: {0}")]
pub struct Broken(String);

impl Broken {
    pub(crate) fn new(rule: impl fmt::Display) -> Self {
        Self(rule.to_string())
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::new(error)
    }
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self::new(error)
    }
}

impl From<mdm_pki::Error> for Broken {
    fn from(error: mdm_pki::Error) -> Self {
        Self::new(error)
    }
}

fn rule(holds: bool, rule: &'static str) -> Result<(), Broken> {
    holds.then_some(()).ok_or_else(|| Broken::new(rule))
}

fn record(now: DateTime<Utc>) -> ChallengeRecord {
    let mut record = ChallengeRecord::new("device 7", now, now + TimeDelta::minutes(15));
    record.bound = Bound::common_name("device 7").with(|bound| {
        bound.subject = Some(Name::from_common_name("device 7"));
        bound.alt_names = Some(vec![GeneralName::Dns("seven.example.com".to_owned())]);
        bound.serial_number = Some("C02XK0AAJGH5".to_owned());
        bound.device = Some("00008103-000E55".to_owned());
    });
    record
}

fn leaf(now: DateTime<Utc>) -> Result<Certificate, Broken> {
    let key = PrivateKey::generate(KeySpec::P256)?;
    let certificate = CertificateBuilder::new(Name::from_common_name("leaf"), key.public_key())
        .validity(now, now + TimeDelta::days(1))
        .self_signed(&key)?;
    Ok(certificate)
}

fn request(name: &str) -> Result<RequestId, Broken> {
    Ok(RequestId::of(&TransactionId::new(name)?, b"csr")?)
}

async fn challenges_are_kept(store: &dyn Store, now: DateTime<Utc>) -> Result<(), Broken> {
    let id = ChallengeId::of("kept")?;
    let unknown = store.challenge(&id).await?.is_none();
    rule(unknown, "an unknown challenge is none")?;
    store.insert_challenge(id, record(now)).await?;
    let kept = store.challenge(&id).await?.is_some_and(|found| {
        let given = record(now);
        found.label == given.label
            && found.bound == given.bound
            && found.issued_at == given.issued_at
            && found.expires_at == given.expires_at
            && found.spent.is_none()
    });
    rule(kept, "a challenge is kept with all that is known of it")?;
    let again = store.insert_challenge(id, record(now)).await;
    rule(
        matches!(again, Err(StoreError::Exists)),
        "a challenge is not overwritten",
    )
}

async fn one_commit_wins(store: &dyn Store, now: DateTime<Utc>) -> Result<(), Broken> {
    let id = ChallengeId::of("spent")?;
    store.insert_challenge(id, record(now)).await?;
    let grant = Grant::challenge(id, "device 7");
    let commit = |certificate, request| {
        store.commit(Issuance::new(certificate, grant.clone(), request, now))
    };
    let (first, late, rival) = (leaf(now)?, leaf(now)?, leaf(now)?);
    let stored = commit(first.clone(), request("a")?).await?;
    rule(
        matches!(stored, Committed::Stored),
        "the first commit is stored",
    )?;
    let found = store.certificate(first.serial()).await?;
    rule(
        found.is_some_and(|found| found.certificate == first && found.revoked.is_none()),
        "a stored certificate is found by its serial number",
    )?;
    let spent = store.challenge(&id).await?.and_then(|record| record.spent);
    let a = request("a")?;
    rule(
        spent.is_some_and(|spent| spent.request == a && spent.certificate == first),
        "the commit spends the challenge for its request and certificate",
    )?;
    let repeated = commit(late.clone(), request("a")?).await?;
    rule(
        matches!(repeated, Committed::Repeated(earlier) if earlier == first),
        "the same request gets the first certificate",
    )?;
    let conflict = commit(rival.clone(), request("b")?).await?;
    rule(
        matches!(conflict, Committed::Conflict),
        "another request gets nothing",
    )?;
    let left_out = store.certificate(late.serial()).await?.is_none()
        && store.certificate(rival.serial()).await?.is_none();
    rule(left_out, "a certificate that lost is not kept")
}

async fn other_grants_spend_nothing(store: &dyn Store, now: DateTime<Utc>) -> Result<(), Broken> {
    let foreign = Grant::challenge(ChallengeId::of("never issued")?, "x");
    let commit = store
        .commit(Issuance::new(leaf(now)?, foreign, request("a")?, now))
        .await?;
    rule(
        matches!(commit, Committed::Conflict),
        "a challenge that the store never had grants nothing",
    )?;
    let certificate = leaf(now)?;
    let issuance = || {
        Ok::<_, Broken>(Issuance::new(
            certificate.clone(),
            Grant::elsewhere("x"),
            request("a")?,
            now,
        ))
    };
    let stored = store.commit(issuance()?).await?;
    rule(
        matches!(stored, Committed::Stored),
        "a certificate granted elsewhere is stored",
    )?;
    let twice = store.commit(issuance()?).await;
    rule(
        matches!(twice, Err(StoreError::Exists)),
        "a serial number is taken once",
    )
}

async fn a_certificate_is_kept_with_what_granted_it(
    store: &dyn Store,
    now: DateTime<Utc>,
) -> Result<(), Broken> {
    let permit = ChallengeId::of("permit")?;
    store.insert_challenge(permit, record(now)).await?;
    let order = Grant::order(permit, "host.example.com");
    let challenge = ChallengeId::of("challenge")?;
    store.insert_challenge(challenge, record(now)).await?;
    let ordered = leaf(now)?;
    for (certificate, grant) in [
        (ordered.clone(), order.clone()),
        (leaf(now)?, Grant::renewal(ordered.serial(), "x")),
        (leaf(now)?, Grant::challenge(challenge, "x")),
        (leaf(now)?, Grant::elsewhere("x")),
    ] {
        let kind = grant.kind();
        let issuance = Issuance::new(certificate.clone(), grant, request("kinds")?, now);
        let committed = store.commit(issuance).await?;
        let kept = store.certificate(certificate.serial()).await?;
        rule(
            matches!(committed, Committed::Stored)
                && kept.is_some_and(|kept| kept.granted == Some(kind)),
            "a certificate is kept with the kind of its grant",
        )?;
    }
    let spent = store.challenge(&permit).await?;
    let spent = spent.and_then(|record| record.spent);
    let again = store.commit(Issuance::new(leaf(now)?, order, request("other")?, now));
    let again = again.await?;
    rule(
        spent.is_some_and(|spent| spent.certificate == ordered)
            && matches!(again, Committed::Conflict),
        "an order spends its permit, once",
    )
}

async fn a_certificate_renews_once_for_one_request(
    store: &dyn Store,
    now: DateTime<Utc>,
) -> Result<(), Broken> {
    let old = leaf(now)?;
    let commit = |certificate: Certificate, request| {
        let grant = Grant::renewal(old.serial(), "x");
        store.commit(Issuance::new(certificate, grant, request, now))
    };
    let renew = |name| {
        let transaction_id = TransactionId::new(name)?;
        Ok::<_, Broken>(RequestId::of_renewal(&transaction_id, b"csr", &old)?)
    };
    let unknown = commit(leaf(now)?, renew("a")?).await?;
    rule(
        matches!(unknown, Committed::Conflict),
        "a certificate that the store never had renews nothing",
    )?;
    let grant = Grant::elsewhere("x");
    store
        .commit(Issuance::new(old.clone(), grant, request("old")?, now))
        .await?;
    let first = leaf(now)?;
    let stored = commit(first.clone(), renew("a")?).await?;
    rule(
        matches!(stored, Committed::Stored),
        "a certificate of the store renews",
    )?;
    let late = leaf(now)?;
    let repeated = commit(late.clone(), renew("a")?).await?;
    rule(
        matches!(repeated, Committed::Repeated(earlier) if earlier == first)
            && store.certificate(late.serial()).await?.is_none(),
        "the same request for renewal gets the first certificate",
    )?;
    let other = commit(leaf(now)?, renew("b")?).await?;
    rule(
        matches!(other, Committed::Stored),
        "another request for renewal gets a certificate of its own",
    )?;
    let revocation = Revocation::new(now, RevocationReason::Superseded);
    store.revoke(old.serial(), revocation).await?;
    let revoked = commit(leaf(now)?, renew("c")?).await?;
    rule(
        matches!(revoked, Committed::Conflict),
        "a revoked certificate renews nothing",
    )
}

async fn the_first_revocation_counts(store: &dyn Store, now: DateTime<Utc>) -> Result<(), Broken> {
    let certificate = leaf(now)?;
    let serial = certificate.serial();
    // A clock counts finer than a database keeps, and whoever revokes has to find their own revocation again.
    let first = now + TimeDelta::nanoseconds(1_500);
    let first = Revocation::new(first, RevocationReason::KeyCompromise);
    let unknown = store.revoke(serial, first).await?;
    rule(
        unknown.is_none(),
        "a certificate that is not kept is not revoked",
    )?;
    let issuance = Issuance::new(
        certificate.clone(),
        Grant::elsewhere("x"),
        request("revoked")?,
        now,
    );
    store.commit(issuance).await?;
    let revoked = store.revoke(serial, first).await?;
    let later = Revocation::new(now + TimeDelta::days(1), RevocationReason::Superseded);
    let again = store.revoke(serial, later).await?;
    let kept = store.certificate(serial).await?;
    rule(
        revoked == Some(first)
            && again == Some(first)
            && kept.is_some_and(|record| record.revoked == Some(first)),
        "the first revocation of a certificate is kept with it",
    )?;
    let end = certificate.not_after();
    let listed = |found: &[CertificateRecord]| {
        let found: Vec<_> = found
            .iter()
            .filter(|found| found.certificate == certificate)
            .collect();
        matches!(found.as_slice(), [found] if found.revoked == Some(first))
    };
    let before = store.revoked(end, 1000).await?;
    let after = store.revoked(end + TimeDelta::seconds(1), 1000).await?;
    rule(
        listed(&before) && !listed(&after),
        "a revoked certificate is listed to its end, and not after",
    )?;
    rule(
        before.iter().all(|found| found.revoked.is_some())
            && store.revoked(end, 1).await?.len() == 1,
        "revoked certificates alone are listed, as many as asked for",
    )?;
    let (one, two) = (
        store.next_crl_number().await?,
        store.next_crl_number().await?,
    );
    rule(one < two, "the numbers of revocation lists grow")
}

async fn expired_challenges_are_forgotten(
    store: &dyn Store,
    now: DateTime<Utc>,
) -> Result<(), Broken> {
    let expiry = record(now).expires_at;
    let none = store.forget_challenges(expiry).await?;
    rule(
        none == 0,
        "a challenge that expires at the given time is kept",
    )?;
    let all = store
        .forget_challenges(expiry + TimeDelta::seconds(1))
        .await?;
    rule(all == 4, "challenges that expired before are forgotten")?;
    let gone = store.challenge(&ChallengeId::of("kept")?).await?.is_none();
    rule(gone, "a forgotten challenge is unknown")
}

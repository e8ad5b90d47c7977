//! What every store of ACME must do, as a check that any of them can be put to.

mod ahead;

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{GeneralName, KeySpec, Name, PrivateKey};

use super::{
    AccountId, AccountRecord, AccountWritten, AcmeStore, AttestedProof, AuthorizationRecord,
    AuthorizationState, Kept, NonceId, OfferedChallenge, OfferedState, OrderCommitted, OrderId,
    OrderInserted, OrderRecord, Progress, Proof, Token, Version,
};
use crate::{
    acme::{
        ari::CertId,
        attest::{DeviceIdentity, ExpectedDevice},
        identifier::Identifier,
        jwk::Jwk,
        jws::FlattenedJws,
        problem::{ErrorType, Problem},
        resource::{AccountStatus, ChallengeType},
    },
    store::{ChallengeId, contract::Broken},
};

/// Puts an empty store through the rules of [`AcmeStore`].
///
/// # Errors
/// [`Broken`] with the first rule that does not hold.
pub async fn check(store: &dyn AcmeStore) -> Result<(), Broken> {
    // In whole seconds: a store may keep no more.
    let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    accounts_have_one_key_each(store, now).await?;
    accounts_change_by_version(store, now).await?;
    orders_are_kept_and_change_by_version(store, now).await?;
    an_attested_key_is_good_for_one_order(store, now).await?;
    open_orders_are_counted(store, now).await?;
    a_certificate_is_replaced_once(store, now).await?;
    orders_are_listed_from_the_newest(store, now).await?;
    ahead::an_authorisation_ahead_of_orders_is_kept(store, now).await?;
    a_nonce_is_spent_once(store, now).await?;
    what_is_over_is_forgotten(store, now).await
}

fn rule(holds: bool, rule: &'static str) -> Result<(), Broken> {
    holds.then_some(()).ok_or_else(|| Broken::new(rule))
}

fn account(now: DateTime<Utc>) -> Result<AccountRecord, Broken> {
    let key = PrivateKey::generate(KeySpec::P256)?;
    let key = Jwk::new(key.public_key()).map_err(Broken::new)?;
    let mut record = AccountRecord::new(key, now);
    record.contacts = vec!["mailto:ada@example.com".to_owned()];
    record.terms_of_service_agreed = true;
    record.external_binding = Some(FlattenedJws {
        protected: "e30".to_owned(),
        payload: "e30".to_owned(),
        signature: "AA".to_owned(),
    });
    Ok(record)
}

fn order(account: AccountId, now: DateTime<Utc>) -> Result<OrderRecord, Broken> {
    let challenge = OfferedChallenge::new(ChallengeType::DeviceAttest01, Token::random()?);
    let expires_at = now + TimeDelta::days(1);
    let identifier = Identifier::permanent_identifier("device 7");
    let mut authorization = AuthorizationRecord::new(identifier, expires_at, vec![challenge]);
    let device = ExpectedDevice::new("Ada's Mac", DeviceIdentity::UserEnrollment);
    authorization.device = Some(device.with(|device| {
        device.subject = Some(Name::from_common_name("Ada's Mac"));
        device.names = vec![GeneralName::Dns("ada.example.com".to_owned())];
    }));
    let permit = ChallengeId::from_bytes([7; 32]);
    let authorizations = vec![authorization];
    Ok(OrderRecord::new(
        account,
        now,
        expires_at,
        authorizations,
        permit,
    ))
}

fn attest(order: &mut OrderRecord, key: [u8; 32], now: DateTime<Utc>) {
    for authorization in &mut order.authorizations {
        let mut proof = Proof::new(now);
        proof.attested = Some(AttestedProof::new([1, 2, 3], key));
        authorization.state = AuthorizationState::Valid(proof);
        for challenge in &mut authorization.challenges {
            challenge.state = OfferedState::Valid { at: now };
        }
    }
}

async fn kept_order(store: &dyn AcmeStore, id: &OrderId) -> Result<Kept<OrderRecord>, Broken> {
    let kept = store.order(id).await?;
    kept.ok_or_else(|| Broken::new("an order is kept"))
}

async fn insert(store: &dyn AcmeStore, record: &OrderRecord) -> Result<OrderId, Broken> {
    let id = OrderId::random()?;
    let inserted = store.insert_order(id, record.clone(), 100).await?;
    rule(
        inserted == OrderInserted::Inserted,
        "an order of an account with few is inserted",
    )?;
    Ok(id)
}

async fn accounts_have_one_key_each(
    store: &dyn AcmeStore,
    now: DateTime<Utc>,
) -> Result<(), Broken> {
    let (id, other) = (AccountId::random()?, AccountId::random()?);
    let mut record = account(now)?;
    record.external = Some("kid 1".to_owned());
    let thumbprint = record.key.thumbprint();
    let unknown =
        store.account(&id).await?.is_none() && store.account_of_key(&thumbprint).await?.is_none();
    rule(unknown, "an unknown account is none")?;
    let written = store.insert_account(id, record.clone()).await?;
    rule(written == AccountWritten::Written, "an account is kept")?;
    let kept = store.account(&id).await?.map(|kept| kept.record);
    rule(
        kept.as_ref() == Some(&record),
        "an account is kept with all that is known of it",
    )?;
    let of_key = store.account_of_key(&thumbprint).await?;
    rule(of_key == Some(id), "an account is found by its key")?;
    let again = store.insert_account(other, record).await?;
    rule(
        again == AccountWritten::KeyTaken(id),
        "a key has one account, and whose it is is told",
    )?;
    let mut rival = account(now)?;
    rival.external = Some("kid 1".to_owned());
    let bound = store.insert_account(other, rival).await?;
    rule(
        bound == AccountWritten::ExternalTaken && store.account(&other).await?.is_none(),
        "an external account is bound to one account",
    )
}

async fn accounts_change_by_version(
    store: &dyn AcmeStore,
    now: DateTime<Utc>,
) -> Result<(), Broken> {
    let (id, other) = (AccountId::random()?, AccountId::random()?);
    let (mut record, mut second) = (account(now)?, account(now)?);
    second.external = Some("kid 2".to_owned());
    store.insert_account(id, record.clone()).await?;
    store.insert_account(other, second.clone()).await?;
    let Some(first) = store.account(&id).await? else {
        return Err(Broken::new("an account is kept"));
    };
    let old_key = record.key.thumbprint();
    record.key = account(now)?.key;
    record.status = AccountStatus::Deactivated;
    let written = store
        .update_account(&id, first.version, record.clone())
        .await?;
    let kept = store.account(&id).await?;
    rule(
        written == AccountWritten::Written
            && kept.as_ref().is_some_and(|kept| kept.record == record),
        "an account is changed",
    )?;
    let moved = store.account_of_key(&record.key.thumbprint()).await? == Some(id)
        && store.account_of_key(&old_key).await?.is_none();
    rule(
        moved,
        "an account is found by its new key and no longer by the old one",
    )?;
    let late = store
        .update_account(&id, first.version, record.clone())
        .await?;
    rule(
        late == AccountWritten::Conflict,
        "an account of another version is not changed",
    )?;
    let Some(kept) = kept else {
        return Err(Broken::new("an account is kept"));
    };
    record.key = second.key.clone();
    let taken = store
        .update_account(&id, kept.version, record.clone())
        .await?;
    let still = store.account_of_key(&second.key.thumbprint()).await?;
    rule(
        taken == AccountWritten::KeyTaken(other) && still == Some(other),
        "the key of another account is not taken over",
    )?;
    let unknown = store
        .update_account(&AccountId::random()?, kept.version, account(now)?)
        .await?;
    rule(
        unknown == AccountWritten::Conflict,
        "an unknown account is not changed",
    )
}

async fn orders_are_kept_and_change_by_version(
    store: &dyn AcmeStore,
    now: DateTime<Utc>,
) -> Result<(), Broken> {
    let mut record = order(AccountId::random()?, now)?;
    rule(
        store.order(&OrderId::random()?).await?.is_none(),
        "an unknown order is none",
    )?;
    let id = insert(store, &record).await?;
    let first = kept_order(store, &id).await?;
    rule(
        first.record == record,
        "an order is kept with all that is known of it",
    )?;
    // Every state once, so that none is written and not read.
    let error = Problem::new(ErrorType::Connection, "nobody there");
    let states = [
        OfferedState::Processing {
            attempts: 3,
            due_at: now,
            error: Some(error.clone()),
        },
        OfferedState::Invalid {
            error: error.clone(),
        },
        OfferedState::Valid { at: now },
    ];
    let mut version = first.version;
    for state in states {
        for authorization in &mut record.authorizations {
            for challenge in &mut authorization.challenges {
                challenge.state = state.clone();
            }
        }
        version = commit(store, &id, version, &record).await?;
    }
    let csr = vec![1, 2, 3];
    let serial = vec![0x41, 0x42];
    let steps = [
        Progress::Failed { error },
        Progress::Finalizing {
            csr: csr.clone(),
            at: now,
        },
        Progress::Issued {
            csr,
            serial: serial.clone(),
            not_after: now + TimeDelta::days(365),
        },
    ];
    for progress in steps {
        rule(
            store.order_of_certificate(&serial).await?.is_none(),
            "a certificate that was not issued is no order's",
        )?;
        record.progress = progress;
        version = commit(store, &id, version, &record).await?;
    }
    rule(
        store.order_of_certificate(&serial).await? == Some(id),
        "an order is found by its certificate",
    )?;
    let late = store
        .commit_order(&id, first.version, record.clone())
        .await?;
    rule(
        late == OrderCommitted::Conflict,
        "an order of another version is not changed",
    )?;
    let unknown = store
        .commit_order(&OrderId::random()?, version, record)
        .await?;
    rule(
        unknown == OrderCommitted::Conflict,
        "an unknown order is not changed",
    )
}

async fn commit(
    store: &dyn AcmeStore,
    id: &OrderId,
    version: Version,
    record: &OrderRecord,
) -> Result<Version, Broken> {
    let committed = store.commit_order(id, version, record.clone()).await?;
    let OrderCommitted::Committed(next) = committed else {
        return Err(Broken::new("an order of the last version is changed"));
    };
    let kept = kept_order(store, id).await?;
    rule(
        kept.version == next && next != version && kept.record == *record,
        "a changed order is kept in the version that was told",
    )?;
    Ok(next)
}

async fn an_attested_key_is_good_for_one_order(
    store: &dyn AcmeStore,
    now: DateTime<Utc>,
) -> Result<(), Broken> {
    let mut record = order(AccountId::random()?, now)?;
    let (id, rival) = (insert(store, &record).await?, insert(store, &record).await?);
    attest(&mut record, [9; 32], now);
    let first = kept_order(store, &id).await?.version;
    let version = commit(store, &id, first, &record).await?;
    let kept = kept_order(store, &rival).await?;
    let used = store
        .commit_order(&rival, kept.version, record.clone())
        .await?;
    rule(
        used == OrderCommitted::KeyUsed && kept_order(store, &rival).await? == kept,
        "a key that was attested in one order changes nothing in another",
    )?;
    // The order itself goes on, and its end frees nothing.
    record.progress = Progress::Failed {
        error: Problem::new(ErrorType::ServerInternal, "over"),
    };
    let version = commit(store, &id, version, &record).await?;
    for authorization in &mut record.authorizations {
        authorization.state = AuthorizationState::Deactivated;
    }
    commit(store, &id, version, &record).await?;
    attest(&mut record, [9; 32], now);
    let used = store
        .commit_order(&rival, kept.version, record.clone())
        .await?;
    rule(
        used == OrderCommitted::KeyUsed,
        "an attested key is remembered when its order is over",
    )?;
    attest(&mut record, [10; 32], now);
    commit(store, &rival, kept.version, &record).await?;
    Ok(())
}

async fn open_orders_are_counted(store: &dyn AcmeStore, now: DateTime<Utc>) -> Result<(), Broken> {
    let mut record = order(AccountId::random()?, now)?;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(insert(store, &record).await?);
    }
    let insert = |record: &OrderRecord, open| {
        let record = record.clone();
        async move {
            let id = OrderId::random()?;
            Ok::<_, Broken>(store.insert_order(id, record, open).await?)
        }
    };
    let many = insert(&record, 3).await?;
    rule(
        many == OrderInserted::TooManyOpen,
        "an account has no more open orders than allowed",
    )?;
    let other = order(AccountId::random()?, now)?;
    rule(
        insert(&other, 1).await? == OrderInserted::Inserted,
        "the orders of others do not count",
    )?;
    if let Some(id) = ids.first() {
        let kept = kept_order(store, id).await?;
        let mut failed = kept.record;
        failed.progress = Progress::Failed {
            error: Problem::new(ErrorType::ServerInternal, "over"),
        };
        store.commit_order(id, kept.version, failed).await?;
    }
    rule(
        insert(&record, 3).await? == OrderInserted::Inserted,
        "an order that is over does not count",
    )?;
    record.created_at = record.expires_at;
    record.expires_at += TimeDelta::days(1);
    rule(
        insert(&record, 1).await? == OrderInserted::Inserted,
        "an order that has expired does not count",
    )
}

async fn a_certificate_is_replaced_once(
    store: &dyn AcmeStore,
    now: DateTime<Utc>,
) -> Result<(), Broken> {
    let mut record = order(AccountId::random()?, now)?;
    let name = CertId::from_parts(&[1; 20], &[2; 16]);
    record.replaces = Some(name.map_err(Broken::new)?);
    let id = insert(store, &record).await?;
    let again = store
        .insert_order(OrderId::random()?, record.clone(), 100)
        .await?;
    rule(
        again == OrderInserted::Replaced,
        "a certificate is replaced by one order at a time",
    )?;
    let kept = kept_order(store, &id).await?;
    let mut failed = kept.record;
    failed.progress = Progress::Failed {
        error: Problem::new(ErrorType::ServerInternal, "over"),
    };
    store.commit_order(&id, kept.version, failed).await?;
    insert(store, &record).await?;
    Ok(())
}

async fn orders_are_listed_from_the_newest(
    store: &dyn AcmeStore,
    now: DateTime<Utc>,
) -> Result<(), Broken> {
    let account = AccountId::random()?;
    let record = order(account, now)?;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, insert(store, &record).await?);
    }
    let mut listed = Vec::new();
    loop {
        let page = store.orders(&account, listed.last(), 2).await?;
        let whole = page.iter().all(|(_, found)| *found == record);
        rule(whole, "orders are listed with all that is known of them")?;
        if page.is_empty() {
            break;
        }
        rule(page.len() <= 2, "a page has no more orders than asked for")?;
        listed.extend(page.into_iter().map(|(id, _)| id));
    }
    rule(
        listed == ids,
        "the orders of an account are listed from the newest on, each once",
    )?;
    rule(
        store
            .orders(&AccountId::random()?, None, 9)
            .await?
            .is_empty(),
        "an account without orders has none",
    )
}

async fn a_nonce_is_spent_once(store: &dyn AcmeStore, now: DateTime<Utc>) -> Result<(), Broken> {
    let nonce = NonceId::from_bytes([3; 16]);
    let expires_at = now + TimeDelta::hours(1);
    let first = store.spend_nonce(nonce, expires_at).await?;
    let second = store.spend_nonce(nonce, expires_at).await?;
    let other = store
        .spend_nonce(NonceId::from_bytes([4; 16]), expires_at)
        .await?;
    rule(first && !second && other, "a nonce is spent once")?;
    store.forget(expires_at).await?;
    rule(
        !store.spend_nonce(nonce, expires_at).await?,
        "a nonce that may still be used is not forgotten",
    )?;
    store.forget(expires_at + TimeDelta::seconds(1)).await?;
    rule(
        store.spend_nonce(nonce, expires_at).await?,
        "a nonce that has expired is forgotten",
    )
}

async fn what_is_over_is_forgotten(
    store: &dyn AcmeStore,
    now: DateTime<Utc>,
) -> Result<(), Broken> {
    let account = AccountId::random()?;
    let mut record = order(account, now)?;
    let (over, issued) = (insert(store, &record).await?, insert(store, &record).await?);
    attest(&mut record, [11; 32], now);
    let serial = vec![0x51, 0x52];
    record.progress = Progress::Issued {
        csr: Vec::new(),
        serial: serial.clone(),
        not_after: now + TimeDelta::days(365),
    };
    let version = kept_order(store, &issued).await?.version;
    commit(store, &issued, version, &record).await?;

    let until = kept_order(store, &over).await?.record.keep_until();
    store.forget(until).await?;
    rule(
        store.order(&over).await?.is_some(),
        "an order that has to be kept is not forgotten",
    )?;
    let forgotten = store.forget(until + TimeDelta::seconds(1)).await?;
    rule(
        forgotten > 0 && store.order(&over).await?.is_none(),
        "an order that is over is forgotten",
    )?;
    let kept = store.order(&issued).await?.is_some()
        && store.order_of_certificate(&serial).await? == Some(issued);
    rule(kept, "an order is kept as long as its certificate is valid")?;
    store.forget(now + TimeDelta::days(373)).await?;
    let gone = store.order(&issued).await?.is_none()
        && store.order_of_certificate(&serial).await?.is_none()
        && store.orders(&account, None, 9).await?.is_empty();
    rule(gone, "of an order that is forgotten nothing is left")?;

    let id = insert(store, &order(account, now)?).await?;
    let version = kept_order(store, &id).await?.version;
    let used = store.commit_order(&id, version, record).await?;
    rule(
        used == OrderCommitted::KeyUsed,
        "an attested key is remembered when its order is forgotten",
    )
}

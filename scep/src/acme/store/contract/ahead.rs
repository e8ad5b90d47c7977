//! Authorisations ahead of orders, which a store keeps as if they were such.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    AccountId, AcmeStore, AuthorizationRecord, AuthorizationState, Broken, ChallengeId,
    ChallengeType, Identifier, OfferedChallenge, OrderId, OrderInserted, OrderRecord, Proof, Token,
    commit, kept_order, order, rule,
};

pub(super) async fn an_authorisation_ahead_of_orders_is_kept(
    store: &dyn AcmeStore,
    now: DateTime<Utc>,
) -> Result<(), Broken> {
    let (account, ends) = (AccountId::random()?, now + TimeDelta::days(1));
    let challenge = OfferedChallenge::new(ChallengeType::Http01, Token::random()?);
    let identifier = Identifier::dns("ahead.example.com");
    let authorization = AuthorizationRecord::new(identifier, ends, vec![challenge]);
    let permit = ChallengeId::from_bytes([8; 32]);
    let mut record = OrderRecord::pre_authorization(account, now, authorization, permit);
    let id = OrderId::random()?;
    let mut inserted = store.insert_order(id, record.clone(), 1).await?;
    let first = inserted == OrderInserted::Inserted;
    inserted = store
        .insert_order(OrderId::random()?, record.clone(), 1)
        .await?;
    rule(
        first && inserted == OrderInserted::TooManyOpen,
        "an authorisation ahead of orders counts as one that is open while it is pending",
    )?;
    let kept = kept_order(store, &id).await?;
    for authorization in &mut record.authorizations {
        authorization.state = AuthorizationState::Valid(Proof::new(now));
        authorization.expires_at = now + TimeDelta::days(7);
    }
    commit(store, &id, kept.version, &record).await?;
    let listed = store.orders(&account, None, 10).await?;
    let other = store
        .insert_order(OrderId::random()?, order(account, now)?, 1)
        .await?;
    rule(
        listed == [(id, record.clone())] && other == OrderInserted::Inserted,
        "an authorisation ahead of orders is listed, and one that is decided keeps no order away",
    )?;
    store.forget(now + TimeDelta::days(13)).await?;
    let kept = store.order(&id).await?.is_some();
    store.forget(now + TimeDelta::days(15)).await?;
    let gone = store.order(&id).await?.is_none();
    rule(
        kept && gone,
        "an authorisation ahead of orders is kept a week longer than it counts",
    )
}

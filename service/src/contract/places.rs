//! The contract of places and of invitations: who may enrol.

use futures_util::future::join_all;
use mdm_core::{SerialNumber, Udid};

use super::{Make, fixture::*};
use crate::{
    Claim, Invitation, Store,
    enrollment::decide::{Message, Version, retire},
    store::CommitError,
};

const POOL: &str = "licences";

fn full(outcome: Result<(), CommitError>) -> bool {
    match outcome {
        Ok(()) => false,
        Err(CommitError::PoolFull { pool }) if pool == POOL => true,
        Err(error) => panic!("{error:?}"),
    }
}

fn spent(outcome: Result<(), CommitError>) -> bool {
    match outcome {
        Ok(()) => false,
        Err(CommitError::InvitationSpent) => true,
        Err(error) => panic!("{error:?}"),
    }
}

fn invitation(id: &str) -> Invitation {
    Invitation::new(id, at(0), at(100))
}

/// Two devices, one place: decided at the same time, one gets it and the other leaves no trace.
pub async fn of_two_devices_and_one_place_one_gets_it<S: Store>(make: impl Make<S>) {
    let store = subscribed(&make).await;
    let mut steps = Vec::new();
    for n in [1, 2] {
        steps.push((n, claiming(&store, n, &[Claim::new(POOL, 1)]).await));
    }
    let commits = steps.into_iter().map(|(n, step)| {
        let store = &store;
        async move { (n, store.commit(&device(n), Version::UNSEEN, step).await) }
    });
    let outcomes = join_all(commits).await;
    let mut enrolled = Vec::new();
    for (n, outcome) in outcomes {
        if !full(outcome) {
            enrolled.push(n);
        }
        let found = store.enrollment(&device(n)).await.unwrap();
        assert_eq!(found.is_some(), enrolled.contains(&n));
    }
    assert_eq!(enrolled.len(), 1);
    assert_eq!(store.places_taken(POOL).await.unwrap(), 1);
    assert_eq!(told(&store).await.len(), 1);
}

/// Twenty devices for seven places, all at once, while others leave: never more than seven.
pub async fn places_are_counted_right_whatever_happens_at_once<S: Store>(make: impl Make<S>) {
    const PLACES: u64 = 7;
    let store = make().await;
    let claims = [Claim::new(POOL, PLACES), Claim::new("anna", 100)];
    let enrol = async |n: u8| loop {
        let version = store
            .load(&device(n), &certificate(n))
            .await
            .unwrap()
            .version;
        let step = claiming(&store, n, &claims).await;
        match store.commit(&device(n), version, step).await {
            Err(CommitError::Conflict) => {}
            outcome => return !full(outcome),
        }
    };
    let leave = async |n: u8| {
        let loaded = store.load(&device(n), &certificate(n)).await.unwrap();
        let step = retire(&loaded, &device(n), at(1));
        store
            .commit(&device(n), loaded.version, step)
            .await
            .unwrap();
    };
    let outcomes = join_all((1..=20).map(enrol)).await;
    let inside: Vec<u8> = (1..=20)
        .zip(outcomes)
        .filter_map(|(n, is_in)| is_in.then_some(n))
        .collect();
    assert_eq!(inside.len() as u64, PLACES);
    let leaving = inside.iter().take(3).map(|n| leave(*n));
    let coming = (21..=40).map(enrol);
    let (_, outcomes) = futures_util::future::join(join_all(leaving), join_all(coming)).await;
    let came = outcomes.into_iter().filter(|is_in| *is_in).count();
    assert!(came <= 3);
    let taken = 4 + came as u64;
    for pool in [POOL, "anna"] {
        assert_eq!(store.places_taken(pool).await.unwrap(), taken);
    }
    assert_eq!(store.places_taken("nobody's").await.unwrap(), 0);
}

/// Who is in stays in, also when it begins anew.
pub async fn a_device_keeps_its_place_although_the_limit_shrank<S: Store>(make: impl Make<S>) {
    let store = make().await;
    for n in [1, 2] {
        let step = claiming(&store, n, &[Claim::new(POOL, 2)]).await;
        commit(&store, n, step).await.unwrap();
        take(
            &store,
            &sender(&device(n), n),
            Message::token_update(address(n)),
        )
        .await;
    }
    let again = claiming(&store, 1, &[Claim::new(POOL, 0)]).await;
    commit(&store, 1, again).await.unwrap();
    assert_eq!(store.places_taken(POOL).await.unwrap(), 2);
    let third = claiming(&store, 3, &[Claim::new(POOL, 2)]).await;
    assert!(full(commit(&store, 3, third).await));
}

/// The first pool has room, the second has none: neither is taken from.
pub async fn a_device_that_finds_one_pool_full_takes_no_place_at_all<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let first = claiming(&store, 1, &[Claim::new(POOL, 1)]).await;
    commit(&store, 1, first).await.unwrap();
    let second = claiming(&store, 2, &[Claim::new("anna", 5), Claim::new(POOL, 1)]).await;
    assert!(full(commit(&store, 2, second).await));
    assert_eq!(store.places_taken("anna").await.unwrap(), 0);
    assert_eq!(store.enrollment(&device(2)).await.unwrap(), None);
}

/// By `CheckOut`, by retirement, and by enrolling anew for another pool. Nothing is wiped for it.
pub async fn places_become_free_when_a_device_leaves<S: Store>(make: impl Make<S>) {
    let store = make().await;
    for n in 1..=3 {
        let step = claiming(&store, n, &[Claim::new(POOL, 3)]).await;
        commit(&store, n, step).await.unwrap();
        take(
            &store,
            &sender(&device(n), n),
            Message::token_update(address(n)),
        )
        .await;
    }
    // A message in between changes nothing of it.
    take(
        &store,
        &sender(&device(1), 1),
        Message::token_update(address(1)),
    )
    .await;
    assert_eq!(store.places_taken(POOL).await.unwrap(), 3);

    take(&store, &sender(&device(1), 1), Message::CheckOut).await;
    assert_eq!(store.places_taken(POOL).await.unwrap(), 2);
    let loaded = store.load(&device(2), &certificate(2)).await.unwrap();
    let step = retire(&loaded, &device(2), at(1));
    commit(&store, 2, step).await.unwrap();
    assert_eq!(store.places_taken(POOL).await.unwrap(), 1);
    let step = claiming(&store, 3, &[Claim::new("others", 1)]).await;
    commit(&store, 3, step).await.unwrap();
    assert_eq!(store.places_taken(POOL).await.unwrap(), 0);
    assert_eq!(store.places_taken("others").await.unwrap(), 1);
    let left = store.enrollment(&device(1)).await.unwrap().unwrap();
    assert!(left.licences.is_empty() && left.authenticate.is_some());
}

/// Every field survives, and a second one of that name changes nothing.
pub async fn an_invitation_comes_back_as_it_was_made<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let bare = invitation("i-1");
    let full = invitation("i-2").with(|it| {
        it.owner = Some("anna".to_owned());
        it.serial_number = Some(SerialNumber::new("C02CONTRACT").unwrap());
        it.udid = Some(Udid::new("U-1").unwrap());
        it.licences = vec![
            Claim::new(POOL, 7),
            Claim::new("user:anna", u64::from(u32::MAX)),
        ];
        it.data = serde_json::json!({ "ticket": [1, "x", null] });
        it.spent_by = Some(device(1));
        it.spent_at = Some(at(3));
    });
    for it in [&bare, &full] {
        store.invite(it.clone()).await.unwrap();
        let other = it.clone().with(|it| it.owner = Some("berta".to_owned()));
        store.invite(other).await.unwrap();
        let found = store.invitation(&it.id).await.unwrap();
        assert_eq!(found.as_ref(), Some(it));
    }
    assert_eq!(store.invitation("i-9").await.unwrap(), None);
}

/// Also where many devices try it at the same time: the others leave no trace.
pub async fn an_invitation_is_spent_by_one_device<S: Store>(make: impl Make<S>) {
    let store = make().await;
    store.invite(invitation("i-1")).await.unwrap();
    let spends = (1..=8).map(|n| {
        let store = &store;
        async move { (n, spent(spend(store, n, "i-1", 1).await)) }
    });
    let outcomes = join_all(spends).await;
    let spender: Vec<_> = outcomes.iter().filter(|(_, refused)| !refused).collect();
    let [(n, _)] = spender.as_slice() else {
        panic!("{outcomes:?}");
    };
    let found = store.invitation("i-1").await.unwrap().unwrap();
    assert_eq!(found.spent_by, Some(device(*n)));
    assert_eq!(found.spent_at, Some(at(1)));
    for (n, refused) in outcomes {
        let enrolled = store.enrollment(&device(n)).await.unwrap();
        assert_eq!(enrolled.is_none(), refused);
    }
}

/// Q16: a repeated `Authenticate` and the same profile installed again both pass, even once the
/// invitation has expired.
pub async fn q16_the_device_that_spent_an_invitation_may_spend_it_again<S: Store>(
    make: impl Make<S>,
) {
    let store = make().await;
    store.invite(invitation("i-1")).await.unwrap();
    for seconds in [1, 2, 1000] {
        spend(&store, 1, "i-1", seconds).await.unwrap();
    }
    let found = store.invitation("i-1").await.unwrap().unwrap();
    assert_eq!(
        (found.spent_by, found.spent_at),
        (Some(device(1)), Some(at(1)))
    );
    assert!(spent(spend(&store, 2, "i-1", 3).await));
}

/// Nobody enrols with them, and nothing is recorded.
pub async fn an_expired_or_unknown_invitation_is_refused<S: Store>(make: impl Make<S>) {
    let store = subscribed(&make).await;
    store.invite(invitation("i-1")).await.unwrap();
    assert!(spent(spend(&store, 1, "i-1", 100).await));
    assert!(spent(spend(&store, 1, "i-9", 1).await));
    assert_eq!(store.enrollment(&device(1)).await.unwrap(), None);
    assert!(told(&store).await.is_empty());
    let found = store.invitation("i-1").await.unwrap();
    assert_eq!(found, Some(invitation("i-1")));
    spend(&store, 1, "i-1", 99).await.unwrap();
}

/// A pool that is full does not use the invitation up.
pub async fn a_step_that_is_refused_spends_no_invitation<S: Store>(make: impl Make<S>) {
    let store = make().await;
    store.invite(invitation("i-1")).await.unwrap();
    let mut step = claiming(&store, 1, &[Claim::new(POOL, 0)]).await;
    step.invitation = Some(crate::enrollment::Spend::new("i-1", at(1)));
    assert!(full(commit(&store, 1, step).await));
    let found = store.invitation("i-1").await.unwrap();
    assert_eq!(found, Some(invitation("i-1")));
}

/// What was spent is a record of who came; what was not is gone once it expired.
pub async fn expired_invitations_are_forgotten_and_spent_ones_are_not<S: Store>(
    make: impl Make<S>,
) {
    let store = make().await;
    for id in ["i-1", "i-2", "i-3"] {
        store.invite(invitation(id)).await.unwrap();
    }
    let late = Invitation::new("i-4", at(0), at(101));
    store.invite(late).await.unwrap();
    spend(&store, 1, "i-1", 1).await.unwrap();
    assert_eq!(store.forget_invitations(at(99), 9).await.unwrap(), 0);
    assert_eq!(store.forget_invitations(at(100), 1).await.unwrap(), 1);
    assert_eq!(store.forget_invitations(at(100), 9).await.unwrap(), 1);
    assert_eq!(store.forget_invitations(at(100), 9).await.unwrap(), 0);
    for (id, is_there) in [("i-1", true), ("i-2", false), ("i-3", false), ("i-4", true)] {
        assert_eq!(
            store.invitation(id).await.unwrap().is_some(),
            is_there,
            "{id}"
        );
    }
}

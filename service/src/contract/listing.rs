//! The contract of listings of enrolments.

use mdm_core::SerialNumber;

use super::{Make, fixture::*};
use crate::{Claim, EnrollmentStatus, Store, enrollment::decide::Message, store::EnrollmentFilter};

/// Pages join without a gap, in the order of the ids' texts, whatever the order of arrival.
pub async fn enrollments_are_listed_in_the_order_of_their_ids<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let mut ids = Vec::new();
    for n in [3, 1, 2] {
        ids.push(enroll(&store, n).await.to_string());
        ids.push(enroll_user(&store, n, "U1").await.to_string());
    }
    ids.sort_unstable();
    let all = EnrollmentFilter::new();
    let mut listed: Vec<String> = Vec::new();
    loop {
        let after = listed.last().map(|last| last.parse().unwrap());
        let page = store.enrollments(&all, after.as_ref(), 4).await.unwrap();
        assert!(page.len() <= 4);
        if page.is_empty() {
            break;
        }
        listed.extend(page.into_iter().map(|found| found.id.to_string()));
    }
    assert_eq!(listed, ids);
    let found = store.enrollments(&all, None, 1).await.unwrap();
    let loaded = store.enrollment(&found[0].id).await.unwrap();
    assert_eq!(found.first(), loaded.as_ref());
    assert!(store.enrollments(&all, None, 0).await.unwrap().is_empty());
}

/// Each condition by itself, and two that narrow each other.
pub async fn enrollments_are_listed_by_every_condition<S: Store>(make: impl Make<S>) {
    let store = make().await;
    for n in 1..=3 {
        let mut step = claiming(&store, n, &[Claim::new(format!("pool-{}", n % 2), 9)]).await;
        let state = step.device.as_mut().unwrap();
        state.owner = Some(if n == 3 { "berta" } else { "anna" }.to_owned());
        state.serial_number = Some(SerialNumber::new(format!("SERIAL{n}")).unwrap());
        commit(&store, n, step).await.unwrap();
        if n < 3 {
            let update = Message::token_update(address(n));
            take(&store, &sender(&device(n), n), update).await;
        }
    }
    enroll_user(&store, 2, "U1").await;
    type Set = fn(&mut EnrollmentFilter);
    let cases: [(Set, Vec<_>); 9] = [
        (|_| {}, vec![device(1), device(2), device(3), user(2, "U1")]),
        (
            |f| f.devices_only = true,
            vec![device(1), device(2), device(3)],
        ),
        (
            |f| f.status = Some(EnrollmentStatus::Enrolled),
            vec![device(1), device(2), user(2, "U1")],
        ),
        (
            |f| f.device = Some(device(2)),
            vec![device(2), user(2, "U1")],
        ),
        // The family of a user is that of its device.
        (
            |f| f.device = Some(user(2, "U1")),
            vec![device(2), user(2, "U1")],
        ),
        (
            |f| f.serial_number = Some(SerialNumber::new("SERIAL2").unwrap()),
            vec![device(2)],
        ),
        (
            |f| f.owner = Some("anna".to_owned()),
            vec![device(1), device(2)],
        ),
        (
            |f| f.licence = Some("pool-1".to_owned()),
            vec![device(1), device(3)],
        ),
        (
            |f| {
                f.licence = Some("pool-1".to_owned());
                f.owner = Some("berta".to_owned());
                f.status = Some(EnrollmentStatus::Authenticated);
            },
            vec![device(3)],
        ),
    ];
    for (set, expected) in cases {
        let filter = EnrollmentFilter::new().with(set);
        let found = store.enrollments(&filter, None, 100).await.unwrap();
        let found: Vec<_> = found.into_iter().map(|found| found.id).collect();
        assert_eq!(found, expected, "{filter:?}");
        let after = expected.first();
        let rest = store.enrollments(&filter, after, 100).await.unwrap();
        let rest: Vec<_> = rest.into_iter().map(|found| found.id).collect();
        assert_eq!(rest, expected[1..], "{filter:?}");
    }
    for set in [
        (|f| f.device = Some(device(9))) as Set,
        |f| f.owner = Some("nobody".to_owned()),
        |f| f.licence = Some("pool-9".to_owned()),
    ] {
        let filter = EnrollmentFilter::new().with(set);
        assert!(
            store
                .enrollments(&filter, None, 9)
                .await
                .unwrap()
                .is_empty()
        );
    }
}

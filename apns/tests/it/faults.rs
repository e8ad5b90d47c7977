//! Many pushes while the service does everything wrong: each ends in exactly one outcome, the right
//! one. `cargo xtask deep apns` runs it at full length.
#![allow(clippy::print_stderr)]

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt, stream};
use mdm_apns::{Batch, Outcome, Push, Reason};
use mdm_core::{Clock, PushMagic, PushToken};
use mdm_fake_apple::apns::{Fault, Goodbye};

use crate::house::{House, run};

/// What the service knows of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Device {
    Good,
    Dead,
    Unknown,
}

fn device(number: u32) -> Device {
    match number % 50 {
        7 => Device::Dead,
        13 => Device::Unknown,
        _ => Device::Good,
    }
}

#[tokio::test]
async fn no_push_is_lost_and_none_is_answered_wrongly_whatever_the_service_does() {
    let is_full = std::env::var("APNS_FAULTS").is_ok_and(|value| value == "full");
    let count: u32 = if is_full { 100_000 } else { 10_000 };
    let house = House::new().await;
    for number in 0..count {
        let token = number.to_be_bytes();
        match device(number) {
            Device::Good => house.fake.accept_token(token),
            Device::Dead => house.fake.kill_token(token, house.clock.now()),
            Device::Unknown => {}
        }
    }
    house.fake.every(1_000, Fault::GoAway);
    house.fake.every(
        1_400,
        Fault::Goodbye(Goodbye::graceful().reason("Shutdown")),
    );
    house.fake.every(1_000, Fault::AbruptGoAway { code: 0 });
    house.fake.every(1_700, Fault::Close);
    house.fake.every(1_900, Fault::FramesAfterGoAway);
    house.fake.fault_by_chance(1, 2, Fault::Reset { code: 7 });
    house.fake.fault_by_chance(2, 1, Fault::Stall);
    house
        .fake
        .fault_by_chance(3, 1, Fault::reject(400, "IdleTimeout"));

    let config = house.config().with(|config| {
        config.answer_deadline = Duration::from_secs(10);
        config.max_connections = 3;
    });
    let (client, _running) = run(config, house.certificate());
    let pushes = stream::iter((0..count).map(|number| {
        let push = Push::new(PushToken::new(number.to_be_bytes()), PushMagic::new("M"));
        (number, push)
    }));
    let mut outcomes = BTreeMap::new();
    let mut answers = Box::pin(Batch::new(&client).send(pushes));
    let work = async {
        while let Some((number, outcome)) = answers.next().await {
            assert!(outcomes.insert(number, outcome).is_none(), "{number} twice");
            match number % 5_000 {
                1_000 => house.fake.set_max_streams(1),
                1_200 => house.fake.set_max_streams(1_000),
                _ => {}
            }
        }
    };
    let progress = || house.fake.counters().arrived;
    house.clock.pass_beside(progress, work).await;

    assert_eq!(outcomes.len(), count as usize);
    let mut ids = BTreeMap::new();
    for (number, outcome) in &outcomes {
        match (device(*number), outcome) {
            (Device::Good, Ok(Outcome::Delivered { apns_id: Some(id) })) => {
                assert!(ids.insert(id.to_string(), number).is_none(), "{id} twice");
            }
            (Device::Dead, Ok(Outcome::DeadToken { .. })) => {}
            (Device::Unknown, Ok(Outcome::Misconfigured(rejection)))
                if rejection.reason == Some(Reason::BadDeviceToken) => {}
            other => panic!("{number}: {other:?}"),
        }
    }
    let accepted = house.fake.accepted_ids();
    for id in ids.keys() {
        assert!(accepted.contains_key(id), "{id} was never taken");
    }
    let counters = house.fake.counters();
    let violations = &counters.violations;
    assert_eq!(violations.of_http2(), 0, "{counters:?}");
    assert_eq!(violations.path_indexed, 0, "{counters:?}");
    // The expiry changes with each minute that passes.
    assert!(violations.changing_header_indexed < 20, "{counters:?}");
    let all = u64::from(count);
    assert!(counters.go_aways >= all / 500, "{counters:?}");
    assert!(counters.resets > all / 1_000, "{counters:?}");
    assert!(counters.limit_changes >= all / 2_500, "{counters:?}");
    assert!(counters.lost > 0, "{counters:?}");
    eprintln!("{count} pushes, all answered rightly; the service: {counters:?}");
}

//! What each client loses while the service goes away every 1,000 pushes.

use crate::{
    Failure,
    service::{Behaviour, Service},
    side::Side,
};

const PUSHES: usize = 100_000;
const IN_FLIGHT: usize = 200;

/// How many pushes a connection takes before the service goes away.
const EVERY: u64 = 1000;

/// The clients; h2load connects once only.
const SIDES: [Side; 5] = [
    Side::Ours,
    Side::A2,
    Side::A2Nodelay,
    Side::Apns2,
    Side::Nanopush,
];

/// Runs all clients; whether ours delivered every push.
pub(crate) fn faults() -> Result<bool, Failure> {
    let mut met = true;
    for (behaviour, how) in [
        (Behaviour::GoesAway(EVERY), "a graceful GOAWAY"),
        (Behaviour::HangsUp(EVERY), "a GOAWAY and an end at once"),
    ] {
        println!("apns: {how} every {EVERY} pushes, {PUSHES} pushes, {IN_FLIGHT} in flight");
        for side in SIDES {
            let service = Service::start(behaviour)?;
            let run = side.run(&service, IN_FLIGHT, PUSHES)?;
            println!(
                "  {:<16} {} delivered, {} lost; {} connections, {} taken by the service",
                side.name(),
                run.delivered,
                run.failed,
                run.connections,
                run.accepted
            );
            if side == Side::Ours {
                met &= run.failed == 0;
            }
        }
    }
    let word = if met { "met" } else { "MISSED" };
    println!("apns: ours loses none: {word}");
    Ok(met)
}

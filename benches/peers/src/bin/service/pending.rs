//! 100,000 commands that wait, queued and taken back, for one device and for 1,000.

use std::time::Instant;

use chrono::Utc;
use mdm_protocol::EnrollmentId;
use mdm_service::Store;
use mdm_storage::SqliteStore;

use crate::{
    Failure,
    devices::udid,
    serve,
    world::{Side, World, commands, enqueue},
};

const COMMANDS: usize = 100_000;
const DEVICES: [usize; 2] = [1, 1_000];

/// How often each is done, on a new copy each time.
const ROUNDS: usize = 3;

pub(crate) fn pending() -> Result<bool, Failure> {
    let most = DEVICES.into_iter().max().unwrap_or_default();
    let world = World::new(most)?;
    let enrolments = world.devices.enrolments()?;
    for side in [Side::Sqlite, Side::Postgres] {
        world.enrol(side, &enrolments)?;
        for devices in DEVICES {
            let mut times = Vec::with_capacity(ROUNDS);
            for _ in 0..ROUNDS {
                times.push(one(&world, side, devices)?);
            }
            let middle = |of: fn(&(f64, f64)) -> f64| {
                let mut values: Vec<f64> = times.iter().map(of).collect();
                values.sort_by(f64::total_cmp);
                values.get(ROUNDS / 2).copied().unwrap_or(f64::NAN)
            };
            println!(
                "service, {}: {COMMANDS} commands for {devices} devices: queued in {:.2} s, cleared in {:.2} s",
                side.name(),
                middle(|times| times.0),
                middle(|times| times.1)
            );
        }
    }
    Ok(true)
}

/// Seconds to queue and to clear.
fn one(world: &World, side: Side, devices: usize) -> Result<(f64, f64), Failure> {
    let address = world.copy(side, "pending")?;
    let times = world.runtime.block_on(async {
        match side {
            Side::Sqlite => {
                let store = SqliteStore::open(&address).await?;
                let times = fill_and_clear(&store, devices).await;
                store.close().await;
                times
            }
            _ => {
                let store = serve::postgres(&address, 1).await?;
                let times = fill_and_clear(&store, devices).await;
                store.close();
                times
            }
        }
    })?;
    world.discard(side, "pending")?;
    Ok(times)
}

async fn fill_and_clear(store: &dyn Store, devices: usize) -> Result<(f64, f64), Failure> {
    let commands = commands(devices, COMMANDS / devices)?;
    let began = Instant::now();
    enqueue(store, commands).await?;
    let queued = began.elapsed().as_secs_f64();
    let ids = (0..devices).map(|device| EnrollmentId::device(udid(device)));
    let ids: Vec<_> = ids.collect::<Result<_, _>>()?;
    let began = Instant::now();
    let cleared = store.clear(&ids, Utc::now()).await?;
    match cleared == COMMANDS as u64 {
        true => Ok((queued, began.elapsed().as_secs_f64())),
        false => Err(format!("{cleared} of {COMMANDS} commands were cleared").into()),
    }
}

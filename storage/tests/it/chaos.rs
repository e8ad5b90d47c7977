//! Two servers on one PostgreSQL, killed at random, and devices that repeat what got no answer: every command
//! is settled once, none is lost, and each device gets its commands in their order.
//!
//! A small run by itself; `CHAOS=full` (`cargo xtask deep service`) has 500 devices and several seeds.

#![allow(clippy::print_stderr, clippy::print_stdout)]

use std::{
    collections::BTreeMap,
    env,
    sync::{Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use chrono::Utc;
use mdm_core::Secret;
use mdm_service::{
    EnrollmentId, EventKind,
    queue::{CommandFilter, CommandState, Enqueued, NewCommand, Sequence},
    store::{CommandStore, Outbox},
};
use mdm_storage::{PostgresStore, postgres::Options};
use tokio::runtime::Runtime;

use device::{Authority, Device};
use server::{Address, Servers};

mod device;
mod server;

const COMMANDS: usize = 20;
/// Commands are queued in so many portions, while the devices are at it.
const PORTIONS: usize = 4;
const WORKERS: usize = 8;
const SUBSCRIBER: &str = "chaos";
/// A run that takes longer does not end.
const PATIENCE: Duration = Duration::from_secs(240);

#[test]
fn commands_are_settled_once_and_in_order_though_servers_are_killed() {
    if server::is_victim() {
        return server::serve();
    }
    let full = env::var("CHAOS").as_deref() == Ok("full");
    let (devices, seeds) = match full {
        true => (500, 1..=3),
        false => (25, 1..=1),
    };
    let Some(postgres) = mdm_scratch_postgres::Server::builder().start().unwrap() else {
        let required = env::var("REQUIRE_PEERS").as_deref() == Ok("1");
        assert!(!required, "PostgreSQL is missing");
        eprintln!("skipped: PostgreSQL is missing");
        return;
    };
    for seed in seeds {
        let database = format!("chaos{seed}");
        postgres.create(&database).unwrap();
        run(&postgres.address(&database), devices, seed);
    }
}

fn run(database: &str, count: usize, seed: u64) {
    let began = Instant::now();
    let runtime = Runtime::new().unwrap();
    let address = Secret::new(database.to_owned());
    let store = runtime.block_on(PostgresStore::connect(&address, Options::default()));
    let store = store.unwrap();
    assert!(runtime.block_on(store.subscribe(SUBSCRIBER)).unwrap());

    let authority = Authority::new();
    let mut devices: Vec<_> = (0..count).map(|n| Device::new(&authority, n)).collect();
    let mut servers = Servers::start(database, &authority.certificate);
    let progress = Progress::default();
    let mut random = Random(seed);
    let mut kills = 0;
    thread::scope(|scope| {
        let share = count.div_ceil(WORKERS);
        for (n, devices) in devices.chunks_mut(share).enumerate() {
            let (addresses, progress) = (servers.addresses(), &progress);
            let random = Random(seed << 8 | n as u64);
            scope.spawn(move || work(devices, &addresses, progress, random));
        }
        let mut portions = 0..PORTIONS;
        loop {
            // The kills are spread over the whole of it, whatever the number of devices.
            let answers = 1 + random.below(count * COMMANDS / 12);
            let told = progress.after(answers, count);
            if told.done == count {
                break;
            }
            if told.enrolled == count
                && let Some(portion) = portions.next()
            {
                runtime.block_on(enqueue(&store, count, portion));
            }
            // Sometimes both at once.
            for _ in 0..=random.below(4) / 3 {
                servers.kill(random.below(2));
                kills += 1;
            }
            servers.restart();
        }
    });
    assert!(kills > 2, "{kills}");
    let repeats: usize = devices.iter().map(|device| device.repeats).sum();
    assert!(repeats > 0);
    runtime.block_on(check(&store, &devices));
    println!(
        "chaos, seed {seed}: {count} devices, {COMMANDS} commands each, {kills} servers killed, {repeats} messages \
         repeated, {:.1?}: every command settled once and in order",
        began.elapsed()
    );
}

/// Lets devices enrol and then poll in turns, until all have answered everything.
fn work(devices: &mut [Device], servers: &[Address; 2], progress: &Progress, mut random: Random) {
    for device in devices.iter_mut() {
        device.enrol(servers, &mut random, progress);
        progress.told(|told| told.enrolled += 1);
    }
    let mut waiting: Vec<_> = devices.iter_mut().collect();
    while !waiting.is_empty() {
        waiting.retain_mut(|device| {
            device.session(servers, &mut random, progress);
            let done = device.answers.len() == COMMANDS;
            if done {
                progress.told(|told| told.done += 1);
            }
            !done
        });
    }
}

fn uuid(n: usize) -> String {
    format!("c-{n:02}")
}

async fn enqueue(store: &PostgresStore, devices: usize, portion: usize) {
    let size = COMMANDS / PORTIONS;
    let mut commands = Vec::new();
    for device in 0..devices {
        for n in portion * size..(portion + 1) * size {
            let (id, uuid) = (device::id(device), uuid(n));
            let body = device::plist(&format!(
                "<key>Command</key><dict><key>RequestType</key><string>ProfileList</string></dict>\
                 <key>CommandUUID</key><string>{uuid}</string>"
            ));
            commands.push(NewCommand::new(id, uuid, "ProfileList", body, Utc::now()));
        }
    }
    let answers = store.enqueue(commands).await.unwrap();
    let queued = |answer: &Enqueued| matches!(answer, Enqueued::Queued(_));
    assert!(answers.iter().all(queued), "{answers:?}");
}

/// Holds what the devices know against what the store knows.
async fn check(store: &PostgresStore, devices: &[Device]) {
    let expected: Vec<_> = (0..COMMANDS).map(uuid).collect();
    for device in devices {
        // In their order, without a gap; one whose answer was lost came again before the next.
        let mut received = device.received.clone();
        received.dedup();
        assert_eq!(received, expected, "{}", device.id);
        let filter = CommandFilter::new();
        let records = store.commands(&device.id, &filter, Sequence::START, usize::MAX);
        let records = records.await.unwrap();
        let uuids = records.iter().map(|it| it.command.command_uuid.as_str());
        assert!(uuids.eq(expected.iter().map(String::as_str)));
        for record in &records {
            let CommandState::Settled { status, body, .. } = &record.state else {
                panic!("{} {record:?}", device.id);
            };
            assert_eq!(status, "Acknowledged");
            let said = &device.answers[&record.command.command_uuid];
            assert_eq!(body.as_ref(), said.as_bytes());
        }
    }
    // Each settlement is told once, and in the order in which the commands were answered.
    let mut told: BTreeMap<EnrollmentId, Vec<String>> = BTreeMap::new();
    for (_, event) in store.events(SUBSCRIBER, usize::MAX).await.unwrap() {
        if let EventKind::CommandSettled { command_uuid, .. } = event.kind {
            told.entry(event.enrollment).or_default().push(command_uuid);
        }
    }
    assert_eq!(told.len(), devices.len());
    for (id, told) in told {
        assert_eq!(told, expected, "{id}");
    }
}

/// How far the devices are.
#[derive(Default)]
struct Progress {
    told: Mutex<Told>,
    moved: Condvar,
}

#[derive(Default, Clone, Copy)]
struct Told {
    answers: usize,
    enrolled: usize,
    done: usize,
}

impl Progress {
    fn told(&self, edit: impl FnOnce(&mut Told)) {
        edit(&mut self.told.lock().unwrap());
        self.moved.notify_all();
    }

    /// Waits for so many further answers, or for so many devices to be done.
    fn after(&self, answers: usize, devices: usize) -> Told {
        let told = self.told.lock().unwrap();
        let enough = told.answers + answers;
        let waited = self.moved.wait_timeout_while(told, PATIENCE, |told| {
            told.answers < enough && told.done < devices
        });
        let (told, timeout) = waited.unwrap();
        assert!(!timeout.timed_out(), "the devices got no answers");
        *told
    }
}

/// xorshift64*, the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        (mixed >> 33) as usize % limit.max(1)
    }
}

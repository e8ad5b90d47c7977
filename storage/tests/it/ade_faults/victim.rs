//! The program as a process of its own, which is killed outright. It is this test, run again.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, atomic::AtomicBool},
};

use ade_client::store::Layered;
use chrono::{DateTime, Utc};
use mdm_core::{Clock, ManualClock};
use mdm_fake_apple::ade::{FakeAde, Listen};
use mdm_storage::SqliteStore;
use mdm_transport_reqwest::ReqwestTransport;

use super::{
    drive,
    line::{Carrier, Line},
    stop::Stops,
    world::World,
};

const TEST: &str = "ade_faults::whatever_goes_wrong_the_store_ends_with_what_apple_has";

/// What a victim says at each point that it passes.
pub(super) const SAYS: &str = "passed ";

/// What it says when its time is over.
const DONE: &str = "all is done";

const FILE: &str = "ADE_FAULTS_FILE";
const URL: &str = "ADE_FAULTS_URL";
const ROOT: &str = "ADE_FAULTS_ROOT";
const FROM: &str = "ADE_FAULTS_FROM";
const UNTIL: &str = "ADE_FAULTS_UNTIL";

/// Whether this process is one.
pub(super) fn is_one() -> bool {
    env::var_os(FILE).is_some()
}

/// Works until the end of its time, unless it is killed.
pub(super) fn work() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let time = |name| -> DateTime<Utc> { env::var(name).unwrap().parse().unwrap() };
        let clock = Arc::new(ManualClock::new(time(FROM)));
        let stops = Stops::default();
        stops.tell();
        let store = SqliteStore::open(env::var_os(FILE).unwrap()).await.unwrap();
        let store = Layered::new(store, stops.clone());
        let transport = ReqwestTransport::builder()
            .root(env::var(ROOT).unwrap().as_bytes())
            .only_roots(true)
            .build()
            .unwrap();
        let line = Line {
            carrier: Arc::new(Carrier::Socket(transport)),
            clock: Arc::clone(&clock),
            stops,
            sent: Arc::default(),
            weather: Arc::new(Mutex::new(super::world::Weather::none())),
            busy: Arc::new(AtomicBool::new(false)),
        };
        let service = drive::service(store, line, &env::var(URL).unwrap());
        drive::until(&service, &clock, time(UNTIL)).await;
        println!("\n{DONE}");
    });
}

/// Kills its process when dropped, also when a test fails.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Time passes for processes that are killed at these points, one after the other, and for a last
/// one. Tells how many were killed before they were done.
pub(super) async fn pass(world: &World, points: &[usize], end: DateTime<Utc>) -> usize {
    let fake = FakeAde::serve(world.apple.clone(), Listen::default())
        .await
        .unwrap();
    let root = fake.root_certificate().to_pem();
    let url = fake.url();
    let mut from = world.clock.now();
    let mut killed = 0;
    for point in points.iter().copied().chain([usize::MAX]) {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", TEST, "--nocapture", "--test-threads=1"])
            .env(FILE, world.path().unwrap())
            .env(URL, &url)
            .env(ROOT, &root)
            .env(FROM, from.to_rfc3339())
            .env(UNTIL, end.to_rfc3339())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        let mut victim = Victim(child);
        let apple = world.apple.clone();
        let weather = Arc::clone(&world.weather);
        let is_done = tokio::task::spawn_blocking(move || {
            let mut passed = 0;
            let mut is_done = false;
            for line in BufReader::new(out).lines() {
                let line = line.unwrap();
                // Read to its end: it must not fail for want of a reader.
                is_done |= line.contains(DONE);
                passed += usize::from(line.contains(SAYS));
                if passed >= point && !is_done {
                    return false;
                }
                weather.lock().unwrap().change(&apple, from);
            }
            assert!(is_done, "the process died by itself");
            true
        })
        .await
        .unwrap();
        if is_done {
            let status = tokio::task::spawn_blocking(move || victim.0.wait().unwrap());
            assert!(status.await.unwrap().success());
            return killed;
        }
        victim.0.kill().unwrap();
        victim.0.wait().unwrap();
        killed += 1;
        // The dead one's lease has to run out.
        from += chrono::TimeDelta::minutes(5);
    }
    killed
}

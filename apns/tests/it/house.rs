//! What every test needs: a fake push service, a certificate it takes, a client, a clock.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, Utc};
use mdm_apns::{Client, Config, Error, Outcome, Push, PushCertificate};
use mdm_core::{Clock, PushMagic, PushToken};
use mdm_fake_apple::apns::{self, FakeApns, PushAuthority};
use mdm_tls::Roots;
use tokio::{sync::watch, task::JoinHandle};

pub(crate) const TOPIC: &str = "com.apple.mgmt.External.3a1c9b52-5e0f-4d3a-9f43-0c1d2e3f4a5b";
pub(crate) const TOKEN: &[u8] = b"\x00\xffa token of thirty-two bytes here";

/// A clock that moves when a test says so.
#[derive(Debug)]
pub(crate) struct TestClock {
    now: watch::Sender<DateTime<Utc>>,
    /// When the sleeps end that somebody waits for, by their number.
    sleeps: Mutex<BTreeMap<u64, DateTime<Utc>>>,
    slept: AtomicU64,
}

impl TestClock {
    /// Stands at this time.
    pub(crate) fn at(now: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self {
            now: watch::Sender::new(now),
            sleeps: Mutex::default(),
            slept: AtomicU64::new(0),
        })
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.now.send_modify(|now| *now += by);
    }

    /// Lets up to two hours pass until the work is done: whenever nothing else has happened for long,
    /// the next sleep ends. A slow machine may end it too early, so only deadlines that a test is
    /// about are shorter than [`DAY`].
    pub(crate) async fn pass<F: Future>(&self, work: F) -> F::Output {
        self.pass_beside(|| 0, work).await
    }

    /// The same, where nothing happens as long as this number stays.
    pub(crate) async fn pass_beside<F: Future>(
        &self,
        count: impl Fn() -> u64,
        work: F,
    ) -> F::Output {
        let end = self.now() + Duration::from_secs(7200);
        let mut work = pin!(work);
        loop {
            let before = count();
            for _ in 0..QUIET {
                tokio::select! {
                    biased;
                    done = &mut work => return done,
                    () = tokio::task::yield_now() => {}
                }
            }
            if count() != before {
                continue;
            }
            let next = self.sleeps.lock().unwrap().values().min().copied();
            if let Some(next) = next.filter(|next| *next <= end) {
                self.now.send_modify(|now| *now = next.max(*now));
            }
        }
    }
}

/// How often everything else had its turn before a sleep ends: more than a handshake takes.
const QUIET: u32 = 1_000;

/// A deadline that no test reaches.
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// Makes the deadlines such that only those pass that a test sets, and keeps to one connection.
pub(crate) fn patient(config: Config) -> Config {
    config.with(|config| {
        config.connect_deadline = DAY;
        config.answer_deadline = DAY;
        config.push_deadline = DAY;
        config.idle = DAY;
        config.max_connections = 1;
    })
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        *self.now.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        let end = self.now() + duration;
        let number = self.slept.fetch_add(1, Ordering::Relaxed);
        self.sleeps.lock().unwrap().insert(number, end);
        let _sleep = Sleep(self, number);
        let _ = self.now.subscribe().wait_for(|now| *now >= end).await;
    }
}

/// A sleep, until it ends or is dropped.
struct Sleep<'a>(&'a TestClock, u64);

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        self.0.sleeps.lock().unwrap().remove(&self.1);
    }
}

pub(crate) struct House {
    pub(crate) authority: PushAuthority,
    pub(crate) fake: FakeApns,
    pub(crate) clock: Arc<TestClock>,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(|config| config).await
    }

    pub(crate) async fn with(change: impl FnOnce(apns::Config) -> apns::Config) -> Self {
        let authority = PushAuthority::new().unwrap();
        let config = change(apns::Config::new(vec![authority.root().clone()]));
        let fake = FakeApns::start(config).await.unwrap();
        fake.accept_token(TOKEN);
        let clock = TestClock::at(Utc::now().trunc_subsecs(0));
        Self {
            authority,
            fake,
            clock,
        }
    }

    pub(crate) fn certificate(&self) -> PushCertificate {
        PushCertificate::new(self.authority.issue(TOPIC).unwrap()).unwrap()
    }

    /// How to reach the fake, trusting it.
    pub(crate) fn config(&self) -> Config {
        let config = Config::new("127.0.0.1", self.fake.port())
            .roots(Roots::Only(vec![self.fake.root_certificate().clone()]))
            .clock(self.clock.clone());
        patient(config)
    }

    /// A client whose driver runs.
    pub(crate) fn client(&self) -> (Client, JoinHandle<()>) {
        run(self.config(), self.certificate())
    }
}

pub(crate) fn run(config: Config, certificate: PushCertificate) -> (Client, JoinHandle<()>) {
    let (client, driver) = Client::new(config, certificate).unwrap();
    (client, tokio::spawn(driver.run()))
}

pub(crate) fn is_delivered(outcome: &Result<Outcome, Error>) -> bool {
    matches!(outcome, Ok(Outcome::Delivered { .. }))
}

/// A push to [`TOKEN`].
pub(crate) fn push(magic: &str) -> Push {
    Push::new(PushToken::new(TOKEN), PushMagic::new(magic))
}

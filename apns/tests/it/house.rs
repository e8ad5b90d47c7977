//! What every test needs: a fake push service, a certificate it takes, a client, a clock.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, Utc};
use mdm_apns::{Client, Config, Error, Push, PushCertificate};
use mdm_core::{Clock, PushMagic, PushToken};
use mdm_fake_apple::apns::{self, FakeApns, PushAuthority};
use mdm_tls::Roots;
use tokio::{sync::Notify, task::JoinHandle};

pub(crate) const TOPIC: &str = "com.apple.mgmt.External.3a1c9b52-5e0f-4d3a-9f43-0c1d2e3f4a5b";
pub(crate) const TOKEN: &[u8] = b"\x00\xffa token of thirty-two bytes here";

/// A clock that stands still, and whose sleeps end only when a test says so.
#[derive(Debug)]
pub(crate) struct TestClock {
    now: DateTime<Utc>,
    rings: Notify,
}

impl TestClock {
    /// Stands at this time.
    pub(crate) fn at(now: DateTime<Utc>) -> Arc<Self> {
        let rings = Notify::new();
        Arc::new(Self { now, rings })
    }

    /// Ends the sleep that is waiting, or else the next one: a deadline passes.
    pub(crate) fn ring(&self) {
        self.rings.notify_one();
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        self.now
    }

    async fn sleep(&self, _duration: std::time::Duration) {
        self.rings.notified().await;
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
        Config::new(self.fake.host(), self.fake.port())
            .roots(Roots::Only(vec![self.fake.root_certificate().clone()]))
            .clock(self.clock.clone())
    }

    /// A client whose connection runs.
    pub(crate) async fn client(&self) -> (Client, JoinHandle<Result<(), Error>>) {
        let connected = Client::connect(&self.config(), &self.certificate()).await;
        let (client, connection) = connected.unwrap();
        (client, tokio::spawn(connection.run()))
    }
}

/// A push to [`TOKEN`].
pub(crate) fn push(magic: &str) -> Push {
    Push::new(PushToken::new(TOKEN), PushMagic::new(magic))
}

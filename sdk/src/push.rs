//! The service's pushes over APNs: one certificate and one client a topic.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use mdm_apns::{Client, Config, Driver, Error, Outcome, Push, PushCertificate};
use mdm_core::{Clock, Topic};
use mdm_service::push::{PushOutcome, PushTarget, Pusher};

/// A [`Pusher`] over APNs, whose clients send again whatever a connection lost.
#[derive(Clone)]
pub struct ApnsPusher {
    topics: Arc<BTreeMap<Topic, Client>>,
    clock: Arc<dyn Clock>,
}

/// The working part of an [`ApnsPusher`]: spawn [`ApnsConnections::run`], or no push moves.
#[derive(Debug)]
#[must_use = "no push moves before the connections run"]
pub struct ApnsConnections {
    drivers: Vec<Driver>,
}

impl ApnsPusher {
    /// Pushes for the topics of `certificates` to the service that `config` names; of two certificates
    /// of one topic the later counts.
    ///
    /// # Errors
    /// Where the host, the roots or a certificate cannot be used.
    pub fn new(
        config: &Config,
        certificates: impl IntoIterator<Item = PushCertificate>,
    ) -> Result<(Self, ApnsConnections), Error> {
        let mut topics = BTreeMap::new();
        let mut drivers = Vec::new();
        for certificate in certificates {
            let (client, driver) = Client::new(config.clone(), certificate)?;
            topics.insert(client.topic().clone(), client);
            drivers.push(driver);
        }
        let pusher = Self {
            topics: Arc::new(topics),
            clock: Arc::clone(&config.clock),
        };
        Ok((pusher, ApnsConnections { drivers }))
    }

    /// The client of this topic, to renew its certificate.
    pub fn client(&self, topic: &Topic) -> Option<&Client> {
        self.topics.get(topic)
    }

    async fn push_one(&self, target: &PushTarget) -> PushOutcome {
        let Some(client) = self.topics.get(&target.topic) else {
            return PushOutcome::refused("no push certificate for this topic");
        };
        let push = Push::new(target.token.clone(), target.magic.clone());
        match client.push(&push).await {
            Ok(outcome) => read(outcome),
            Err(error) => failed(&error, self.clock.now()),
        }
    }
}

impl fmt::Debug for ApnsPusher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApnsPusher")
            .field("topics", &self.topics.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Pusher for ApnsPusher {
    async fn push(&self, batch: &[PushTarget]) -> Vec<PushOutcome> {
        join_all(batch.iter().map(|target| self.push_one(target))).await
    }
}

impl ApnsConnections {
    /// Runs the connections of all topics until every pusher is gone and all pushes are answered.
    pub async fn run(self) {
        join_all(self.drivers.into_iter().map(Driver::run)).await;
    }
}

fn read(outcome: Outcome) -> PushOutcome {
    match outcome {
        Outcome::Delivered { apns_id } => PushOutcome::sent(apns_id.map(|id| id.to_string())),
        Outcome::DeadToken { since, .. } => PushOutcome::unregistered(since),
        Outcome::RetryAfter { delay, rejection } => {
            PushOutcome::put_off(rejection.to_string(), delay)
        }
        Outcome::TopicBroken(rejection)
        | Outcome::Misconfigured(rejection)
        | Outcome::Unknown(rejection) => PushOutcome::refused(rejection.to_string()),
        _ => PushOutcome::refused("an outcome of another version"),
    }
}

fn failed(error: &Error, now: DateTime<Utc>) -> PushOutcome {
    match error {
        Error::Paused { until, .. } => {
            PushOutcome::put_off(told(error), (*until - now).to_std().unwrap_or_default())
        }
        _ => PushOutcome::failed(told(error)),
    }
}

fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

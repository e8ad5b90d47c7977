//! The service's pushes over APNs: one certificate and one connection a topic.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use mdm_apns::{Client, Config, Connection, Error, Outcome, Push, PushCertificate, Rejection};
use mdm_core::Topic;
use mdm_service::push::{PushOutcome, PushTarget, Pusher};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};

/// Pushes of one batch that are under way at a time; the service's own limit is below that.
const IN_FLIGHT: usize = 1000;

/// Opened connections that wait for [`ApnsConnections::run`] to take them up.
const BACKLOG: usize = 16;

/// A [`Pusher`] over APNs.
///
/// A topic's connection is opened by its first push, kept, and opened again after it ended. A push
/// that met an ended connection is sent once more over the next one: a push is idempotent.
#[derive(Clone)]
pub struct ApnsPusher {
    topics: Arc<BTreeMap<Topic, Line>>,
    config: Config,
    opened: mpsc::Sender<Connection>,
}

/// One topic: its certificate, and what its last attempt to connect came to.
struct Line {
    certificate: PushCertificate,
    /// How many attempts have ended.
    attempts: AtomicU64,
    latest: Mutex<Latest>,
}

enum Latest {
    Never,
    Open(Numbered),
    Failed(String),
}

/// A client and which of the topic's connections it is on.
#[derive(Clone)]
struct Numbered {
    number: u64,
    client: Client,
}

/// The connections of an [`ApnsPusher`]: spawn [`ApnsConnections::run`], or no push moves.
#[derive(Debug)]
pub struct ApnsConnections {
    opened: mpsc::Receiver<Connection>,
}

impl ApnsPusher {
    /// Pushes for the topics of `certificates` to the service that `config` names.
    pub fn new(
        config: Config,
        certificates: impl IntoIterator<Item = PushCertificate>,
    ) -> (Self, ApnsConnections) {
        let (sender, opened) = mpsc::channel(BACKLOG);
        let topics = certificates
            .into_iter()
            .map(|certificate| {
                let topic = certificate.topic().clone();
                let line = Line {
                    certificate,
                    attempts: AtomicU64::new(0),
                    latest: Mutex::new(Latest::Never),
                };
                (topic, line)
            })
            .collect();
        let pusher = Self {
            topics: Arc::new(topics),
            config,
            opened: sender,
        };
        (pusher, ApnsConnections { opened })
    }

    async fn push_one(&self, target: &PushTarget) -> PushOutcome {
        let Some(line) = self.topics.get(&target.topic) else {
            return PushOutcome::refused("no push certificate for this topic");
        };
        let push = Push::new(target.token.clone(), target.magic.clone());
        let mut lost = None;
        loop {
            let open = match self.connection(line, lost).await {
                Ok(open) => open,
                Err(reason) => return PushOutcome::failed(reason),
            };
            match open.client.push(&push).await {
                Ok(outcome) => return read(outcome),
                Err(error) if lost.is_none() && error.is_retryable() => lost = Some(open.number),
                Err(error) => return PushOutcome::failed(told(&error)),
            }
        }
    }

    /// The topic's latest connection, unless that is the one which the caller lost; then a new one.
    ///
    /// All that wait for an attempt share what it comes to, failure too: a service that cannot be
    /// reached costs a batch one deadline and not one for each push.
    async fn connection(&self, line: &Line, lost: Option<u64>) -> Result<Numbered, String> {
        let before = line.attempts.load(Ordering::SeqCst);
        let mut latest = line.latest.lock().await;
        match &*latest {
            Latest::Open(open) if lost != Some(open.number) => return Ok(open.clone()),
            Latest::Failed(reason) if before != line.attempts.load(Ordering::SeqCst) => {
                return Err(reason.clone());
            }
            _ => {}
        }
        let opened = self.open(line).await;
        let number = line.attempts.fetch_add(1, Ordering::SeqCst);
        match opened {
            Ok(client) => {
                let open = Numbered { number, client };
                *latest = Latest::Open(open.clone());
                Ok(open)
            }
            Err(error) => {
                let reason = told(&error);
                *latest = Latest::Failed(reason.clone());
                Err(reason)
            }
        }
    }

    async fn open(&self, line: &Line) -> Result<Client, Error> {
        let (client, connection) = Client::connect(&self.config, &line.certificate).await?;
        match self.opened.send(connection).await {
            Ok(()) => Ok(client),
            Err(_) => Err(Error::Closed {
                detail: "nobody runs the connections".to_owned(),
            }),
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
        let pushes: Vec<_> = batch.iter().map(|target| self.push_one(target)).collect();
        stream::iter(pushes).buffered(IN_FLIGHT).collect().await
    }
}

impl ApnsConnections {
    /// Runs the connections until every pusher is gone.
    pub async fn run(mut self) {
        let mut running = JoinSet::new();
        loop {
            tokio::select! {
                opened = self.opened.recv() => match opened {
                    Some(connection) => drop(running.spawn(connection.run())),
                    None => break,
                },
                Some(_ended) = running.join_next(), if !running.is_empty() => {}
            }
        }
        while running.join_next().await.is_some() {}
    }
}

fn read(outcome: Outcome) -> PushOutcome {
    match outcome {
        Outcome::Delivered { apns_id } => PushOutcome::sent(apns_id.map(|id| id.to_string())),
        Outcome::DeadToken { since, .. } => PushOutcome::unregistered(since),
        Outcome::RetryAfter { rejection, .. } => PushOutcome::failed(reason(&rejection)),
        Outcome::TopicBroken(rejection)
        | Outcome::Misconfigured(rejection)
        | Outcome::Unknown(rejection) => PushOutcome::refused(reason(&rejection)),
        _ => PushOutcome::refused("an outcome of another version"),
    }
}

fn reason(rejection: &Rejection) -> String {
    match &rejection.reason {
        Some(reason) => format!("{} {reason}", rejection.status),
        None => rejection.status.to_string(),
    }
}

fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

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

/// Pushes of one batch that are under way at a time; Apple's servers take as many streams at the most.
const IN_FLIGHT: usize = 1000;

/// A [`Pusher`] over APNs.
///
/// A topic's connection is opened by its first push, kept, and opened again after it ended. A push
/// that met an ended connection is sent once more over the next one, since a push is idempotent;
/// not where the service said that the certificate is to blame.
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
    None,
    Open(Numbered),
    Failed(String),
}

/// A client and which of the topic's connections it is on.
#[derive(Clone)]
struct Numbered {
    number: u64,
    client: Client,
}

impl Line {
    /// Gives this connection up, unless another has taken its place.
    async fn lose(&self, number: u64) {
        let mut latest = self.latest.lock().await;
        if matches!(&*latest, Latest::Open(open) if open.number == number) {
            *latest = Latest::None;
        }
    }
}

/// The connections of an [`ApnsPusher`]: spawn [`ApnsConnections::run`], or no push moves.
#[derive(Debug)]
pub struct ApnsConnections {
    opened: mpsc::Receiver<Connection>,
}

impl ApnsPusher {
    /// Pushes for the topics of `certificates` to the service that `config` names; of two certificates
    /// of one topic the later counts.
    pub fn new(
        config: Config,
        certificates: impl IntoIterator<Item = PushCertificate>,
    ) -> (Self, ApnsConnections) {
        let topics: BTreeMap<Topic, Line> = certificates
            .into_iter()
            .map(|certificate| {
                let topic = certificate.topic().clone();
                let line = Line {
                    certificate,
                    attempts: AtomicU64::new(0),
                    latest: Mutex::new(Latest::None),
                };
                (topic, line)
            })
            .collect();
        // Each topic opens one at a time: a full channel means that nobody takes them up.
        let (sender, opened) = mpsc::channel(2 * topics.len().max(1));
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
        let mut again = true;
        loop {
            let open = match self.connection(line).await {
                Ok(open) => open,
                Err(reason) => return PushOutcome::failed(reason),
            };
            match open.client.push(&push).await {
                Ok(outcome) if again && wants_another_connection(&outcome) => {
                    line.lose(open.number).await;
                }
                Ok(outcome) => return read(outcome),
                Err(error) => {
                    if error.is_connection_lost() {
                        line.lose(open.number).await;
                    }
                    // The deadline of one that waited its turn in vain is over.
                    let spent = !again || matches!(error, Error::NotSent);
                    if spent || !error.is_retryable() {
                        return PushOutcome::failed(told(&error));
                    }
                }
            }
            again = false;
        }
    }

    /// The topic's connection, opened where there is none.
    ///
    /// All that wait for an attempt share what it comes to, failure too: a service that cannot be
    /// reached costs a batch one deadline and not one for each push.
    async fn connection(&self, line: &Line) -> Result<Numbered, String> {
        let before = line.attempts.load(Ordering::SeqCst);
        let mut latest = line.latest.lock().await;
        match &*latest {
            Latest::Open(open) => return Ok(open.clone()),
            Latest::Failed(reason) if before != line.attempts.load(Ordering::SeqCst) => {
                return Err(reason.clone());
            }
            Latest::None | Latest::Failed(_) => {}
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
        match self.opened.try_send(connection) {
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

/// Whether the service asks for the push again, at once and elsewhere.
fn wants_another_connection(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::RetryAfter { delay, .. } if delay.is_zero())
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

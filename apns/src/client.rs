//! Sends pushes of one topic.

use std::{fmt, future::Future, sync::Arc};

use mdm_core::{Clock, Topic};

use crate::{
    certificate::{CertificateError, PushCertificate},
    config::Config,
    driver::Driver,
    error::Error,
    outcome::Outcome,
    push::Push,
    queue::{self, Job},
    request::PushRequest,
    shared::Shared,
};

/// Whatever takes a push and brings its outcome: a [`Client`], or a [`Relay`](crate::Relay) over the
/// vendor's own transport.
pub trait PushService: Sync {
    /// The topic that pushes are for.
    fn topic(&self) -> &Topic;

    /// Sends one push and waits for the answer, which is an [`Outcome`] of whatever kind.
    fn push(&self, push: &Push) -> impl Future<Output = Result<Outcome, Error>> + Send;
}

/// Sends pushes of one topic over as many connections as they need; cheap to clone, and used by
/// many tasks at once.
///
/// A connection that breaks costs no push: whatever was not answered is sent again over another, which
/// is right since a push is idempotent. Each push ends in exactly one outcome or error, within
/// [`Config::push_deadline`].
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

/// Closes the queue with the last client.
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.queue.close();
    }
}

impl Client {
    /// A client that shows this certificate, whose topic all pushes are for. Nothing is connected
    /// before the first push, or [`Self::connect`]. Spawn [`Driver::run`]; without it no push
    /// moves.
    ///
    /// # Errors
    /// [`Error::Build`] for a host that is none, [`Error::Tls`] for roots or an identity that cannot be used.
    pub fn new(config: Config, certificate: PushCertificate) -> Result<(Self, Driver), Error> {
        let shared = Arc::new(Shared::new(config, certificate)?);
        let client = Self {
            handle: Arc::new(Handle(Arc::clone(&shared))),
        };
        Ok((client, Driver::new(shared)))
    }

    /// Waits until a connection stands, or tells why the next attempt at one failed. Not needed
    /// before a push; good to know at the start of a program.
    ///
    /// # Errors
    /// [`Error::Certificate`] for a certificate out of its validity; [`Error::Connect`],
    /// [`Error::Tls`], [`Error::CertificateRefused`], [`Error::Deadline`], [`Error::Stopped`] and
    /// the errors of HTTP/2.
    pub async fn connect(&self) -> Result<(), Error> {
        let answer = self.shared().queue.connect()?;
        answer.await.unwrap_or(Err(Error::Stopped))
    }

    /// Sends one push and waits for the answer.
    ///
    /// Where the service takes no further push at the moment it waits its turn. To drop the future
    /// gives the push up: one that waits is never sent, and one that was sent the service may have
    /// taken all the same.
    ///
    /// # Errors
    /// Where there is no answer within [`Config::push_deadline`]: why the last attempt failed, or
    /// [`Error::NotSent`] where there was none. [`Error::Paused`] at once while the topic is
    /// broken. An answer of any kind is an [`Outcome`].
    pub async fn push(&self, push: &Push) -> Result<Outcome, Error> {
        let shared = self.shared();
        let now = shared.config.clock.now();
        let trial = shared.breaker.admit(now)?;
        let id = match push.id {
            Some(id) => id,
            None => shared.ids.next().map_err(|_| Error::Random)?,
        };
        let request = PushRequest::with_header(push, shared.header.clone(), id, now)?;
        let (job, answer) = Job::new(request, queue::end(now, shared.config.push_deadline));
        shared.queue.add(job)?;
        let result = answer.await.unwrap_or(Err(Error::Stopped));
        if let (Some(trial), Ok(_)) = (trial, &result) {
            trial.decided();
        }
        result
    }

    /// The topic that pushes are for.
    pub fn topic(&self) -> &Topic {
        &self.shared().topic
    }

    /// Shows this certificate from now on, the renewal of the one before; pushes go on. Connections of the
    /// old one end once their pushes are answered. A pause ends, too.
    ///
    /// # Errors
    /// [`CertificateError::NotRenewed`]: another topic is another client, and other devices.
    pub fn renew(&self, certificate: PushCertificate) -> Result<(), Error> {
        let shared = self.shared();
        if *certificate.topic() != shared.topic {
            return Err(CertificateError::NotRenewed {
                old: shared.topic.clone(),
                new: certificate.topic().clone(),
            }
            .into());
        }
        shared.renew(certificate)
    }

    /// Ends the pause that a broken topic brought, once somebody has mended it.
    pub fn resume(&self) {
        self.shared().resume();
    }

    /// Takes no more pushes; those that are under way are answered, and then [`Driver::run`] ends.
    pub fn close(&self) {
        self.shared().queue.close();
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.0
    }
}

impl PushService for Client {
    fn topic(&self) -> &Topic {
        self.topic()
    }

    fn push(&self, push: &Push) -> impl Future<Output = Result<Outcome, Error>> + Send {
        self.push(push)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.shared().base)
            .field("topic", self.topic())
            .finish_non_exhaustive()
    }
}

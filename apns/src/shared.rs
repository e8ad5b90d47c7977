//! What a client, its driver and their connections have in common.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use http::HeaderValue;
use mdm_core::{Clock, Topic};
use mdm_tls::ClientConfig;
use mdm_transport::{BaseUrl, BuildError};

use crate::{
    breaker::Breaker,
    certificate::PushCertificate,
    config::Config,
    error::Error,
    id::Ids,
    outcome::Outcome,
    queue::{Job, Queue},
    request,
};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) base: BaseUrl,
    pub(crate) topic: Topic,
    /// The topic as each push names it.
    pub(crate) header: HeaderValue,
    pub(crate) queue: Queue,
    pub(crate) breaker: Breaker,
    pub(crate) ids: Ids,
    /// Goes up with each new certificate.
    generation: AtomicU64,
    identity: Mutex<Credentials>,
}

/// The certificate to show.
#[derive(Debug)]
struct Credentials {
    certificate: PushCertificate,
    tls: Arc<ClientConfig>,
}

impl Shared {
    pub(crate) fn new(config: Config, certificate: PushCertificate) -> Result<Self, Error> {
        Ok(Self {
            base: base(&config.host, config.port)?,
            topic: certificate.topic().clone(),
            header: request::header(certificate.topic())?,
            queue: Queue::default(),
            breaker: Breaker::new(config.pause, config.max_strikes),
            ids: Ids::default(),
            generation: AtomicU64::new(0),
            identity: Mutex::new(Credentials::new(&config, certificate)?),
            config,
        })
    }

    /// From now on shows this certificate; connections of the old one take no more pushes.
    pub(crate) fn renew(&self, certificate: PushCertificate) -> Result<(), Error> {
        *self.identity() = Credentials::new(&self.config, certificate)?;
        self.generation.fetch_add(1, Ordering::Release);
        self.resume();
        Ok(())
    }

    /// Lets pushes pass again that the service did not want, and connects at once.
    pub(crate) fn resume(&self) {
        self.breaker.mend();
        self.queue.hurry();
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// How to shake hands now, and the number of the certificate in it.
    pub(crate) fn tls(&self) -> Result<(u64, Arc<ClientConfig>), Error> {
        // The older number, should a certificate come in between: such a connection ends early.
        let generation = self.generation();
        let identity = self.identity();
        identity.certificate.check(self.config.clock.now())?;
        Ok((generation, Arc::clone(&identity.tls)))
    }

    /// Sends a push once more, or answers with what became of it where that is in vain.
    pub(crate) fn again(&self, job: Box<Job>, last: Result<Outcome, Error>) {
        let may_pass = last.as_ref().map_or_else(Error::is_retryable, |_| true);
        if may_pass && job.attempts < self.config.max_attempts && self.config.clock.now() < job.end
        {
            self.queue.put_back(job, last);
        } else {
            job.answer(last);
        }
    }

    /// Takes note of an answer; where the topic broke with it nothing more is sent.
    pub(crate) fn observe(&self, outcome: &Outcome) {
        if let Some(broken) = self.breaker.observe(outcome, &*self.config.clock) {
            self.queue.fail_all(&broken);
        }
    }

    /// The server does not take the certificate: nothing will pass.
    pub(crate) fn refused(&self, error: &Error) {
        let now = self.config.clock.now();
        self.queue
            .fail_all(&self.breaker.trip(error.to_string(), now));
    }

    fn identity(&self) -> MutexGuard<'_, Credentials> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Credentials {
    fn new(config: &Config, certificate: PushCertificate) -> Result<Self, Error> {
        let tls = ClientConfig::builder()
            .roots(config.roots.clone())
            .identity(certificate.identity().clone())
            .alpn(&["h2"])
            .require_alpn(true)
            .build()
            .map_err(Error::Tls)?;
        Ok(Self {
            certificate,
            tls: Arc::new(tls),
        })
    }
}

/// The service's address; the port of https is left out, as in any URL.
fn base(host: &str, port: u16) -> Result<BaseUrl, Error> {
    let host = if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let url = match port {
        443 => format!("https://{host}"),
        _ => format!("https://{host}:{port}"),
    };
    url.parse()
        .map_err(|_| BuildError::invalid("host", "it cannot be part of a URL").into())
}

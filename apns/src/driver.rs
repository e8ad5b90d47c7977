//! Opens the connections that the waiting pushes need, and lets them run.

use std::{
    fmt,
    future::{Future, pending},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::future::{BoxFuture, Either, OptionFuture, select};
use mdm_core::Clock;
use mdm_transport::{
    Replay, TransportErrorKind,
    retry::{Attempt, Outcome},
};
use tokio::task::JoinSet;

use crate::{
    batch::chance,
    connection::{Connection, Farewell},
    error::Error,
    queue::LineId,
    shared::Shared,
};

/// The working part of a [`Client`](crate::Client): somebody has to [`run`](Self::run) it, or no
/// push moves. To drop it answers all pushes with [`Error::Stopped`].
#[must_use = "no push moves before the driver runs"]
pub struct Driver {
    shared: Arc<Shared>,
}

/// How many times as many connections there may be with those that only wait for answers.
const LEAVING: usize = 4;

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Carries pushes until the last client is dropped or [closed](crate::Client::close) and all
    /// pushes are answered.
    ///
    /// Spawn it on tokio. The first push opens a connection; further ones follow under load, up to
    /// [`Config::max_connections`](crate::Config::max_connections).
    pub async fn run(self) {
        let shared = &self.shared;
        let mut running: JoinSet<Farewell> = JoinSet::new();
        let mut opening: Option<BoxFuture<'static, Result<Connection, Error>>> = None;
        let mut pause: Option<BoxFuture<'_, ()>> = None;
        let mut opened: LineId = 0;
        let mut failures = 0;
        let most = shared.config.max_connections.max(1);
        loop {
            let look = shared.queue.look(most);
            if look.is_over && running.is_empty() {
                break;
            }
            if look.hurry {
                (failures, pause) = (0, None);
            }
            // A server that bids goodbye after each push must not make us hold any number.
            let has_room = running.len() < LEAVING.saturating_mul(most);
            if look.wants_connection && has_room && opening.is_none() && pause.is_none() {
                opened += 1;
                opening = Some(Box::pin(open(opened, Arc::clone(shared))));
            }
            tokio::select! {
                () = shared.queue.rung() => {}
                end = shared.until(look.end) => shared.queue.expire(end),
                Some(result) = OptionFuture::from(opening.as_mut()) => {
                    opening = None;
                    match result {
                        Ok(connection) => drop(running.spawn(connection.run())),
                        Err(error) => {
                            failures += 1;
                            pause = Some(Box::pin(shared.back_off(failures)));
                            shared.could_not_connect(&error);
                        }
                    }
                }
                Some(()) = OptionFuture::from(pause.as_mut()) => pause = None,
                Some(ended) = running.join_next(), if !running.is_empty() => {
                    // One that answered nothing is as good as none.
                    match ended {
                        Ok(Farewell { was_good: true }) => (failures, pause) = (0, None),
                        _ => {
                            failures += 1;
                            pause = Some(Box::pin(shared.back_off(failures)));
                        }
                    }
                }
            }
        }
        tracing::debug!(topic = %shared.topic, "push driver ended");
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.queue.stop();
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("topic", &self.shared.topic)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Waits for this moment, and tells it; forever where there is none.
    async fn until(&self, end: Option<DateTime<Utc>>) -> DateTime<Utc> {
        let Some(end) = end else {
            return pending().await;
        };
        let clock = &self.config.clock;
        clock
            .sleep((end - clock.now()).to_std().unwrap_or_default())
            .await;
        clock.now().max(end)
    }

    async fn back_off(&self, failures: u32) {
        let attempt = Attempt::new(failures, Duration::ZERO, Replay::Idempotent, chance());
        let outcome = Outcome::Failed(TransportErrorKind::Connect);
        let policy = &self.config.reconnect;
        // Never for good: nobody else would begin again.
        let delay = policy.next(&attempt, &outcome).unwrap_or(policy.max_delay);
        self.config.clock.sleep(delay).await;
    }

    fn could_not_connect(&self, error: &Error) {
        tracing::warn!(topic = %self.topic, %error, "no connection to the push service");
        let is_alone = self.queue.trouble(error);
        if !is_alone {
            // What the open connections carry is not wrong for that.
        } else if error.is_certificate_refused() {
            self.refused(error);
        } else if !error.is_retryable() {
            self.queue.fail_all(error);
        }
    }
}

async fn open(id: LineId, shared: Arc<Shared>) -> Result<Connection, Error> {
    let limit = shared.config.clock.sleep(shared.config.connect_deadline);
    let opened = within(limit, Connection::open(id, Arc::clone(&shared))).await;
    opened.unwrap_or(Err(Error::Deadline))
}

/// What `work` comes to, or nothing when the limit passes first.
async fn within<T>(limit: impl Future, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), pin!(limit)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

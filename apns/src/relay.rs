//! Pushes over the vendor's own HTTP client, or through a relay.

use std::sync::Arc;

use mdm_core::{Clock, Topic};
use mdm_transport::{ApiRequest, BaseUrl, HttpTransport};

use crate::{
    client::PushService, error::Error, id::ApnsId, outcome::Outcome, push::Push,
    request::PushRequest,
};

/// A [`PushService`] over any transport: one that shows the push certificate and speaks HTTP/2, or
/// a relay that does both.
///
/// It sends each push once, and leaves connections and retries to the transport.
#[derive(Debug, Clone)]
pub struct Relay<T> {
    transport: T,
    base: BaseUrl,
    topic: Topic,
    clock: Arc<dyn Clock>,
}

impl<T: HttpTransport> Relay<T> {
    /// Pushes for this topic go to `base`, over `transport`.
    pub fn new(transport: T, base: BaseUrl, topic: Topic, clock: Arc<dyn Clock>) -> Self {
        Self {
            transport,
            base,
            topic,
            clock,
        }
    }
}

impl<T: HttpTransport> PushService for Relay<T> {
    fn topic(&self) -> &Topic {
        &self.topic
    }

    async fn push(&self, push: &Push) -> Result<Outcome, Error> {
        let id = ApnsId::from_random(mdm_pki::random().map_err(|_| Error::Random)?);
        let push = PushRequest::new(push, &self.topic, id, self.clock.now())?;
        let answer = self.transport.send(push.to_http(&self.base)?).await?;
        let Ok(outcome) = push.from_http(answer);
        Ok(outcome)
    }
}

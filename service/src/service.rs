//! The two endpoints that a device speaks to: an HTTP request in, an HTTP response out.
//!
//! No framework inside: a vendor calls [`Service::handle`] from whatever serves HTTP.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use mdm_core::Clock;
use mdm_pki::{Certificate, Decrypter};
use mdm_protocol::{EnrollmentId, checkin};

use crate::{
    AdmissionPolicy, CheckInExtension, DeclarativeSource, IdentitySource, PinPolicy, PushOutcome,
    Pusher, ReturnToServiceSource, Store, StoreError, TokenSource, UserPolicy,
    delivery::{EventPace, EventWorker, Subscriber},
    push::{PushPace, PushWorker},
    queue::ReportPace,
};

pub(crate) mod admit;
pub(crate) mod answer;
mod builder;
mod check_in;
mod commands;
mod known;
mod migration;
mod refusals;
mod renewal;
mod reply;
mod report;
mod retire;
mod salvage;
mod told;

use answer::Refused;

pub use builder::Builder;
pub use commands::{EnqueueError, EnqueueOptions, Unsuitable};
pub use migration::{Exported, ImportError, Imported};

/// How often a message is decided again after somebody else changed the enrolment. Messages of one
/// device come one after another, so more than one conflict is rare.
const ATTEMPTS: usize = 8;

/// Answers devices and queues commands for them. Clones share everything.
#[derive(Clone)]
pub struct Service(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    identity: Arc<dyn IdentitySource>,
    pins: Arc<dyn PinPolicy>,
    admission: Arc<dyn AdmissionPolicy>,
    users: Option<Arc<dyn UserPolicy>>,
    tokens: Option<Arc<dyn TokenSource>>,
    return_to_service: Option<Arc<dyn ReturnToServiceSource>>,
    declarative: Option<Arc<dyn DeclarativeSource>>,
    extension: Option<Arc<dyn CheckInExtension>>,
    pusher: Option<Arc<dyn Pusher>>,
    filevault: Option<Arc<dyn Decrypter>>,
    former_filevault: Vec<(Certificate, Arc<dyn Decrypter>)>,
    limits: Limits,
    refusals: refusals::Refusals,
    pace: ReportPace,
    pub(crate) retry_after: Duration,
}

/// Bounds on what a device sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a check-in message. Default 4 MiB: a declarative status report is the largest.
    pub check_in_bytes: usize,
    /// Bytes of a command report. Default 16 MiB: lists of applications grow large.
    pub report_bytes: usize,
    /// Depth and items of either; its own number of bytes does not count.
    pub plist: mdm_plist::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            check_in_bytes: 4 << 20,
            report_bytes: 16 << 20,
            plist: mdm_plist::Limits::default(),
        }
    }
}

impl Limits {
    /// The limits after `edit`.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }
}

impl Service {
    /// Begins a service on a store, with the clock that it lives by and the way in which devices
    /// prove who they are.
    pub fn builder(
        store: impl Store + 'static,
        clock: impl Clock + 'static,
        identity: impl IdentitySource + 'static,
    ) -> Builder {
        Builder::new(Arc::new(store), Arc::new(clock), Arc::new(identity))
    }

    /// Answers a device, where one URL takes check-in messages and command reports: the content
    /// type tells them apart (Q10).
    ///
    /// Never fails: whatever is wrong becomes a status. Neither 401 nor
    /// `com.apple.unrecognized.device` is ever sent, since both make a device unenrol; only a policy that
    /// says [`Unrecognized`](crate::DenialReason::Unrecognized) at `Authenticate` gets the latter.
    ///
    /// | Status | When |
    /// |---|---|
    /// | 200 | taken; the body is the answer or the next command, or empty |
    /// | 400 | malformed, of an unknown type, or without a valid signature |
    /// | 403 | the certificate is not the one pinned to this enrolment, or may not be pinned; the enrolment checked out or was taken back |
    /// | 403 with a body | the device is not admitted; the body says why ([`Denial`](crate::Denial)) |
    /// | 405 | not `PUT` |
    /// | 410 | `UserAuthenticate`: this user is not managed (Q15) |
    /// | 413 | over the [`Limits`] |
    /// | 503 | the store or a policy failed: nothing is recorded, `Retry-After` is set |
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        if is_check_in(&request) {
            self.handle_check_in(request).await
        } else {
            self.handle_report(request).await
        }
    }

    /// Answers at the `CheckInURL`.
    #[tracing::instrument(name = "mdm.check_in", skip_all)]
    pub async fn handle_check_in(&self, request: Request<Bytes>) -> Response<Bytes> {
        let answered = check_in::answer(&self.0, &request).await;
        self.finish(answered)
    }

    /// Answers at the `ServerURL`.
    #[tracing::instrument(name = "mdm.report", skip_all)]
    pub async fn handle_report(&self, request: Request<Bytes>) -> Response<Bytes> {
        let answered = report::answer(&self.0, &request).await;
        self.finish(answered)
    }

    /// Tells each enrolment to call; answers for each, in order.
    ///
    /// # Errors
    /// [`StoreError`] if the addresses cannot be loaded: then nothing is sent.
    pub async fn push(&self, ids: &[EnrollmentId]) -> Result<Vec<PushOutcome>, StoreError> {
        let targets = self.0.store.push_targets(ids).await?;
        let mut batch = Vec::new();
        let mut places = Vec::new();
        for (place, target) in targets.into_iter().enumerate() {
            if let Some(target) = target {
                batch.push(target);
                places.push(place);
            }
        }
        let mut outcomes = vec![PushOutcome::NotPushable; ids.len()];
        if let (Some(pusher), false) = (&self.0.pusher, batch.is_empty()) {
            for (place, outcome) in places.into_iter().zip(pusher.push(&batch).await) {
                if let Some(slot) = outcomes.get_mut(place) {
                    *slot = outcome;
                }
            }
        }
        Ok(outcomes)
    }

    /// A worker that pushes to whom the store says a push is due, through the service's pusher; `None`
    /// without one. Spawn its `run`, on one node or on each.
    pub fn push_worker(&self, pace: PushPace) -> Option<PushWorker> {
        let pusher = self.0.pusher.clone()?;
        let (store, clock) = (self.0.store.clone(), self.0.clock.clone());
        Some(PushWorker::new(store, clock, pusher, pace))
    }

    /// A worker that delivers what happens from its first run on to `subscriber`. `name` tells subscribers
    /// apart, for good; `node` tells this process from others that have a worker for the same one.
    pub fn event_worker(
        &self,
        name: impl Into<String>,
        node: impl Into<String>,
        subscriber: impl Subscriber + 'static,
        pace: EventPace,
    ) -> EventWorker {
        EventWorker::new(
            self.0.store.clone(),
            self.0.clock.clone(),
            name.into(),
            node.into(),
            Arc::new(subscriber),
            pace,
        )
    }

    /// The store underneath.
    pub fn store(&self) -> &dyn Store {
        &*self.0.store
    }

    fn finish(&self, answered: Result<Response<Bytes>, Refused>) -> Response<Bytes> {
        let response = answered.unwrap_or_else(|refused| refused.respond(self.0.retry_after));
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("store", &self.0.store)
            .field("identity", &self.0.identity)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("store", &self.0.store)
            .field("identity", &self.0.identity)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

fn is_check_in(request: &Request<Bytes>) -> bool {
    request
        .headers()
        .get(header::CONTENT_TYPE)
        .map(|value| value.as_bytes().trim_ascii_start())
        .and_then(|value| value.get(..checkin::CONTENT_TYPE.len()))
        .is_some_and(|start| start.eq_ignore_ascii_case(checkin::CONTENT_TYPE.as_bytes()))
}

/// What both endpoints ask of a request before they look into it.
fn within_limits(request: &Request<Bytes>, limit: usize) -> Result<(), Refused> {
    if request.method() != http::Method::PUT {
        return Err(Refused::Method("PUT"));
    }
    if request.body().len() > limit {
        return Err(Refused::Status(StatusCode::PAYLOAD_TOO_LARGE));
    }
    Ok(())
}

//! Putting a [`Service`] together.

use std::{sync::Arc, time::Duration};

use mdm_core::Clock;
use mdm_pki::{Certificate, Decrypter};

use super::{Inner, Limits, Service};
use crate::{
    AdmissionPolicy, AdmitInvited, CheckInExtension, DeclarativeSource, IdentitySource, PinPolicy,
    Pusher, ReturnToServiceSource, Store, TokenSource, UserPolicy, identity::KeepPins,
    queue::ReportPace,
};

/// Puts a [`Service`] together.
#[must_use]
pub struct Builder(pub(super) Inner);

impl Builder {
    pub(super) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        identity: Arc<dyn IdentitySource>,
    ) -> Self {
        Self(Inner {
            store,
            clock,
            identity,
            pins: Arc::new(KeepPins),
            admission: Arc::new(AdmitInvited),
            users: None,
            tokens: None,
            return_to_service: None,
            declarative: None,
            extension: None,
            pusher: None,
            filevault: None,
            former_filevault: Vec::new(),
            limits: Limits::default(),
            refusals: Default::default(),
            pace: ReportPace::default(),
            retry_after: Duration::from_secs(60),
        })
    }

    /// Says which certificate may speak for an enrolment. [`KeepPins`] unless set.
    pub fn pins(mut self, policy: impl PinPolicy + 'static) -> Self {
        self.0.pins = Arc::new(policy);
        self
    }

    /// Says who may enrol. [`AdmitInvited`] unless set.
    pub fn admission(mut self, policy: impl AdmissionPolicy + 'static) -> Self {
        self.0.admission = Arc::new(policy);
        self
    }

    /// Says which users of a Mac are managed. Without one, none is (Q15).
    pub fn users(mut self, policy: impl UserPolicy + 'static) -> Self {
        self.0.users = Some(Arc::new(policy));
        self
    }

    /// Hands out the tokens of `GetToken`.
    pub fn tokens(mut self, source: impl TokenSource + 'static) -> Self {
        self.0.tokens = Some(Arc::new(source));
        self
    }

    /// Answers `ReturnToService`.
    pub fn return_to_service(mut self, source: impl ReturnToServiceSource + 'static) -> Self {
        self.0.return_to_service = Some(Arc::new(source));
        self
    }

    /// Answers `DeclarativeManagement`.
    pub fn declarative(mut self, source: impl DeclarativeSource + 'static) -> Self {
        self.0.declarative = Some(Arc::new(source));
        self
    }

    /// Answers messages that change nothing before anybody else does.
    pub fn extension(mut self, extension: impl CheckInExtension + 'static) -> Self {
        self.0.extension = Some(Arc::new(extension));
        self
    }

    /// Sends the pushes of [`Service::push`]. Without one they are all `NotPushable`.
    pub fn pusher(mut self, pusher: impl Pusher + 'static) -> Self {
        self.0.pusher = Some(Arc::new(pusher));
        self
    }

    /// Opens the FileVault recovery keys that Macs deposit, with the key of the certificate in the escrow
    /// payload. Without it, and where it fails, they are kept as they come.
    pub fn filevault(mut self, key: impl Decrypter + 'static) -> Self {
        self.0.filevault = Some(Arc::new(key));
        self
    }

    /// Opens recovery keys that are still encrypted for this certificate as well, which a former escrow payload had: where a
    /// message names it. Any number of them.
    pub fn former_filevault(
        mut self,
        certificate: Certificate,
        key: impl Decrypter + 'static,
    ) -> Self {
        let former = (certificate, Arc::new(key) as Arc<dyn Decrypter>);
        self.0.former_filevault.push(former);
        self
    }

    /// Bounds on what a device sends.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    /// How soon a device is pushed to again that does not call by itself, and how exactly it is noted that it called.
    /// [`ReportPace::default`] unless set.
    pub fn report_pace(mut self, pace: ReportPace) -> Self {
        self.0.pace = pace;
        self
    }

    /// What `Retry-After` says while the store fails, in whole seconds. Default 60 seconds.
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = delay;
        self
    }

    /// The service.
    pub fn build(self) -> Service {
        Service(Arc::new(self.0))
    }
}

//! MDM check-in and command endpoints over store traits.

mod body;
#[cfg(feature = "contract")]
pub mod contract;
pub mod enrollment;
mod event;
mod extension;
mod identity;
pub mod push;
pub mod queue;
mod service;
pub mod store;

pub use body::Body;
pub use enrollment::{Enrollment, EnrollmentStatus, Fingerprint, PushAddress};
pub use event::{AuthenticateReason, Event, EventKind};
pub use extension::CheckInExtension;
pub use identity::{IdentityError, IdentitySource, MdmSignature};
pub use mdm_protocol::EnrollmentId;
pub use push::{PushOutcome, PushTarget, Pusher};
pub use service::{Builder, EnqueueError, Limits, Service};
pub use store::{MemoryStore, Store, StoreError, StoreErrorKind};

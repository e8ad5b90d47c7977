//! MDM check-in and command endpoints over store traits.

mod body;
pub mod enrollment;
mod event;
pub mod push;
pub mod queue;
pub mod store;

pub use body::Body;
pub use enrollment::{Enrollment, EnrollmentStatus, Fingerprint, PushAddress};
pub use event::{AuthenticateReason, Event, EventKind};
pub use mdm_protocol::EnrollmentId;
pub use push::{PushOutcome, PushTarget, Pusher};
pub use store::{MemoryStore, Store, StoreError, StoreErrorKind};

//! Events on their way out of the outbox: to a [`Subscriber`] of the vendor's, such as a [`Webhook`].
//!
//! Each subscriber has its own events in the outbox and its own worker, so that a slow one stops no
//! other. Events of one enrolment arrive in order; each arrives at least once, and its [`event_id`] tells
//! when it comes again. What a subscriber will never take becomes a dead letter, which is kept.
//!
//! ```
//! use chrono::Utc;
//! use mdm_core::ManualClock;
//! use mdm_service::{
//!     Event, MdmSignature, MemoryStore, Service,
//!     delivery::{Delivery, EventPace, Subscriber},
//!     queue::Sequence,
//! };
//!
//! #[derive(Debug)]
//! struct Inventory;
//!
//! #[async_trait::async_trait]
//! impl Subscriber for Inventory {
//!     async fn deliver(&self, events: &[(Sequence, Event)]) -> Delivery {
//!         for (sequence, event) in events {
//!             println!("{sequence}: {} {:?}", event.enrollment, event.kind);
//!         }
//!         Delivery::Taken
//!     }
//! }
//!
//! # fn begin(identity: MdmSignature) {
//! # let (store, clock) = (MemoryStore::new(), ManualClock::new(Utc::now()));
//! let service = Service::builder(store, clock, identity).build();
//! let worker = service.event_worker("inventory", "node-1", Inventory, EventPace::default());
//! tokio::spawn(worker.run());
//! # }
//! ```

mod webhook;
mod worker;

pub use webhook::{Webhook, WebhookError};
pub use worker::{Delivery, EventPace, EventRound, EventWorker, Subscriber};

use crate::{Event, queue::Sequence};

/// What tells an event from every other, and is the same each time it is delivered.
///
/// Its sequence alone does not: a store that is restored from a backup gives sequences out a second time. So it is the
/// sequence and the microsecond in which the event was taken in.
pub fn event_id(sequence: Sequence, event: &Event) -> String {
    format!("{sequence}-{}", event.at.timestamp_micros())
}

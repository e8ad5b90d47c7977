//! The vocabulary that every crate of the family shares: identifiers, secrets, the clock, open enums.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`id`] | [`SerialNumber`], [`Udid`], [`Topic`]: names that may be logged |
//! | [`secret`] | [`Secret`], [`PushToken`], [`PushMagic`]: values that never reach a log |
//! | [`clock`] | [`Clock`]: what time it is and how to wait, injected everywhere |
//! | [`store_error`] | [`StoreError`]: how a store fails, whatever its database |
//! | [`open_enum!`] | string enums that keep the values they do not know |
//!
//! ```
//! use mdm_core::{PushMagic, Topic, open_enum};
//!
//! let topic: Topic = "com.apple.mgmt.External.a1b2".parse()?;
//! assert!(topic.is_mdm());
//!
//! let magic = PushMagic::new("8D9C0A4B");
//! assert_eq!(format!("{magic:?}"), "PushMagic([redacted])");
//! assert_eq!(magic.expose(), "8D9C0A4B");
//!
//! open_enum! {
//!     /// What a device answers to a command.
//!     pub enum Status {
//!         /// Done.
//!         Acknowledged = "Acknowledged",
//!         /// Busy; ask later.
//!         NotNow = "NotNow",
//!     }
//! }
//! assert_eq!(Status::from("NotNow"), Status::NotNow);
//! assert_eq!(Status::from("Later").as_str(), "Later");
//! # Ok::<(), mdm_core::id::InvalidId>(())
//! ```

pub mod clock;
pub mod id;
pub mod open_enum;
pub mod secret;
pub mod store_error;

#[cfg(feature = "tokio")]
pub use clock::SystemClock;
pub use clock::{Clock, ManualClock};
pub use id::{SerialNumber, Topic, Udid};
pub use secret::{PushMagic, PushToken, Secret};
pub use store_error::{StoreError, StoreErrorKind};

#[doc(hidden)]
pub use serde as __serde;

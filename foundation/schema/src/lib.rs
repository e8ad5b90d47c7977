//! The vocabulary that checks of Apple-MDM documents speak: versions, targets, findings.
//!
//! A check looks at a document and at the device it is meant for, and answers with a list of
//! findings. This crate holds the three nouns of that sentence; the crates that know the documents
//! (`mdm-protocol`, `mdm-profiles`) make the findings.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`version`] | [`OsVersion`], and [`Bound`]: what the schema writes in `introduced`, `deprecated`, `removed` |
//! | [`target`] | [`Target`]: platform, version, supervision, enrolment, channel |
//! | [`finding`] | [`Finding`]: a path, a [`Rule`], a [`Severity`] and a sentence |
//!
//! ```
//! use mdm_schema::{Bound, Finding, OsVersion, Platform, Rule, Severity, Target};
//!
//! let target: Target = "ios:18.2,supervised".parse()?;
//! assert_eq!(target.platform, Platform::Ios);
//! assert!(target.supervised);
//!
//! let introduced: Bound = "17.4".parse()?;
//! assert!(introduced.is_reached_by(target.version));
//! assert!(!"n/a".parse::<Bound>()?.is_reached_by(target.version));
//!
//! let finding = Finding::new("Command.CommandUUID", Rule::Misplaced, Severity::Error,
//!     "belongs beside Command, not inside it");
//! assert_eq!(finding.to_string(),
//!     "error: Command.CommandUUID: belongs beside Command, not inside it (misplaced)");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod finding;
mod generated;
mod macros;
pub mod model;
pub mod record;
mod tables;
pub mod target;
pub mod version;

pub use finding::{Finding, Rule, Severity, path};
pub use model::{Key, Kind, Schema, Support};
pub use record::{
    DecodeError, Field, Item, Log, OtherItem, OtherStatusItem, Place, Record, StatusItem,
};
pub use tables::{all, choose, find, schemas};
pub use target::{Channel, Enrollment, Platform, Target};
pub use version::{Bound, OsVersion};

#[doc(hidden)]
pub use mdm_core as __core;
#[doc(hidden)]
pub use mdm_plist as __plist;

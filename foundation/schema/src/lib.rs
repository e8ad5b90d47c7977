//! Apple's device-management schema as data: what there is, which device takes it, what is wrong.
//!
//! Every document that Apple's schema describes has a [`Schema`] in the tables: commands and their
//! responses, payloads, declarations, status items and the rest (see [`Kind`]). Each lies in the
//! module of its kind, and is found by kind and name. A document is checked against its schema, for
//! a [`Target`] or for none, and the answer is a list of [`Finding`]s.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`model`] | [`Schema`], [`Key`], [`Support`]: what the tables are made of |
//! | [`availability`] | [`Availability`]: whether a [`Target`] takes something, and why not |
//! | [`validate`](mod@validate) | [`validate()`]: what is wrong with a document; [`validate_together`] for several |
//! | [`walk`] | [`Schema::walk`], [`Schema::key`]: every key, or the one at a path |
//! | [`record`](mod@record) | [`Record`], [`Item`], [`Field`]: how typed documents are read and written |
//! | [`version`] | [`OsVersion`], and [`Bound`]: what the schema writes in `introduced`, `deprecated`, `removed` |
//! | [`target`] | [`Target`]: platform, version, supervision, enrolment, channel |
//! | [`finding`] | [`Finding`]: a path, a [`Rule`], a [`Severity`] and a sentence |
//! | `sample` | documents made at random within the schema, for tests (feature `sample`) |
//!
//! ```
//! use mdm_plist::{Dictionary, Value};
//! use mdm_schema::{Bound, Kind, Rule, Target, find, validate};
//!
//! let target: Target = "ios:18.2,user-enrollment".parse()?;
//! assert!("17.4".parse::<Bound>()?.is_reached_by(target.version));
//!
//! // May a user's own iPad be erased?
//! let Some(erase) = find(Kind::Command, "EraseDevice") else {
//!     unreachable!("Apple knows the command");
//! };
//! let availability = erase.availability(&target);
//! assert!(!availability.is_available());
//! assert_eq!(availability.to_string(), "not in user enrolment");
//!
//! // On a device that may be, what is wrong with the command?
//! let mut command = Dictionary::new();
//! command.insert("PreserveDataPlan".to_owned(), Value::from("yes"));
//! command.insert("Pin".to_owned(), Value::from("123456"));
//! let findings = validate(erase, &command, Some(&"ios:18.2,supervised".parse()?));
//! assert_eq!(findings[0].to_string(), "error: PreserveDataPlan: is not a boolean (type)");
//! assert_eq!(findings[1].rule, Rule::UnknownKey);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Of a key, a value, a query
//! [`Schema::key`] finds a key by its path, [`Schema::walk`] meets them all. Each has terms of its own,
//! and takes over those of what holds it. Apple counts iPads to iOS, and so does the schema; a target
//! may be written either way.
//! ```
//! use mdm_schema::{Kind, Target, find};
//!
//! let Some(camera) = find(Kind::Payload, "com.apple.applicationaccess")
//!     .and_then(|restrictions| restrictions.key("allowCamera"))
//! else {
//!     unreachable!("Apple knows the restriction");
//! };
//! let company: Target = "ipados:18.2,supervised".parse()?;
//! assert!(camera.availability(&company).is_available());
//! let own: Target = "ipados:18.2,user-enrollment".parse()?;
//! assert_eq!(camera.availability(&own).to_string(), "not in user enrolment");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the tables cost
//! They are `static` data without initialisation. A program carries those that it names, and all of
//! them only where it calls [`all`], [`schemas`], [`find`] or [`choose`]; the linker leaves the
//! others out.

pub mod availability;
pub mod finding;
#[cfg(test)]
mod fixture;
mod generated;
mod macros;
pub mod model;
mod opaque;
pub mod record;
#[cfg(feature = "sample")]
pub mod sample;
pub mod switch;
mod tables;
pub mod target;
pub mod validate;
pub mod version;
pub mod walk;

pub use availability::{Availability, Objection};
pub use finding::{Finding, Rule, Severity, path};
pub use generated::{
    activation, asset, check_in, check_in_response, command, configuration, credential, document,
    error_body, management, payload, protocol, response, status_item,
};
pub use model::{Key, Kind, Schema, Support};
pub use opaque::Opaque;
pub use record::{
    DecodeError, Field, Item, Log, OtherItem, OtherStatusItem, Place, Record, StatusItem,
};
pub use switch::Switch;
pub use tables::{all, choose, find, schemas};
pub use target::{Channel, Enrollment, Platform, Target};
pub use validate::{
    validate, validate_item, validate_status_item, validate_together, validate_value,
};
pub use version::{Bound, OsVersion};
pub use walk::{KeyAt, Walk};

#[doc(hidden)]
pub use mdm_core as __core;
#[doc(hidden)]
pub use mdm_plist as __plist;

//! Configuration profiles: read and edited without loss, built, checked for a device, encrypted, signed,
//! verified in layers.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`profile`] | [`Profile`]: every key kept, payloads edited, what is wrong with it |
//! | [`payload`] | the type of every payload; [`AnyPayload`](payload::AnyPayload), [`RawPayload`](payload::RawPayload) |
//! | [`mdm`] | [`AccessRights`], [`ServerCapability`], [`EnrollmentMode`] |
//! | [`detect`] | How a profile is packed, by content alone |
//! | [`builder`] | [`ProfileBuilder`]: payloads put together, references between them by value |
//! | [`variables`] | [`Variables`]: filled in where a text refers to them, unable to break out |
//! | [`mod@diff`] | [`diff()`]: what is different between two profiles, secrets never shown |
//! | [`mod@predict`] | [`predict()`]: what a device does with an update, and by which rule |
//! | [`mod@lint`] | [`lint()`]: what is wrong, weak or worn out, with a reason and a fix; JSON, SARIF |
//! | [`shown`] | [`redact`](shown::redact): a profile without its secrets |
//! | [`stable`] | [`Namespace`]: UUIDs from content |
//! | [`recipe`] | Wi-Fi, VPN, certificates, FileVault, passcodes and others, ready-made |
//! | `enrollment` | `EnrollmentProfile`: MDM, an identity and roots in one profile, under `crypto` |
//! | `encrypt` | payloads for the eyes of one device, or of several, under `crypto` |
//! | `sign`, `verify` | CMS signatures; reading whatever there is, under `crypto` |
//!
//! The feature `crypto` is the part that links OpenSSL; it is off unless you ask for it. On by default
//! is `full`, the types of all payloads. In its place take the areas that you need: `accounts`, `apps`,
//! `network`, `restrictions`, `security`, `shared-devices`, `system`. Payloads without a type are read,
//! written and checked all the same.
//!
#![cfg_attr(feature = "system", doc = "```")]
#![cfg_attr(not(feature = "system"), doc = "```ignore")]
//! use mdm_profiles::{Profile, payload::Dock};
//!
//! let mut profile = Profile::decode(br#"<plist version="1.0"><dict>
//!     <key>PayloadContent</key><array><dict>
//!         <key>PayloadIdentifier</key><string>com.example.dock</string>
//!         <key>PayloadType</key><string>com.apple.dock</string>
//!         <key>PayloadUUID</key><string>CBB2A1A8-6F43-4D1C-8E5A-3B1C8B0C1B11</string>
//!         <key>PayloadVersion</key><integer>1</integer>
//!         <key>tilesize</key><integer>40</integer>
//!     </dict></array>
//!     <key>PayloadIdentifier</key><string>com.example</string>
//!     <key>PayloadType</key><string>Configuration</string>
//!     <key>PayloadUUID</key><string>0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D3E</string>
//!     <key>PayloadVersion</key><integer>1</integer>
//! </dict></plist>"#)?;
//!
//! let dock: Dock = profile.payload("com.apple.dock").unwrap().decode()?;
//! assert_eq!(dock.tile_size, Some(40));
//!
//! // Everything but the one key stays as it is.
//! profile.edit("com.example.dock", |dock: &mut Dock| dock.tile_size = Some(400))?;
//!
//! // What would a Mac say? And an iPad?
//! let findings = profile.validate(Some(&"macos:15.2".parse()?));
//! assert_eq!(findings.len(), 1);
//! assert_eq!(findings[0].path, "PayloadContent[0].tilesize");
//! let findings = profile.validate(Some(&"ios:18.2".parse()?));
//! assert_eq!(findings[0].message, "not available on iOS");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A profile that a customer uploads
//! May be signed, and by whom is for you to judge: `verify::open` reads signed ones and plain ones. What
//! is wrong with the profile is a list with a path, a rule and a severity for each mistake.
#![cfg_attr(feature = "crypto", doc = "```")]
#![cfg_attr(not(feature = "crypto"), doc = "```ignore")]
//! use mdm_profiles::{Error, verify::{self, Trust}};
//! use mdm_schema::{Severity, Target};
//!
//! /// The mistakes that a profile must not have, for any device of the customer's.
//! fn mistakes(upload: &[u8], devices: &[Target]) -> Result<Vec<String>, Error> {
//!     let now = "2026-03-31T12:00:00Z".parse().unwrap();
//!     let opened = verify::open(upload, &Trust::new(&[], now))?;
//!     let mut mistakes = Vec::new();
//!     for device in devices {
//!         let findings = opened.profile.validate(Some(device)).into_iter();
//!         let errors = findings.filter(|finding| finding.severity == Severity::Error);
//!         mistakes.extend(errors.map(|error| format!("{device}: {}: {}", error.path, error.message)));
//!     }
//!     Ok(mistakes)
//! }
//!
//! let upload = br#"<plist version="1.0"><dict>
//!     <key>PayloadContent</key><array/>
//!     <key>PayloadIdentifier</key><string>com.example</string>
//!     <key>PayloadType</key><string>Configuration</string>
//!     <key>PayloadVersion</key><integer>1</integer>
//! </dict></plist>"#;
//! assert_eq!(mistakes(upload, &["ios:18.2".parse()?])?, ["iOS:18.2: PayloadUUID: is missing"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))] // docs.rs tells which feature an item needs.

mod acme;
pub mod builder;
pub mod detect;
pub mod diff;
#[cfg(feature = "crypto")]
pub mod encrypt;
#[cfg(feature = "crypto")]
pub mod enrollment;
pub mod error;
pub mod lint;
pub mod mdm;
pub mod payload;
pub mod predict;
pub mod profile;
pub mod recipe;
mod scep;
pub mod shown;
#[cfg(feature = "crypto")]
pub mod sign;
pub mod stable;
pub mod variables;
#[cfg(feature = "crypto")]
pub mod verify;

pub use builder::{PayloadRef, ProfileBuilder};
pub use diff::diff;
#[cfg(feature = "crypto")]
pub use enrollment::{EnrollmentIdentity, EnrollmentProfile, MdmSettings};
pub use error::Error;
pub use lint::lint;
pub use mdm::{AccessRights, EnrollmentMode, ServerCapability};
pub use predict::predict;
pub use profile::{Profile, Scope};
pub use stable::Namespace;
pub use variables::Variables;

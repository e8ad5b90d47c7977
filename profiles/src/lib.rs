//! Configuration profiles: read without loss, build for enrolment, sign, verify in layers.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`profile`] | [`Profile`]: every key kept, typed views, what is wrong with it |
//! | [`payload`] | [`RawPayload`](payload::RawPayload) for any payload; typed ones of an enrolment |
//! | [`mdm`] | [`AccessRights`], [`ServerCapability`], [`EnrollmentMode`] |
//! | [`detect`] | How a profile is packed, by content alone |
//! | `enrollment` | `EnrollmentProfile`: MDM, SCEP and roots in one profile, under `crypto` |
//! | `stable` | `Namespace`: UUIDs from content, under `crypto` |
//! | `sign`, `verify` | CMS signatures, under `crypto` |
//!
//! Without the default feature `crypto` nothing here links OpenSSL.
//!
//! ```
//! use mdm_profiles::Profile;
//!
//! let profile = Profile::decode(br#"<plist version="1.0"><dict>
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
//! assert_eq!(profile.identifier(), Some("com.example"));
//! let dock = profile.payload("com.apple.dock").unwrap();
//! assert_eq!(dock.keys().get("tilesize").unwrap().as_signed_integer(), Some(40));
//! assert!(profile.findings().is_empty());
//! # Ok::<(), mdm_profiles::Error>(())
//! ```

#[cfg(feature = "crypto")]
pub mod builder;
pub mod detect;
#[cfg(feature = "crypto")]
pub mod enrollment;
pub mod error;
pub mod mdm;
pub mod payload;
pub mod profile;
mod scep;
#[cfg(feature = "crypto")]
pub mod sign;
#[cfg(feature = "crypto")]
pub mod stable;
#[cfg(feature = "crypto")]
pub mod verify;

#[cfg(feature = "crypto")]
pub use builder::ProfileBuilder;
#[cfg(feature = "crypto")]
pub use enrollment::{EnrollmentProfile, MdmSettings};
pub use error::Error;
pub use mdm::{AccessRights, EnrollmentMode, ServerCapability};
pub use profile::{Profile, Scope};
#[cfg(feature = "crypto")]
pub use stable::Namespace;

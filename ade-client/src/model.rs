//! What Apple's answers hold, read so that one odd value loses nothing.
//!
//! Every key is optional. A key without a name here, and a known key whose value has another type
//! than documented or is an empty text, stays in `extra` and is written back. Where it is plain what
//! such a value means (`"true"`, one item without its list, a list with an odd item), the field says
//! so too; the value is written back as it came until the field is changed.
//!
//! ```
//! use ade_client::model::{Profile, SkipKey};
//!
//! let mut profile = Profile::new("Office", "https://mdm.example.com/enroll");
//! profile.skip_setup_items = Some(vec![SkipKey::AppleId, SkipKey::Siri, "NewPane".into()]);
//! let json = serde_json::to_value(&profile)?;
//! assert_eq!(json["skip_setup_items"], serde_json::json!(["AppleID", "Siri", "NewPane"]));
//! # Ok::<(), serde_json::Error>(())
//! ```

pub mod account;
pub mod beta_tokens;
mod bounds;
pub mod device;
mod generated;
mod loose;
pub mod outcome;
pub mod page;
pub mod profile;
pub mod replacement;
pub mod roster;
pub mod service_discovery;
pub mod time;

pub use account::{Account, UrlLimit, UrlMetadata};
pub use beta_tokens::{BetaEnrollmentToken, BetaEnrollmentTokens};
pub use device::{Device, DeviceFamily, OpType, OperatingSystem, ProfileStatus};
pub use generated::{SkipKey, skip_key};
pub use outcome::{DeviceDetail, DeviceResult, Outcome, ResponseStatus};
pub use page::{Cursor, DevicePage};
pub use profile::{DerCertificate, Profile};
pub use replacement::ReplacementDetails;
pub use roster::{
    BaseRosterCourse, BaseRosterLocation, RosterClass, RosterCourse, RosterLocation, RosterPage,
    RosterPerson, RosterRecord,
};
pub use service_discovery::AccountDrivenEnrollmentProfile;
pub use time::Time;

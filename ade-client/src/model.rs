//! What Apple's answers hold, read so that one odd value loses nothing.
//!
//! Every key is optional. A key without a name here, and a known key whose value has another type
//! than documented or is an empty text, stays in `extra` and is written back.

pub mod account;
pub mod assignment;
pub mod device;
mod generated;
mod loose;
pub mod page;
pub mod profile;
pub mod time;

pub use account::{Account, UrlLimit, UrlMetadata};
pub use assignment::{AssignStatus, DeviceResult, Outcome};
pub use device::{Device, DeviceFamily, OpType, OperatingSystem, ProfileStatus};
pub use generated::{SkipKey, skip_key};
pub use page::{Cursor, DevicePage};
pub use profile::{DerCertificate, Profile};
pub use time::Time;

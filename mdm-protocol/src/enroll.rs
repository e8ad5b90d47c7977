//! Documents of the enrolment itself, before there is a channel, and the errors that stop it.

mod generated;
mod machine_info;
#[cfg(feature = "crypto")]
mod verify;

pub use self::generated::*;
pub use self::machine_info::{MAX_DEVICE_INFO_BYTES, MachineInfo, device_info};
#[cfg(feature = "crypto")]
pub use self::verify::{DeviceAuthorities, MachineInfoError, VerifiedMachineInfo};

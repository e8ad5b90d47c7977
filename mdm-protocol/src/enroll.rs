//! Documents of the enrolment itself, before there is a channel, and the errors that stop it.

mod challenge;
mod discovery;
mod generated;
mod machine_info;
#[cfg(feature = "crypto")]
mod verify;

pub use self::challenge::{AuthenticationChallenge, OAuth2Challenge, authentication_results};
pub use self::discovery::{
    DiscoveredServer, DiscoveryQuery, DiscoveryVersion, ModelFamily, ServiceDiscovery,
    WELL_KNOWN_PATH,
};
pub use self::generated::*;
pub use self::machine_info::{MAX_DEVICE_INFO_BYTES, MachineInfo, device_info};
#[cfg(feature = "crypto")]
pub use self::verify::{DeviceAuthorities, MachineInfoError, VerifiedMachineInfo};

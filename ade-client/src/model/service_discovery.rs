//! Where devices are sent that look for their organization's server by a user's address.
//!
//! <https://developer.apple.com/documentation/devicemanagement/getaccountdrivenenrollmentprofileresponse>

use super::{loose::loose, time::Time};

loose! {
    /// The service discovery of account-driven enrolment: where a device asks if the domain of the
    /// user's address does not answer (iOS 18.2, macOS 15.2, visionOS 2.2).
    pub struct AccountDrivenEnrollmentProfile {
        /// The discovery document's address; https.
        mdm_service_discovery_url: String,
        /// When it was set.
        last_updated_timestamp: Time,
    }
}

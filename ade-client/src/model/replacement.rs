//! Which device a replacement stands for.
//!
//! <https://developer.apple.com/documentation/devicemanagement/getreplacementdetailsresponse>

use mdm_core::SerialNumber;

use super::loose::loose;

loose! {
    /// A device that Apple gave for another one.
    pub struct ReplacementDetails {
        /// The replacement.
        serial_number: SerialNumber,
        /// The device that it replaces.
        original_device_serial_number: SerialNumber,
        /// The day: `YYYY-MM-DD`.
        replacement_date: String,
    }
}

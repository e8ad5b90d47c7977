//! What a device is before anybody manages it.

use std::fmt::Write as _;

use mdm_core::{SerialNumber, Udid, id::InvalidId};

/// Model, serial number, UDID and system of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hardware {
    /// The serial number: what Apple's device-assignment service knows the device by.
    pub serial_number: SerialNumber,
    /// The UDID: what the MDM server knows it by.
    pub udid: Udid,
    /// The product, as in `Mac16,1`.
    pub product_name: String,
    /// The model's name, as in `MacBook Pro`.
    pub model_name: String,
    /// The system's version, as in `27.0`.
    pub os_version: String,
    /// The system's build, as in `26A100`.
    pub build_version: String,
    /// The name its user gave it.
    pub device_name: String,
    /// Whether it has a Secure Enclave that Apple attests keys of. Devices that do not ignore what a profile says
    /// of attestation.
    pub attests: bool,
}

impl Hardware {
    /// A MacBook Pro. The UDID follows from the serial number, so that two runs agree.
    ///
    /// # Errors
    /// [`InvalidId`] when the text cannot be a serial number.
    pub fn mac(serial_number: &str) -> Result<Self, InvalidId> {
        let digits = hex_digits(serial_number);
        Ok(Self {
            serial_number: SerialNumber::new(serial_number)?,
            udid: Udid::new(format!(
                "{}-{}-{}-{}-{}",
                &digits[..8],
                &digits[8..12],
                &digits[12..16],
                &digits[16..20],
                &digits[20..32],
            ))?,
            product_name: "Mac16,1".to_owned(),
            model_name: "MacBook Pro".to_owned(),
            os_version: "27.0".to_owned(),
            build_version: "26A100".to_owned(),
            device_name: format!("MacBook Pro {serial_number}"),
            attests: true,
        })
    }

    /// A MacBook Pro with Intel's processor and a T2 chip, whose keys Apple does not attest.
    ///
    /// # Errors
    /// [`InvalidId`] when the text cannot be a serial number.
    pub fn t2_mac(serial_number: &str) -> Result<Self, InvalidId> {
        Ok(Self {
            product_name: "MacBookPro16,1".to_owned(),
            os_version: "15.7".to_owned(),
            build_version: "24G222".to_owned(),
            attests: false,
            ..Self::mac(serial_number)?
        })
    }

    /// An iPhone, with a UDID of the newer form `00008140-...` (Q8).
    ///
    /// # Errors
    /// [`InvalidId`] when the text cannot be a serial number.
    pub fn iphone(serial_number: &str) -> Result<Self, InvalidId> {
        let digits = hex_digits(serial_number);
        Ok(Self {
            serial_number: SerialNumber::new(serial_number)?,
            udid: Udid::new(format!("00008140-{}", &digits[..16]))?,
            product_name: "iPhone17,3".to_owned(),
            model_name: "iPhone".to_owned(),
            os_version: "27.0".to_owned(),
            build_version: "24A100".to_owned(),
            device_name: format!("iPhone {serial_number}"),
            attests: true,
        })
    }
}

impl Hardware {
    pub(crate) fn is_mac(&self) -> bool {
        self.product_name.starts_with("Mac")
    }
}

/// 32 upper-case hex digits that follow from the text alone.
fn hex_digits(text: &str) -> String {
    let mut digits = String::with_capacity(32);
    for half in 0..2_u8 {
        // FNV-1a: spread is all that is asked of it.
        let hash = [half]
            .into_iter()
            .chain(text.bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        let _ = write!(digits, "{hash:016X}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_serial_number_always_gives_one_udid_and_two_give_two() {
        let mac = Hardware::mac("C02SIM000001").unwrap();
        assert_eq!(mac, Hardware::mac("C02SIM000001").unwrap());
        assert_ne!(mac.udid, Hardware::mac("C02SIM000002").unwrap().udid);
        assert_eq!(mac.udid.as_str().len(), 36);
    }

    #[test]
    fn an_iphone_has_a_udid_of_the_newer_form() {
        let phone = Hardware::iphone("F2LSIM000001").unwrap();
        assert_eq!(phone.udid.as_str().len(), 25);
    }
}

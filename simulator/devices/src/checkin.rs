//! The check-in messages as a device writes them: raw dictionaries, so that a mistake in the
//! server's own types is not repeated here.

use mdm_core::{PushMagic, PushToken, Topic};
use mdm_plist::{Dictionary, Value};

use crate::Hardware;

/// By what a device is known in one enrolment.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Name<'a> {
    /// Its own UDID.
    Udid(&'a str),
    /// A name for this enrolment alone: in User Enrolment, where the server learns no other.
    Enrollment(&'a str),
}

impl Name<'_> {
    pub(crate) fn put(self, message: &mut Dictionary) {
        match self {
            Self::Udid(udid) => put(message, "UDID", udid),
            Self::Enrollment(id) => put(message, "EnrollmentID", id),
        }
    }
}

/// `Authenticate`: who the device is, before it is managed.
pub(crate) fn authenticate(hardware: &Hardware, name: Name<'_>, topic: &Topic) -> Dictionary {
    let mut message = message("Authenticate", name, topic);
    put(
        &mut message,
        "BuildVersion",
        hardware.build_version.as_str(),
    );
    put(&mut message, "DeviceName", hardware.device_name.as_str());
    put(&mut message, "Model", hardware.product_name.as_str());
    put(&mut message, "ModelName", hardware.model_name.as_str());
    put(&mut message, "OSVersion", hardware.os_version.as_str());
    put(&mut message, "ProductName", hardware.product_name.as_str());
    if let Name::Udid(_) = name {
        put(
            &mut message,
            "SerialNumber",
            hardware.serial_number.as_str(),
        );
    }
    message
}

/// `TokenUpdate`: where the device can be pushed, and whether Setup Assistant waits for the server.
pub(crate) fn token_update(
    name: Name<'_>,
    topic: &Topic,
    token: &PushToken,
    magic: &PushMagic,
    awaiting_configuration: bool,
) -> Dictionary {
    let mut message = message("TokenUpdate", name, topic);
    put(
        &mut message,
        "AwaitingConfiguration",
        awaiting_configuration,
    );
    put(&mut message, "NotOnConsole", false);
    put(&mut message, "PushMagic", magic.expose());
    put(&mut message, "Token", Value::Data(token.expose().to_vec()));
    message
}

/// `CheckOut`: the management profile was removed.
pub(crate) fn check_out(name: Name<'_>, topic: &Topic) -> Dictionary {
    message("CheckOut", name, topic)
}

fn message(message_type: &str, name: Name<'_>, topic: &Topic) -> Dictionary {
    let mut message = Dictionary::new();
    put(&mut message, "MessageType", message_type);
    put(&mut message, "Topic", topic.as_str());
    name.put(&mut message);
    message
}

/// What a device says of itself when it asks for its enrolment profile (`MachineInfo`). For User Enrolment it says
/// neither serial number nor UDID.
pub(crate) fn machine_info(hardware: &Hardware, is_named: bool) -> Dictionary {
    let mut info = Dictionary::new();
    put(&mut info, "LANGUAGE", "en-GB");
    put(&mut info, "MDM_CAN_REQUEST_SOFTWARE_UPDATE", true);
    put(&mut info, "OS_VERSION", hardware.os_version.as_str());
    put(&mut info, "PRODUCT", hardware.product_name.as_str());
    if is_named {
        put(&mut info, "SERIAL", hardware.serial_number.as_str());
        put(&mut info, "UDID", hardware.udid.as_str());
    }
    put(&mut info, "VERSION", hardware.build_version.as_str());
    info
}

pub(crate) fn put(dictionary: &mut Dictionary, key: &str, value: impl Into<Value>) {
    dictionary.insert(key.to_owned(), value.into());
}

//! Writes JSON objects straight into a page, leaving out what the client's protocol version lacks.

use serde_json::Value;

/// What each protocol version adds to a device.
const SINCE: [(u32, &[&str]); 3] = [
    (2, &["device_family", "os"]),
    (8, &["mdm_migration_deadline"]),
    (
        10,
        &[
            "bluetooth_mac_address",
            "wifi_mac_address",
            "ethernet_mac_address",
            "eid",
            "imei",
            "meid",
            "is_replacement_device",
            "released_by_replacement",
        ],
    ),
];

/// An object that is being written.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    version: u32,
    first: bool,
}

impl<'a> Object<'a> {
    pub(super) fn open(out: &'a mut Vec<u8>, version: u32) -> Self {
        out.push(b'{');
        Self {
            out,
            version,
            first: true,
        }
    }

    pub(super) fn close(self) {
        self.out.push(b'}');
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        // Below version 7 an iPad runs iOS.
        let value = match (key, value) {
            ("os", "iPadOS") if self.version < 7 => "iOS",
            _ => value,
        };
        if self.key(key) {
            write(self.out, &value);
        }
    }

    pub(super) fn texts(&mut self, key: &str, values: &[&str]) {
        if self.key(key) {
            write(self.out, &values);
        }
    }

    pub(super) fn flag(&mut self, key: &str, value: bool) {
        if self.key(key) {
            write(self.out, &value);
        }
    }

    pub(super) fn value(&mut self, key: &str, value: &Value) {
        if let Value::String(text) = value {
            self.text(key, text);
        } else if self.key(key) {
            write(self.out, value);
        }
    }

    /// Writes the key, unless this version does not have it.
    fn key(&mut self, key: &str) -> bool {
        let hidden = SINCE
            .iter()
            .any(|(since, keys)| *since > self.version && keys.contains(&key));
        if hidden {
            return false;
        }
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        write(self.out, &key);
        self.out.push(b':');
        true
    }
}

/// Writing to memory does not fail.
fn write<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let _ = serde_json::to_writer(out, value);
}

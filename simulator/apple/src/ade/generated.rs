//! Plausible attributes of a device, made from a number whenever they are asked for: 200,000
//! devices then take no more memory than their serial numbers.

use super::{config::Shapes, ids::Ids, render::Object};

/// Which attributes: those of the `number`th device of this seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Generated {
    pub(super) seed: u64,
    pub(super) number: u64,
}

struct Model {
    family: &'static str,
    os: &'static str,
    model: &'static str,
    color: &'static str,
    phone: bool,
}

const MODELS: [Model; 6] = [
    Model {
        family: "iPhone",
        os: "iOS",
        model: "iPhone 16",
        color: "BLACK",
        phone: true,
    },
    Model {
        family: "iPad",
        os: "iPadOS",
        model: "iPad Air 11-inch",
        color: "SPACE GRAY",
        phone: false,
    },
    Model {
        family: "Mac",
        os: "OSX",
        model: "MacBook Air 13\"",
        color: "SILVER",
        phone: false,
    },
    Model {
        family: "iPhone",
        os: "iOS",
        model: "iPhone SE",
        color: "WHITE",
        phone: true,
    },
    Model {
        family: "AppleTV",
        os: "tvOS",
        model: "Apple TV 4K",
        color: "BLACK",
        phone: false,
    },
    Model {
        family: "Vision",
        os: "visionOS",
        model: "Apple Vision Pro",
        color: "SILVER",
        phone: false,
    },
];

/// What serial numbers are made of: no I and no O.
const SERIAL: &[u8; 34] = b"0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";

impl Generated {
    /// Another one for each number, whatever the seed.
    pub(super) fn serial(self) -> String {
        let mut serial = [b'0'; 12];
        let mut rest = self.number;
        let mut mixed = Ids::new(self.seed).next();
        for (at, digit) in serial.iter_mut().enumerate().rev() {
            let source = if at >= 4 { &mut rest } else { &mut mixed };
            let index = usize::try_from(*source % 34).unwrap_or_default();
            *digit = SERIAL.get(index).copied().unwrap_or(b'0');
            *source /= 34;
        }
        String::from_utf8_lossy(&serial).into_owned()
    }

    pub(super) fn write(self, object: &mut Object<'_>, shapes: &Shapes) {
        let mut ids = Ids::new(self.seed ^ self.number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let kind = usize::try_from(ids.below(MODELS.len() as u64)).unwrap_or_default();
        let Some(model) = MODELS.get(kind) else {
            return;
        };
        object.text("model", model.model);
        object.text(
            "description",
            &format!("{} {} {}GB", model.model, model.color, 64 << ids.below(4)),
        );
        object.text("color", model.color);
        if ids.below(4) == 0 {
            object.text("asset_tag", &format!("PO-{:06}", ids.below(1_000_000)));
        }
        object.text("device_family", model.family);
        object.text("os", model.os);
        if model.phone {
            let imei = if shapes.imei_with_spaces {
                format!(
                    "35 {:06} {:06} {}",
                    ids.below(1_000_000),
                    ids.below(1_000_000),
                    ids.below(10)
                )
            } else {
                format!("35{:013}", ids.below(10_000_000_000_000))
            };
            object.texts("imei", &[&imei]);
            object.texts("meid", &[imei.get(..14).unwrap_or_default()]);
            object.text("eid", &format!("8904903200{:022}", ids.next()));
        }
        for key in [
            "wifi_mac_address",
            "bluetooth_mac_address",
            "ethernet_mac_address",
        ] {
            if key.starts_with("ethernet") && !matches!(model.family, "Mac" | "AppleTV") {
                continue;
            }
            let mac = mac_address(ids.next());
            if shapes.mac_as_array {
                object.texts(key, &[&mac]);
            } else {
                object.text(key, &mac);
            }
        }
    }
}

fn mac_address(bits: u64) -> String {
    let [_, _, a, b, c, d, e, f] = bits.to_be_bytes();
    format!("{:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{f:02X}", a & 0xfc)
}

//! What a challenge is bound to, as text for a store to keep.

use std::fmt::Write as _;

use mdm_pki::{GeneralName, Name};

use crate::challenge::Bound;

/// A text that says no [`Bound`] to this program: it is damaged, or a newer program wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what the challenge is bound to cannot be read")]
pub struct UnreadableBound;

impl Bound {
    /// The bound as text, for [`from_text`](Self::from_text): a line for each field that binds.
    pub fn to_text(&self) -> String {
        // Every field by name: one that were not written would bind nothing once it is read back.
        let Self {
            subject,
            common_name,
            alt_names,
            serial_number,
            device,
        } = self;
        let mut text = String::new();
        let mut line = |field: &str, value: &[u8]| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{field} {}", hex::encode(value));
        };
        if let Some(subject) = subject {
            line("subject", subject.to_der());
        }
        if let Some(common_name) = common_name {
            line("common_name", common_name.as_bytes());
        }
        if let Some(alt_names) = alt_names {
            line("alt_names", &GeneralName::list_to_der(alt_names));
        }
        if let Some(serial_number) = serial_number {
            line("serial_number", serial_number.as_bytes());
        }
        if let Some(device) = device {
            line("device", device.as_bytes());
        }
        text
    }

    /// The bound that was written so.
    ///
    /// # Errors
    /// [`UnreadableBound`], also for a field that is unknown here: left out, it would let pass what is to
    /// be refused.
    pub fn from_text(text: &str) -> Result<Self, UnreadableBound> {
        let mut bound = Self::default();
        for line in text.lines() {
            let (field, value) = line.split_once(' ').ok_or(UnreadableBound)?;
            let value = hex::decode(value).map_err(|_| UnreadableBound)?;
            match field {
                "subject" => {
                    bound.subject = Some(Name::from_der(&value).map_err(|_| UnreadableBound)?);
                }
                "common_name" => bound.common_name = Some(utf8(value)?),
                "alt_names" => {
                    let names = GeneralName::list_from_der(&value);
                    bound.alt_names = Some(names.map_err(|_| UnreadableBound)?);
                }
                "serial_number" => bound.serial_number = Some(utf8(value)?),
                "device" => bound.device = Some(utf8(value)?),
                _ => return Err(UnreadableBound),
            }
        }
        Ok(bound)
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String, UnreadableBound> {
    String::from_utf8(bytes).map_err(|_| UnreadableBound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_binds_is_read_back_as_it_was() {
        let mut both = Bound::subject(Name::from_common_name("device 7"));
        both.common_name = Some("device\n7 é".to_owned());
        both.alt_names = Some(vec![
            GeneralName::Dns("a.example".to_owned()),
            GeneralName::UserPrincipalName("ada@example".to_owned()),
        ]);
        both.serial_number = Some("C02XK0AAJGH5".to_owned());
        both.device = Some("00008103-000E55".to_owned());
        let none = Bound::default().with(|bound| bound.alt_names = Some(Vec::new()));
        for bound in [Bound::default(), none, Bound::common_name(""), both] {
            let text = bound.to_text();
            assert_eq!(Bound::from_text(&text), Ok(bound), "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_left_out() {
        for text in [
            "colour 00\n",
            "common_name\n",
            "common_name 0\n",
            "common_name ff\n",
            "subject 00\n",
        ] {
            assert_eq!(Bound::from_text(text), Err(UnreadableBound), "{text}");
        }
    }
}

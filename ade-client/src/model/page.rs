//! One page of devices and the cursor behind it.

use std::fmt;

use mdm_transport::BuildError;
use serde::{
    Deserialize, Deserializer,
    de::{
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use serde_json::{Map, Value};

use super::{Device, loose::Key, time::Time};

/// A page of devices.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DevicePage {
    /// The devices, in Apple's order. One serial number may occur several times in a sync.
    pub devices: Vec<Device>,
    /// Where to go on; stored in the same step as the devices, never before.
    pub cursor: Option<Cursor>,
    /// Up to when the page is complete.
    pub fetched_until: Option<Time>,
    /// Whether the next page is ready now.
    pub more_to_follow: bool,
    /// Items of `devices` that are no objects.
    pub unreadable: Vec<Value>,
    /// Keys without a name here.
    pub extra: Map<String, Value>,
}

/// Where a fetch or a sync stands. Opaque.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cursor(Box<str>);

impl Cursor {
    /// The longest cursor that Apple takes, in characters.
    pub const MAX_CHARS: usize = 1000;

    /// Takes a cursor as it was stored.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// The text to store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn checked(&self) -> Result<&str, BuildError> {
        if self.0.is_empty() || self.0.chars().count() > Self::MAX_CHARS {
            return Err(BuildError::invalid(
                "cursor",
                "must hold 1 to 1000 characters",
            ));
        }
        Ok(&self.0)
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de> Deserialize<'de> for DevicePage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PageVisitor)
    }
}

/// Devices are read where they stand: a page holds a thousand of them.
struct PageVisitor;

impl<'de> Visitor<'de> for PageVisitor {
    type Value = DevicePage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of devices")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DevicePage, A::Error> {
        let mut page = DevicePage::default();
        while let Some(Key(key)) = map.next_key()? {
            if key == "devices" {
                for item in map.next_value::<Option<Vec<Item>>>()?.unwrap_or_default() {
                    match item {
                        Item::Device(device) => page.devices.push(*device),
                        Item::Other(value) => page.unreadable.push(value),
                    }
                }
                continue;
            }
            match (key.as_ref(), map.next_value::<Value>()?) {
                (_, Value::Null) => {}
                ("cursor", Value::String(text)) if !text.is_empty() => {
                    page.cursor = Some(Cursor::new(text));
                }
                ("fetched_until", Value::String(text)) if !text.is_empty() => {
                    page.fetched_until = Some(Time::from(text.as_str()));
                }
                ("more_to_follow", Value::Bool(more)) => page.more_to_follow = more,
                (_, value) => {
                    page.extra.insert(key.into_owned(), value);
                }
            }
        }
        Ok(page)
    }
}

enum Item {
    Device(Box<Device>),
    Other(Value),
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a device")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item, A::Error> {
        Device::deserialize(MapAccessDeserializer::new(map))
            .map(|device| Item::Device(Box::new(device)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Item, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(seq)).map(Item::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Item, E> {
        Ok(Item::Other(text.into()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Item, E> {
        Ok(Item::Other(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Item, E> {
        Ok(Item::Other(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Item, E> {
        Ok(Item::Other(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Item, E> {
        Ok(Item::Other(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Item, E> {
        Ok(Item::Other(Value::Null))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_item_does_not_lose_the_page() {
        let page: DevicePage = serde_json::from_str(
            r#"{"devices":[{"serial_number":"A"},7,"x",null,[1],true,-1,0.5,{"serial_number":"B"},{}],
                "cursor":"c","fetched_until":"","more_to_follow":true,"new":[]}"#,
        )
        .unwrap();
        let serials: Vec<_> = page
            .devices
            .iter()
            .map(|device| device.serial_number.as_ref().map(|serial| serial.as_str()))
            .collect();
        assert_eq!(serials, [Some("A"), Some("B"), None]);
        assert_eq!(page.unreadable.len(), 7);
        assert_eq!(page.cursor, Some(Cursor::new("c")));
        assert_eq!(page.fetched_until, None);
        assert!(page.more_to_follow);
        assert_eq!(page.extra.len(), 2);
    }

    #[test]
    fn an_empty_page_is_a_page() {
        for json in ["{}", r#"{"devices":null,"cursor":""}"#, r#"{"devices":[]}"#] {
            let page: DevicePage = serde_json::from_str(json).unwrap();
            assert!(page.devices.is_empty() && page.cursor.is_none() && !page.more_to_follow);
        }
    }
}

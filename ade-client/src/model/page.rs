//! One page of devices and the cursor behind it.

use std::{fmt, marker::PhantomData};

use mdm_transport::BuildError;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{
    Device,
    loose::{Field, Key, Read},
    time::Time,
};

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
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(Box<str>);

impl Cursor {
    /// The longest cursor that Apple takes, in characters.
    pub const MAX_CHARS: usize = 1000;

    /// The longest cursor that the roster takes, in characters.
    pub const MAX_ROSTER_CHARS: usize = 512;

    /// Takes a cursor as it was stored.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// The text to store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn checked(&self, longest: usize) -> Result<&str, BuildError> {
        if self.0.is_empty() {
            return Err(BuildError::invalid("cursor", "must not be empty"));
        }
        if self.0.chars().count() > longest {
            return Err(BuildError::invalid("cursor", "has too many characters"));
        }
        Ok(&self.0)
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Field for Cursor {
    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::new(text))
    }

    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DevicePage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let page = Page::read(deserializer, "devices")?;
        Ok(Self {
            devices: page.items.fitting,
            cursor: page.cursor,
            fetched_until: page.fetched_until,
            more_to_follow: page.more_to_follow.unwrap_or_default(),
            unreadable: page.items.odd,
            extra: page.extra,
        })
    }
}

/// A page of anything, read where it stands.
pub(super) struct Page<T> {
    pub(super) items: Items<T>,
    pub(super) cursor: Option<Cursor>,
    pub(super) fetched_until: Option<Time>,
    pub(super) more_to_follow: Option<bool>,
    pub(super) extra: Map<String, Value>,
}

impl<T: Field> Page<T> {
    /// Reads a page that has its items under `key`.
    pub(super) fn read<'de, D: Deserializer<'de>>(
        deserializer: D,
        key: &'static str,
    ) -> Result<Self, D::Error> {
        let item = PhantomData;
        deserializer.deserialize_map(PageVisitor { key, item })
    }
}

struct PageVisitor<T> {
    key: &'static str,
    item: PhantomData<T>,
}

impl<'de, T: Field> Visitor<'de> for PageVisitor<T> {
    type Value = Page<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a page of {}", self.key)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Page<T>, A::Error> {
        let mut page = Page {
            items: Items::default(),
            cursor: None,
            fetched_until: None,
            more_to_follow: None,
            extra: Map::new(),
        };
        while let Some(Key(key)) = map.next_key()? {
            let kept = match key.as_ref() {
                key if key == self.key => {
                    page.items = map.next_value()?;
                    None
                }
                "cursor" => map.next_value::<Read<_>>()?.into_field(&mut page.cursor),
                "fetched_until" => {
                    let read: Read<_> = map.next_value()?;
                    read.into_field(&mut page.fetched_until)
                }
                "more_to_follow" => {
                    let read: Read<_> = map.next_value()?;
                    read.into_field(&mut page.more_to_follow)
                }
                _ => Some(map.next_value()?),
            };
            if let Some(value) = kept {
                page.extra.insert(key.into_owned(), value);
            }
        }
        Ok(page)
    }
}

/// The items of a page and those that are none. A page whose items are no list is an error: taken
/// for an empty one, its devices would be lost.
pub(super) struct Items<T> {
    pub(super) fitting: Vec<T>,
    pub(super) odd: Vec<Value>,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self {
            fitting: Vec::new(),
            odd: Vec::new(),
        }
    }
}

impl<'de, T: Field> Deserialize<'de> for Items<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemsVisitor(PhantomData))
    }
}

struct ItemsVisitor<T>(PhantomData<T>);

impl<'de, T: Field> Visitor<'de> for ItemsVisitor<T> {
    type Value = Items<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<Items<T>, E> {
        Ok(Items::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items<T>, A::Error> {
        let mut items = Items::default();
        while let Some(item) = list.next_element()? {
            match item {
                Read::Fits(item) | Read::Meant(item, _) => items.fitting.push(item),
                Read::Nothing => items.odd.push(Value::Null),
                Read::Odd(value) => items.odd.push(value),
            }
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So in the samples of Apple's first documentation.
    #[test]
    fn a_page_that_says_in_text_that_more_follows_is_not_the_last() {
        for (written, more_to_follow) in [("true", true), ("false", false), ("no", false)] {
            let json = format!(r#"{{"devices":[],"cursor":"c","more_to_follow":"{written}"}}"#);
            let page: DevicePage = serde_json::from_str(&json).unwrap();
            assert_eq!(page.more_to_follow, more_to_follow);
            assert_eq!(page.extra["more_to_follow"], written);
        }
    }

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
    fn a_page_whose_devices_are_no_list_is_none() {
        for devices in ["{}", "7", r#""x""#, "true"] {
            let json = format!(r#"{{"devices":{devices},"cursor":"c"}}"#);
            assert!(serde_json::from_str::<DevicePage>(&json).is_err());
        }
    }

    #[test]
    fn a_cursor_is_stored_as_its_text() {
        let json = serde_json::to_string(&Cursor::new("c")).unwrap();
        assert_eq!(json, r#""c""#);
        assert_eq!(
            serde_json::from_str::<Cursor>(&json).unwrap(),
            Cursor::new("c")
        );
    }

    #[test]
    fn an_empty_page_is_a_page() {
        for json in ["{}", r#"{"devices":null,"cursor":""}"#, r#"{"devices":[]}"#] {
            let page: DevicePage = serde_json::from_str(json).unwrap();
            assert!(page.devices.is_empty() && page.cursor.is_none() && !page.more_to_follow);
        }
    }
}

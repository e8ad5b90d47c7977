//! Types that lose nothing: a typed view that keeps what it does not know ([`Kept`]), a catch-all
//! dictionary ([`Rest`]) and a value of any type ([`Any`]).

use std::{fmt, time::SystemTime};

use plist::{Date, Dictionary, Uid, Value};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned, MapAccess, SeqAccess, Visitor},
    ser::Error as _,
};

use crate::{
    Error, ErrorKind, KeyPath,
    de::ValueDeserializer,
    reader::{tape::Tape, watch::Watched},
};

mod merge;

pub use merge::merge;

/// A value of any type, also where serde buffers.
///
/// Under `#[serde(flatten)]` and in `untagged` or internally tagged enums serde holds values back
/// in a form of its own, from which a plain [`Value`] can only read a date as text and a UID as an
/// integer. `Any` reads them as what they are. On writing it refuses a date outside the years 0 to
/// 9999, for which a plain [`Value`] panics. Elsewhere the two are alike.
///
/// ```
/// use mdm_plist::{Any, Value};
///
/// #[derive(serde::Deserialize)]
/// #[serde(untagged)]
/// enum NameOrOther {
///     Name(String),
///     Other(Any),
/// }
///
/// let read: NameOrOther = mdm_plist::from_slice(b"<date>2026-11-05T09:00:00Z</date>")?;
/// assert!(matches!(read, NameOrOther::Other(Any(Value::Date(_)))));
/// # Ok::<(), mdm_plist::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Any(pub Value);

/// The keys that a struct does not name, for `#[serde(flatten)]`: the catch-all dictionary.
///
/// Holds dates and UIDs as such, which a `Dictionary` or a map of [`Value`] cannot do there (see
/// [`Any`]). On writing the keys follow those of the struct; where each has to stay in its place,
/// see [`Kept`].
///
/// ```
/// use mdm_plist::{Rest, Value};
///
/// #[derive(serde::Deserialize, serde::Serialize)]
/// #[serde(rename_all = "PascalCase")]
/// struct Device {
///     serial_number: Option<String>,
///     #[serde(flatten)]
///     rest: Rest,
/// }
///
/// let device: Device = mdm_plist::from_slice(
///     b"<dict><key>SerialNumber</key><string>C02</string>
///       <key>LastBackup</key><date>2026-11-05T09:00:00Z</date></dict>",
/// )?;
/// assert_eq!(device.serial_number.as_deref(), Some("C02"));
/// assert!(matches!(device.rest.0.get("LastBackup"), Some(Value::Date(_))));
/// # Ok::<(), mdm_plist::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rest(pub Dictionary);

/// `T` together with the dictionary it was read from: keys that `T` does not know are kept,
/// reachable, and written back in their place.
///
/// On writing, what the program changed in [`value`](Self::value) is applied to the dictionary as
/// it was read, at every level: a changed key is replaced where it stood, a cleared one is taken
/// out, a new one is added at the end, and everything else stays the value it was, including what
/// `T` knows but writes in another way. Elements of an array are followed by their place, or by
/// equality where their number changed.
///
/// `T` has to write what it reads (derive both). Where `T` does not fit, serde carries the error out
/// as [`ErrorKind::Custom`] with the whole message, but for a missing key of its own;
/// [`Kept::from_dictionary`] keeps kind and path.
///
/// ```
/// use mdm_plist::Kept;
///
/// #[derive(serde::Deserialize, serde::Serialize)]
/// #[serde(rename_all = "PascalCase")]
/// struct Device {
///     device_name: String,
/// }
///
/// let mut device: Kept<Device> = mdm_plist::from_slice(
///     b"<dict><key>New</key><true/><key>DeviceName</key><string>a</string></dict>",
/// )?;
/// assert_eq!(device.unknown().first().map(ToString::to_string).as_deref(), Some("New"));
///
/// device.value.device_name = "b".to_owned();
/// let written: mdm_plist::Dictionary = mdm_plist::from_slice(&mdm_plist::to_xml(&device)?)?;
/// assert_eq!(written.keys().collect::<Vec<_>>(), ["New", "DeviceName"]);
/// assert_eq!(written["DeviceName"].as_string(), Some("b"));
/// # Ok::<(), mdm_plist::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Kept<T> {
    /// What is known; change it freely.
    pub value: T,
    original: Dictionary,
    unknown: Vec<KeyPath>,
}

impl<T> Kept<T> {
    /// A value that was not read from anywhere.
    pub fn new(value: T) -> Self {
        Self {
            value,
            original: Dictionary::new(),
            unknown: Vec::new(),
        }
    }

    /// The dictionary as it was read; empty for a value made by the program.
    pub fn original(&self) -> &Dictionary {
        &self.original
    }

    /// The keys that `T` passed over, at every level, in the order of the document.
    pub fn unknown(&self) -> &[KeyPath] {
        &self.unknown
    }
}

impl<T: DeserializeOwned> Kept<T> {
    /// Reads `T` out of a dictionary and keeps the dictionary.
    ///
    /// # Errors
    /// When the dictionary is no `T`.
    pub fn from_dictionary(original: Dictionary) -> Result<Self, Error> {
        let root = Value::Dictionary(original);
        match read(&root) {
            Ok((value, unknown)) => Ok(Self {
                value,
                original: root.into_dictionary().unwrap_or_default(),
                unknown,
            }),
            Err(error) => {
                crate::drop_flat(root);
                Err(error)
            }
        }
    }
}

/// Decodes and lists what was passed over.
fn read<T: DeserializeOwned>(root: &Value) -> Result<(T, Vec<KeyPath>), Error> {
    let tape = Tape::of_value(root)?;
    let mut reader = Watched::new(tape.reader());
    let value = T::deserialize(ValueDeserializer(&mut reader))?;
    Ok((value, reader.into_skipped()))
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Kept<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Rest(original) = Rest::deserialize(deserializer)?;
        Self::from_dictionary(original).map_err(|error| match *error.kind() {
            ErrorKind::MissingField(name) if error.path().is_empty() => {
                de::Error::missing_field(name)
            }
            _ => de::Error::custom(error),
        })
    }
}

impl<T: Serialize + DeserializeOwned> Serialize for Kept<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.merged()
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }
}

impl<T: Serialize + DeserializeOwned> Kept<T> {
    /// The original with what changed since.
    fn merged(&self) -> Result<Value, Error> {
        let now = crate::to_value(&self.value)?;
        let original = Value::Dictionary(self.original.clone());
        let before = if self.original.is_empty() {
            Value::Dictionary(Dictionary::new())
        } else {
            let (before, _) = read::<T>(&original)?;
            crate::to_value(&before)?
        };
        Ok(merge::apply(original, &before, now))
    }
}

impl Serialize for Any {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Checked(&self.0).serialize(serializer)
    }
}

impl Serialize for Rest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, Checked(value))))
    }
}

/// A value that is no date which the `plist` crate would panic on, nor holds one.
struct Checked<'a>(&'a Value);

impl Serialize for Checked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(values) => serializer.collect_seq(values.iter().map(Checked)),
            Value::Dictionary(entries) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key, Checked(value))))
            }
            Value::Date(date) if crate::date::seconds(*date).is_none() => {
                Err(S::Error::custom(crate::date::OUTSIDE))
            }
            scalar => scalar.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

impl<'de> Deserialize<'de> for Rest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RestVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Any;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a property list")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Any, E> {
        Ok(Any(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Any, E> {
        Ok(Any(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Any, E> {
        Ok(Any(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Any, E> {
        Ok(Any(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Any, E> {
        Ok(Any(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Any, E> {
        Ok(Any(value.into()))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Any, E> {
        Ok(Any(Value::Data(value.to_vec())))
    }

    fn visit_byte_buf<E>(self, value: Vec<u8>) -> Result<Any, E> {
        Ok(Any(Value::Data(value)))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Any, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Any, D::Error> {
        deserializer.deserialize_any(DateOrUid)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Any, A::Error> {
        let mut values = Vec::new();
        while let Some(Any(value)) = array.next_element()? {
            values.push(value);
        }
        Ok(Any(Value::Array(values)))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Any, A::Error> {
        let Rest(dictionary) = RestVisitor.visit_map(entries)?;
        Ok(Any(Value::Dictionary(dictionary)))
    }
}

/// What the newtypes of our serde layer hold.
struct DateOrUid;

impl Visitor<'_> for DateOrUid {
    type Value = Any;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date or a UID")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Any, E> {
        crate::date::parse(text)
            .map(|time| Any(Date::from(SystemTime::from(time)).into()))
            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Any, E> {
        Ok(Any(Value::Uid(Uid::new(number))))
    }
}

struct RestVisitor;

impl<'de> Visitor<'de> for RestVisitor {
    type Value = Rest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dictionary")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Rest, A::Error> {
        let mut dictionary = Dictionary::new();
        while let Some((key, Any(value))) = entries.next_entry::<String, Any>()? {
            dictionary.insert(key, value);
        }
        Ok(Rest(dictionary))
    }
}

//! `<data>` as `Vec<u8>`: `#[serde(with = "mdm_plist::data::required")]` and `data::optional`.
//!
//! Without it serde writes a `Vec<u8>` as an array of integers.

/// For a field of type `Vec<u8>`.
pub mod required {
    use plist::Data;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the bytes as `<data>`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    /// Reads `<data>`.
    ///
    /// # Errors
    /// When the value is no `<data>`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Data::deserialize(deserializer).map(Vec::from)
    }
}

/// For a field of type `Option<Vec<u8>>`; add `#[serde(default)]`, since serde asks for a `with`
/// field even where it is an `Option`.
pub mod optional {
    use plist::Data;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the bytes as `<data>`, or nothing.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_bytes(bytes),
            None => serializer.serialize_none(),
        }
    }

    /// Reads `<data>`.
    ///
    /// # Errors
    /// When the value is no `<data>`.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<Data>::deserialize(deserializer)?.map(Vec::from))
    }
}

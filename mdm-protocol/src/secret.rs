//! serde helpers for secrets that travel as `<data>`.

use mdm_core::{PushToken, Secret};
use mdm_plist::{Value, data};
use serde::{Deserialize, Deserializer, Serializer, de};

/// For a field of type `PushToken`.
pub(crate) mod push_token {
    use super::{Deserializer, PushToken, Serializer, data};

    pub(crate) fn serialize<S: Serializer>(token: &PushToken, s: S) -> Result<S::Ok, S::Error> {
        data::required::serialize(token.expose(), s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<PushToken, D::Error> {
        data::required::deserialize(d).map(PushToken::new)
    }
}

/// For a field of type `Secret<Vec<u8>>`.
pub(crate) mod required {
    use super::{Deserializer, Secret, Serializer, data};

    pub(crate) fn serialize<S: Serializer>(
        secret: &Secret<Vec<u8>>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        data::required::serialize(secret.expose(), s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Secret<Vec<u8>>, D::Error> {
        data::required::deserialize(d).map(Secret::new)
    }
}

/// For a field of type `Option<Secret<Vec<u8>>>`.
pub(crate) mod optional {
    use super::{Deserialize, Deserializer, Secret, Serializer, Value, data, de};

    pub(crate) fn serialize<S: Serializer>(
        secret: &Option<Secret<Vec<u8>>>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        match secret {
            Some(secret) => data::required::serialize(secret.expose(), s),
            None => s.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<Secret<Vec<u8>>>, D::Error> {
        Ok(data::optional::deserialize(d)?.map(Secret::new))
    }

    /// Takes a text for its bytes as well.
    pub(crate) fn deserialize_text_or_data<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<Secret<Vec<u8>>>, D::Error> {
        match Value::deserialize(d)? {
            Value::Data(bytes) => Ok(Some(Secret::new(bytes))),
            Value::String(text) => Ok(Some(Secret::new(text.into_bytes()))),
            _ => Err(de::Error::custom("neither a string nor data")),
        }
    }
}

//! Values that the schema leaves open.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use mdm_plist::{Dictionary, Value};

use crate::record::{Field, Place};

/// A value whose content the schema leaves open: settings of an app, of a vendor's extension, of a
/// network.
///
/// Nobody can say which part of it is a secret, so `Debug` shows its type, and of a dictionary the
/// keys.
///
/// ```
/// use mdm_plist::Dictionary;
/// use mdm_schema::Opaque;
///
/// let mut settings = Opaque::from(Dictionary::new());
/// settings.insert("Password".to_owned(), "secret".into());
/// assert_eq!(format!("{settings:?}"), r#"Opaque(["Password"])"#);
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Opaque<T>(pub T);

impl<T> Deref for Opaque<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Opaque<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> From<T> for Opaque<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Opaque<Dictionary> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.0.keys().collect();
        f.debug_tuple("Opaque").field(&keys).finish()
    }
}

impl fmt::Debug for Opaque<Value> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = match &self.0 {
            Value::Dictionary(keys) => {
                let keys: Vec<_> = keys.keys().collect();
                return f.debug_tuple("Opaque").field(&keys).finish();
            }
            Value::Array(_) => "an array",
            Value::String(_) => "a string",
            Value::Integer(_) | Value::Real(_) => "a number",
            Value::Boolean(_) => "a boolean",
            Value::Data(_) => "data",
            Value::Date(_) => "a date",
            _ => "a value",
        };
        write!(f, "Opaque({about})")
    }
}

impl<T: Field> Field for Opaque<T> {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        T::read(value, place).map(Self)
    }

    fn write(&self) -> Value {
        self.0.write()
    }

    fn placeholder() -> Self {
        Self(T::placeholder())
    }
}

//! What a SCEP payload needs beside its table: safe defaults, names in either shape.

use mdm_plist::Value;
use mdm_schema::Opaque;

use crate::payload::scep::{Keysize, ScepContent, SubjectAltName};

impl ScepContent {
    /// An RSA key of 2048 bits to sign and to encrypt, certified by the server at `url`.
    ///
    /// `new` leaves all three to the device, which then may make a key of 1024 bits (Q7).
    ///
    /// ```
    /// use mdm_profiles::payload::scep::ScepContent;
    ///
    /// let content = ScepContent::rsa_2048("https://mdm.example.com/scep").common_name("%SerialNumber%");
    /// assert_eq!(content.key_usage, Some(5));
    /// ```
    pub fn rsa_2048(url: impl Into<String>) -> Self {
        Self::new(url).or_rsa_2048()
    }

    /// The same for what was left open.
    pub(crate) fn or_rsa_2048(self) -> Self {
        self.with(|content| {
            content.keysize.get_or_insert(Keysize::Bits2048);
            content.key_type.get_or_insert_with(|| "RSA".to_owned());
            content.key_usage.get_or_insert(5);
        })
    }

    /// Adds a common name to the subject; it may hold a variable such as `%SerialNumber%`, which the
    /// device fills in, as it does `%HardwareUUID%` and `%ComputerName%`.
    #[must_use]
    pub fn common_name(self, name: impl Into<String>) -> Self {
        let pair = vec!["CN".to_owned(), name.into()];
        self.with(|content| content.subject.get_or_insert_default().push(vec![pair]))
    }
}

/// The three names that are one text or an array of texts on the wire (Q7).
macro_rules! names {
    ($($(#[$doc:meta])* $get:ident, $set:ident: $field:ident;)+) => {
        impl SubjectAltName {$(
            $(#[$doc])*
            pub fn $get(&self) -> impl Iterator<Item = &str> {
                texts(self.$field.as_deref())
            }

            /// Sets them: one as a text, several as an array.
            #[must_use]
            pub fn $set<T: Into<String>>(self, names: impl IntoIterator<Item = T>) -> Self {
                self.with(|all| all.$field = one_or_many(names.into_iter().map(Into::into)))
            }
        )+}
    };
}

names! {
    /// Mail addresses (`rfc822Name`).
    rfc822_names, with_rfc822_names: rfc822_name;
    /// Host names (`dNSName`).
    dns_names, with_dns_names: dns_name;
    /// URIs (`uniformResourceIdentifier`).
    uris, with_uris: uniform_resource_identifier;
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let values = match value {
        Some(Value::Array(values)) => values.as_slice(),
        Some(value) => std::slice::from_ref(value),
        None => &[],
    };
    values.iter().filter_map(Value::as_string)
}

fn one_or_many(names: impl Iterator<Item = String>) -> Option<Opaque<Value>> {
    let mut names: Vec<_> = names.map(Value::String).collect();
    let value = match names.len() {
        0 | 1 => names.pop()?,
        _ => Value::Array(names),
    };
    Some(Opaque(value))
}

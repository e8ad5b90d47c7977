//! String enums that Apple may extend at any time.

/// Declares a string enum that keeps the text of values it does not know.
///
/// The result is `#[non_exhaustive]`, compares by text, serialises as the text, and reads any
/// string without failing. An unknown value is reached through `as_str()` alone, so that giving it
/// a name later breaks nobody.
#[macro_export]
macro_rules! open_enum {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($body:tt)* }) => {
        $crate::open_text! {
            $(#[$meta])*
            $vis enum $name { $($body)* }
        }

        impl $crate::__serde::Serialize for $name {
            fn serialize<S>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error>
            where
                S: $crate::__serde::Serializer,
            {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> $crate::__serde::Deserialize<'de> for $name {
            fn deserialize<D>(deserializer: D) -> ::core::result::Result<Self, D::Error>
            where
                D: $crate::__serde::Deserializer<'de>,
            {
                struct Visitor;

                impl $crate::__serde::de::Visitor<'_> for Visitor {
                    type Value = $name;

                    fn expecting(
                        &self,
                        f: &mut ::core::fmt::Formatter<'_>,
                    ) -> ::core::fmt::Result {
                        f.write_str("a string")
                    }

                    fn visit_str<E>(self, text: &str) -> ::core::result::Result<$name, E> {
                        ::core::result::Result::Ok($name::from(text))
                    }
                }

                deserializer.deserialize_str(Visitor)
            }
        }
    };
}

/// [`open_enum!`](crate::open_enum!) without serde, which is half of its cost to compile.
#[macro_export]
macro_rules! open_text {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident = $text:literal ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        $vis enum $name {
            $( $(#[$variant_meta])* $variant, )+
            #[doc(hidden)]
            __Unknown($crate::open_enum::UnknownText),
        }

        impl $name {
            /// The value's text on the wire.
            #[inline]
            $vis fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $text, )+
                    Self::__Unknown(text) => text.as_str(),
                }
            }

            /// Whether the value is one that this version has a name for.
            #[inline]
            $vis fn is_known(&self) -> bool {
                !matches!(self, Self::__Unknown(_))
            }
        }

        impl ::core::convert::From<&str> for $name {
            #[inline]
            fn from(text: &str) -> Self {
                match text {
                    $( $text => Self::$variant, )+
                    _ => Self::__Unknown($crate::open_enum::UnknownText::new(text)),
                }
            }
        }

        impl ::core::fmt::Display for $name {
            #[inline]
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

/// The text of a value without a name; only [`open_enum!`](crate::open_enum!) makes one.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnknownText(Box<str>);

impl UnknownText {
    #[doc(hidden)]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    #[doc(hidden)]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    open_enum! {
        /// An operation of the device-assignment service.
        enum OpType {
            /// The device was assigned to this server.
            Added = "added",
            /// It left.
            Deleted = "deleted",
        }
    }

    #[test]
    fn known_and_unknown_values_survive_a_round_trip() {
        for text in ["added", "deleted", "", "Added", "merged"] {
            let json = serde_json::to_string(text).unwrap();
            let value: OpType = serde_json::from_str(&json).unwrap();
            assert_eq!(value.as_str(), text);
            assert_eq!(value.to_string(), text);
            assert_eq!(serde_json::to_string(&value).unwrap(), json);
        }
        assert_eq!(OpType::from("added"), OpType::Added);
        assert!(OpType::Deleted.is_known() && !OpType::from("merged").is_known());
    }
}

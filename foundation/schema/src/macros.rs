//! What generated types are written with.

/// Declares a [`Record`](crate::Record): a struct, its constructor, and how it is read and written.
///
/// `new` takes the required fields; the optional ones are `Option`s, set in place or in `with`. A
/// record of one wildcard key has `entries` instead; one that others may add keys to has `more`, a
/// dictionary of them. One without required fields is `Default`.
///
/// ```
/// use mdm_plist::Dictionary;
/// use mdm_schema::{Log, Place, Record, record};
///
/// record! {
///     /// What happens after the device was erased.
///     pub struct ReturnToService {
///         required {
///             /// `Enabled`.
///             enabled: bool = "Enabled",
///         }
///         optional {
///             /// `BootstrapToken`.
///             bootstrap_token: Vec<u8> = "BootstrapToken",
///         }
///     }
/// }
///
/// let service = ReturnToService::new(true).with(|s| s.bootstrap_token = Some(vec![1]));
/// let mut keys = Dictionary::new();
/// service.write(&mut keys);
/// assert!(keys.keys().eq(["Enabled", "BootstrapToken"]));
///
/// let log = Log::default();
/// assert_eq!(ReturnToService::read(&keys, &Place::root(&log)), service);
/// assert!(log.into_findings().is_empty());
/// ```
#[macro_export]
macro_rules! record {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( constant { $( $constant_key:literal = $constant:literal, )* } )?
            required { $(
                $(#[$required_meta:meta])*
                $required:ident: $required_type:ty = $required_key:literal,
            )* }
            optional { $(
                $(#[$optional_meta:meta])*
                $optional:ident: $optional_type:ty = $optional_key:literal,
            )* }
            $( more {
                $(#[$more_meta:meta])*
                $more:ident,
            } )?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $( $(#[$required_meta])* pub $required: $required_type, )*
            $( $(#[$optional_meta])* pub $optional: ::core::option::Option<$optional_type>, )*
            $( $(#[$more_meta])* pub $more: $crate::Opaque<$crate::__plist::Dictionary>, )?
        }

        impl $name {
            /// With the keys that are required; every other one is absent.
            #[allow(clippy::too_many_arguments)]
            pub fn new(
                $( $required: impl ::core::convert::Into<$required_type> ),*
            ) -> Self {
                Self {
                    $( $required: $required.into(), )*
                    $( $optional: ::core::option::Option::None, )*
                    $( $more: ::core::default::Default::default(), )?
                }
            }

            /// Sets optional keys.
            #[must_use]
            pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
                set(&mut self);
                self
            }
        }

        $crate::__default!($name $($required)*);
        $crate::__keys!($name { $($required_key)* $($optional_key)* } $($more)?);

        impl $crate::Record for $name {
            #[inline]
            fn read(keys: &$crate::__plist::Dictionary, place: &$crate::Place<'_>) -> Self {
                let _ = (keys, place);
                Self {
                    $( $required: $crate::record::required(keys, $required_key, place), )*
                    $( $optional: $crate::record::optional(keys, $optional_key, place), )*
                    $( $more: $crate::record::more(keys, Self::__KEYS), )?
                }
            }

            #[inline]
            fn write(&self, keys: &mut $crate::__plist::Dictionary) {
                let _ = &keys;
                $( $( $crate::record::write_constant(keys, $constant_key, $constant); )* )?
                $( $crate::record::write_required(keys, $required_key, &self.$required); )*
                $( $crate::record::write_optional(keys, $optional_key, &self.$optional); )*
                $( $crate::record::write_more(keys, Self::__KEYS, &self.$more); )?
            }
        }
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            entries {
                $(#[$entries_meta:meta])*
                $entries:ident: $entry_type:ty,
            }
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $(#[$entries_meta])*
            pub $entries: ::std::collections::BTreeMap<::std::string::String, $entry_type>,
        }

        impl $name {
            /// With these entries.
            pub fn new(
                $entries: impl ::core::iter::IntoIterator<
                    Item = (::std::string::String, $entry_type),
                >,
            ) -> Self {
                Self {
                    $entries: $entries.into_iter().collect(),
                }
            }
        }

        impl $crate::Record for $name {
            #[inline]
            fn read(keys: &$crate::__plist::Dictionary, place: &$crate::Place<'_>) -> Self {
                Self {
                    $entries: $crate::record::entries(keys, place),
                }
            }

            #[inline]
            fn write(&self, keys: &mut $crate::__plist::Dictionary) {
                $crate::record::write_entries(keys, &self.$entries);
            }
        }
    };
}

/// A record without required keys has an empty form.
#[doc(hidden)]
#[macro_export]
macro_rules! __default {
    ($name:ident) => {
        impl ::core::default::Default for $name {
            #[inline]
            fn default() -> Self {
                Self::new()
            }
        }
    };
    ($name:ident $($required:ident)+) => {};
}

/// A record that others may add keys to knows its own.
#[doc(hidden)]
#[macro_export]
macro_rules! __keys {
    ($name:ident { $($key:literal)* }) => {};
    ($name:ident { $($key:literal)* } $more:ident) => {
        impl $name {
            const __KEYS: &'static [&'static str] = &[$($key),*];
        }
    };
}

/// Says which schema describes each record: makes it an [`Item`](crate::Item).
#[macro_export]
macro_rules! item {
    ($name:ident = $schema:path) => {
        impl $crate::Item for $name {
            const SCHEMA: &'static $crate::Schema = &$schema;
        }
    };
}

/// Declares a status item: a newtype of its value, or what a record is.
#[macro_export]
macro_rules! status_item {
    ($name:ident = $schema:path) => {
        impl $crate::StatusItem for $name {
            const SCHEMA: &'static $crate::Schema = &$schema;
        }
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident($value:ty) = $schema:path;
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name(pub $value);

        impl $crate::Field for $name {
            #[inline]
            fn read(
                value: &$crate::__plist::Value,
                place: &$crate::Place<'_>,
            ) -> ::core::option::Option<Self> {
                <$value as $crate::Field>::read(value, place).map(Self)
            }

            #[inline]
            fn write(&self) -> $crate::__plist::Value {
                $crate::Field::write(&self.0)
            }

            #[inline]
            fn placeholder() -> Self {
                Self($crate::Field::placeholder())
            }
        }

        $crate::status_item!($name = $schema);
    };
}

/// Declares an open enum of texts that is a [`Field`](crate::Field).
#[macro_export]
macro_rules! choices {
    ($(#[$meta:meta])* pub enum $name:ident { $($body:tt)* }) => {
        $crate::__core::open_text! {
            $(#[$meta])*
            pub enum $name { $($body)* }
        }

        impl $crate::Field for $name {
            #[inline]
            fn read(
                value: &$crate::__plist::Value,
                place: &$crate::Place<'_>,
            ) -> ::core::option::Option<Self> {
                match value {
                    $crate::__plist::Value::String(text) => {
                        ::core::option::Option::Some(Self::from(text.as_str()))
                    }
                    _ => {
                        place.note_mismatch("a string");
                        ::core::option::Option::None
                    }
                }
            }

            #[inline]
            fn write(&self) -> $crate::__plist::Value {
                $crate::__plist::Value::String(self.as_str().to_owned())
            }

            #[inline]
            fn placeholder() -> Self {
                Self::from("")
            }
        }
    };
}

/// Declares an open enum of numbers that is a [`Field`](crate::Field): of `i64` or `f64`.
#[macro_export]
macro_rules! numbers {
    (
        $(#[$meta:meta])*
        pub enum $name:ident: $number:ty {
            $( $(#[$variant_meta:meta])* $variant:ident = $value:literal, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$variant_meta])* $variant, )+
            #[doc(hidden)]
            __Unknown($number),
        }

        impl $name {
            /// The number on the wire.
            #[inline]
            pub fn value(self) -> $number {
                match self {
                    $( Self::$variant => $value, )+
                    Self::__Unknown(number) => number,
                }
            }

            /// Whether the number is one that this version has a name for.
            #[inline]
            pub fn is_known(self) -> bool {
                !matches!(self, Self::__Unknown(_))
            }
        }

        impl ::core::convert::From<$number> for $name {
            #[inline]
            #[allow(clippy::float_cmp)]
            fn from(number: $number) -> Self {
                $( if number == $value {
                    return Self::$variant;
                } )+
                Self::__Unknown(number)
            }
        }

        impl $crate::Field for $name {
            #[inline]
            fn read(
                value: &$crate::__plist::Value,
                place: &$crate::Place<'_>,
            ) -> ::core::option::Option<Self> {
                <$number as $crate::Field>::read(value, place).map(Self::from)
            }

            #[inline]
            fn write(&self) -> $crate::__plist::Value {
                $crate::Field::write(&self.value())
            }

            #[inline]
            fn placeholder() -> Self {
                Self::from(<$number as $crate::Field>::placeholder())
            }
        }
    };
}

/// Declares the alternatives that the elements of an array may be, told apart by a key.
#[macro_export]
macro_rules! alternatives {
    (
        $(#[$meta:meta])*
        pub enum $name:ident by $tag:literal {
            $( $(#[$variant_meta:meta])* $variant:ident = $text:literal, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$variant_meta])* $variant($variant), )+
            /// One that this version does not know, whole.
            Other($crate::Opaque<$crate::__plist::Dictionary>),
        }

        $( impl ::core::convert::From<$variant> for $name {
            #[inline]
            fn from(value: $variant) -> Self {
                Self::$variant(value)
            }
        } )+

        impl $crate::Field for $name {
            #[inline]
            fn read(
                value: &$crate::__plist::Value,
                place: &$crate::Place<'_>,
            ) -> ::core::option::Option<Self> {
                let ::core::option::Option::Some(keys) = value.as_dictionary() else {
                    place.note_mismatch("a dictionary");
                    return ::core::option::Option::None;
                };
                let tag = keys.get($tag).and_then($crate::__plist::Value::as_string);
                ::core::option::Option::Some(match tag {
                    $( ::core::option::Option::Some($text) => {
                        Self::$variant($crate::Record::read(keys, place))
                    } )+
                    _ => Self::Other(keys.clone().into()),
                })
            }

            #[inline]
            fn write(&self) -> $crate::__plist::Value {
                let mut keys = $crate::__plist::Dictionary::new();
                match self {
                    $( Self::$variant(value) => {
                        keys.insert($tag.to_owned(), $text.into());
                        $crate::Record::write(value, &mut keys);
                    } )+
                    Self::Other(other) => keys.clone_from(other),
                }
                keys.into()
            }

            #[inline]
            fn placeholder() -> Self {
                Self::Other($crate::__plist::Dictionary::new().into())
            }
        }
    };
}

/// Declares the dynamic form of some kinds of documents: every known type, and any other one whole.
#[macro_export]
macro_rules! any_item {
    (
        $(#[$meta:meta])*
        pub enum $any:ident: $( $kind:ident )|+ {
            $( $(#[$condition:meta])* $item:ident, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum $any {
            $(
                $(#[$condition])*
                #[doc = concat!("[`", stringify!($item), "`].")]
                $item(::std::boxed::Box<$item>),
            )+
            /// A type that this version does not know.
            Other($crate::OtherItem),
        }

        impl $any {
            /// Reads a document of the type with this name or id, whatever can be read of it; a
            /// type without a variant is kept whole. Types that share a name are told apart by
            /// their keys.
            #[inline]
            pub fn read(
                name: &str,
                keys: &$crate::__plist::Dictionary,
            ) -> (Self, ::std::vec::Vec<$crate::Finding>) {
                let schema = ::core::option::Option::None
                    $( .or_else(|| $crate::choose($crate::Kind::$kind, name, keys)) )+;
                if let ::core::option::Option::Some(schema) = schema {
                    $( $(#[$condition])* {
                        if ::core::ptr::eq(schema, <$item as $crate::Item>::SCHEMA) {
                            let (item, findings) =
                                <$item as $crate::Item>::from_dictionary_leniently(keys);
                            return (Self::$item(::std::boxed::Box::new(item)), findings);
                        }
                    } )+
                }
                let other = $crate::OtherItem::new(name, keys.clone());
                (Self::Other(other), ::std::vec::Vec::new())
            }

            /// What the schema says about the document; `None` for a type without a variant.
            #[inline]
            pub fn schema(&self) -> ::core::option::Option<&'static $crate::Schema> {
                match self {
                    $( $(#[$condition])* Self::$item(_) => {
                        ::core::option::Option::Some(<$item as $crate::Item>::SCHEMA)
                    } )+
                    Self::Other(_) => ::core::option::Option::None,
                }
            }

            /// The document as a dictionary.
            #[inline]
            pub fn to_dictionary(&self) -> $crate::__plist::Dictionary {
                match self {
                    $( $(#[$condition])*
                    Self::$item(item) => $crate::Item::to_dictionary(&**item), )+
                    Self::Other(other) => other.keys.clone(),
                }
            }
        }

        $( $(#[$condition])*
        impl ::core::convert::From<$item> for $any {
            #[inline]
            fn from(item: $item) -> Self {
                Self::$item(::std::boxed::Box::new(item))
            }
        } )+
    };
}

/// Declares the dynamic form of status items: every known one, and any other one whole.
#[macro_export]
macro_rules! any_status_item {
    (
        $(#[$meta:meta])*
        pub enum $any:ident { $( $item:ident, )+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum $any {
            $(
                #[doc = concat!("[`", stringify!($item), "`].")]
                $item(::std::boxed::Box<$item>),
            )+
            /// An item that this version does not know, or whose value is of another type.
            Other($crate::OtherStatusItem),
        }

        impl $any {
            /// Reads the value of the item with this name, whatever can be read of it; a value that
            /// does not fit at all is kept whole.
            #[inline]
            pub fn read(
                name: &str,
                value: &$crate::__plist::Value,
            ) -> (Self, ::std::vec::Vec<$crate::Finding>) {
                let log = $crate::Log::default();
                let root = $crate::Place::root(&log);
                let place = root.key(name);
                let known = match name {
                    $( _ if name == <$item as $crate::StatusItem>::SCHEMA.name => {
                        <$item as $crate::Field>::read(value, &place)
                            .map(|item| Self::$item(::std::boxed::Box::new(item)))
                    } )+
                    _ => ::core::option::Option::None,
                };
                let item = known.unwrap_or_else(|| {
                    Self::Other($crate::OtherStatusItem::new(name, value.clone()))
                });
                (item, log.into_findings())
            }

            /// What the schema says about the item; `None` for one without a variant.
            #[inline]
            pub fn schema(&self) -> ::core::option::Option<&'static $crate::Schema> {
                match self {
                    $( Self::$item(_) => {
                        ::core::option::Option::Some(<$item as $crate::StatusItem>::SCHEMA)
                    } )+
                    Self::Other(_) => ::core::option::Option::None,
                }
            }

            /// The item's value.
            #[inline]
            pub fn to_value(&self) -> $crate::__plist::Value {
                match self {
                    $( Self::$item(item) => $crate::Field::write(&**item), )+
                    Self::Other(other) => other.value.clone(),
                }
            }
        }

        $( impl ::core::convert::From<$item> for $any {
            #[inline]
            fn from(item: $item) -> Self {
                Self::$item(::std::boxed::Box::new(item))
            }
        } )+
    };
}

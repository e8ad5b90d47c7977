//! Distinguished names: kept as the DER they came in, read and built attribute by attribute.

mod attribute;

use std::{fmt, fmt::Write as _, sync::Arc};

use crate::{
    asn1::{RawOid, RawSequence, RawSet, Tlv, elements, read, set_of, text, tlv},
    error::Error,
    oid::{self, Oid},
};

/// A distinguished name (RFC 5280, section 4.1.2.4), kept as its DER.
///
/// Equal when the DER is: no matching rule of X.520 is applied. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(Arc<[u8]>);

impl Name {
    /// A builder that begins with an empty name.
    pub fn builder() -> NameBuilder {
        NameBuilder::default()
    }

    /// A name of one common name: `CN=...`.
    pub fn from_common_name(text: &str) -> Self {
        Self::builder().common_name(text).build()
    }

    /// Takes a Name in DER.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is not a sequence of sets of attributes.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let name = Self(der.into());
        for attribute in name.walk() {
            attribute?;
        }
        Ok(name)
    }

    /// Keeps what stands in the place of a name, readable or not.
    pub(crate) fn from_der_as_it_is(der: &[u8]) -> Self {
        Self(der.into())
    }

    /// The name in DER, byte for byte as it was given.
    pub fn to_der(&self) -> &[u8] {
        &self.0
    }

    /// Whether the name holds no attribute.
    pub fn is_empty(&self) -> bool {
        self.attributes().next().is_none()
    }

    /// Every attribute with its text, in the order of the DER.
    ///
    /// A value that is no text is given as `#` and its DER in hexadecimal (RFC 4514, section 2.4).
    pub fn attributes(&self) -> impl Iterator<Item = (Oid, String)> {
        self.walk().flatten().map(|part| (part.kind, part.text()))
    }

    /// The text of the first attribute of this kind.
    pub fn get(&self, kind: Oid) -> Option<String> {
        self.attributes()
            .find(|(found, _)| *found == kind)
            .map(|(_, text)| text)
    }

    /// The first common name.
    pub fn common_name(&self) -> Option<String> {
        self.get(oid::COMMON_NAME)
    }

    /// Whether OpenSSL reads the name too, so far as its rules are known here: a certificate with any other is refused.
    pub(crate) fn is_plain(der: &[u8]) -> bool {
        let Ok(sets) = read::<RawSequence<'_>>("name", der) else {
            return false;
        };
        elements(sets.0).all(|set| {
            let set = set.and_then(|set| read::<RawSet<'_>>("name", set.0));
            set.is_ok_and(|set| {
                !set.0.is_empty()
                    && elements(set.0).all(|pair| {
                        pair.and_then(|pair| Part::read(pair, false))
                            .is_ok_and(|part| part.is_plain())
                    })
            })
        })
    }

    /// Whether both name the same, by the rule of RFC 5280, section 7.1: case, the type of a string and the number of
    /// blanks in it do not matter, nor does the order of attributes that stand together. Cases are compared as Unicode has
    /// them and without further normalisation. One that cannot be read matches its own bytes alone.
    pub fn matches(&self, other: &Self) -> bool {
        let sets = |name: &Self| -> Result<Vec<Vec<(Oid, String)>>, Error> {
            let mut sets: Vec<Vec<_>> = Vec::new();
            for part in name.walk() {
                let part = part?;
                let folded = (part.kind, part.folded());
                match sets.last_mut() {
                    Some(last) if !part.first_of_set => last.push(folded),
                    _ => sets.push(vec![folded]),
                }
            }
            sets.iter_mut().for_each(|set| set.sort());
            Ok(sets)
        };
        self == other
            || match (sets(self), sets(other)) {
                (Ok(mine), Ok(theirs)) => mine == theirs,
                _ => false,
            }
    }

    fn walk(&self) -> impl Iterator<Item = Result<Part<'_>, Error>> {
        let sequence: Result<RawSequence<'_>, Error> = read("name", &self.0);
        let (sets, broken) = match sequence {
            Ok(sequence) => (sequence.0, None),
            Err(error) => (&[][..], Some(Err(error))),
        };
        broken.into_iter().chain(elements(sets).flat_map(|set| {
            let (inside, broken) = match set.and_then(|set| read::<RawSet<'_>>("name", set.0)) {
                Ok(set) => (set.0, None),
                Err(error) => (&[][..], Some(Err(error))),
            };
            broken.into_iter().chain(
                elements(inside)
                    .enumerate()
                    .map(|(at, element)| Part::read(element?, at == 0)),
            )
        }))
    }
}

impl Default for Name {
    /// The empty name.
    fn default() -> Self {
        Self(Arc::from([0x30, 0].as_slice()))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// The text of RFC 4514: the last attribute first.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sets: Vec<String> = Vec::new();
        for part in self.walk().flatten() {
            let shown = format!(
                "{}={}",
                attribute::short_name(part.kind)
                    .map_or_else(|| part.kind.to_string(), str::to_owned),
                escape(&part)
            );
            match sets.last_mut() {
                Some(last) if !part.first_of_set => {
                    last.push('+');
                    last.push_str(&shown);
                }
                _ => sets.push(shown),
            }
        }
        sets.reverse();
        f.write_str(&sets.join(","))
    }
}

struct Part<'a> {
    kind: Oid,
    value: Tlv<'a>,
    first_of_set: bool,
}

impl<'a> Part<'a> {
    fn read(element: Tlv<'a>, first_of_set: bool) -> Result<Self, Error> {
        let pair: RawSequence<'a> = read("attribute of a name", element.0)?;
        let mut parts = elements(pair.0);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(kind), Some(value), None) => Ok(Self {
                kind: read::<RawOid<'_>>("attribute of a name", kind?.0)?.oid()?,
                value: value?,
                first_of_set,
            }),
            _ => Err(Error::malformed("attribute of a name", "not a pair")),
        }
    }

    fn is_plain(&self) -> bool {
        let value = self.value.value();
        self.kind.is_minimal()
            && match self.value.tag() {
                text::UTF8 => std::str::from_utf8(value).is_ok(),
                tag => tag == text::PRINTABLE || tag == text::IA5,
            }
    }

    /// The text in lower case, with single blanks between its words and none around them.
    fn folded(&self) -> String {
        let text = self.text().to_lowercase();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn text(&self) -> String {
        text::read(self.value).unwrap_or_else(|| {
            let mut hex = String::from("#");
            for byte in self.value.0 {
                let _ = write!(hex, "{byte:02x}");
            }
            hex
        })
    }
}

/// Escapes what RFC 4514, section 2.4 asks for, and control characters besides.
fn escape(part: &Part<'_>) -> String {
    let text = part.text();
    if text::read(part.value).is_none() {
        return text;
    }
    let last = text.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(text.len());
    for (at, character) in text.chars().enumerate() {
        match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => out.extend(['\\', character]),
            ' ' if at == 0 || at == last => out.push_str("\\ "),
            '#' if at == 0 => out.push_str("\\#"),
            _ if character.is_control() => {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(out, "\\{byte:02X}");
                }
            }
            _ => out.push(character),
        }
    }
    out
}

/// Builds a [`Name`], one attribute after the other in the order they are given.
#[derive(Debug, Clone, Default)]
pub struct NameBuilder {
    sets: Vec<u8>,
}

impl NameBuilder {
    /// Adds `CN`.
    #[must_use]
    pub fn common_name(self, text: &str) -> Self {
        self.attribute(oid::COMMON_NAME, text)
    }

    /// Adds `O`.
    #[must_use]
    pub fn organization(self, text: &str) -> Self {
        self.attribute(oid::ORGANIZATION, text)
    }

    /// Adds `OU`.
    #[must_use]
    pub fn organizational_unit(self, text: &str) -> Self {
        self.attribute(oid::ORGANIZATIONAL_UNIT, text)
    }

    /// Adds `C`: two letters.
    #[must_use]
    pub fn country(self, text: &str) -> Self {
        self.attribute(oid::COUNTRY, text)
    }

    /// Adds `UID`, where an MDM push certificate keeps its topic.
    #[must_use]
    pub fn user_id(self, text: &str) -> Self {
        self.attribute(oid::USER_ID, text)
    }

    /// Adds an attribute in a set of its own.
    ///
    /// The value is a UTF8String, but a PrintableString for country and serial number and an IA5String for e-mail
    /// address and domain component, where the text allows it.
    #[must_use]
    pub fn attribute(self, kind: Oid, text: &str) -> Self {
        self.set(&[(kind, text)])
    }

    /// Adds an attribute by its short name (`CN`, `O`, `OU`, ...) or by its object identifier in dots, the forms that
    /// Apple's SCEP and ACME payloads use for a subject.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a name that is neither.
    pub fn named(self, name: &str, text: &str) -> Result<Self, Error> {
        let kind = attribute::by_name(name)
            .or_else(|| name.parse().ok())
            .ok_or_else(|| Error::unsupported("attribute of a name", name))?;
        Ok(self.attribute(kind, text))
    }

    /// Adds a set of several attributes.
    #[must_use]
    pub fn set(mut self, attributes: &[(Oid, &str)]) -> Self {
        let pairs = attributes.iter().map(|(kind, text)| {
            let kind_der = tlv(0x06, kind.as_bytes());
            let value = tlv(attribute::string_tag(*kind, text), text.as_bytes());
            tlv(0x30, &[kind_der, value].concat())
        });
        let set = set_of(pairs.collect());
        self.sets.extend(tlv(0x31, &set));
        self
    }

    /// The finished name.
    pub fn build(self) -> Name {
        Name(tlv(0x30, &self.sets).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_built_and_read_back() {
        let name = Name::builder()
            .country("DE")
            .organization("Acme, Inc.")
            .set(&[(oid::ORGANIZATIONAL_UNIT, "b"), (oid::COMMON_NAME, "a")])
            .named("UID", "com.apple.mgmt.External.x")
            .unwrap()
            .named("1.2.3.4", " #\n")
            .unwrap()
            .build();
        assert_eq!(name.common_name().as_deref(), Some("a"));
        assert_eq!(
            name.get(oid::USER_ID).as_deref(),
            Some("com.apple.mgmt.External.x")
        );
        assert_eq!(name.get(oid::TITLE), None);
        assert_eq!(
            name.to_string(),
            r"1.2.3.4=\ #\0A,UID=com.apple.mgmt.External.x,CN=a+OU=b,O=Acme\, Inc.,C=DE"
        );
        assert_eq!(Name::from_der(name.to_der()).unwrap(), name);
        assert_eq!(name.attributes().count(), 6);
    }

    #[test]
    fn names_match_whatever_the_case_the_blanks_and_the_type_of_their_strings() {
        let name = |der: &[u8]| Name::from_der(der).unwrap();
        let one = Name::builder().organization("Example").common_name("A  Ca");
        let one = one.build();
        let other = Name::builder()
            .organization(" eXAMPLE ")
            .common_name("a CA");
        assert!(one.matches(&other.build()));
        // CN=ca as a PrintableString and as a UTF8String, the latter in capitals.
        let printable = name(b"\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x13\x02ca");
        let utf8 = name(b"\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02CA");
        assert!(printable.matches(&utf8) && printable != utf8);
        let both = [(oid::COMMON_NAME, "x"), (oid::USER_ID, "y")];
        let turned = [both[1], both[0]];
        let set = |both: &[_]| Name::builder().set(both).build();
        assert!(set(&both).matches(&set(&turned)));

        let apart = Name::builder().common_name("x").user_id("y").build();
        assert!(!set(&both).matches(&apart));
        for different in [
            Name::default(),
            Name::from_common_name("A CaB"),
            Name::builder()
                .common_name("A Ca")
                .organization("Example")
                .build(),
        ] {
            assert!(!one.matches(&different), "{different}");
        }
        let broken = Name::from_der_as_it_is(b"\x30\x01");
        assert!(broken.matches(&broken.clone()) && !broken.matches(&Name::default()));
    }

    #[test]
    fn an_empty_name_is_a_name() {
        assert!(Name::default().is_empty());
        assert_eq!(Name::builder().build(), Name::default());
        assert_eq!(Name::default().to_string(), "");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for der in [
            &[][..],
            &[0x31, 0],
            &[0x30, 2, 0x31, 5],
            &[0x30, 2, 0x30, 0],
            &[0x30, 4, 0x31, 2, 0x30, 0],
        ] {
            assert!(Name::from_der(der).is_err(), "{der:?}");
        }
        assert!(Name::builder().named("nonsense", "x").is_err());
    }

    #[test]
    fn a_plain_name_holds_common_strings_that_are_valid() {
        let name = |tag, value: &[u8]| {
            let pair = [tlv(6, oid::COMMON_NAME.as_bytes()), tlv(tag, value)].concat();
            tlv(0x30, &tlv(0x31, &tlv(0x30, &pair)))
        };
        assert!(Name::is_plain(Name::default().to_der()));
        assert!(Name::is_plain(&name(text::UTF8, b"a")));
        assert!(Name::is_plain(&name(text::PRINTABLE, b"\xe9")));
        assert!(!Name::is_plain(&name(text::UTF8, b"\xff")));
        assert!(!Name::is_plain(&name(0x1e, b"\0a")));
        assert!(!Name::is_plain(&tlv(0x30, &[0x31, 0])));
        assert!(!Name::is_plain(b""));
    }

    #[test]
    fn a_value_that_is_no_text_is_shown_in_hexadecimal() {
        let pair = [tlv(6, oid::COMMON_NAME.as_bytes()), tlv(4, b"\x01\xff")].concat();
        let name = Name::from_der(&tlv(0x30, &tlv(0x31, &tlv(0x30, &pair)))).unwrap();
        assert_eq!(name.to_string(), "CN=#040201ff");
    }
}

//! A push as it came: the fields that count, and the body. Made to be used again.

use super::{hpack::Written, id::Id};

/// The most bytes of a body.
pub(super) const MAX_BODY: usize = 4096;

/// The fields that the fake looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Method,
    Path,
    Topic,
    PushType,
    Id,
    Priority,
    Expiration,
    CollapseId,
}

impl Field {
    const COUNT: usize = 8;

    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b":method" => Self::Method,
            b":path" => Self::Path,
            b"apns-topic" => Self::Topic,
            b"apns-push-type" => Self::PushType,
            b"apns-id" => Self::Id,
            b"apns-priority" => Self::Priority,
            b"apns-expiration" => Self::Expiration,
            b"apns-collapse-id" => Self::CollapseId,
            _ => return None,
        })
    }
}

/// A field came twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Duplicate;

#[derive(Debug, Default)]
pub(super) struct Request {
    /// The values, one behind the other.
    text: Vec<u8>,
    /// Where each value starts and ends.
    values: [Option<(usize, usize)>; Field::COUNT],
    duplicates: [bool; Field::COUNT],
    /// What the header list counts (RFC 9113 §6.5.2).
    list: usize,
    /// The path was put into a table or read from one.
    pub(super) path_indexed: bool,
    /// Fields that differ from push to push were put into the table.
    pub(super) added: u32,
    /// The body, one byte over the limit at most.
    pub(super) body: Vec<u8>,
}

impl Request {
    /// Forgets everything but the memory.
    pub(super) fn clear(&mut self) {
        let (mut text, mut body) = (
            std::mem::take(&mut self.text),
            std::mem::take(&mut self.body),
        );
        text.clear();
        body.clear();
        *self = Self {
            text,
            body,
            ..Self::default()
        };
    }

    /// Takes a field; false once the list is longer than `limit`.
    pub(super) fn add(
        &mut self,
        name: &[u8],
        value: &[u8],
        written: Written,
        limit: usize,
    ) -> bool {
        self.list = self.list.saturating_add(name.len() + value.len() + 32);
        if self.list > limit {
            return false;
        }
        let Some(field) = Field::of(name) else {
            return true;
        };
        match (field, written) {
            (Field::Path, Written::Indexed | Written::Added) => self.path_indexed = true,
            (Field::Id | Field::Expiration | Field::CollapseId, Written::Added) => self.added += 1,
            _ => {}
        }
        let at = field as usize;
        let start = self.text.len();
        self.text.extend_from_slice(value);
        if let (Some(known), Some(duplicate)) =
            (self.values.get_mut(at), self.duplicates.get_mut(at))
        {
            *duplicate = known.is_some();
            *known = Some((start, self.text.len()));
        }
        true
    }

    /// The field's one value.
    pub(super) fn value(&self, field: Field) -> Result<Option<&[u8]>, Duplicate> {
        if self.duplicates.get(field as usize) == Some(&true) {
            return Err(Duplicate);
        }
        Ok(self
            .values
            .get(field as usize)
            .copied()
            .flatten()
            .map(|(start, end)| self.text.get(start..end).unwrap_or_default()))
    }

    /// The last value where there are several.
    pub(super) fn any(&self, field: Field) -> Option<&[u8]> {
        let (start, end) = self.values.get(field as usize).copied().flatten()?;
        self.text.get(start..end)
    }

    /// The token in the path, as it is written.
    pub(super) fn token(&self) -> Option<&[u8]> {
        self.any(Field::Path)?.strip_prefix(b"/3/device/")
    }

    /// The `apns-id`, if it is one.
    pub(super) fn id(&self) -> Option<Id> {
        Id::read(self.any(Field::Id)?)
    }

    /// Takes a part of the body.
    pub(super) fn add_body(&mut self, part: &[u8]) {
        let room = (MAX_BODY + 1).saturating_sub(self.body.len());
        self.body
            .extend_from_slice(part.get(..room).unwrap_or(part));
    }
}

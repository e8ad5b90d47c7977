//! The way from the root of a property list to a value in it.

use std::fmt;

/// Keys and indices that lead from the root to a value; prints as `QueryResponses.Apps[2].Name`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPath {
    // Innermost first.
    segments: Vec<Segment>,
}

/// One step of a [`KeyPath`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Into a dictionary.
    Key(String),
    /// Into an array, counted from 0.
    Index(usize),
}

impl KeyPath {
    /// The steps, from the root inwards.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter().rev()
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.segments.len()
    }

    /// Whether this is the root itself.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    pub(crate) fn push_outer(&mut self, segment: Segment) {
        self.segments.push(segment);
    }
}

/// Collects steps given from the root inwards.
impl FromIterator<Segment> for KeyPath {
    fn from_iter<I: IntoIterator<Item = Segment>>(segments: I) -> Self {
        let mut segments: Vec<_> = segments.into_iter().collect();
        segments.reverse();
        Self { segments }
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, segment) in self.segments().enumerate() {
            match segment {
                Segment::Key(key) if place == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

//! The way from the root of a property list to a value in it.

use std::{fmt, iter, sync::Arc};

/// Keys and indices that lead from the root to a value; prints as `QueryResponses.Apps[2].Name`.
///
/// Paths into one container share the way to it in memory, so the long key of an outer dictionary
/// is there once, however many paths lead through it. Cheap to clone. Printed, each is written out.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeyPath(
    // Linked from the innermost step outwards, never longer than documents are deep.
    Option<Arc<Step>>,
);

#[derive(Clone, PartialEq, Eq)]
struct Step {
    outer: KeyPath,
    segment: Segment,
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
        let outwards: Vec<_> = self.outwards().collect();
        outwards.into_iter().rev()
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.outwards().count()
    }

    /// Whether this is the root itself.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The path of what lies in the container at this one.
    pub(crate) fn inner(&self, segment: Segment) -> Self {
        let outer = self.clone();
        Self(Some(Arc::new(Step { outer, segment })))
    }

    /// Puts a step before all others.
    pub(crate) fn push_outer(&mut self, segment: Segment) {
        match &mut self.0 {
            Some(step) => Arc::make_mut(step).outer.push_outer(segment),
            None => *self = Self::default().inner(segment),
        }
    }

    fn outwards(&self) -> impl Iterator<Item = &Segment> {
        let steps = iter::successors(self.0.as_deref(), |step| step.outer.0.as_deref());
        steps.map(|step| &step.segment)
    }
}

impl fmt::Debug for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.segments()).finish()
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

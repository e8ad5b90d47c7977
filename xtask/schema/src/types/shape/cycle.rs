//! Types that hold themselves: what leads back without an array or a map in between is boxed.

use std::collections::BTreeSet;

use super::{Body, Module, Shape};
use crate::failure::Outcome;

impl Module<'_> {
    /// Boxes the fields through which a type holds itself.
    pub(super) fn box_cycles(&mut self) -> Outcome {
        let mut boxed = Vec::new();
        for (index, definition) in self.definitions.iter().enumerate() {
            let Body::Record { fields, .. } = &definition.body else {
                continue;
            };
            for (place, field) in fields.iter().enumerate() {
                let Shape::Named(inner) = field.shape else {
                    continue;
                };
                if field.is_required && self.reaches(inner, index, true) {
                    let name = &self.schema[field.key].name;
                    return Err(self.complain(index, name, "requires its own type without end"));
                }
                if self.reaches(inner, index, false) {
                    boxed.push((index, place));
                }
            }
        }
        for (index, place) in boxed {
            if let Body::Record { fields, .. } = &mut self.definitions[index].body
                && let Some(field) = fields.get_mut(place)
            {
                field.shape = Shape::Boxed(Box::new(field.shape.clone()));
            }
        }
        Ok(())
    }

    /// Whether one definition holds another in place, or is it.
    fn reaches(&self, from: usize, to: usize, only_required: bool) -> bool {
        let mut seen = BTreeSet::new();
        let mut next = vec![from];
        while let Some(index) = next.pop() {
            if index == to {
                return true;
            }
            if !seen.insert(index) {
                continue;
            }
            if let Body::Record { fields, .. } = &self.definitions[index].body {
                let fields = fields
                    .iter()
                    .filter(|field| field.is_required || !only_required);
                next.extend(fields.filter_map(|field| match field.shape {
                    Shape::Named(inner) => Some(inner),
                    _ => None,
                }));
            }
        }
        false
    }
}

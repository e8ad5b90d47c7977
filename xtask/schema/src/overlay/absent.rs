//! Entries about what a checkout does not have: an older one, or a newer one that renamed it.

use super::{Written, document, key, value};
use crate::ir::Schema;

impl Written {
    /// Takes out the marks and corrections whose path leads nowhere, and names the paths.
    pub(super) fn leave_out_absent_facts(&mut self, schema: &Schema) -> Vec<String> {
        let mut absent = Vec::new();
        let mut there = |path: &str| leads(schema, path, &mut absent);
        self.wildcard.retain(|entry| there(&entry.key));
        self.secret.retain(|entry| there(&entry.key));
        self.correct.retain(|entry| there(&entry.key));
        self.borrow
            .retain(|entry| there(&entry.to) && there(&entry.from));
        self.open.retain(|entry| there(&entry.key));
        absent
    }

    /// The same for all else, which may speak of what a correction brought.
    pub(super) fn leave_out_absent_names(&mut self, schema: &Schema) -> Vec<String> {
        let mut absent = Vec::new();
        let mut there = |path: &str| leads(schema, path, &mut absent);
        self.r#type.retain(|entry| there(&entry.file));
        self.structure.retain(|entry| there(&entry.key));
        self.same
            .retain(|entry| there(&entry.key) && there(&entry.r#as));
        self.numbers.retain(|entry| there(&entry.key));
        self.variant.retain(|entry| there(&entry.key));
        self.field.retain(|entry| there(&entry.key));
        self.presence.retain(|entry| there(&entry.key));
        for area in &mut self.area {
            area.files
                .retain(|file| there(&format!("mdm/profiles/{file}")));
        }
        self.summary.retain(|entry| there(&entry.of));
        absent
    }
}

fn leads(schema: &Schema, path: &str, absent: &mut Vec<String>) -> bool {
    let there = document(schema, path).is_ok()
        || key(schema, path).is_ok()
        || value(schema, path).is_some();
    if !there {
        absent.push(path.to_owned());
    }
    there
}

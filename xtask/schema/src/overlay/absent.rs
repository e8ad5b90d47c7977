//! Entries about what a checkout does not have: an older one, or a newer one that renamed it.

use super::{Written, document, key, value};
use crate::ir::Schema;

impl Written {
    /// Takes out the entries whose path leads nowhere, and names the paths.
    pub(crate) fn leave_out_absent(&mut self, schema: &Schema) -> Vec<String> {
        let mut absent = Vec::new();
        let mut there = |path: &str| {
            let there = leads(schema, path);
            if !there {
                absent.push(path.to_owned());
            }
            there
        };
        self.r#type.retain(|entry| there(&entry.file));
        self.structure.retain(|entry| there(&entry.key));
        self.same
            .retain(|entry| there(&entry.key) && there(&entry.r#as));
        self.numbers.retain(|entry| there(&entry.key));
        self.variant.retain(|entry| there(&entry.key));
        self.secret.retain(|entry| there(&entry.key));
        self.field.retain(|entry| there(&entry.key));
        self.wildcard.retain(|entry| there(&entry.key));
        self.presence.retain(|entry| there(&entry.key));
        self.correct.retain(|entry| there(&entry.key));
        for area in &mut self.area {
            area.files
                .retain(|file| there(&format!("mdm/profiles/{file}")));
        }
        self.summary.retain(|entry| there(&entry.of));
        absent
    }
}

fn leads(schema: &Schema, path: &str) -> bool {
    document(schema, path).is_ok() || key(schema, path).is_ok() || value(schema, path).is_some()
}

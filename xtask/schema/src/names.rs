//! Rust names for what the schema names.

use crate::ir::{Document, Schema};
use crate::overlay::Overlay;

/// The Rust type of a document: `EraseDevice`.
pub(crate) fn document(_: &Schema, overlay: &Overlay, document: &Document) -> String {
    if let Some(name) = overlay.types.get(&document.file) {
        return name.clone();
    }
    let name = document
        .id
        .strip_prefix("com.apple.")
        .unwrap_or(&document.id);
    let mut camel = String::new();
    for word in name.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

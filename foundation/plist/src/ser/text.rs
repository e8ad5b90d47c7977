//! Text that may be written: the characters XML 1.0 allows (production 2, `Char`).

use std::borrow::Cow;

/// Replaces each character that XML forbids by U+FFFD, the replacement character.
///
/// Forbidden are U+0000 to U+001F but for tab, line feed and carriage return, and U+FFFE and U+FFFF.
pub(super) fn writable(text: &str) -> Cow<'_, str> {
    if text.contains(forbidden) {
        Cow::Owned(text.replace(forbidden, "\u{FFFD}"))
    } else {
        Cow::Borrowed(text)
    }
}

fn forbidden(character: char) -> bool {
    matches!(
        character,
        '\0'..='\x08' | '\x0B' | '\x0C' | '\x0E'..='\x1F' | '\u{FFFE}' | '\u{FFFF}'
    )
}

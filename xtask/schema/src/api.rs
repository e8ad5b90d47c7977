//! What of the generated code is public: one line for each type, field, variant and static.
//!
//! The listing is committed, and a line of it neither vanishes nor changes unless somebody says so:
//! what Apple changes in a key must not change what others' programs are built on. The overlay pins
//! what has to stay.

use std::collections::BTreeSet;

use crate::files::File;

/// Where the listing lies.
pub(crate) const LISTING: &str = "xtask/schema/api.txt";

/// The file of the listing.
pub(crate) fn file(files: &[File]) -> File {
    let lines: BTreeSet<String> = files.iter().flat_map(lines).collect();
    let text = lines.into_iter().map(|line| line + "\n").collect();
    File::new(LISTING.to_owned(), text)
}

/// The lines of an earlier listing that a later one lacks.
pub(crate) fn broken<'a>(earlier: &'a str, later: &str) -> Vec<&'a str> {
    let later: BTreeSet<&str> = later.lines().collect();
    earlier
        .lines()
        .filter(|line| !later.contains(line))
        .collect()
}

/// The lines of one file.
fn lines(file: &File) -> Vec<String> {
    let place = file.path.replace("/src/", "/").replace("/generated", "");
    let place = place.strip_suffix(".rs").unwrap_or(&place);
    let code: String = (file.text.lines())
        .filter(|line| !matches!(line.trim_start().get(..2), Some("//" | "#[")))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut lines = Vec::new();
    let mut rest = code.as_str();
    while let Some((_, found)) = rest.split_once("pub ") {
        rest = found;
        let item = match found.split_once(' ') {
            Some(("static", item)) => {
                let name = item.split(':').next().unwrap_or_default();
                lines.push(format!("{place} {name}"));
                continue;
            }
            Some(("struct" | "enum", item)) => item,
            _ => continue,
        };
        let end = item
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(item.len());
        let (name, body) = item.split_at(end);
        lines.push(format!("{place} {name}"));
        let of = |said: String| format!("{place} {name}{said}");
        if let Some(only) = body.strip_prefix('(').and_then(inner) {
            lines.push(of(format!(".0: {}", plain(only))));
        } else if let Some(body) = body.split_once('{').and_then(|(_, body)| inner(body)) {
            let parts = match found.starts_with("struct") {
                true => fields(body),
                false => split(body)
                    .map(|variant| format!("::{}", plain(variant)))
                    .collect(),
            };
            lines.extend(parts.into_iter().map(of));
        }
    }
    lines
}

/// The fields of a record, and what its constructor takes.
fn fields(body: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut required = Vec::new();
    let mut rest = body;
    while let Some((section, found)) = rest.split_once('{') {
        let Some(inner) = inner(found) else { break };
        rest = found.get(inner.len() + 1..).unwrap_or_default();
        for field in split(inner) {
            let declared = field
                .rsplit_once(" = ")
                .map_or(field, |(declared, _)| declared);
            let declared = plain(declared);
            match section.trim() {
                "optional" => {
                    let (name, of) = declared.split_once(": ").unwrap_or((&declared, ""));
                    fields.push(format!(".{name}: Option<{of}>"));
                }
                section => {
                    fields.push(format!(".{declared}"));
                    if section == "required" {
                        required.push(declared);
                    }
                }
            }
        }
    }
    fields.push(format!("::new({})", required.join(", ")));
    fields
}

/// What stands before the bracket that closes the one which was just passed.
fn inner(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    let end = outside_texts(text).find(|(_, letter)| match letter {
        '(' | '{' | '[' => {
            depth += 1;
            false
        }
        ')' | '}' | ']' => {
            depth = depth.wrapping_sub(1);
            depth == usize::MAX
        }
        _ => false,
    })?;
    text.get(..end.0)
}

/// What commas part, but for those within brackets.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    let mut start = 0;
    let mut parts = Vec::new();
    for (place, letter) in outside_texts(text) {
        match letter {
            '<' | '(' | '[' | '{' => depth += 1,
            '>' | ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.extend(text.get(start..place));
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts.into_iter().filter(|part| !part.trim().is_empty())
}

/// The letters that are in no text between quotes.
fn outside_texts(text: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut quoted, mut escaped) = (false, false);
    text.char_indices().filter(move |(_, letter)| {
        let was_quoted = quoted;
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        !was_quoted && *letter != '"'
    })
}

/// On one line.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> Vec<String> {
        let path = "some-crate/src/kind/generated/thing.rs".to_owned();
        let file = file(&[File::new(path, text.to_owned())]);
        let place = "some-crate/kind/thing ";
        file.text
            .lines()
            .map(|line| line.strip_prefix(place).unwrap().to_owned())
            .collect()
    }

    #[test]
    fn records_list_their_fields_and_their_constructor() {
        let text = "record! {
    /// Not `pub struct Other {`.
    pub struct Thing {
        required {
            /// A, b.
            a: BTreeMap<String, i64> = \"A, {\",
        }
        optional {
            b: Secret<
                String,
            > = \"B\\\"}\",
        }
    }
}
record! { pub struct Any { entries { all: Value, } } }
";
        let expected = [
            "Any",
            "Any.all: Value",
            "Any::new()",
            "Thing",
            "Thing.a: BTreeMap<String, i64>",
            "Thing.b: Option<Secret< String, >>",
            "Thing::new(a: BTreeMap<String, i64>)",
        ];
        assert_eq!(listed(text), expected);
    }

    #[test]
    fn enums_list_their_variants_and_newtypes_what_they_hold() {
        let text = "choices! {
    #[doc(alias = \"x\")]
    pub enum Mode {
        /// One.
        One = \"one, two\",
    }
}
numbers! { pub enum Place: i64 { Lock = 1, } }
alternatives! { pub enum Setting by \"Item\" { A = \"A\", } }
any_item! { pub enum Any: Command { A, B, } }
status_item! { pub struct Udid(String) = mdm_schema::status_item::UDID; }
pub static UDID: Schema = Schema::new();
";
        let expected = [
            "Any",
            "Any::A",
            "Any::B",
            "Mode",
            "Mode::One = \"one, two\"",
            "Place",
            "Place::Lock = 1",
            "Setting",
            "Setting::A = \"A\"",
            "UDID",
            "Udid",
            "Udid.0: String",
        ];
        assert_eq!(listed(text), expected);
    }

    #[test]
    fn a_line_that_vanishes_or_changes_breaks_and_a_new_one_does_not() {
        assert_eq!(broken("a\nb\n", "b\nc\na\n"), [""; 0]);
        assert_eq!(broken("a: X\nb\n", "a: Y\n"), ["a: X", "b"]);
    }
}

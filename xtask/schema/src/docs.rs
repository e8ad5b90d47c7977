//! What the documentation of a generated item says: facts in our own words, none of Apple's
//! sentences but titles.

mod support;

use crate::ir::{Document, Key, Kind, Literal, Support};

pub(crate) use support::{inherited, narrowed};

/// The widest line of a comment, its indentation and slashes included.
const WIDTH: usize = 100;

/// A document's documentation, given our own sentence on it.
pub(crate) fn document(document: &Document, summary: Option<&str>) -> Vec<String> {
    let mut paragraphs = vec![match summary {
        Some(summary) => sentence(summary),
        None => format!("{} *{}*.", what(document.kind), escaped(&title(document))),
    }];
    let wire = match document.kind {
        Kind::Command => format!("`RequestType` is `{}`.", document.name),
        Kind::Payload => format!("`PayloadType` is `{}`.", document.name),
        Kind::Configuration | Kind::Asset | Kind::Management | Kind::Activation => {
            format!("`Type` is `{}`.", document.name)
        }
        Kind::StatusItem => format!("The status item `{}`.", document.name),
        Kind::ErrorBody => format!("`code` is `{}`.", document.name),
        _ => String::new(),
    };
    let page = match document.page.as_str() {
        "" => String::new(),
        page => format!("[Apple's page]({page})."),
    };
    paragraphs.push(format!("{wire} {page}").trim().to_owned());
    paragraphs.extend(support::table(&document.support));
    if let Some(apply) = &document.apply {
        paragraphs.push(
            match apply.as_str() {
                "single" => "Of several declarations of this type one applies.",
                "multiple" => "Several declarations of this type apply side by side.",
                _ => "Several declarations of this type are combined, key by key.",
            }
            .to_owned(),
        );
    }
    if !document.related_status_items.is_empty() {
        let items: Vec<_> = document
            .related_status_items
            .iter()
            .map(|item| format!("`{item}`"))
            .collect();
        paragraphs.push(format!("Status items to watch: {}.", items.join(", ")));
    }
    paragraphs
}

/// The documentation of what a command or message is answered with.
pub(crate) fn answer(document: &Document, to: &str, summary: Option<&str>) -> Vec<String> {
    let mut paragraphs = vec![match summary {
        Some(summary) => sentence(summary),
        None => format!("What a device answers [`{to}`] with."),
    }];
    if !document.page.is_empty() {
        paragraphs.push(format!("[Apple's page]({}).", document.page));
    }
    paragraphs
}

/// A field's documentation, given the terms on which what holds it is available; `None` where it
/// stands in several places that differ.
pub(crate) fn field(
    key: &Key,
    element: Option<&Key>,
    holder: Option<&[Support]>,
    summary: Option<&str>,
) -> Vec<String> {
    let mut facts = vec![presence(key)];
    facts.extend(constraints(key));
    if let Some(element) = element {
        facts.extend(repetition(element));
        let each = constraints(element);
        facts.extend(each.iter().map(|fact| format!("Each: {}", lower(fact))));
    }
    if let Some(holder) = holder {
        facts.extend(support::difference(&key.support, holder));
        if let Some(element) = element.filter(|element| element.keys.is_none()) {
            let around = inherited(&key.support, holder);
            facts.extend(support::difference(&element.support, &around));
        }
    }
    let facts = format!("{}: {}", code(&key.name), facts.join(" "));
    match summary {
        Some(summary) => vec![sentence(summary), facts],
        None if is_empty_title(&key.title) || repeats(&key.title, &key.name) => vec![facts],
        None => vec![sentence(&escaped(&key.title)), facts],
    }
}

/// The documentation of a value, given a sentence on it and the terms on which its key is available.
pub(crate) fn value(
    text: &str,
    summary: &str,
    own: &[Support],
    holder: Option<&[Support]>,
) -> Vec<String> {
    let wire = format!("{}.", code(text));
    let facts = holder.map(|holder| support::difference(own, holder));
    let facts = facts.unwrap_or_default();
    let facts = [vec![wire], facts].concat().join(" ");
    if is_empty_title(summary) {
        return vec![facts];
    }
    vec![sentence(summary), facts]
}

/// The documentation of a dictionary or enum below a document: what it is, where it stands, and where
/// its availability differs from that of what it stands in.
pub(crate) fn nested(
    key: Option<&Key>,
    what: &str,
    holder: Option<&[Support]>,
    summary: Option<&str>,
) -> Vec<String> {
    let title = key.map_or("", |key| key.title.as_str());
    let head = match summary {
        Some(summary) => Some(sentence(summary)),
        None if is_empty_title(title) || key.is_some_and(|key| repeats(title, &key.name)) => None,
        None => Some(sentence(&escaped(title))),
    };
    let mut facts = vec![what.to_owned()];
    if let (Some(key), Some(holder)) = (key, holder) {
        facts.extend(support::difference(&key.support, holder));
    }
    head.into_iter().chain([facts.join(" ")]).collect()
}

/// Apple's title, with what is the same in all of them left out.
pub(crate) fn title(document: &Document) -> String {
    let title = document.title.trim();
    let title = match document.kind {
        Kind::Command | Kind::Response => title.trim_end_matches(" Command"),
        Kind::StatusItem => title.trim_start_matches("Status "),
        Kind::Credential => title.trim_end_matches(" Credential"),
        Kind::Asset => title.trim_start_matches("Asset:"),
        Kind::Management => title.trim_start_matches("Management:"),
        Kind::Activation => title.trim_start_matches("Activation:"),
        _ => title,
    };
    // "Account:CalDAV" and "Login Window: Scripts" alike.
    let parts: Vec<_> = title.split(':').map(str::trim).collect();
    parts.join(": ")
}

/// Paragraphs as the lines of a comment, indented by so many spaces.
pub(crate) fn comment(paragraphs: &[String], indent: usize) -> String {
    let mut text = String::new();
    let space = " ".repeat(indent);
    let paragraphs = paragraphs.iter().filter(|paragraph| !paragraph.is_empty());
    for (number, paragraph) in paragraphs.enumerate() {
        if number > 0 {
            text.push_str(&format!("{space}///\n"));
        }
        for line in paragraph.lines() {
            for line in wrapped(line, WIDTH - indent - 4) {
                text.push_str(&format!("{space}/// {line}\n"));
            }
        }
    }
    text
}

/// A name or value in code style, whatever stands in it.
pub(crate) fn code(text: &str) -> String {
    if text.is_empty() {
        return "an empty text".to_owned();
    }
    let mut fence = "`".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    let space = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{space}{text}{space}{fence}")
}

fn what(kind: Kind) -> &'static str {
    match kind {
        Kind::CheckIn => "The check-in message",
        Kind::CheckInResponse => "What is answered to the check-in message",
        Kind::Command => "The command",
        Kind::Response => "What a device answers to the command",
        Kind::Payload => "The payload",
        Kind::Configuration => "The configuration",
        Kind::Asset => "The asset",
        Kind::Management => "The management declaration",
        Kind::Activation => "The activation",
        Kind::Credential => "The credential",
        Kind::StatusItem => "The status item",
        Kind::Protocol => "The document",
        Kind::ErrorBody => "The body of the error",
        Kind::Document => "The document",
    }
}

/// Titles that say nothing.
fn is_empty_title(title: &str) -> bool {
    let title = title.trim().trim_end_matches('.');
    title.is_empty() || title.eq_ignore_ascii_case("status item value")
}

/// Whether a title is but the name in words, perhaps with an article in front.
fn repeats(title: &str, name: &str) -> bool {
    let letters = |text: &str| -> String {
        let letters = text.chars().filter(|letter| letter.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    let articles = ["A ", "An ", "The "];
    let mut bare = articles.iter().filter_map(|a| title.strip_prefix(a));
    letters(title) == letters(name) || bare.any(|title| letters(title) == letters(name))
}

fn presence(key: &Key) -> String {
    let default = key.default.as_ref().map(literal);
    match (key.required, default) {
        (true, None) => "required.".to_owned(),
        (true, Some(default)) => format!("required; usually {default}."),
        (false, None) => "optional.".to_owned(),
        (false, Some(default)) => format!("optional; {default} where absent."),
    }
}

fn constraints(key: &Key) -> Vec<String> {
    let mut facts = Vec::new();
    match key.text.as_deref() {
        Some("url") => facts.push("A URL.".to_owned()),
        Some("hostname") => facts.push("A host name.".to_owned()),
        Some("email") => facts.push("An e-mail address.".to_owned()),
        _ => {}
    }
    match key.range {
        Some((Some(min), Some(max))) => facts.push(format!("From {min} to {max}.")),
        Some((Some(min), None)) => facts.push(format!("At least {min}.")),
        Some((None, Some(max))) => facts.push(format!("At most {max}.")),
        _ => {}
    }
    if let Some(format) = &key.format {
        facts.push(format!("Matches {}.", code(format)));
    }
    if !key.asset_types.is_empty() {
        facts.push(format!(
            "Names an asset of type {}.",
            list(&key.asset_types)
        ));
    }
    if !key.asset_content_types.is_empty() {
        facts.push(format!(
            "The asset's data is {}.",
            list(&key.asset_content_types)
        ));
    }
    if let Some(combine) = &key.combine {
        facts.push(
            match combine.as_str() {
                "boolean-or" => "Several combine to true where one is true.",
                "boolean-and" => "Several combine to true where all are true.",
                "number-min" => "Several combine to the smallest.",
                "number-max" => "Several combine to the largest.",
                "enum-first" => "Several combine to the value that is listed first.",
                "enum-last" => "Several combine to the value that is listed last.",
                "first" => "Of several the first that is processed counts.",
                "array-append" => "Several combine to one array, one after the other.",
                "set-union" => "Several combine to what is in any of them.",
                "set-intersection" => "Several combine to what is in all of them.",
                _ => "",
            }
            .to_owned(),
        );
    }
    facts.retain(|fact| !fact.is_empty());
    facts
}

fn repetition(element: &Key) -> Option<String> {
    let (min, max) = element.repetition?;
    Some(if min == max {
        format!("Exactly {min} of them.")
    } else {
        format!("From {min} to {max} of them.")
    })
}

fn literal(literal: &Literal) -> String {
    match literal {
        Literal::String(text) => code(text),
        Literal::Integer(number) => format!("{number}"),
        Literal::Real(number) => format!("{number:?}"),
        Literal::Boolean(truth) => format!("{truth}"),
    }
}

fn list(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| code(name)).collect();
    match names.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.join(""),
    }
}

/// A text with a capital in front and a full stop at its end.
fn sentence(text: &str) -> String {
    let text = text.trim().trim_end_matches('.');
    if text.ends_with(['!', '?', ')']) && text.ends_with(['!', '?']) {
        return text.to_owned();
    }
    format!("{text}.")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().collect::<String>() + letters.as_str(),
        None => String::new(),
    }
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if !text.starts_with("URL") => {
            first.to_lowercase().collect::<String>() + letters.as_str()
        }
        _ => text.to_owned(),
    }
}

/// Text in which nothing is markup.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.trim().chars() {
        if matches!(letter, '<' | '>' | '[' | ']' | '*' | '_' | '`' | '\\' | '#') {
            escaped.push('\\');
        }
        escaped.push(if letter == '\n' { ' ' } else { letter });
    }
    escaped
}

/// Lines of at most so many characters, broken at spaces outside of code and links; rows of a table
/// stay whole.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    if text.starts_with('|') {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in unbreakable(text) {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > width {
            lines.push(word);
        } else if let Some(last) = lines.last_mut() {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(&word);
        }
    }
    lines
}

/// The words of a text; a span of code or a link is part of one.
fn unbreakable(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut in_code, mut in_link) = (false, false);
    for letter in text.chars() {
        match letter {
            '`' => in_code = !in_code,
            '[' if !in_code => in_link = true,
            ']' if !in_code => in_link = false,
            ' ' if !in_code && !in_link => {
                words.push(std::mem::take(&mut word));
                continue;
            }
            _ => {}
        }
        word.push(letter);
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests;

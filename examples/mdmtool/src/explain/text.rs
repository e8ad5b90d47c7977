//! A subject as text for people, and as JSON.

use mdm_schema::{
    Key, Kind, Platform, Schema, Support, Target,
    availability::Availability,
    model::{Choice, ValueType},
};
use serde_json::{Value, json as object};

use super::{Subject, judge, terms::terms};
use crate::schema::{dump, is_among, skip_keys, words};

/// Keys deeper than this are told by name and type alone.
const MAX_DEPTH: usize = 12;

/// A subject as JSON: what the tables say, and what the target makes of it.
pub fn json(subject: &Subject, target: Option<&Target>) -> Value {
    let mut told = match (subject.path.last(), subject.code) {
        (Some(key), _) if subject.choice.is_some() => object!({
            "document": subject.schema.id,
            "key": key.name,
            "value": subject.choice.map(|choice| words::literal(choice.value)),
        }),
        (Some(key), _) => object!({"document": subject.schema.id, "key": dump::key_alone(key)}),
        (None, Some(code)) => object!({"document": subject.schema.id, "code": code.code}),
        (None, None) => object!({"schema": dump::schema(subject.schema)}),
    };
    if let (Some(target), Some(keys)) = (target, told.as_object_mut()) {
        let verdict = judge::whole(subject, target);
        let mut lines = Vec::new();
        let list = subject
            .path
            .last()
            .map_or(subject.schema.keys, |key| key.keys);
        below(list, subject, target, &mut Vec::new(), &mut lines);
        keys.insert(
            "target".into(),
            object!({
                "name": target.to_string(),
                "available": verdict.is_available(),
                "findings": verdict.findings(""),
                "keys": lines,
            }),
        );
    }
    told
}

/// What the target makes of the keys below a subject: those alone that it takes differently.
fn below(
    list: &'static [Key],
    subject: &Subject,
    target: &Target,
    outer: &mut Vec<&'static [Key]>,
    lines: &mut Vec<Value>,
) {
    if is_among(list, outer) {
        return;
    }
    outer.push(list);
    for key in list {
        let inner = subject.below(key);
        if let Some(verdict) = judge::added(&inner, target) {
            lines.push(object!({
                "key": inner.name(),
                "available": verdict.is_available(),
                "findings": verdict.findings(""),
            }));
        }
        below(key.keys, &inner, target, outer, lines);
    }
    outer.pop();
}

/// A subject as text.
pub fn text(subject: &Subject, target: Option<&Target>) -> String {
    let mut page = Page {
        target,
        ..Page::default()
    };
    page.heading(subject);
    page.verdict(subject);
    page.systems(subject);
    match subject.path.last() {
        Some(key) if subject.choice.is_some() => {
            page.blank();
            page.line(format!("One of the values of {}", key.name));
        }
        Some(key) => {
            page.blank();
            page.key(subject, key, 0, &mut Vec::new());
        }
        None => page.document(subject),
    }
    page.lines.join("\n")
}

#[derive(Default)]
struct Page<'a> {
    lines: Vec<String>,
    target: Option<&'a Target>,
}

impl Page<'_> {
    fn line(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    fn blank(&mut self) {
        self.line("");
    }

    fn heading(&mut self, subject: &Subject) {
        let schema = subject.schema;
        let kind = words::kind(schema.kind);
        self.line(format!("{} ({kind})", subject.name()));
        let title = subject.path.last().map_or(schema.title, |key| key.title);
        if !title.is_empty() {
            self.line(format!("  {title}"));
        }
        if let Some(code) = subject.code {
            self.line(format!(
                "  a status report may explain itself with {}",
                code.code
            ));
            for (key, value) in code.details {
                self.line(format!("    Details.{key}  {}", words::value_type(*value)));
            }
        }
        if !schema.page.is_empty() {
            self.line(format!("  {}", schema.page));
        }
        if let Some(apply) = schema.apply {
            let several = match words::apply(apply) {
                "single" => "one of several applies",
                "multiple" => "each of several applies by itself",
                _ => "several are combined into one, key by key",
            };
            self.line(format!("  {several}"));
        }
    }

    fn verdict(&mut self, subject: &Subject) {
        let Some(target) = self.target else { return };
        let verdict = judge::whole(subject, target);
        let answer = if verdict.is_available() { "yes" } else { "no" };
        self.blank();
        self.line(format!("On {target}: {answer}"));
        for finding in verdict.findings("") {
            self.line(format!("  {finding}"));
        }
    }

    /// Where the subject works, system by system.
    fn systems(&mut self, subject: &Subject) {
        self.blank();
        self.line("Systems");
        for platform in Platform::ALL {
            let support = judge::support(subject, *platform);
            let told = terms(&support, true);
            self.line(format!("  {:9} {}", platform.to_string(), told.join("; ")));
        }
    }

    fn document(&mut self, subject: &Subject) {
        let schema = subject.schema;
        if !schema.keys.is_empty() {
            self.blank();
            self.line("Keys");
            if std::ptr::eq(schema.keys, skip_keys()) {
                for key in schema.keys {
                    self.line(format!("  {:28} {}", key.name, key.title));
                }
            } else {
                let mut outer = vec![schema.keys];
                for key in schema.keys {
                    self.key(&subject.below(key), key, 1, &mut outer);
                }
            }
        } else {
            self.blank();
            self.line("It has no keys of its own");
        }
        self.more(schema);
    }

    fn more(&mut self, schema: &'static Schema) {
        if schema.kind == Kind::Payload && !schema.keys.is_empty() {
            self.blank();
            self.line("Beside them the keys of every payload: explain CommonPayloadKeys");
        }
        if !schema.related_status_items.is_empty() {
            self.blank();
            self.line("Status items that tell what became of it");
            self.line(format!("  {}", schema.related_status_items.join(", ")));
        }
        if !schema.reasons.is_empty() {
            self.blank();
            self.line("Codes");
            for reason in schema.reasons {
                let details: Vec<&str> = reason.details.iter().map(|(key, _)| *key).collect();
                let details = match details.as_slice() {
                    [] => String::new(),
                    keys => format!(" (details: {})", keys.join(", ")),
                };
                self.line(format!("  {}{details}", reason.code));
            }
        }
    }

    /// A key and what lies below it.
    fn key(
        &mut self,
        subject: &Subject,
        key: &'static Key,
        depth: usize,
        outer: &mut Vec<&'static [Key]>,
    ) {
        let indent = "  ".repeat(depth);
        let name = if key.wildcard {
            format!("<{}>", key.name)
        } else {
            key.name.to_owned()
        };
        let width = 34_usize.saturating_sub(indent.len());
        let facts = facts(key).join(", ");
        let mark = self.mark(subject);
        self.line(format!("{indent}{name:width$} {facts}{mark}"));
        for line in self.particulars(subject, key) {
            self.line(format!("{indent}    {line}"));
        }
        if key.keys.is_empty() {
            return;
        }
        if is_among(key.keys, outer) {
            self.line(format!("{indent}    and so on, within itself"));
            return;
        }
        if depth >= MAX_DEPTH {
            self.line(format!("{indent}    and more below"));
            return;
        }
        outer.push(key.keys);
        for inner in key.keys {
            self.key(&subject.below(inner), inner, depth + 1, outer);
        }
        outer.pop();
    }

    /// What the target makes of a key that differs from what holds it.
    fn mark(&self, subject: &Subject) -> String {
        let Some(target) = self.target else {
            return String::new();
        };
        told(judge::added(subject, target))
    }

    fn particulars(&self, subject: &Subject, key: &'static Key) -> Vec<String> {
        let mut lines = Vec::new();
        if !key.title.is_empty() && subject.path.len() > 1 {
            lines.push(key.title.to_owned());
        }
        self.allowed(subject, key, &mut lines);
        if let Some(format) = key.format {
            lines.push(format!("matches {format}"));
        }
        if !key.asset_types.is_empty() {
            lines.push(format!("leads to {}", key.asset_types.join(", ")));
        }
        if !key.asset_content_types.is_empty() {
            lines.push(format!("of type {}", key.asset_content_types.join(", ")));
        }
        lines.extend(differs(key.support, self.platform()));
        lines
    }

    /// The values that are allowed: in one line, or one a line where they differ in availability.
    fn allowed(&self, subject: &Subject, key: &'static Key, lines: &mut Vec<String>) {
        if key.allowed.is_empty() {
            return;
        }
        let shown = |choice: &Choice| words::literal(choice.value).to_string();
        if key.allowed.iter().all(|choice| choice.support.is_empty()) {
            let values: Vec<String> = key.allowed.iter().map(shown).collect();
            lines.push(format!("one of {}", values.join(", ")));
            return;
        }
        lines.push("one of".to_owned());
        for choice in key.allowed {
            let mut line = format!("  {}", shown(choice));
            let differs = differs(choice.support, self.platform());
            if !differs.is_empty() {
                line.push_str(&format!("  ({})", differs.join(" | ")));
            }
            if let Some(target) = self.target {
                let outer = judge::support(subject, target.platform);
                line.push_str(&told(Some(choice.availability(outer, target))));
            }
            lines.push(line);
        }
    }

    fn platform(&self) -> Option<Platform> {
        self.target.map(|target| target.platform)
    }
}

/// What is said behind a key or a value that a device takes differently than what holds it.
fn told(verdict: Option<Availability>) -> String {
    match verdict {
        Some(verdict) if !verdict.objections().is_empty() => {
            let word = if verdict.is_available() {
                "!"
            } else {
                "not here:"
            };
            format!("  [{word} {verdict}]")
        }
        _ => String::new(),
    }
}

fn facts(key: &Key) -> Vec<String> {
    let mut facts = vec![match key.text {
        Some(text) => words::text_type(text).to_owned(),
        None => words::value_type(key.value).to_owned(),
    }];
    facts.push(if key.required { "required" } else { "optional" }.to_owned());
    if let Some(default) = key.default {
        facts.push(format!("default {}", words::literal(default)));
    }
    if let Some(range) = key.range {
        facts.push(match (range.min, range.max) {
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => "any number".to_owned(),
        });
    }
    if let Some(times) = key.repetition {
        facts.push(format!("{} to {} times", times.min, times.max));
    }
    if let Some(combine) = key.combine {
        facts.push(format!("combined by {}", words::combine(combine)));
    }
    if key.value == ValueType::Array && key.keys.len() > 1 {
        facts.push("of the following, told apart by Item".to_owned());
    }
    if key.secret {
        facts.push("secret".to_owned());
    }
    facts
}

/// How the systems differ from what holds the key; of several systems, or of the one asked about.
fn differs(support: &'static [Support], only: Option<Platform>) -> Vec<String> {
    let mut lines: Vec<(Vec<&str>, String)> = Vec::new();
    let asked = |support: &&Support| only.is_none_or(|only| only == support.platform);
    for support in support.iter().filter(asked) {
        let told = terms(support, false).join("; ");
        match lines.iter_mut().find(|(_, same)| *same == told) {
            _ if told.is_empty() => {}
            Some((systems, _)) => systems.push(support.platform.as_str()),
            None => lines.push((vec![support.platform.as_str()], told)),
        }
    }
    let line = |(systems, told): (Vec<&str>, String)| format!("{}: {told}", systems.join(", "));
    lines.into_iter().map(line).collect()
}

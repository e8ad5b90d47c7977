//! The file of one document.

use std::collections::{BTreeMap, BTreeSet};

use super::support::Shared;
use crate::files;
use crate::ir::{Choice, Document, Key, Kind, ListId, Literal, Schema};
use crate::names;

/// What a file has to import.
#[derive(Default)]
pub(super) struct Uses {
    model: BTreeSet<&'static str>,
    version: BTreeSet<&'static str>,
    platform: bool,
    support: bool,
}

impl Uses {
    pub(super) fn model(&mut self, name: &'static str) {
        self.model.insert(name);
    }

    pub(super) fn version(&mut self, name: &'static str) {
        self.version.insert(name);
    }

    pub(super) fn platform(&mut self) {
        self.platform = true;
    }

    pub(super) fn support(&mut self) {
        self.support = true;
    }

    /// The `use` declaration.
    pub(super) fn text(&self) -> String {
        let list = |names: &BTreeSet<&str>| names.iter().copied().collect::<Vec<_>>().join(", ");
        let mut paths = Vec::new();
        if self.support {
            paths.push("generated::support".to_owned());
        }
        paths.push(format!("model::{{{}}}", list(&self.model)));
        if self.platform {
            paths.push("target::Platform".to_owned());
        }
        if !self.version.is_empty() {
            paths.push(format!("version::{{{}}}", list(&self.version)));
        }
        format!("use crate::{{{}}};\n", paths.join(", "))
    }
}

/// The statics of a document's lists.
pub(super) fn lists(
    schema: &Schema,
    shared: &Shared,
    document: &Document,
    constant: &str,
) -> BTreeMap<ListId, String> {
    let lent = BTreeMap::new();
    let mut writer = Writer::new(schema, shared, document, constant, &lent);
    writer.document(document);
    writer.lists
}

/// The file of a document, whose static is called `constant`. Of the lists that are `lent`, others'
/// are referred to, and its own are there for others.
pub(super) fn text(
    schema: &Schema,
    shared: &Shared,
    document: &Document,
    constant: &str,
    lent: &BTreeMap<ListId, String>,
) -> String {
    let mut writer = Writer::new(schema, shared, document, constant, lent);
    let mut fields = String::new();
    let Document {
        kind,
        name,
        title,
        page,
        file,
        ..
    } = document;
    if document.id != *name {
        fields += &format!("id: {:?},\n", document.id);
    }
    fields += &format!("file: {file:?},\npage: {page:?},\n");
    if !document.support.is_empty() {
        fields += &format!(
            "support: {},\n",
            shared.list(&document.support, &mut writer.uses)
        );
    }
    if let Some(apply) = &document.apply {
        writer.uses.model("Apply");
        fields += &format!("apply: Some(Apply::{}),\n", names::pascal(apply));
    }
    if !schema[document.keys].is_empty() {
        writer.document(document);
        fields += &format!("keys: &{KEYS},\n");
    }
    if !document.reasons.is_empty() {
        writer.uses.model("Reason");
        fields += "reasons: &[\n";
        for reason in &document.reasons {
            let details = reason.details.iter().map(|(key, value)| {
                writer.uses.model("ValueType");
                format!("({key:?}, ValueType::{value:?}),")
            });
            let details: String = details.collect();
            fields += &format!("Reason::new({:?}, &[{details}]),\n", reason.code);
        }
        fields += "],\n";
    }
    fields += &texts("related_status_items", &document.related_status_items);
    writer.uses.model("Kind");
    writer.uses.model("Schema");
    format!(
        "{}{}\n/// {} `{}`.\npub static {constant}: Schema = Schema {{\n{fields}\
         ..Schema::new(Kind::{kind:?}, {name:?}, {title:?})\n}};\n{}",
        files::HEAD,
        writer.uses.text(),
        described(*kind),
        document.id,
        writer.body
    )
}

/// The document's own list.
const KEYS: &str = "KEYS";

struct Writer<'a> {
    schema: &'a Schema,
    shared: &'a Shared,
    uses: Uses,
    /// The document's own lists.
    own: BTreeSet<ListId>,
    lent: &'a BTreeMap<ListId, String>,
    /// The statics of the lists that are written, or that will be.
    lists: BTreeMap<ListId, String>,
    taken: BTreeSet<String>,
    body: String,
}

impl<'a> Writer<'a> {
    fn new(
        schema: &'a Schema,
        shared: &'a Shared,
        document: &Document,
        constant: &str,
        lent: &'a BTreeMap<ListId, String>,
    ) -> Self {
        Self {
            schema,
            shared,
            uses: Uses::default(),
            own: schema.lists_of(document),
            lent,
            lists: BTreeMap::new(),
            taken: BTreeSet::from([constant.to_owned(), KEYS.to_owned()]),
            body: String::new(),
        }
    }

    fn document(&mut self, document: &Document) {
        self.lists.insert(document.keys, KEYS.to_owned());
        self.list(document.keys, KEYS);
    }

    /// Writes a list as a static, and behind it those below.
    fn list(&mut self, list: ListId, constant: &str) {
        self.uses.model("Key");
        let schema = self.schema;
        let mut below = Vec::new();
        let mut keys = String::new();
        let own = schema.own(list).len();
        for (place, id) in schema[list].iter().enumerate() {
            let key = &schema[*id];
            let known = key.keys.filter(|list| !schema[*list].is_empty());
            let address = known.map(|list| match self.known(list) {
                Some(name) => name.clone(),
                None => {
                    let name = self.name(key, constant);
                    self.lists.insert(list, name.clone());
                    below.push((list, name.clone()));
                    name
                }
            });
            keys += &self.key(key, address.as_deref(), place >= own);
        }
        let count = schema[list].len();
        let lent = self.own.contains(&list) && self.lent.contains_key(&list);
        let visible = if lent { "pub(super) " } else { "" };
        self.body += &format!("\n{visible}static {constant}: [Key; {count}] = [\n{keys}];\n");
        for (list, name) in below {
            self.list(list, &name);
        }
    }

    /// The static of a list that is written, or will be, here or for another document.
    fn known(&self, list: ListId) -> Option<&String> {
        let lent = || self.lent.get(&list).filter(|_| !self.own.contains(&list));
        self.lists.get(&list).or_else(lent)
    }

    /// A name for the list below a key: what Apple calls the structure, or the key's name.
    fn name(&mut self, key: &Key, above: &str) -> String {
        let name = match key.structure.as_str() {
            "" => names::screaming(&key.name),
            structure => names::screaming(structure),
        };
        let name = match name {
            name if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) => {
                format!("{above}_{name}")
            }
            name => name,
        };
        let longer = match above {
            KEYS => name.clone(),
            above => format!("{above}_{name}"),
        };
        let numbered = (2..).map(|number| format!("{longer}_{number}"));
        let mut names = [name, longer.clone()].into_iter().chain(numbered);
        let free = names
            .find(|name| !self.taken.contains(name))
            .unwrap_or(longer.clone());
        self.taken.insert(free.clone());
        free
    }

    fn key(&mut self, key: &Key, below: Option<&str>, is_added: bool) -> String {
        let mut fields = String::new();
        let mut set = |name: &str, value: String| fields += &format!("{name}: {value},\n");
        if key.wildcard {
            set("wildcard", "true".to_owned());
        }
        if !key.title.is_empty() {
            set("title", format!("{:?}", key.title));
        }
        if let Some(text) = &key.text {
            self.uses.model("TextType");
            set("text", format!("Some(TextType::{})", names::pascal(text)));
        }
        if key.required {
            set("required", "true".to_owned());
        }
        if let Some(default) = &key.default {
            set("default", format!("Some({})", self.literal(default)));
        }
        if !key.allowed.is_empty() {
            let allowed: String = key
                .allowed
                .iter()
                .map(|choice| self.choice(choice))
                .collect();
            set("allowed", format!("&[{allowed}]"));
        }
        if key.allowed_are_keys {
            set("allowed_are_keys", "true".to_owned());
        }
        if let Some((min, max)) = key.range {
            self.uses.model("Range");
            set("range", format!("Some(Range::new({min:?}, {max:?}))"));
        }
        if let Some(format) = &key.format {
            set("format", format!("Some({format:?})"));
        }
        if let Some((min, max)) = key.repetition {
            self.uses.model("Repetition");
            set("repetition", format!("Some(Repetition::new({min}, {max}))"));
        }
        if let Some(combine) = &key.combine {
            self.uses.model("Combine");
            set(
                "combine",
                format!("Some(Combine::{})", names::pascal(combine)),
            );
        }
        fields += &texts("asset_types", &key.asset_types);
        fields += &texts("asset_content_types", &key.asset_content_types);
        let mut set = |name: &str, value: String| fields += &format!("{name}: {value},\n");
        if !key.support.is_empty() {
            set("support", self.shared.list(&key.support, &mut self.uses));
        }
        if !key.structure.is_empty() {
            set("structure", format!("{:?}", key.structure));
        }
        if let Some(below) = below {
            set("keys", format!("&{below}"));
        }
        if key.secret {
            set("secret", "true".to_owned());
        }
        if is_added {
            set("added", "true".to_owned());
        }
        self.uses.model("ValueType");
        let plain = format!("Key::new({:?}, ValueType::{:?})", key.name, key.value);
        if fields.is_empty() {
            return plain + ",\n";
        }
        format!("Key {{\n{fields}..{plain}\n}},\n")
    }

    fn literal(&mut self, literal: &Literal) -> String {
        self.uses.model("Literal");
        match literal {
            Literal::String(text) => format!("Literal::String({text:?})"),
            Literal::Integer(number) => format!("Literal::Integer({number})"),
            Literal::Real(number) => format!("Literal::Real({number:?})"),
            Literal::Boolean(flag) => format!("Literal::Boolean({flag})"),
        }
    }

    fn choice(&mut self, choice: &Choice) -> String {
        self.uses.model("Choice");
        let plain = match &choice.value {
            Literal::String(text) => format!("Choice::text({text:?})"),
            Literal::Integer(number) => format!("Choice::integer({number})"),
            other => format!("Choice::new({})", self.literal(other)),
        };
        if choice.support.is_empty() {
            return plain + ",\n";
        }
        let support = self.shared.list(&choice.support, &mut self.uses);
        format!("Choice {{\nsupport: {support},\n..{plain}\n}},\n")
    }
}

/// A field of texts, where there are any.
fn texts(name: &str, texts: &[String]) -> String {
    if texts.is_empty() {
        return String::new();
    }
    let texts: String = texts.iter().map(|text| format!("{text:?},\n")).collect();
    format!("{name}: &[{texts}],\n")
}

fn described(kind: Kind) -> &'static str {
    match kind {
        Kind::CheckIn => "The check-in message",
        Kind::CheckInResponse => "What answers the check-in message",
        Kind::Command => "The command",
        Kind::Response => "What answers the command",
        Kind::Payload => "The payload",
        Kind::Configuration => "The configuration",
        Kind::Asset => "The asset",
        Kind::Management => "The management declaration",
        Kind::Activation => "The activation",
        Kind::Credential => "The credential document",
        Kind::StatusItem => "The status item",
        Kind::Protocol => "The protocol document",
        Kind::ErrorBody => "The body of the error",
        Kind::Document => "The document",
    }
}

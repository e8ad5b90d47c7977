//! Taking a document apart.

use mdm_plist::{Dictionary, Value};
use mdm_profiles::Profile;
use mdm_protocol::response::Envelope;
use mdm_schema::{find, schemas};

use super::{DECLARATIONS, Part, Step, Table, named};
use crate::{decode::profile, document::Kind};

/// The keys of any check-in message; not all messages list them.
const CHECK_IN_FRAME: &[&str] = &[
    "MessageType",
    "UDID",
    "EnrollmentID",
    "EnrollmentUserID",
    "UserID",
    "UserShortName",
    "UserLongName",
    "NotOnConsole",
];

/// The keys that a command has beside those of its type.
const COMMAND_FRAME: &[&str] = &["RequestType", "CommandUUID", "RequestRequiresNetworkTether"];

/// The parts of a document of this kind. `name` is its type where one is known, `hint` the type that
/// the caller names, for parts that do not name theirs.
pub(crate) fn parts(kind: Kind, name: Option<&str>, hint: Option<&str>, tree: &Value) -> Vec<Part> {
    let mut found = Parts(Vec::new());
    match (kind, tree) {
        (Kind::Declaration, Value::Array(declarations)) => {
            for (index, keys) in declarations.iter().enumerate() {
                if let Some(keys) = keys.as_dictionary() {
                    found.declaration(vec![Step::Index(index)], None, keys);
                }
            }
        }
        (Kind::StatusReport, tree) => found.status(hint, tree),
        (kind, Value::Dictionary(keys)) => match kind {
            Kind::Checkin | Kind::Cms => found.check_in(name, keys),
            Kind::Command => found.command(name.or(hint), keys),
            Kind::Response => found.response(name.or(hint), keys),
            Kind::Profile => found.profile(hint, keys),
            Kind::Declaration => found.declaration(Vec::new(), name.or(hint), keys),
            Kind::ErrorBody => found.whole(&[Table::ErrorBody], name.or(hint), keys),
            Kind::Document => found.whole(&[Table::Document], name.or(hint), keys),
            _ => {}
        },
        _ => {}
    }
    found.0
}

struct Parts(Vec<Part>);

impl Parts {
    /// A part of one of these kinds, of which the first counts where the name is unknown.
    fn add(
        &mut self,
        way: Vec<Step>,
        tables: &[Table],
        name: &str,
        mut keys: Dictionary,
        frame: &'static [&'static str],
    ) {
        let schema = named(tables, name, &keys);
        let Some(table) = schema.map(|schema| schema.kind).or(tables.first().copied()) else {
            return;
        };
        // The result of one command has a key of the frame as well.
        let has = |name: &str| schema.is_some_and(|s| s.keys.iter().any(|key| key.name == name));
        keys.retain(|key, _| !frame.contains(&key.as_str()) || has(key));
        self.0.push(Part {
            way,
            table,
            name: name.to_owned(),
            schema,
            value: Value::Dictionary(keys),
        });
    }

    fn whole(&mut self, tables: &[Table], name: Option<&str>, keys: &Dictionary) {
        if let Some(name) = name {
            self.add(Vec::new(), tables, name, keys.clone(), &[]);
        }
    }

    fn check_in(&mut self, name: Option<&str>, keys: &Dictionary) {
        let Some(name) = name else { return };
        let (table, name) = match (name, name.strip_suffix("Response")) {
            ("MachineInfo", _) => (Table::Document, name),
            (_, Some(message)) => (Table::CheckInResponse, message),
            (name, None) => (Table::CheckIn, name),
        };
        let frame = if table == Table::CheckIn {
            CHECK_IN_FRAME
        } else {
            &[]
        };
        self.add(Vec::new(), &[table], name, keys.clone(), frame);
    }

    fn command(&mut self, name: Option<&str>, document: &Dictionary) {
        let Some(name) = name else { return };
        let mut way = Vec::new();
        let mut keys = document;
        // A command may lie in another one; whatever is deeper is no command.
        for _ in 0..2 {
            match keys.get("Command") {
                Some(Value::Dictionary(inner)) if !keys.contains_key("RequestType") => {
                    way.push(Step::Key("Command".into()));
                    keys = inner;
                }
                _ => break,
            }
        }
        self.add(way, &[Table::Command], name, keys.clone(), COMMAND_FRAME);
    }

    /// Where the command failed or was put off, the result holds no keys of its own.
    fn response(&mut self, name: Option<&str>, report: &Dictionary) {
        if let Some(name) = name {
            self.add(
                Vec::new(),
                &[Table::Response],
                name,
                report.clone(),
                Envelope::KEYS,
            );
        }
    }

    fn profile(&mut self, hint: Option<&str>, document: &Dictionary) {
        if profile::is_bare_payload(document) {
            return self.payload(Vec::new(), hint, document);
        }
        let Ok((profile, findings)) = Profile::from_dictionary(document.clone()) else {
            return self.payload(Vec::new(), hint, document);
        };
        // One that lies under the only key of another dictionary is found with that key.
        let mut way: Vec<_> = findings
            .into_iter()
            .map(|f| Step::Key(f.path.into()))
            .collect();
        let profile = profile.keys();
        self.add(
            way.clone(),
            &[Table::Payload],
            "TopLevel",
            profile.clone(),
            &[],
        );
        way.push(Step::Key("PayloadContent".into()));
        let payloads = profile.get("PayloadContent").and_then(Value::as_array);
        for (index, payload) in payloads.into_iter().flatten().enumerate() {
            if let Some(payload) = payload.as_dictionary() {
                let mut way = way.clone();
                way.push(Step::Index(index));
                self.payload(way, hint, payload);
            }
        }
    }

    /// A payload is what it says it is; where that is nothing known, what the caller says.
    fn payload(&mut self, way: Vec<Step>, hint: Option<&str>, keys: &Dictionary) {
        let own = keys.get("PayloadType").and_then(Value::as_string);
        let Some(name) = own.or(hint) else { return };
        self.add(way, &[Table::Payload], name, keys.clone(), &[]);
        if let Some(part) = self.0.last_mut() {
            let hinted = || hint.and_then(|hint| named(&[Table::Payload], hint, keys));
            part.schema = part.schema.or_else(hinted);
        }
    }

    fn declaration(&mut self, mut way: Vec<Step>, hint: Option<&str>, keys: &Dictionary) {
        let own = keys.get("Type").and_then(Value::as_string);
        match (keys.get("Payload"), own.or(hint)) {
            (Some(Value::Dictionary(payload)), Some(name)) => {
                let base = &[Table::Protocol];
                self.add(way.clone(), base, "DeclarationBase", keys.clone(), &[]);
                way.push(Step::Key("Payload".into()));
                self.add(way, DECLARATIONS, name, payload.clone(), &[]);
            }
            (None, Some(name)) => {
                let is_declaration = named(DECLARATIONS, name, keys).is_some();
                if is_declaration && own == Some(name) {
                    return;
                }
                let tables = [Table::Credential, Table::Protocol];
                let tables = if is_declaration {
                    DECLARATIONS
                } else {
                    &tables
                };
                self.add(way, tables, name, keys.clone(), &[]);
            }
            _ => {}
        }
    }

    fn status(&mut self, hint: Option<&str>, tree: &Value) {
        let mut way = Vec::new();
        let mut items = tree;
        if let Some(report) = tree.as_dictionary()
            && let Some(inner) = report.get("StatusItems")
        {
            self.whole(&[Table::Protocol], Some("StatusReport"), report);
            way.push(Step::Key("StatusItems".into()));
            items = inner;
        }
        let before = self.0.len();
        self.items(&mut way, "", items);
        if let Some(hint) = hint
            && self.0.len() == before
            && let Some(schema) = named(&[Table::StatusItem], hint, &Dictionary::new())
        {
            self.item(way, schema.name, tree.clone());
        }
    }

    /// The items below a part of their name.
    fn items(&mut self, way: &mut Vec<Step>, name: &str, value: &Value) {
        if !name.is_empty() && find(Table::StatusItem, name).is_some() {
            self.item(way.clone(), name, value.clone());
            return;
        }
        let Value::Dictionary(keys) = value else {
            return;
        };
        for (key, value) in keys {
            let inner = mdm_schema::path::join(name, key);
            if leads_to_items(&inner) {
                way.push(Step::Key(key.as_str().into()));
                self.items(way, &inner, value);
                way.pop();
            }
        }
    }

    fn item(&mut self, way: Vec<Step>, name: &str, value: Value) {
        self.0.push(Part {
            way,
            table: Table::StatusItem,
            name: name.to_owned(),
            schema: find(Table::StatusItem, name),
            value,
        });
    }
}

/// Whether it is the name of a status item, or what such names begin with.
pub(crate) fn leads_to_items(name: &str) -> bool {
    schemas(Table::StatusItem).iter().any(|schema| {
        let rest = schema.name.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

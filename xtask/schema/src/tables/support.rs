//! Availability: blocks as struct literals, and lists of blocks that many keys share as statics.

use std::collections::BTreeMap;

use super::document::Uses;
use crate::files;
use crate::ir::{Schema, SharedIpad, Support};

/// Lists that occur so often are written once.
const OFTEN: usize = 3;
/// The longest name that a shared list may have.
const MAX_NAME: usize = 56;

/// The lists that are written once, by name.
pub(super) struct Shared {
    lists: BTreeMap<String, Vec<Support>>,
}

impl Shared {
    pub(super) fn of(schema: &Schema) -> Self {
        let mut counts: BTreeMap<String, (usize, &[Support])> = BTreeMap::new();
        let keys = schema.keys.iter().map(|key| &key.support);
        let choices = schema.keys.iter().flat_map(|key| &key.allowed);
        for list in keys.chain(choices.map(|choice| &choice.support)) {
            if let Some(name) = name(list) {
                counts.entry(name).or_insert((0, list)).0 += 1;
            }
        }
        let often = counts.into_iter().filter(|(_, (count, _))| *count >= OFTEN);
        Self {
            lists: often
                .map(|(name, (_, list))| (name, list.to_vec()))
                .collect(),
        }
    }

    /// The file of the shared lists.
    pub(super) fn text(&self) -> String {
        let mut uses = Uses::default();
        let mut body = String::new();
        uses.model("Support");
        for (name, list) in &self.lists {
            let blocks = blocks(list, &mut uses);
            body += &format!("pub(super) static {name}: &[Support] = &[{blocks}];\n");
        }
        format!(
            "{}//! Availabilities that many keys share.\n\n{}\n{body}",
            files::HEAD,
            uses.text()
        )
    }

    /// An expression for a list.
    pub(super) fn list(&self, list: &[Support], uses: &mut Uses) -> String {
        match name(list) {
            Some(name) if self.lists.get(&name).is_some_and(|known| known == list) => {
                uses.support();
                format!("support::{name}")
            }
            _ => format!("&[{}]", blocks(list, uses)),
        }
    }
}

/// A name that says all that a list says: `MACOS_10_15_NOT_TVOS`. `None` where that would be long.
fn name(list: &[Support]) -> Option<String> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for block in list {
        let says = says(block)?;
        let platform = block.platform.to_ascii_uppercase();
        match groups.iter_mut().find(|(known, _)| *known == says) {
            Some((_, platforms)) => platforms.push(platform),
            None => groups.push((says, vec![platform])),
        }
    }
    let words = groups.into_iter().map(|(says, platforms)| {
        let platforms = platforms.join("_");
        match says.as_str() {
            "NEVER" => format!("NOT_{platforms}"),
            _ => format!("{platforms}_{says}"),
        }
    });
    let name = words.collect::<Vec<_>>().join("_");
    (!name.is_empty() && name.len() <= MAX_NAME).then_some(name)
}

/// What a block says, in capitals; `None` where it says too much for a name.
fn says(block: &Support) -> Option<String> {
    let plain = Support {
        introduced: block.introduced.clone(),
        deprecated: block.deprecated.clone(),
        removed: block.removed.clone(),
        supervised: block.supervised,
        user_enrollment: block.user_enrollment.clone(),
        ..Support::on(&block.platform)
    };
    if plain != *block {
        return None;
    }
    let version = |word: &str, version: &Option<String>| {
        let version = version.as_ref()?.to_ascii_uppercase();
        Some(format!("{word}{}", version.replace(['.', '/'], "_")))
    };
    let introduced = match block.introduced.as_deref() {
        Some("n/a") => Some("NEVER".to_owned()),
        _ => version("", &block.introduced),
    };
    let words = [
        introduced,
        version("DEPRECATED_", &block.deprecated),
        version("REMOVED_", &block.removed),
        block.supervised.map(|supervised| {
            let word = if supervised {
                "SUPERVISED"
            } else {
                "UNSUPERVISED"
            };
            word.to_owned()
        }),
        block
            .user_enrollment
            .as_ref()
            .map(|mode| format!("USER_ENROLLMENT_{}", mode.to_ascii_uppercase())),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join("_"))
}

/// The blocks of a list, one after the other.
fn blocks(list: &[Support], uses: &mut Uses) -> String {
    list.iter()
        .map(|block| format!("{},", self::block(block, uses)))
        .collect()
}

fn block(block: &Support, uses: &mut Uses) -> String {
    uses.model("Support");
    uses.platform();
    let platform = format!("Platform::{}", capitalised(&block.platform));
    let introduced_only = Support {
        introduced: block.introduced.clone(),
        ..Support::on(&block.platform)
    };
    if introduced_only == *block {
        match block.introduced.as_deref() {
            None | Some("all") => {}
            Some("n/a") => return format!("Support::never({platform})"),
            Some(version) => {
                uses.version("OsVersion");
                return format!("Support::since({platform}, {})", self::version(version));
            }
        }
    }
    let mut fields = Vec::new();
    let mut bound = |name: &str, version: &Option<String>| {
        if let Some(version) = version {
            uses.version("Bound");
            let bound = match version.as_str() {
                "n/a" => "Bound::Never".to_owned(),
                "all" => "Bound::Always".to_owned(),
                version => {
                    uses.version("OsVersion");
                    format!("Bound::From({})", self::version(version))
                }
            };
            fields.push(format!("{name}: Some({bound})"));
        }
    };
    bound("introduced", &block.introduced);
    bound("deprecated", &block.deprecated);
    bound("removed", &block.removed);
    if let Some(right) = &block.access_rights {
        fields.push(format!("access_rights: Some({right:?})"));
    }
    let mut flag = |name: &str, flag: Option<bool>| {
        fields.extend(flag.map(|flag| format!("{name}: Some({flag})")));
    };
    flag("multiple", block.multiple);
    flag("device_channel", block.device_channel);
    flag("user_channel", block.user_channel);
    flag("supervised", block.supervised);
    flag("requires_dep", block.requires_dep);
    flag("user_approved", block.user_approved);
    flag("manual_install", block.manual_install);
    if let Some(enrollments) = &block.enrollments {
        let words = words("AllowedEnrollment", enrollments, uses);
        fields.push(format!("enrollments: Some(&[{words}])"));
    }
    if let Some(scopes) = &block.scopes {
        let words = words("AllowedScope", scopes, uses);
        fields.push(format!("scopes: Some(&[{words}])"));
    }
    if let Some(shared) = &block.shared_ipad {
        fields.push(format!("shared_ipad: Some({})", shared_ipad(shared, uses)));
    }
    if let Some(mode) = &block.user_enrollment {
        uses.model("Mode");
        fields.push(format!(
            "user_enrollment: Some(Mode::{})",
            capitalised(mode)
        ));
    }
    let mut flag = |name: &str, flag: Option<bool>| {
        fields.extend(flag.map(|flag| format!("{name}: Some({flag})")));
    };
    flag("always_skippable", block.always_skippable);
    flag("beta", block.beta);

    if fields.is_empty() {
        return format!("Support::on({platform})");
    }
    let fields = fields.join(",\n");
    format!("Support {{\n{fields},\n..Support::on({platform})\n}}")
}

fn shared_ipad(shared: &SharedIpad, uses: &mut Uses) -> String {
    uses.model("SharedIpad");
    let mut text = "SharedIpad {\n".to_owned();
    if let Some(mode) = &shared.mode {
        uses.model("Mode");
        text += &format!("mode: Some(Mode::{}),\n", capitalised(mode));
    }
    if let Some(flag) = shared.device_channel {
        text += &format!("device_channel: Some({flag}),\n");
    }
    if let Some(flag) = shared.user_channel {
        text += &format!("user_channel: Some({flag}),\n");
    }
    if let Some(scopes) = &shared.scopes {
        text += &format!(
            "scopes: Some(&[{}]),\n",
            words("AllowedScope", scopes, uses)
        );
    }
    text + "..SharedIpad::NONE\n}"
}

fn words(name: &'static str, words: &[String], uses: &mut Uses) -> String {
    if !words.is_empty() {
        uses.model(name);
    }
    let words = words
        .iter()
        .map(|word| format!("{name}::{}", capitalised(word)));
    words.collect::<Vec<_>>().join(", ")
}

/// A version; the reader has seen to it that there are numbers only. Missing ones count as zero.
fn version(text: &str) -> String {
    let mut numbers: Vec<&str> = text.split('.').collect();
    numbers.resize(3, "0");
    format!("OsVersion::new({})", numbers.join(", "))
}

/// `iOS` as `Ios`, `allowed` as `Allowed`.
fn capitalised(word: &str) -> String {
    match word {
        "iOS" => "Ios".to_owned(),
        "macOS" => "MacOs".to_owned(),
        "tvOS" => "TvOs".to_owned(),
        "visionOS" => "VisionOs".to_owned(),
        "watchOS" => "WatchOs".to_owned(),
        word => crate::names::pascal(word),
    }
}

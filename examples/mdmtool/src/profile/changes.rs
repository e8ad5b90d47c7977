//! `diff` and `predict`: one profile and another, and what a device makes of the second.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use mdm_profiles::{
    diff::{self, Change, What, diff},
    predict::{ByUser, Delivery, Fate, Installer, Outcome, Prediction, Signer, predict},
};
use mdm_schema::{Severity, Target};
use serde_json::{Value, json};

use super::{
    Told, Verdict,
    source::{self, Opener, Source},
};
use crate::{
    colour::Paint,
    console::Console,
    failure::Failure,
    text::{count, printable, written},
};

/// Two profiles, and what opens both.
#[derive(Debug, Args)]
struct Pair {
    /// The profile that is there, or - for standard input.
    old: PathBuf,
    /// The profile that is to come, or - for standard input.
    new: PathBuf,
    #[command(flatten)]
    opener: Opener,
}

impl Pair {
    fn read(&self) -> Result<[Source; 2], Failure> {
        let key = self.opener.key(&[&self.old, &self.new])?;
        let old = source::read(&self.old, key.as_ref())?;
        Ok([old, source::read(&self.new, key.as_ref())?])
    }
}

#[derive(Debug, Args)]
pub(super) struct Diff {
    #[command(flatten)]
    pair: Pair,
}

impl Diff {
    pub(super) fn run(self, console: &mut Console, paint: Paint) -> Told {
        let [old, new] = self.pair.read()?;
        let diff = diff(&old.profile, &new.profile);
        let document = json!({
            "old": old.name,
            "new": new.name,
            "same": diff.is_empty(),
            "changes": diff.changes,
            "payloads": diff.payloads,
        });
        console.answer(&document, || text(&diff, paint))?;
        Ok(Verdict::of(diff.is_empty()))
    }
}

fn text(diff: &diff::Diff, paint: Paint) -> String {
    if diff.is_empty() {
        return paint.good("the profiles say the same");
    }
    let mut text = String::new();
    for change in &diff.changes {
        text.push_str(&format!("{}\n", line(change, paint)));
    }
    for payload in &diff.payloads {
        let named = printable(&payload.to_string());
        let named = match (payload.is_added(), payload.is_removed()) {
            (true, _) => paint.good(&named),
            (_, true) => paint.bad(&named),
            _ => paint.title(&named),
        };
        let moved = if payload.moved { ", moved" } else { "" };
        text.push_str(&format!("{named}{moved}\n"));
        for change in &payload.changes {
            text.push_str(&format!("  {}\n", line(change, paint)));
        }
    }
    text
}

fn line(change: &Change, paint: Paint) -> String {
    let line = printable(&change.to_string());
    match change.what {
        What::Added { .. } => paint.good(&line),
        What::Removed { .. } => paint.bad(&line),
        What::Changed { .. } => paint.doubtful(&line),
        _ => paint.faint(&line),
    }
}

#[derive(Debug, Args)]
pub(super) struct Predict {
    #[command(flatten)]
    pair: Pair,
    /// A person installs it, not the server: then signatures count.
    #[arg(long)]
    manual: bool,
    /// How the signers relate, where the files do not tell.
    #[arg(long, value_name = "RELATION", requires = "manual")]
    signer: Option<Relation>,
    /// The device: system and version first, as in ios:18.2,supervised.
    #[arg(long, value_name = "TARGET")]
    target: Option<Target>,
    /// When it is installed, such as 2026-01-31T12:00:00Z, instead of now.
    #[arg(long, value_name = "TIME")]
    at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Relation {
    /// The same identity, or what is installed is not signed.
    Same,
    /// Another certificate of the same key.
    Renewed,
    /// Another identity.
    Other,
    /// What is installed is signed, and the update is not.
    Lost,
}

impl From<Relation> for Signer {
    fn from(relation: Relation) -> Self {
        match relation {
            Relation::Same => Self::Same,
            Relation::Renewed => Self::Renewed,
            Relation::Other => Self::Other,
            Relation::Lost => Self::Lost,
        }
    }
}

impl Predict {
    pub(super) fn run(self, console: &mut Console, paint: Paint) -> Told {
        let [installed, update] = self.pair.read()?;
        let by_files = || Signer::of(&installed.opened, &update.opened);
        let signer = self.signer.map_or_else(by_files, Signer::from);
        let by = if self.manual {
            Installer::Manual
        } else {
            Installer::Mdm
        };
        let delivery = Delivery::mdm().with(|delivery| {
            (delivery.by, delivery.signer) = (by, signer);
            delivery.target = self.target;
            delivery.at = Some(self.at.unwrap_or_else(Utc::now));
        });
        let prediction = predict(&installed.profile, &update.profile, &delivery);
        let mut document = json!({
            "installed": installed.name,
            "update": update.name,
            "by": by,
            "signer": signer,
            "refused": prediction.is_refused(),
        });
        let told = serde_json::to_value(&prediction).map_err(mdmtool::Error::from)?;
        if let (Value::Object(keys), Value::Object(told)) = (&mut document, told) {
            keys.extend(told);
        }
        console.answer(&document, || told_prediction(&prediction, paint))?;
        Ok(Verdict::of(!prediction.is_refused()))
    }
}

fn told_prediction(prediction: &Prediction, paint: Paint) -> String {
    let mut text = match prediction.outcome {
        Outcome::Replaces => paint.good("the device replaces the profile by the update"),
        Outcome::Adds => paint.doubtful("the device installs the profile beside the other"),
        _ => paint.bad("the device refuses the update"),
    };
    text.push('\n');
    for reason in &prediction.reasons {
        let path = printable(&reason.path);
        let path = match path.is_empty() {
            true => paint.title("the profile"),
            false => paint.title(&path),
        };
        let rule = paint.faint(&format!("({})", reason.rule));
        let message = match reason.severity {
            Severity::Info => reason.message.to_string(),
            severity => paint.severity(severity, &reason.message),
        };
        text.push_str(&format!("  {path} {message} {rule}\n"));
    }
    if !prediction.payloads.is_empty() {
        let refused = if prediction.is_refused() {
            ", were it not refused"
        } else {
            ""
        };
        let number = count(prediction.payloads.len(), "payload");
        text.push_str(&format!("{number}{refused}\n"));
    }
    for payload in &prediction.payloads {
        let fate = match payload.fate {
            Fate::Updates => paint.good("updated "),
            Fate::Replaces => paint.doubtful("replaced"),
            Fate::Adds => paint.good("added   "),
            Fate::Removes => paint.bad("removed "),
            _ => "?       ".to_owned(),
        };
        let named = printable(&payload.payload_type);
        let identifier = printable(payload.identifier.as_deref().unwrap_or("no identifier"));
        let (named, identifier) = (paint.name(&named), paint.faint(&identifier));
        text.push_str(&format!("  {fate}  {named} {identifier}\n"));
    }
    let by_user = match prediction.removal.by_user {
        ByUser::Free => "its user may remove it",
        ByUser::Password => "its user may remove it with the password",
        ByUser::Administrator => "an administrator of the Mac may remove it",
        _ => "its user cannot remove it",
    };
    text.push_str(by_user);
    if let Some(at) = prediction.removal.at {
        text.push_str(&format!(
            ", and the device does by itself at {}",
            written(at)
        ));
    }
    text
}

//! `profile`: defines profiles, shows them, and takes them away from devices.

use std::path::PathBuf;

use ade_client::{
    endpoint::{DefineProfile, FetchProfile},
    model::Profile,
};
use clap::{Args, Subcommand};
use mdmtool::input;
use serde_json::{Map, Value, json};

use super::{
    Done, console::Console, failure::Failure, online::Online, serials::Serials, text,
    verdicts::Verdicts,
};

/// The longest file that is read, in bytes. Certificates make profiles long.
const MAX_PROFILE_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Define a profile from a file; Apple never changes one, so a changed file makes another.
    Define(Define),
    /// Tell what a profile says.
    Show(Show),
    /// Take the profile away from devices; those that have fetched it keep it until they are wiped.
    Remove(Remove),
}

impl Command {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        match self {
            Self::Define(define) => define.run(console).await,
            Self::Show(show) => show.run(console).await,
            Self::Remove(remove) => remove.run(console).await,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Define {
    /// The profile as Apple's JSON, or - for standard input.
    file: PathBuf,
    #[command(flatten)]
    online: Online,
}

impl Define {
    async fn run(self, console: &mut Console) -> Done {
        let bytes = input::read(&self.file, MAX_PROFILE_BYTES)?;
        let mut profile: Profile = serde_json::from_slice(&bytes).map_err(|error| {
            Failure::input(
                format!("the profile cannot be read: {error}"),
                "write it as a JSON object with profile_name, url and Apple's other keys",
            )
        })?;
        // So that what `show` prints can be defined again.
        profile.profile_uuid = None;
        profile.extra.remove("profile_uuid");
        let odd: Vec<String> = profile.extra.keys().cloned().collect();
        let client = self.online.client()?;
        for key in &odd {
            console.note(&remark(key));
        }
        let defined = client.send(&DefineProfile::new(profile)).await?;
        let devices: Vec<Value> = defined.devices.iter().map(super::verdicts::told).collect();
        let document = json!({
            "profile_uuid": defined.profile_uuid,
            "devices": devices,
            "unknown_keys": odd,
        });
        console.answer(&document, || text::printable(&defined.profile_uuid))
    }
}

/// A key that has no name here: misspelt, newer than this program, or with a value of another type.
fn remark(key: &str) -> String {
    let named = format!("is_{key}");
    let known: Result<Profile, _> = serde_json::from_value(json!({named.as_str(): true}));
    let hint = match known {
        Ok(profile) if profile.extra.is_empty() => format!("; Apple's key is {named}"),
        _ => String::new(),
    };
    format!("the key {key:?} is unknown, or its value is of another type{hint}")
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The profile.
    #[arg(value_name = "PROFILE_UUID")]
    profile: String,
    #[command(flatten)]
    online: Online,
}

impl Show {
    async fn run(self, console: &mut Console) -> Done {
        let client = self.online.client()?;
        let profile = client.send(&FetchProfile::new(self.profile)).await?;
        let value = serde_json::to_value(&profile).map_err(mdmtool::Error::from)?;
        console.answer(&value, || text::fields(&value, &[]))
    }
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    #[command(flatten)]
    serials: Serials,
    #[command(flatten)]
    online: Online,
}

impl Remove {
    async fn run(self, console: &mut Console) -> Done {
        let serials = self.serials.read()?;
        let client = self.online.client()?;
        let done = "freed of their profile";
        let verdicts = Verdicts::collect(done, &serials, console, async |batch| {
            client.remove_profile(batch).await
        })
        .await;
        verdicts.tell(Map::new(), console)
    }
}

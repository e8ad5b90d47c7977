//! Settings of other vendors' software.

use std::path::PathBuf;

use clap::Args;
use mdm_plist::{Dictionary, Value};
use mdm_profiles::{payload::COMMON_KEYS, recipe};
use mdmtool::{input, one_line};

use super::{build, frame::Frame, impossible, keys::from_json};
use crate::{
    console::Console,
    failure::{Done, Failure},
    files::MAX_BYTES,
};

#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// The domain that the software reads, such as com.example.agent.
    #[arg(long, value_name = "DOMAIN")]
    domain: String,
    /// The settings: a property list or JSON; - for standard input.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Under com.apple.ManagedClient.preferences, instead of a payload of the domain's own.
    #[arg(long)]
    managed_preferences: bool,
    #[command(flatten, next_help_heading = "The profile")]
    frame: Frame,
}

impl Settings {
    pub(super) fn run(self, console: &mut Console) -> Done {
        let settings = self.read()?;
        build(&self.frame, console, |profile| {
            let added = if self.managed_preferences {
                let preferences = recipe::managed_preferences(self.domain.as_str(), settings);
                profile.add("settings", &preferences)
            } else {
                profile.add_keys("settings", &self.domain, settings)
            };
            added.map(drop).map_err(impossible)
        })
    }

    fn read(&self) -> Result<Dictionary, Failure> {
        let name = self.from.display();
        let bytes = input::read(&self.from, MAX_BYTES)?;
        let value = match bytes.trim_ascii_start().first() {
            Some(b'{') => {
                let json: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| {
                    Failure::input(format!("{name}: {}", one_line(&error)), "give JSON")
                })?;
                from_json(&json)?
            }
            _ => mdm_plist::from_slice(&bytes).map_err(|error| {
                let next = "give a property list, or an object in JSON";
                Failure::input(format!("{name}: {}", one_line(&error)), next)
            })?,
        };
        let Value::Dictionary(keys) = value else {
            return Err(Failure::input(
                format!("{name} holds no keys"),
                "give a dictionary, or an object in JSON",
            ));
        };
        let taken = |key: &&String| COMMON_KEYS.contains(&key.as_str());
        match keys.keys().find(taken) {
            Some(key) if !self.managed_preferences => Err(Failure::input(
                format!("{name}: {key} is a key of every payload, and none of the software's"),
                "give the settings alone",
            )),
            _ => Ok(keys),
        }
    }
}

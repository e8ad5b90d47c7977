//! What every recipe takes: the keys at the top of the profile, variables, where it goes.

use std::{fmt, path::PathBuf, str::FromStr};

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use mdm_profiles::{Namespace, ProfileBuilder, Scope, Variables, builder::TargetDeviceType};
use mdm_schema::Target;
use mdmtool::one_line;

use crate::{failure::Failure, files, interval::Interval, profile::output::Output};

#[derive(Debug, Args)]
pub(crate) struct Frame {
    /// PayloadIdentifier of the profile, such as com.example.office. Keep it: a profile with the same
    /// one is an update.
    #[arg(long, value_name = "ID")]
    identifier: String,
    /// Where the UUIDs come from, such as the name of your server; the identifier if nothing is said.
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// PayloadDisplayName: what the user sees.
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// PayloadDescription.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// PayloadOrganization.
    #[arg(long, value_name = "TEXT")]
    organization: Option<String>,
    /// PayloadScope: for the Mac, or for one of its users.
    #[arg(long, value_name = "SCOPE")]
    scope: Option<ScopeName>,
    /// What the user has to agree to, by language: de=..., en=..., default=...
    #[arg(long = "consent", value_name = "LANGUAGE=TEXT")]
    consent: Vec<Pair>,
    /// TargetDeviceType: the kind of device that it is for.
    #[arg(long, value_name = "KIND")]
    device: Option<Device>,
    /// PayloadRemovalDisallowed.
    #[arg(long)]
    no_removal: bool,
    /// The password that removes the profile: the first line of this file.
    #[arg(long, value_name = "FILE")]
    removal_password_file: Option<PathBuf>,
    /// When the device removes it, such as 2026-12-31T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    removal_date: Option<DateTime<Utc>>,
    /// How long after its installation the device removes it, such as 30d.
    #[arg(long, value_name = "TIME")]
    remove_after: Option<Interval>,
    /// PayloadExpirationDate: when the device offers an update, such as 2026-12-31T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    expires: Option<DateTime<Utc>>,
    /// What is filled in for $NAME in any text.
    #[arg(long = "var", value_name = "NAME=TEXT")]
    variables: Vec<Pair>,
    /// The same with the first line of a file, for secrets.
    #[arg(long = "var-file", value_name = "NAME=FILE")]
    variable_files: Vec<Pair>,
    /// A device that the profile is for, several times for several: nothing is written that one of
    /// them would refuse.
    #[arg(long = "target", value_name = "TARGET")]
    pub(super) targets: Vec<Target>,
    #[command(flatten)]
    pub(super) out: Output,
}

/// Two texts with an equals sign between them.
#[derive(Clone)]
pub(super) struct Pair(pub(super) String, pub(super) String);

impl FromStr for Pair {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self(name.into(), value.into())),
            _ => Err("a name, an equals sign and a value are needed"),
        }
    }
}

/// Shows the name; the value may be a secret.
impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=...", self.0)
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScopeName {
    System,
    User,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Device {
    Any,
    #[value(name = "iphone", alias = "ipad")]
    Ios,
    Watch,
    Homepod,
    #[value(name = "appletv")]
    AppleTv,
    Mac,
    Vision,
}

impl From<Device> for TargetDeviceType {
    fn from(device: Device) -> Self {
        match device {
            Device::Any => Self::Any,
            Device::Ios => Self::Ios,
            Device::Watch => Self::Watch,
            Device::Homepod => Self::HomePod,
            Device::AppleTv => Self::AppleTv,
            Device::Mac => Self::Mac,
            Device::Vision => Self::VisionPro,
        }
    }
}

impl Frame {
    /// The identifier of the profile.
    pub(super) fn identifier(&self) -> &str {
        &self.identifier
    }

    pub(super) fn namespace(&self) -> Namespace {
        Namespace::new(self.namespace.as_deref().unwrap_or(&self.identifier))
    }

    /// A builder with the top of the profile, and no payloads.
    pub(super) fn builder(&self) -> Result<ProfileBuilder, Failure> {
        let mut profile = ProfileBuilder::new(self.identifier.as_str(), self.namespace());
        self.put(&mut profile)?;
        Ok(profile)
    }

    /// Sets the top of a profile that was begun elsewhere.
    pub(super) fn put(&self, profile: &mut ProfileBuilder) -> Result<(), Failure> {
        profile.display_name.clone_from(&self.name);
        profile.description.clone_from(&self.description);
        profile.organization.clone_from(&self.organization);
        profile.scope = self.scope.map(|scope| match scope {
            ScopeName::System => Scope::System,
            ScopeName::User => Scope::User,
        });
        let consent = self.consent.iter().cloned();
        profile.consent_text = consent.map(|Pair(tag, text)| (tag, text)).collect();
        profile.target_device_type = self.device.map(TargetDeviceType::from);
        profile.removal_disallowed = self.no_removal.then_some(true);
        if let Some(file) = &self.removal_password_file {
            profile.removal_password = Some(files::first_line(file)?);
        }
        profile.removal_date = self.removal_date;
        profile.duration_until_removal = self.remove_after.map(|after| after.0);
        profile.expiration_date = self.expires;
        profile.variables = self.variables()?;
        Ok(())
    }

    /// The variables; without any, a dollar is a dollar.
    fn variables(&self) -> Result<Option<Variables>, Failure> {
        if self.variables.is_empty() && self.variable_files.is_empty() {
            return Ok(None);
        }
        let mut all = Variables::new();
        let mut set = |name: &str, value: String| {
            all.set(name, value).map(drop).map_err(|error| {
                let next = "names are of capitals, digits and _; values hold no control characters";
                Failure::input(format!("--var {name}: {}", one_line(&error)), next)
            })
        };
        for Pair(name, value) in &self.variables {
            set(name, value.clone())?;
        }
        for Pair(name, file) in &self.variable_files {
            let value = files::first_line(file.as_ref())?;
            set(name, value.expose().clone())?;
        }
        Ok(Some(all))
    }
}

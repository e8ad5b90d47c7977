//! Profiles that enrol devices.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mdm_core::Topic;
use mdm_profiles::{
    AccessRights, EnrollmentMode, EnrollmentProfile, MdmSettings, ServerCapability,
    recipe::ProfileService,
};

use super::{finish, frame::Frame, identity::Identity, impossible};
use crate::{
    console::Console,
    failure::{Done, Failure},
    files,
};

#[derive(Debug, Args)]
pub(crate) struct Enrollment {
    /// Where devices poll: https. Choose it well, it never changes in an update.
    #[arg(long, value_name = "URL")]
    server_url: String,
    /// Where they check in, if elsewhere.
    #[arg(long, value_name = "URL")]
    checkin_url: Option<String>,
    /// The topic of the push certificate, such as com.apple.mgmt.External.1a2b.
    #[arg(long, value_name = "TOPIC", conflicts_with = "push_cert")]
    topic: Option<Topic>,
    /// The push certificate, whose topic it is: PEM or DER.
    #[arg(long, value_name = "FILE", required_unless_present = "topic")]
    push_cert: Option<PathBuf>,
    #[command(flatten, next_help_heading = "The identity")]
    identity: Identity,
    /// Roots to trust, PEM or DER.
    #[arg(long = "root", value_name = "FILE")]
    roots: Vec<PathBuf>,
    /// The server's certificate has to chain to one of the roots.
    #[arg(long, requires = "roots")]
    pin_roots: bool,
    /// What the server may do, several times or with commas: inspect-profiles, install-profiles,
    /// lock, erase, query-device, query-network, inspect-provisioning-profiles,
    /// install-provisioning-profiles, inspect-apps, query-restrictions, query-security, settings,
    /// manage-apps. Everything if nothing is said.
    #[arg(long = "right", value_name = "NAME", value_delimiter = ',')]
    rights: Vec<AccessRights>,
    /// What the server can do, several times or with commas. User channels and bootstrap tokens if
    /// nothing is said.
    #[arg(long = "capability", value_name = "NAME", value_delimiter = ',')]
    capabilities: Vec<Capability>,
    /// An account-driven enrolment, of a user's own device or of the organisation's.
    #[arg(long, value_name = "MODE", requires = "managed_apple_account")]
    account_driven: Option<Mode>,
    /// The account of an account-driven enrolment.
    #[arg(long, value_name = "ACCOUNT", requires = "account_driven")]
    managed_apple_account: Option<String>,
    /// Messages carry no Mdm-Signature: where TLS tells who speaks.
    #[arg(long)]
    no_sign_message: bool,
    /// Pushes come through Apple's service for development.
    #[arg(long)]
    development_push: bool,
    /// An app of the store that belongs to the enrolment, by its number.
    #[arg(long, value_name = "ID")]
    required_app: Option<i64>,
    #[command(flatten, next_help_heading = "The profile")]
    frame: Frame,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Capability {
    PerUserConnections,
    #[value(name = "bootstraptoken")]
    BootstrapToken,
    Token,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    /// A user's own device: User Enrolment.
    User,
    /// The organisation's device.
    Device,
}

impl Enrollment {
    pub(super) fn run(self, console: &mut Console) -> Done {
        let topic = self.topic()?;
        let server = self.server_url.as_str();
        let mdm = match self.account_driven {
            None => MdmSettings::new(server, topic),
            Some(Mode::User) => MdmSettings::account_driven(server, topic, EnrollmentMode::Byod),
            Some(Mode::Device) => MdmSettings::account_driven(server, topic, EnrollmentMode::Adde),
        };
        let mdm = mdm.with(|mdm| {
            mdm.check_in_url.clone_from(&self.checkin_url);
            let rights = self.rights.iter().copied().reduce(|all, one| all | one);
            mdm.access_rights = rights.or(mdm.access_rights);
            if !self.capabilities.is_empty() {
                let capabilities = self.capabilities.iter().copied();
                mdm.server_capabilities = capabilities.map(capability).collect();
            }
            mdm.assigned_managed_apple_id
                .clone_from(&self.managed_apple_account);
            mdm.sign_message = !self.no_sign_message;
            mdm.use_development_apns = self.development_push;
            mdm.required_app_id_for_mdm = self.required_app;
            mdm.pin_roots = self.pin_roots;
        });
        let identity = self.identity.need()?;
        let (identifier, namespace) = (self.frame.identifier(), self.frame.namespace());
        let mut enrollment = EnrollmentProfile::new(identifier, namespace, mdm, identity);
        for file in &self.roots {
            enrollment.roots.extend(files::certificates(file)?);
        }
        // Variables are filled in as payloads are added, so they have to be there before.
        let mut profile = self.frame.builder()?;
        enrollment.add_to(&mut profile).map_err(impossible)?;
        finish(&self.frame, console, profile.build().map_err(impossible)?)
    }

    fn topic(&self) -> Result<Topic, Failure> {
        let Some(file) = &self.push_cert else {
            // clap sees to it that there is one of the two.
            return self
                .topic
                .clone()
                .ok_or_else(|| Failure::input("there is no topic", "give --topic or --push-cert"));
        };
        let certificates = files::any_certificates(file, None)?;
        let topics = certificates.iter().filter_map(|it| it.user_id());
        let mut topics = topics.filter_map(|topic| topic.parse::<Topic>().ok());
        topics.find(Topic::is_mdm).ok_or_else(|| {
            let problem = format!("{} is no push certificate for MDM", file.display());
            Failure::input(problem, "give the one that Apple's portal made")
        })
    }
}

fn capability(capability: Capability) -> ServerCapability {
    match capability {
        Capability::PerUserConnections => ServerCapability::PerUserConnections,
        Capability::BootstrapToken => ServerCapability::BootstrapToken,
        Capability::Token => ServerCapability::Token,
    }
}

#[derive(Debug, Args)]
pub(crate) struct Ota {
    /// Where the device answers: https.
    #[arg(long, value_name = "URL")]
    url: String,
    /// What it is asked for, several times or with commas. UDID, VERSION, PRODUCT and SERIAL if
    /// nothing is said.
    #[arg(long = "attribute", value_name = "NAME", value_delimiter = ',')]
    attributes: Vec<String>,
    /// What it repeats in its answer: the first line of this file.
    #[arg(long, value_name = "FILE")]
    challenge_file: Option<PathBuf>,
    #[command(flatten, next_help_heading = "The profile")]
    frame: Frame,
}

impl Ota {
    pub(super) fn run(self, console: &mut Console) -> Done {
        let challenge = self.challenge_file.as_deref().map(files::first_line);
        let challenge = challenge.transpose()?;
        let service = ProfileService::new(self.url).with(|service| {
            if !self.attributes.is_empty() {
                service.attributes = self.attributes;
            }
            service.challenge = challenge;
        });
        let profile = service.build(&self.frame.builder()?).map_err(impossible)?;
        finish(&self.frame, console, profile)
    }
}

//! What the management payload of an enrolment says, references to other payloads left out.

use mdm_core::Topic;

use crate::{
    builder::PayloadRef,
    error::Error,
    mdm::{AccessRights, EnrollmentMode, ServerCapability},
    payload::Mdm,
};

/// How the server will manage the device.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MdmSettings {
    /// `ServerURL`: `https`. Choose it well: it never changes in an update, query included.
    pub server_url: String,
    /// `CheckInURL`: `https`; `ServerURL` where absent.
    pub check_in_url: Option<String>,
    /// `Topic`: that of the push certificate; never changes in an update.
    pub topic: Topic,
    /// `AccessRights`; leave out in User Enrolment, which ignores them. Default: all.
    pub access_rights: Option<AccessRights>,
    /// `SignMessage`: messages carry `Mdm-Signature`. Default: yes.
    pub sign_message: bool,
    /// `CheckOutWhenRemoved`: the device says goodbye. Default: yes.
    pub check_out_when_removed: bool,
    /// `ServerCapabilities`. Default: user channels and bootstrap tokens.
    pub server_capabilities: Vec<ServerCapability>,
    /// `UseDevelopmentAPNS`. Default: no.
    pub use_development_apns: bool,
    /// `AssignedManagedAppleID`: the account of an account-driven enrolment.
    pub assigned_managed_apple_id: Option<String>,
    /// `EnrollmentMode`: of an account-driven enrolment.
    pub enrollment_mode: Option<EnrollmentMode>,
    /// Whether the server's certificate must chain to one of the profile's roots, by the two keys
    /// `ServerURLPinningCertificateUUIDs` and `CheckInURLPinningCertificateUUIDs`. Default: no.
    pub pin_roots: bool,
    /// `PromptUserToAllowBootstrapTokenForAuthentication`.
    pub prompt_user_to_allow_bootstrap_token_for_authentication: Option<bool>,
    /// `RequiredAppIDForMDM`: an app of the store that belongs to the enrolment.
    pub required_app_id_for_mdm: Option<i64>,
}

impl MdmSettings {
    /// All rights, signed messages, goodbyes, user channels and bootstrap tokens.
    pub fn new(server_url: impl Into<String>, topic: Topic) -> Self {
        Self {
            server_url: server_url.into(),
            check_in_url: None,
            topic,
            access_rights: Some(AccessRights::ALL),
            sign_message: true,
            check_out_when_removed: true,
            server_capabilities: vec![
                ServerCapability::PerUserConnections,
                ServerCapability::BootstrapToken,
            ],
            use_development_apns: false,
            assigned_managed_apple_id: None,
            enrollment_mode: None,
            pin_roots: false,
            prompt_user_to_allow_bootstrap_token_for_authentication: None,
            required_app_id_for_mdm: None,
        }
    }

    /// The same for an account-driven enrolment of this mode. In [`EnrollmentMode::Byod`], which is
    /// User Enrolment, there are no access rights.
    pub fn account_driven(
        server_url: impl Into<String>,
        topic: Topic,
        mode: EnrollmentMode,
    ) -> Self {
        Self::new(server_url, topic).with(|mdm| {
            if mode == EnrollmentMode::Byod {
                mdm.access_rights = None;
            }
            mdm.enrollment_mode = Some(mode);
        })
    }

    /// Changes some settings.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let urls = [
            ("ServerURL", Some(&self.server_url)),
            ("CheckInURL", self.check_in_url.as_ref()),
        ];
        for (key, url) in urls {
            let https = url.is_none_or(|url| {
                let scheme = url.get(.."https://".len()).unwrap_or_default();
                scheme.eq_ignore_ascii_case("https://") && url.len() > scheme.len()
            });
            if !https {
                let problem = "is no https URL, which a device refuses";
                return Err(Error::Invalid { key, problem });
            }
        }
        if !self.topic.is_mdm() {
            return Err(Error::Invalid {
                key: "Topic",
                problem: "does not begin with com.apple.mgmt",
            });
        }
        if let Some(rights) = self.access_rights {
            rights.check()?;
        }
        Ok(())
    }

    /// The payload, which refers to an identity and to roots.
    pub(super) fn payload(&self, identity: &PayloadRef, roots: &[PayloadRef]) -> Mdm {
        let pins = if self.pin_roots { roots } else { &[] };
        let checkin_pins = if self.check_in_url.is_some() {
            pins
        } else {
            &[]
        };
        let some = |list: &[PayloadRef]| {
            let uuids = || list.iter().map(String::from).collect();
            (!list.is_empty()).then(uuids)
        };
        Mdm::new(identity, self.topic.as_str(), self.server_url.as_str()).with(|mdm| {
            mdm.check_in_url.clone_from(&self.check_in_url);
            mdm.sign_message = Some(self.sign_message);
            mdm.access_rights = self.access_rights.map(i64::from);
            mdm.use_development_apns = self.use_development_apns.then_some(true);
            mdm.assigned_managed_apple_id
                .clone_from(&self.assigned_managed_apple_id);
            mdm.enrollment_mode.clone_from(&self.enrollment_mode);
            mdm.server_url_pinning_certificate_uuids = some(pins);
            mdm.check_in_url_pinning_certificate_uuids = some(checkin_pins);
            mdm.server_capabilities = Some(self.server_capabilities.clone())
                .filter(|capabilities| !capabilities.is_empty());
            mdm.check_out_when_removed = Some(self.check_out_when_removed);
            mdm.required_app_id_for_mdm = self.required_app_id_for_mdm;
            mdm.prompt_user_to_allow_bootstrap_token_for_authentication =
                self.prompt_user_to_allow_bootstrap_token_for_authentication;
        })
    }
}

//! What a device answers to commands that are about itself and its profiles.

use mdm_plist::{Dictionary, Value};

use super::Device;
use crate::{Answer, checkin::put, command, settings::text, trust};

impl Device {
    pub(super) async fn answer(&mut self, kind: &str, request: &Dictionary) -> Answer {
        if let Some(answer) = self
            .responder
            .as_ref()
            .and_then(|own| own.answer(kind, request))
        {
            return answer;
        }
        match kind {
            "DeviceInformation" => {
                let is_named = self.enrollment_id.is_none();
                let attester = self.attester.as_ref();
                command::device_information(&self.hardware, is_named, attester, request)
            }
            "InstallProfile" => self.install_profile(request).await,
            "ProfileList" => self.profile_list(),
            "RemoveProfile" => self.remove_profile(request),
            _ => Answer::Error(
                "MCMDMErrorDomain",
                12021,
                format!("“{kind}” is not a valid request type."),
            ),
        }
    }

    /// A profile that comes by MDM may be unsigned; one that is signed must be signed by a signer
    /// that the device trusts. The enrolment profile renews the identity, which signs the answer then.
    async fn install_profile(&mut self, request: &Dictionary) -> Answer {
        let Some(payload) = request.get("Payload").and_then(Value::as_data) else {
            return Answer::CommandFormatError;
        };
        let enrolled = self.settings.as_ref().map(|it| it.identifier.clone());
        let installed = match trust::read_managed_profile(payload, &self.anchors, self.clock.now())
        {
            Ok((identifier, profile)) if Some(&identifier) == enrolled.as_ref() => {
                self.update(profile).await.map(drop)
            }
            Ok((identifier, profile)) => {
                self.profiles.insert(identifier, profile);
                Ok(())
            }
            Err(error) => Err(error),
        };
        match installed {
            Ok(()) => Answer::Acknowledged(Dictionary::new()),
            Err(error) => Answer::Error("MCInstallationErrorDomain", 4001, error.to_string()),
        }
    }

    fn remove_profile(&mut self, request: &Dictionary) -> Answer {
        let identifier = text(request, "Identifier").unwrap_or_default();
        match self.profiles.remove(identifier) {
            Some(_) => Answer::Acknowledged(Dictionary::new()),
            None => Answer::Error(
                "MCMDMErrorDomain",
                12075,
                format!("The profile “{identifier}” is not installed."),
            ),
        }
    }

    fn profile_list(&self) -> Answer {
        let list = self
            .profiles
            .values()
            .map(|profile| {
                let mut entry = Dictionary::new();
                for key in [
                    "PayloadDisplayName",
                    "PayloadIdentifier",
                    "PayloadUUID",
                    "PayloadVersion",
                ] {
                    if let Some(value) = profile.get(key) {
                        put(&mut entry, key, value.clone());
                    }
                }
                put(&mut entry, "IsManaged", true);
                Value::Dictionary(entry)
            })
            .collect::<Vec<_>>();
        let mut keys = Dictionary::new();
        put(&mut keys, "ProfileList", list);
        Answer::Acknowledged(keys)
    }
}

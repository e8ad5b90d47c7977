//! Privacy: which apps may use what the Mac protects (PPPC).

use crate::{
    error::Error,
    payload::{
        PrivacyPreferencesPolicyControl,
        privacy_preferences_policy_control::{
            AeReceiverIdentifierType, Authorization, IdentifierType, Identity, Services,
        },
    },
};

/// An app that may do what a list of services names it for.
///
/// `requirement` is what `codesign -d -r -` says of it, so that no other app passes for it.
pub fn allow_app(bundle_id: impl Into<String>, requirement: impl Into<String>) -> Identity {
    Identity::new(bundle_id, IdentifierType::BundleId, requirement)
        .with(|app| app.allowed = Some(true))
}

/// The same of a program without a bundle, by its path.
pub fn allow_program(path: impl Into<String>, requirement: impl Into<String>) -> Identity {
    Identity::new(path, IdentifierType::Path, requirement).with(|app| app.allowed = Some(true))
}

/// The app, and the one that it may send Apple events to; for the service `AppleEvents`.
pub fn apple_events(app: Identity, receiver: &Identity) -> Identity {
    app.with(|app| {
        app.ae_receiver_identifier = Some(receiver.identifier.clone());
        app.ae_receiver_identifier_type = Some(match receiver.identifier_type {
            IdentifierType::Path => AeReceiverIdentifierType::Path,
            _ => AeReceiverIdentifierType::BundleId,
        });
        app.ae_receiver_code_requirement = Some(receiver.code_requirement.clone());
    })
}

/// Lets apps such as backup and security agents read all files.
pub fn full_disk_access(
    apps: impl IntoIterator<Item = Identity>,
) -> PrivacyPreferencesPolicyControl {
    let apps = apps.into_iter().collect();
    let services = Services::new().with(|services| services.system_policy_all_files = Some(apps));
    PrivacyPreferencesPolicyControl::new(services)
}

/// Lets each app use the service beside it, by Apple's name: `SystemPolicyAllFiles`, `Accessibility`.
///
/// No profile records the screen or listens to the keyboard for a user: `ScreenCapture` and
/// `ListenEvent` become the user's to decide, without an administrator.
///
/// ```
/// use mdm_profiles::recipe::{allow_app, privacy};
///
/// let agent = allow_app("com.example.agent", "identifier \"com.example.agent\" and anchor apple");
/// let policy = privacy([("SystemPolicyAllFiles", agent.clone()), ("ScreenCapture", agent)])?;
/// assert_eq!(policy.services.screen_capture.unwrap()[0].allowed, None);
/// # Ok::<(), mdm_profiles::Error>(())
/// ```
///
/// # Errors
/// [`Error::Invalid`] for a service that there is not, for `Camera` and `Microphone`, which a profile
/// only denies, and for `AppleEvents` to nobody.
pub fn privacy<'a>(
    rules: impl IntoIterator<Item = (&'a str, Identity)>,
) -> Result<PrivacyPreferencesPolicyControl, Error> {
    let invalid = |problem| Error::Invalid {
        key: "Services",
        problem,
    };
    let mut services = Services::new();
    for (service, mut app) in rules {
        let slot =
            slot(&mut services, service).ok_or_else(|| invalid("has no service of this name"))?;
        match service {
            "Camera" | "Microphone" => {
                return Err(invalid("only denies the camera and the microphone"));
            }
            "AppleEvents" if app.ae_receiver_identifier.is_none() => {
                return Err(invalid("does not say who receives the Apple events"));
            }
            "ListenEvent" | "ScreenCapture" => {
                app.allowed = None;
                app.authorization = Some(Authorization::AllowStandardUserToSetSystemService);
            }
            _ => {}
        }
        slot.get_or_insert_default().push(app);
    }
    Ok(PrivacyPreferencesPolicyControl::new(services))
}

macro_rules! services {
    ($($name:literal => $field:ident,)+) => {
        /// Every service, by Apple's name.
        pub const PRIVACY_SERVICES: &[&str] = &[$($name),+];

        fn slot<'a>(services: &'a mut Services, name: &str) -> Option<&'a mut Option<Vec<Identity>>> {
            match name {
                $($name => Some(&mut services.$field),)+
                _ => None,
            }
        }
    };
}

services! {
    "Accessibility" => accessibility,
    "AddressBook" => address_book,
    "AppleEvents" => apple_events,
    "BluetoothAlways" => bluetooth_always,
    "Calendar" => calendar,
    "Camera" => camera,
    "FileProviderPresence" => file_provider_presence,
    "ListenEvent" => listen_event,
    "MediaLibrary" => media_library,
    "Microphone" => microphone,
    "Photos" => photos,
    "PostEvent" => post_event,
    "Reminders" => reminders,
    "ScreenCapture" => screen_capture,
    "SpeechRecognition" => speech_recognition,
    "SystemPolicyAllFiles" => system_policy_all_files,
    "SystemPolicyAppBundles" => system_policy_app_bundles,
    "SystemPolicyAppData" => system_policy_app_data,
    "SystemPolicyDesktopFolder" => system_policy_desktop_folder,
    "SystemPolicyDocumentsFolder" => system_policy_documents_folder,
    "SystemPolicyDownloadsFolder" => system_policy_downloads_folder,
    "SystemPolicyNetworkVolumes" => system_policy_network_volumes,
    "SystemPolicyRemovableVolumes" => system_policy_removable_volumes,
    "SystemPolicySysAdminFiles" => system_policy_sys_admin_files,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_of_apples_has_its_name_here() {
        let schema = &mdm_schema::payload::PRIVACY_PREFERENCES_POLICY_CONTROL;
        let services = schema.keys.iter().find(|key| key.name == "Services");
        let services = services.unwrap().keys.iter();
        let mut services: Vec<_> = services.map(|key| key.name).collect();
        services.sort_unstable();
        assert_eq!(services, PRIVACY_SERVICES);
    }
}

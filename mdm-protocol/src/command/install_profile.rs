//! `InstallProfile`.

use mdm_schema::{Kind, Schema, item, record};

static INSTALL_PROFILE: Schema = Schema::new(Kind::Command, "InstallProfile", "");
item!(InstallProfile = INSTALL_PROFILE);
super::command!(InstallProfile -> NoBody);

record! {
    /// Installs a profile.
    pub struct InstallProfile {
        required {
            /// `Payload`.
            payload: mdm_core::Secret<Vec<u8>> = "Payload",
        }
        optional {}
    }
}

//! What every vendor writes, ready-made: payloads with settings that a lint finds nothing in.
//!
//! A recipe returns a payload to be changed and added, or, where several belong together, adds them.
//! The enrolment itself is `EnrollmentProfile`.
//!
#![cfg_attr(all(feature = "crypto", feature = "network"), doc = "```")]
#![cfg_attr(not(all(feature = "crypto", feature = "network")), doc = "```ignore")]
//! use mdm_profiles::{
//!     Namespace, ProfileBuilder, lint::{LintOptions, lint}, payload::AcmeCertificate, recipe,
//! };
//!
//! # let now = "2026-11-05T09:00:00Z".parse()?;
//! # let key = mdm_pki::PrivateKey::generate(mdm_pki::KeySpec::P256)?;
//! # let name = mdm_pki::Name::from_common_name("Root");
//! # let root = mdm_pki::CertificateBuilder::new(name, key.public_key())
//! #     .validity(now, now + chrono::TimeDelta::days(365)).ca(None).self_signed(&key)?;
//! let mut profile = ProfileBuilder::new("com.example.office", Namespace::new("mdm.example.com"));
//! let chain = recipe::certificate_chain(&mut profile, &[root])?;
//! let acme = AcmeCertificate::attested("https://mdm.example.com/acme/directory", "once")
//!     .common_name("%SerialNumber%");
//! let identity = profile.add("identity", &acme)?;
//! let wifi = recipe::wifi_certificate("Office", &identity, &chain, &["radius.example.com"]);
//! profile.add("wifi", &wifi)?;
//!
//! let options = LintOptions::new(now).target("ios:18.2".parse()?).with(|o| o.encrypted = true);
//! assert!(lint(&profile.build()?, &options).is_clean());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "apps")]
mod apps;
#[cfg(feature = "crypto")]
mod certificates;
#[cfg(feature = "network")]
mod network;
mod ota;
#[cfg(feature = "security")]
mod privacy;
#[cfg(feature = "restrictions")]
mod restrictions;
#[cfg(feature = "security")]
mod security;
mod settings;

#[cfg(feature = "apps")]
pub use self::apps::{app, folder, home_screen, web_clip};
#[cfg(feature = "crypto")]
pub use self::certificates::{certificate_chain, roots};
#[cfg(feature = "network")]
pub use self::network::{vpn_certificate, vpn_login, wifi_certificate, wifi_login, wifi_password};
pub use self::ota::ProfileService;
#[cfg(feature = "security")]
pub use self::privacy::{
    PRIVACY_SERVICES, allow_app, allow_program, apple_events, full_disk_access, privacy,
};
#[cfg(feature = "restrictions")]
pub use self::restrictions::restrictions;
#[cfg(feature = "security")]
pub use self::security::{FileVault, file_vault, passcode};
#[cfg(feature = "apps")]
pub use self::settings::managed_preferences;
pub use self::settings::settings;

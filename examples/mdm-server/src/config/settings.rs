//! What can be set, table by table, and what holds where nothing is.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use mdm_sdk::{core::Secret, protocol::enroll::DiscoveryVersion};
use serde::Deserialize;

use super::limits::Limits;

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Where devices reach the server: `https`, without a path.
    pub(crate) public_url: String,
    /// The organisation's name, in profiles and certificates.
    #[serde(default = "organization")]
    pub(crate) organization: String,
    /// The directory that everything lies in.
    pub(crate) data: PathBuf,
    /// PostgreSQL, in place of a SQLite file in the data directory; `DATABASE_URL` says it as well.
    pub(crate) database_url: Option<Secret<String>>,
    #[serde(default)]
    pub(crate) sealing: Sealing,
    #[serde(default)]
    pub(crate) listen: Listen,
    #[serde(default)]
    pub(crate) limits: Limits,
    /// Who terminates TLS in front of the server.
    pub(crate) proxy: Option<Proxy>,
    #[serde(default)]
    pub(crate) admin: Admin,
    #[serde(default)]
    pub(crate) enrollment: Enrollment,
    /// Who signs in to enrol a device. Without it nobody does.
    pub(crate) accounts: Option<Accounts>,
    #[serde(default)]
    pub(crate) scep: Scep,
    /// Without it identities are issued by SCEP alone.
    pub(crate) acme: Option<Acme>,
    /// Without it no device is ever told to call.
    pub(crate) push: Option<Push>,
    /// Without it FileVault recovery keys are kept as Macs deposit them, encrypted.
    pub(crate) filevault: Option<FileVault>,
    #[serde(default)]
    pub(crate) webhooks: BTreeMap<String, Webhook>,
    /// Without it no device is assigned through Apple.
    pub(crate) ade: Option<Ade>,
    #[serde(default)]
    pub(crate) schedule: Schedule,
    #[serde(default)]
    pub(crate) log: Log,
}

/// The key that secrets are sealed with in the data directory and the database.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealing {
    /// 32 bytes in base64, as `mdm-server new-key` makes them.
    pub(crate) key: Option<Secret<String>>,
    /// The file that they lie in.
    pub(crate) key_file: Option<PathBuf>,
    /// Keys that sealed before: they still open.
    #[serde(default)]
    pub(crate) former_key_files: Vec<PathBuf>,
}

/// Where devices are served.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Listen {
    pub(crate) address: SocketAddr,
    /// Without it plain HTTP is spoken, to a proxy.
    pub(crate) tls: Option<Identity>,
    /// Asks devices for their certificates when TLS is set up, and what these count beside signatures. Without it devices
    /// sign their messages.
    pub(crate) client_certificates: Option<ClientCertificates>,
    pub(crate) max_connections: usize,
    /// What the bodies of requests may have together, beside 64 KiB that each has for itself.
    pub(crate) body_megabytes: usize,
    /// How long a request may take, its body included.
    pub(crate) request_seconds: u32,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: loopback(8080),
            tls: None,
            client_certificates: None,
            max_connections: 4_096,
            body_megabytes: 256,
            request_seconds: 60,
        }
    }
}

/// What the certificate that a device shows in TLS counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ClientCertificates {
    /// It proves who the device is, and so does a signature; where both are there, both have to hold.
    Either,
    /// It is asked for beside the signature.
    Both,
    /// It alone counts.
    Only,
}

/// A certificate with its chain, and its key, in PEM.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// A proxy in front.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Proxy {
    /// Its networks: a header counts in requests from there alone.
    pub(crate) trusted: Vec<String>,
    /// How it tells the certificate that a device showed. Without it devices sign their messages.
    pub(crate) client_certificate: Option<ProxyHeader>,
    /// The header's name, for `pem`.
    #[serde(default = "pem_header")]
    pub(crate) header: String,
    /// It adds the address that it serves to `X-Forwarded-For`. Say so only of one that does: what clients write there
    /// would count else.
    #[serde(default)]
    pub(crate) forwarded_for: bool,
}

/// The form in which a proxy tells a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProxyHeader {
    /// `Client-Cert` (RFC 9440).
    ClientCert,
    /// PEM, as nginx escapes it.
    Pem,
    /// Envoy's `x-forwarded-client-cert`.
    Envoy,
}

/// Where the vendor's own people and programs are served.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Admin {
    pub(crate) address: SocketAddr,
    /// Listens elsewhere than on this machine, where whoever is on the way can read the token.
    pub(crate) allow_remote: bool,
    /// At least 32 characters.
    pub(crate) token: Option<Secret<String>>,
    pub(crate) token_file: Option<PathBuf>,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            address: loopback(8081),
            allow_remote: false,
            token: None,
            token_file: None,
        }
    }
}

/// Who may enrol, and with what profile.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Enrollment {
    /// `PayloadIdentifier` of the enrolment profile. Never change it.
    pub(crate) identifier: String,
    /// Who signs it; without one, a signer under the server's own authority.
    pub(crate) signer: Option<Identity>,
    /// Roots that the device shall trust, such as that of this server's certificate.
    pub(crate) roots: Option<PathBuf>,
    /// The authorities of Apple's that device certificates end at. Without them no way in is offered but
    /// the link.
    pub(crate) device_authorities: Option<PathBuf>,
    /// Lets any device of Apple's in that asks by automated enrolment, not only those that are assigned.
    pub(crate) any_device: bool,
    /// The topic of the push certificate, where there is none here.
    pub(crate) topic: Option<String>,
}

impl Default for Enrollment {
    fn default() -> Self {
        Self {
            identifier: "mdm-server.enrollment".into(),
            signer: None,
            roots: None,
            device_authorities: None,
            any_device: false,
            topic: None,
        }
    }
}

/// The people who enrol devices.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accounts {
    /// The file of users, one line each as `mdm-server user NAME` prints it.
    pub(crate) users: PathBuf,
    /// Lets devices that Apple points here enrol without anybody signing in as well: at `/enroll/automated`.
    #[serde(default)]
    pub(crate) optional: bool,
    /// Account-driven enrolment. Without it people sign in on the page of automated enrolment and before a download.
    pub(crate) account_driven: Option<AccountDriven>,
    /// Most devices of each user; no limit unless set.
    pub(crate) devices_each: Option<u64>,
    /// What the profile says of itself: `$OWNER`, `$MANAGED_APPLE_ACCOUNT` and the user's own data are filled in.
    pub(crate) description: Option<String>,
    /// How often somebody may try to sign in with a name within 15 minutes.
    #[serde(default = "attempts_per_name")]
    pub(crate) attempts_per_name: u32,
    /// The same from one address; behind some are whole offices.
    #[serde(default = "attempts_per_peer")]
    pub(crate) attempts_per_peer: u32,
}

/// Which enrolment people are offered who type their account into a device.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountDriven {
    /// Everybody, unless their kind of device says something else.
    pub(crate) offers: AccountEnrollment,
    /// By `AppleTV`, `iPad`, `iPhone`, `Mac`, `RealityDevice`, `Watch`.
    #[serde(default)]
    pub(crate) by_model: BTreeMap<String, AccountEnrollment>,
}

/// Whose device it is that somebody enrols with their account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AccountEnrollment {
    /// Their own: User Enrolment.
    User,
    /// The organisation's.
    Device,
}

impl From<AccountEnrollment> for DiscoveryVersion {
    fn from(kind: AccountEnrollment) -> Self {
        match kind {
            AccountEnrollment::User => Self::Byod,
            AccountEnrollment::Device => Self::Adde,
        }
    }
}

/// What identities are issued.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Scep {
    pub(crate) validity_days: u32,
    /// How long before its end an identity is renewed: a quarter of its validity unless set, 0 for never.
    pub(crate) renew_days: Option<u32>,
    /// How long a device has from its profile to its identity.
    pub(crate) challenge_hours: u32,
    /// Takes single DES and SHA-1, for clients that know nothing else.
    pub(crate) legacy_des: bool,
    /// Where `/crl` and `/ocsp` are reached over plain HTTP, such as `http://status.example.com`: both stand in the certificates
    /// then. Without it the revocation list does alone, at the public URL.
    pub(crate) status_url: Option<String>,
    /// Takes requests that another key than the CSR's has signed, as simulators of devices make them: then whoever catches a
    /// request can spend its challenge.
    pub(crate) throwaway_signer: bool,
}

impl Default for Scep {
    fn default() -> Self {
        Self {
            validity_days: 365,
            renew_days: None,
            challenge_hours: 24,
            legacy_des: false,
            status_url: None,
            throwaway_signer: false,
        }
    }
}

impl Scep {
    /// How long a challenge lives.
    pub(crate) fn challenge_lifetime(&self) -> Duration {
        Duration::from_secs(3_600).saturating_mul(self.challenge_hours)
    }
}

/// Identities by ACME, for keys that Apple attests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acme {
    /// Whom attestations end at: Apple Enterprise Attestation Root CA.
    pub(crate) attestation_roots: PathBuf,
}

/// How devices are told to call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Push {
    /// The push certificate and its key. Once they were read a sealed copy is kept, and they may go.
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    /// Another service than Apple's.
    pub(crate) host: Option<String>,
    #[serde(default = "https")]
    pub(crate) port: u16,
    /// Whom to trust with it; the system's roots unless set.
    pub(crate) roots: Option<PathBuf>,
}

/// Whom Macs encrypt their FileVault recovery keys for, through the escrow payload (`com.apple.security.FDERecoveryKeyEscrow`)
/// of a profile that the vendor sends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileVault {
    /// The certificate and its key. Once they were read a sealed copy is kept, and they may go. Without them the server makes a
    /// pair of its own; the API tells the certificate.
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// Where events go; its name in `[webhooks]` tells it apart for good.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    /// The key that requests are signed with: at least 16 bytes.
    pub(crate) key: Option<Secret<String>>,
    pub(crate) key_file: Option<PathBuf>,
    /// Whom to trust with it; the system's roots unless set.
    pub(crate) roots: Option<PathBuf>,
}

/// Device assignment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ade {
    /// Another service than Apple's.
    pub(crate) url: Option<String>,
    /// Whom to trust with it; the system's roots unless set.
    pub(crate) roots: Option<PathBuf>,
}

/// What is done by itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Schedule {
    /// How often each device is asked what it is; 0 for never.
    pub(crate) inventory_hours: u32,
    /// How long finished commands are kept.
    pub(crate) keep_commands_days: u32,
    /// How often the schedule is looked at.
    pub(crate) every_seconds: u32,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            inventory_hours: 24,
            keep_commands_days: 90,
            every_seconds: 60,
        }
    }
}

/// What is logged, to standard error.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    /// Directives such as `info,mdm_service=debug`.
    pub(crate) filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info".into(),
        }
    }
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

fn organization() -> String {
    "Example Organisation".into()
}

fn pem_header() -> String {
    "x-client-cert".into()
}

const fn attempts_per_name() -> u32 {
    10
}

const fn attempts_per_peer() -> u32 {
    300
}

const fn https() -> u16 {
    443
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

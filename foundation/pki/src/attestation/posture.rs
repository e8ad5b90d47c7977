//! What an attestation says of the device: Apple's extensions, each read or marked as unknown.

use std::collections::BTreeSet;

use mdm_core::{SerialNumber, Udid};

use super::{AttestationError, value};
use crate::{Certificate, Oid};

const SERIAL_NUMBER: Oid = Oid::constant("1.2.840.113635.100.8.9.1");
const UDID: Oid = Oid::constant("1.2.840.113635.100.8.9.2");
const SOFTWARE_UPDATE_DEVICE_ID: Oid = Oid::constant("1.2.840.113635.100.8.9.4");
const OS_VERSION: Oid = Oid::constant("1.2.840.113635.100.8.10.1");
const SEP_OS_VERSION: Oid = Oid::constant("1.2.840.113635.100.8.10.2");
const LLB_VERSION: Oid = Oid::constant("1.2.840.113635.100.8.10.3");
pub(super) const FRESHNESS: Oid = Oid::constant("1.2.840.113635.100.8.11.1");
const SIP: Oid = Oid::constant("1.2.840.113635.100.8.13.1");
const SECURE_BOOT: Oid = Oid::constant("1.2.840.113635.100.8.13.2");
const THIRD_PARTY_KEXTS: Oid = Oid::constant("1.2.840.113635.100.8.13.3");
/// Everything that is Apple's: 1.2.840.113635.
const APPLE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x63];

/// One property of the device. What is not [`Self::Known`] says nothing good and nothing bad.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Property<T> {
    /// The attestation does not speak of it: an older system, another platform, User Enrollment.
    #[default]
    Absent,
    /// It is there and blank, or in a form that is not known: the bytes as they stand.
    Unknown(Vec<u8>),
    /// It is there and says this.
    Known(T),
}

impl<T> Property<T> {
    /// What it says, if that is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Absent | Self::Unknown(_) => None,
        }
    }

    /// Whether the attestation does not speak of it at all.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    fn read(certificate: &Certificate, kind: Oid, read: impl FnOnce(&[u8]) -> Option<T>) -> Self {
        match certificate.extension(kind) {
            None => Self::Absent,
            Some(bytes) => match read(bytes) {
                Some(value) => Self::Known(value),
                None => Self::Unknown(bytes.to_vec()),
            },
        }
    }

    fn verdict(&self, good: impl FnOnce(&T) -> bool) -> Verdict {
        match self.known() {
            None => Verdict::Unknown,
            Some(value) if good(value) => Verdict::Good,
            Some(_) => Verdict::Bad,
        }
    }
}

/// How the device stands in one respect. Only [`Self::Good`] is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// The attestation does not tell.
    Unknown,
}

impl Verdict {
    /// Whether it is known to be as it should be.
    pub fn is_good(self) -> bool {
        self == Self::Good
    }
}

/// System Integrity Protection (OID …8.13.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sip {
    /// On: 0.
    Enabled,
    /// Off: 1.
    Disabled,
}

/// The security policy of the startup disk (OID …8.13.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecureBoot {
    /// Full Security. Some Macs say so by the INTEGER 0, the one number whose meaning is known.
    Full,
    /// Reduced Security.
    Reduced,
    /// Permissive Security.
    Permissive,
}

/// Whether kernel extensions of third parties are allowed (OID …8.13.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ThirdPartyKexts {
    /// None: 0.
    NotAllowed,
    /// Of some kind: any other number.
    Allowed,
}

/// An extension of Apple's that is not known here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppleExtension {
    /// Which one.
    pub oid: Oid,
    /// What stands inside its OCTET STRING.
    pub value: Vec<u8>,
}

/// What an attestation says of the device.
///
/// Apple writes the values as bare ASCII, as DER strings and as DER numbers; all are read. A value that is blank or of
/// another form is [`Property::Unknown`] and never taken for a good one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Posture {
    /// The serial number. Absent in User Enrollment.
    pub serial_number: Property<SerialNumber>,
    /// The UDID; of a Mac the provisioning UDID. Absent in User Enrollment.
    pub udid: Property<Udid>,
    /// The `SoftwareUpdateDeviceID`, such as `J413AP`.
    pub software_update_device_id: Property<String>,
    /// The version of the system.
    pub os_version: Property<String>,
    /// The version of the Secure Enclave's system.
    pub sep_os_version: Property<String>,
    /// The version of the Low-Level Bootloader.
    pub llb_version: Property<String>,
    /// System Integrity Protection; of a Mac alone.
    pub sip: Property<Sip>,
    /// The security policy of the startup disk; of a Mac alone.
    pub secure_boot: Property<SecureBoot>,
    /// Kernel extensions of third parties; of a Mac alone.
    pub third_party_kexts: Property<ThirdPartyKexts>,
    /// Extensions under Apple's arc 1.2.840.113635 that are not known here, as they stand.
    pub others: Vec<AppleExtension>,
}

impl Posture {
    /// Whether the attestation names neither serial number nor UDID, as in User Enrollment: a legal answer, to which no
    /// device can be matched. A blank one is no absent one.
    pub fn withholds_identity(&self) -> bool {
        self.serial_number.is_absent() && self.udid.is_absent()
    }

    /// Whether System Integrity Protection is on.
    pub fn sip_enabled(&self) -> Verdict {
        self.sip.verdict(|sip| *sip == Sip::Enabled)
    }

    /// Whether the startup disk has Full Security.
    pub fn full_security(&self) -> Verdict {
        self.secure_boot.verdict(|boot| *boot == SecureBoot::Full)
    }

    /// Whether no kernel extensions of third parties are allowed.
    pub fn no_third_party_kexts(&self) -> Verdict {
        let good = |kexts: &_| *kexts == ThirdPartyKexts::NotAllowed;
        self.third_party_kexts.verdict(good)
    }

    pub(super) fn read(leaf: &Certificate) -> Result<Self, AttestationError> {
        let text = |kind| Property::read(leaf, kind, |value| value::text(value).map(str::to_owned));
        Ok(Self {
            serial_number: Property::read(leaf, SERIAL_NUMBER, |value| {
                SerialNumber::new(value::text(value)?).ok()
            }),
            udid: Property::read(leaf, UDID, |value| Udid::new(value::text(value)?).ok()),
            software_update_device_id: text(SOFTWARE_UPDATE_DEVICE_ID),
            os_version: text(OS_VERSION),
            sep_os_version: text(SEP_OS_VERSION),
            llb_version: text(LLB_VERSION),
            sip: Property::read(leaf, SIP, |value| match value::number(value)? {
                0 => Some(Sip::Enabled),
                1 => Some(Sip::Disabled),
                _ => None,
            }),
            secure_boot: Property::read(leaf, SECURE_BOOT, secure_boot),
            third_party_kexts: Property::read(leaf, THIRD_PARTY_KEXTS, |value| {
                Some(match value::number(value)? {
                    0 => ThirdPartyKexts::NotAllowed,
                    _ => ThirdPartyKexts::Allowed,
                })
            }),
            others: others(leaf)?,
        })
    }
}

/// Apple's documentation names the values `Full Security` and so on; Macs were seen to send the INTEGER 0 for it.
fn secure_boot(value: &[u8]) -> Option<SecureBoot> {
    if let Some(number) = value::number(value) {
        return (number == 0).then_some(SecureBoot::Full);
    }
    let text = value::text(value)?.to_ascii_lowercase().replace(' ', "");
    match text.strip_suffix("security").unwrap_or(&text) {
        "full" => Some(SecureBoot::Full),
        "reduced" => Some(SecureBoot::Reduced),
        "permissive" => Some(SecureBoot::Permissive),
        _ => None,
    }
}

/// Extensions that stand there twice are refused (RFC 5280, section 4.2): which one counts would be anybody's guess.
fn others(leaf: &Certificate) -> Result<Vec<AppleExtension>, AttestationError> {
    const KNOWN: [Oid; 10] = [
        SERIAL_NUMBER,
        UDID,
        SOFTWARE_UPDATE_DEVICE_ID,
        OS_VERSION,
        SEP_OS_VERSION,
        LLB_VERSION,
        FRESHNESS,
        SIP,
        SECURE_BOOT,
        THIRD_PARTY_KEXTS,
    ];
    let failed = |error: crate::Error| AttestationError::Extensions(error.to_string());
    let mut seen = BTreeSet::new();
    let mut others = Vec::new();
    for extension in leaf.extensions() {
        let extension = extension.map_err(failed)?;
        let oid = extension.kind.oid().map_err(failed)?;
        if !seen.insert(oid) {
            return Err(AttestationError::Extensions(format!(
                "{oid} stands there twice"
            )));
        }
        if oid.as_bytes().starts_with(APPLE) && !KNOWN.contains(&oid) {
            others.push(AppleExtension {
                oid,
                value: extension.value.to_vec(),
            });
        }
    }
    Ok(others)
}

//! Which device may answer `device-attest-01`, and whether what it answered attests that
//! (draft-ietf-acme-device-attest section 5, as Apple's devices do it).
//!
//! Apple's devices know no external accounts, and their `ClientIdentifier` is an opaque text. So whoever runs the
//! server says through [`DeviceAuthorizer`] which device stands behind an identifier; an identifier that it does not
//! know gets no order.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::{Secret, SerialNumber, Udid};
use mdm_pki::{
    GeneralName, Name,
    attestation::{
        Answer, Attestation, AttestationError, AttestedKey, Freshness, Limits, Posture, Property,
        Verdict, Verifier,
    },
};
use serde::{Deserialize, Serialize};

use super::{
    base64url,
    identifier::{Identifier, IdentifierType},
    json,
    resource::AttestationResponse,
    store::{AccountId, Token},
};
use crate::{
    authorize::{HARDWARE_MODULE_NAME, PERMANENT_IDENTIFIER},
    der::{split, tlv},
    store::StoreError,
};

const UTF8_STRING: u8 = 0x0c;
const SEQUENCE: u8 = 0x30;

/// Says which device may use an identifier.
#[async_trait]
pub trait DeviceAuthorizer: fmt::Debug + Send + Sync {
    /// The device that has to attest, or none for an identifier that nothing is known of: such an order is
    /// refused. Asked when an order is made; the answer is kept with the order.
    ///
    /// # Errors
    /// Where that cannot be said now. The client is asked to come again.
    async fn expect(&self, query: &DeviceQuery<'_>) -> Result<Option<ExpectedDevice>, StoreError>;

    /// Whether that device may still have its certificate: asked when the order is finalized, which may be
    /// [some time](super::server::Policy::order_lifetime) later. If not, the order stays as it is, and the client is
    /// refused. Yes, unless implemented. The [path](DeviceQuery::path) is not known here: it is a secret, and not kept.
    ///
    /// # Errors
    /// As for [`expect`](Self::expect).
    async fn confirm(
        &self,
        _query: &DeviceQuery<'_>,
        _device: &ExpectedDevice,
    ) -> Result<bool, StoreError> {
        Ok(true)
    }
}

/// Who asks for a device's certificate.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct DeviceQuery<'a> {
    /// The identifier of the order: the `ClientIdentifier` of the profile.
    pub identifier: &'a Identifier,
    /// The secret segment of the directory's path, if it has one: `…/e/SEGMENT/directory`.
    pub path: Option<&'a Secret<String>>,
    /// The account, which any device may make.
    pub account: &'a AccountId,
    /// When it asks.
    pub now: DateTime<Utc>,
    /// When the order was made: now, while it is being made.
    pub ordered_at: DateTime<Utc>,
}

/// The device that an identifier stands for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExpectedDevice {
    /// Whose enrolment it is; named in events.
    pub label: String,
    /// What the attestation has to say.
    pub identity: DeviceIdentity,
    /// Whether an answer without an attestation is good enough: no, unless changed. Macs with a T2 chip and old
    /// processors cannot attest; everybody who knows the identifier can say so. The state of such a device is unknown
    /// and not judged.
    pub unattested: bool,
    /// The subject that the CSR has to have, to the byte. Without this it may be empty or a common name that is
    /// the identifier.
    #[serde(with = "subject", default)]
    pub subject: Option<Name>,
    /// Alternative names that the certificate gets beside the identifier; the CSR may name these and no others.
    #[serde(with = "names", default)]
    pub names: Vec<GeneralName>,
}

/// What an attestation has to say of the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DeviceIdentity {
    /// This serial number.
    SerialNumber(SerialNumber),
    /// This UDID.
    Udid(Udid),
    /// Both.
    Both {
        /// The serial number.
        serial_number: SerialNumber,
        /// The UDID.
        udid: Udid,
    },
    /// Neither serial number nor UDID, as in User Enrollment: any genuine device that withholds both.
    UserEnrollment,
}

impl ExpectedDevice {
    /// A device that has to attest this.
    pub fn new(label: impl Into<String>, identity: DeviceIdentity) -> Self {
        Self {
            label: label.into(),
            identity,
            unattested: false,
            subject: None,
            names: Vec::new(),
        }
    }

    /// The device with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl DeviceIdentity {
    /// What differs, if something does. Only a value that is known is equal to anything.
    fn mismatch(&self, posture: &Posture) -> Option<&'static str> {
        fn differs<T: PartialEq>(property: &Property<T>, expected: &T) -> bool {
            property.known() != Some(expected)
        }
        let (serial, udid) = match self {
            Self::SerialNumber(serial) => (Some(serial), None),
            Self::Udid(udid) => (None, Some(udid)),
            Self::Both {
                serial_number,
                udid,
            } => (Some(serial_number), Some(udid)),
            Self::UserEnrollment => {
                return (!posture.withholds_identity()).then_some("serial number or UDID");
            }
        };
        if serial.is_some_and(|serial| differs(&posture.serial_number, serial)) {
            return Some("serial number");
        }
        // Systems write a UDID's hexadecimal digits in either case.
        let same = |udid: &Udid| {
            let attested = posture.udid.known();
            attested.is_some_and(|it| it.as_str().eq_ignore_ascii_case(udid.as_str()))
        };
        udid.is_some_and(|udid| !same(udid)).then_some("UDID")
    }
}

/// Judges a device by what Apple attests of its state, beyond its identity.
///
/// A closure will do: `|_: &ExpectedDevice, posture: &Posture| posture.sip_enabled()`.
pub trait PosturePolicy: fmt::Debug + Send + Sync {
    /// The verdict; only [`Verdict::Good`] lets the device pass.
    fn judge(&self, device: &ExpectedDevice, posture: &Posture) -> Verdict;
}

/// Asks for nothing beyond the identity; the policy of a server that was given none.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnyPosture;

impl PosturePolicy for AnyPosture {
    fn judge(&self, _: &ExpectedDevice, _: &Posture) -> Verdict {
        Verdict::Good
    }
}

/// Makes a policy of a closure.
pub fn posture_fn<F>(judge: F) -> PostureFn<F>
where
    F: Fn(&ExpectedDevice, &Posture) -> Verdict + Send + Sync,
{
    PostureFn(judge)
}

/// A closure as a policy, from [`posture_fn`].
#[derive(Clone, Copy)]
pub struct PostureFn<F>(F);

impl<F> fmt::Debug for PostureFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostureFn")
    }
}

impl<F> PosturePolicy for PostureFn<F>
where
    F: Fn(&ExpectedDevice, &Posture) -> Verdict + Send + Sync,
{
    fn judge(&self, device: &ExpectedDevice, posture: &Posture) -> Verdict {
        (self.0)(device, posture)
    }
}

/// Why an answer to `device-attest-01` does not hold. For the operator: the client learns the kind alone.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AttestationRefusal {
    /// The payload is no object with an `attObj` in base64url.
    #[error("the answer of {label} is malformed")]
    Malformed {
        /// Whose enrolment it is.
        label: String,
    },
    /// There is no attestation, and the device has to attest.
    #[error("{label} answered without an attestation")]
    Unattested {
        /// Whose enrolment it is.
        label: String,
    },
    /// The attestation does not hold.
    #[error("the attestation of {label} does not hold")]
    Attestation {
        /// Whose enrolment it is.
        label: String,
        /// Why not.
        #[source]
        source: AttestationError,
    },
    /// It is of another device.
    #[error("the attestation for {label} has another {field}")]
    Identity {
        /// Whose enrolment it is.
        label: String,
        /// What differs.
        field: &'static str,
    },
    /// The device's state is not good enough, or not known to be.
    #[error("the state of {label} is {verdict:?}")]
    Posture {
        /// Whose enrolment it is.
        label: String,
        /// The policy's verdict.
        verdict: Verdict,
    },
    /// The key was attested before, in another order.
    #[error("the key that {label} attested was attested before, in another order")]
    KeyUsed {
        /// Whose enrolment it is.
        label: String,
    },
}

/// The part of a server that knows devices.
#[derive(Debug)]
pub(crate) struct Devices {
    pub(crate) authorizer: Arc<dyn DeviceAuthorizer>,
    pub(crate) verifier: Verifier,
    pub(crate) posture: Arc<dyn PosturePolicy>,
    pub(crate) limits: Limits,
}

/// What a device answered, if it holds.
#[derive(Debug)]
pub(crate) enum Answered {
    Attested(Box<Attestation>),
    Unattested,
}

impl Answered {
    pub(crate) fn key(&self) -> Option<&AttestedKey> {
        match self {
            Self::Attested(attestation) => Some(attestation.key()),
            Self::Unattested => None,
        }
    }
}

impl Devices {
    /// Examines the payload of a challenge's answer.
    pub(crate) fn examine(
        &self,
        device: &ExpectedDevice,
        token: &Token,
        payload: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Result<Answered, AttestationRefusal>, mdm_pki::Error> {
        let label = || device.label.clone();
        let Ok(response) = json::read::<AttestationResponse>(payload) else {
            return Ok(Err(AttestationRefusal::Malformed { label: label() }));
        };
        let att_obj = response.att_obj.unwrap_or_default();
        let freshness = Freshness::acme(token.as_str());
        let attestation = match Answer::from_cbor(&att_obj, &self.limits) {
            Ok(Answer::Unattested) if device.unattested => return Ok(Ok(Answered::Unattested)),
            Ok(Answer::Unattested) => {
                return Ok(Err(AttestationRefusal::Unattested { label: label() }));
            }
            Ok(Answer::Attested(statement)) => self.verifier.verify(&statement, &freshness, now),
            Err(error) => Err(error),
        };
        let attestation = match attestation {
            Ok(attestation) => attestation,
            Err(AttestationError::Internal(error)) => return Err(error),
            Err(source) => {
                let label = label();
                return Ok(Err(AttestationRefusal::Attestation { label, source }));
            }
        };
        let posture = attestation.posture();
        if let Some(field) = device.identity.mismatch(posture) {
            let label = label();
            return Ok(Err(AttestationRefusal::Identity { label, field }));
        }
        let verdict = self.posture.judge(device, posture);
        if !verdict.is_good() {
            let label = label();
            return Ok(Err(AttestationRefusal::Posture { label, verdict }));
        }
        Ok(Ok(Answered::Attested(Box::new(attestation))))
    }
}

/// A device's identifier as an alternative name; nothing for what is none.
pub(crate) fn general_name(identifier: &Identifier) -> Option<GeneralName> {
    match identifier.kind {
        IdentifierType::PermanentIdentifier => Some(GeneralName::OtherName {
            kind: PERMANENT_IDENTIFIER,
            // PermanentIdentifier ::= SEQUENCE { identifierValue UTF8String OPTIONAL, .. }
            value: tlv(SEQUENCE, &tlv(UTF8_STRING, identifier.value.as_bytes())),
        }),
        IdentifierType::HardwareModule => {
            let value = base64url::decode(&identifier.value)?;
            let whole = matches!(split(&value), Some((SEQUENCE, _, [])));
            let kind = HARDWARE_MODULE_NAME;
            whole.then_some(GeneralName::OtherName { kind, value })
        }
        _ => None,
    }
}

mod subject {
    use mdm_pki::Name;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    use crate::acme::base64url;

    pub(super) fn serialize<S: Serializer>(
        subject: &Option<Name>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text = subject
            .as_ref()
            .map(|name| base64url::encode(name.to_der()));
        text.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Name>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let name = base64url::decode(&text).and_then(|der| Name::from_der(&der).ok());
        name.map(Some)
            .ok_or_else(|| D::Error::custom("not a name in base64url"))
    }
}

mod names {
    use mdm_pki::GeneralName;
    use serde::{Deserializer, Serializer, de::Error as _};

    use crate::acme::base64url;

    pub(super) fn serialize<S: Serializer>(
        names: &[GeneralName],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        base64url::bytes::serialize(&GeneralName::list_to_der(names), serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<GeneralName>, D::Error> {
        let der = base64url::bytes::deserialize(deserializer)?;
        GeneralName::list_from_der(&der).map_err(D::Error::custom)
    }
}

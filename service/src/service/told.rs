//! What a command's result tells beyond its status: what the device is, and secrets to keep.

use chrono::{DateTime, Utc};
use mdm_core::Secret;
use mdm_pki::cms::{DecryptPolicy, EnvelopedData, Limits};
use mdm_plist::{Dictionary, Value};
use mdm_protocol::EnrollmentId;
use memchr::memmem;
use serde::Deserialize;

use super::{Inner, known::is_kept, report::limits};
use crate::{EscrowEntry, EscrowKind, Reported, StoreError, enrollment::decide::TOKEN_BYTES};

/// Most bytes of an encrypted recovery key: 64 KiB. A real one has less than 2.
const MESSAGE_BYTES: usize = 64 << 10;

/// What the service looks at in a result; whatever else is there is passed over.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Told {
    #[serde(default)]
    query_responses: Option<Value>,
    #[serde(default)]
    security_info: Option<Value>,
    #[serde(default)]
    rotate_result: Option<Value>,
    #[serde(default)]
    activation_lock_bypass_code: Option<Value>,
    #[serde(default)]
    unlock_token: Option<Value>,
}

impl Told {
    /// One malformed date, number or data leaves out itself, and not what stands beside it. A result that cannot
    /// be read at all tells nothing; it settles its command all the same.
    fn read(body: &[u8], limits: &mdm_plist::Limits) -> Self {
        mdm_plist::from_slice_with(body, limits)
            .or_else(|_| {
                let (keys, _) = mdm_plist::from_slice_leniently(body, limits)?;
                mdm_plist::from_value(keys)
            })
            .unwrap_or_default()
    }
}

/// Whether a result may hold what [`told`] looks for. Most do not, and are not read a second time for it.
pub(super) fn may_tell(body: &[u8]) -> bool {
    const KEYS: [&str; 5] = [
        "QueryResponses",
        "SecurityInfo",
        "RotateResult",
        "ActivationLockBypassCode",
        "UnlockToken",
    ];
    // A key that is written in ASCII is, in both forms of a property list.
    let mut keys = KEYS.iter();
    keys.any(|key| memmem::find(body, key.as_bytes()).is_some())
}

/// What a result says of the device, and the secrets in it.
pub(super) async fn told(
    service: &Inner,
    id: &EnrollmentId,
    command_uuid: &str,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(Option<Reported>, Vec<EscrowEntry>), StoreError> {
    let told = Told::read(body, &limits(service));
    let reported = told
        .query_responses
        .as_ref()
        .and_then(Value::as_dictionary)
        .map(|answers| reported(answers, now));
    let mut escrow = Vec::new();
    for secret in secrets(&told) {
        if !secret.is_bounded() {
            tracing::warn!(enrollment = %id, command_uuid, "a secret is too large for escrow");
            continue;
        }
        let (kind, value) = match secret {
            Found::Encrypted(cms) => recovery_key(service, id, cms).await,
            Found::BypassCode(code) => (
                EscrowKind::ActivationLockBypassCode,
                Secret::new(code.as_bytes().to_vec()),
            ),
            Found::UnlockToken(token) => (EscrowKind::UnlockToken, Secret::new(token.to_vec())),
        };
        let entry = EscrowEntry::new(id.clone(), kind, value, now)
            .with(|entry| entry.source = Some(command_uuid.to_owned()));
        // The newest is what holds now, also where it held before.
        if !is_kept(service, &entry, 1).await? {
            escrow.push(entry);
        }
    }
    Ok((reported, escrow))
}

/// What `DeviceInformation` answers.
fn reported(answers: &Dictionary, now: DateTime<Utc>) -> Reported {
    let text = |key| answers.get(key).and_then(Value::as_string);
    let names = ["ProductName", "Model", "ModelName"].into_iter();
    Reported::of_product(names.filter_map(text), now).with(|reported| {
        let owned = |key| text(key).map(str::to_owned);
        reported.os_version = owned("OSVersion");
        reported.build_version = owned("BuildVersion");
        reported.model = owned("Model");
        reported.product_name = owned("ProductName");
        reported.device_name = owned("DeviceName");
        reported.is_supervised = answers.get("IsSupervised").and_then(boolean);
    })
}

/// 0 and 1 are booleans.
fn boolean(value: &Value) -> Option<bool> {
    match (value.as_boolean(), value.as_signed_integer()) {
        (None, Some(0)) => Some(false),
        (None, Some(1)) => Some(true),
        (boolean, _) => boolean,
    }
}

enum Found<'a> {
    /// A FileVault recovery key, encrypted for the certificate of the escrow payload.
    Encrypted(&'a [u8]),
    BypassCode(&'a str),
    /// What `RequestUnlockToken` answers.
    UnlockToken(&'a [u8]),
}

impl Found<'_> {
    /// What is kept for good has a bound. What is larger is in the result alone.
    fn is_bounded(&self) -> bool {
        match self {
            Self::Encrypted(cms) => cms.len() <= MESSAGE_BYTES,
            Self::BypassCode(code) => code.len() <= TOKEN_BYTES,
            Self::UnlockToken(token) => token.len() <= TOKEN_BYTES,
        }
    }
}

fn secrets(told: &Told) -> impl Iterator<Item = Found<'_>> {
    let encrypted = [
        data(&told.security_info, "FDE_PersonalRecoveryKeyCMS"),
        data(&told.rotate_result, "EncryptedNewRecoveryKey"),
    ];
    let code = told
        .activation_lock_bypass_code
        .as_ref()
        .and_then(Value::as_string)
        .filter(|code| !code.is_empty());
    let unlock_token = told.unlock_token.as_ref().and_then(filled);
    encrypted
        .into_iter()
        .flatten()
        .map(Found::Encrypted)
        .chain(code.map(Found::BypassCode))
        .chain(unlock_token.map(Found::UnlockToken))
}

fn data<'a>(value: &'a Option<Value>, key: &str) -> Option<&'a [u8]> {
    filled(value.as_ref()?.as_dictionary()?.get(key)?)
}

/// Data that is not empty.
fn filled(value: &Value) -> Option<&[u8]> {
    value.as_data().filter(|data| !data.is_empty())
}

/// The recovery key, or as it came where it cannot be opened here: another key may.
async fn recovery_key(
    service: &Inner,
    id: &EnrollmentId,
    cms: &[u8],
) -> (EscrowKind, Secret<Vec<u8>>) {
    match open(service, cms).await {
        Ok(key) => (EscrowKind::FileVaultRecoveryKey, key),
        Err(reason) => {
            tracing::warn!(enrollment = %id, reason, "a recovery key is kept as it came");
            (
                EscrowKind::EncryptedFileVaultRecoveryKey,
                Secret::new(cms.to_vec()),
            )
        }
    }
}

/// With the former key whose certificate the message names, or else with the current one.
async fn open(service: &Inner, cms: &[u8]) -> Result<Secret<Vec<u8>>, String> {
    let limits = Limits::default().with(|limits| limits.bytes = MESSAGE_BYTES);
    let message = EnvelopedData::parse(cms, &limits).map_err(|error| error.to_string())?;
    let named = service.former_filevault.iter().filter(|(former, _)| {
        let mut recipients = message.recipients().iter();
        recipients.any(|recipient| recipient.is(former))
    });
    let former = named.map(|(certificate, key)| (Some(certificate), key));
    let current = service.filevault.iter().map(|key| (None, key));
    let mut reason = "no key to open it with".to_owned();
    for (certificate, key) in former.chain(current) {
        let policy = DecryptPolicy::default().with(|it| it.recipient = certificate.cloned());
        match message.decrypt_with(&**key, &policy).await {
            Ok(opened) => return Ok(Secret::new(opened.to_vec())),
            Err(error) => reason = error.to_string(),
        }
    }
    Err(reason)
}

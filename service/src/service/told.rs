//! What a command's result tells beyond its status: what the device is, and secrets to keep.

use chrono::{DateTime, Utc};
use mdm_core::Secret;
use mdm_pki::{
    Decrypter,
    cms::{DecryptPolicy, EnvelopedData, Limits},
};
use mdm_plist::{Dictionary, Value};
use mdm_protocol::EnrollmentId;
use serde::Deserialize;

use super::{Inner, report::limits};
use crate::{EscrowEntry, EscrowKind, Reported, StoreError};

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
    const KEYS: [&[u8]; 5] = [
        b"QueryResponses",
        b"SecurityInfo",
        b"RotateResult",
        b"ActivationLockBypassCode",
        b"UnlockToken",
    ];
    // A key that is written in ASCII is, in both forms of a property list.
    let names = |key: &&[u8]| body.windows(key.len()).any(|bytes| bytes == *key);
    KEYS.iter().any(names)
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
        let (kind, value) = match secret {
            Found::Encrypted(cms) => recovery_key(service, id, cms).await,
            Found::BypassCode(code) => (
                EscrowKind::ActivationLockBypassCode,
                Secret::new(code.as_bytes().to_vec()),
            ),
            Found::UnlockToken(token) => (EscrowKind::UnlockToken, Secret::new(token.to_vec())),
        };
        let newest = service.store.escrowed(id, Some(&kind), 1).await?;
        if newest.first().is_none_or(|newest| newest.value != value) {
            escrow.push(
                EscrowEntry::new(id.clone(), kind, value, now)
                    .with(|entry| entry.source = Some(command_uuid.to_owned())),
            );
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
        reported.is_supervised = answers.get("IsSupervised").and_then(Value::as_boolean);
    })
}

enum Found<'a> {
    /// A FileVault recovery key, encrypted for the certificate of the escrow payload.
    Encrypted(&'a [u8]),
    BypassCode(&'a str),
    /// What `RequestUnlockToken` answers.
    UnlockToken(&'a [u8]),
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
    let opened = match &service.filevault {
        Some(key) => open(&**key, cms).await,
        None => Err("no key to open it with".into()),
    };
    match opened {
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

async fn open(key: &dyn Decrypter, cms: &[u8]) -> Result<Secret<Vec<u8>>, String> {
    let opened = async {
        let limits = Limits::default().with(|limits| limits.bytes = 64 << 10);
        let message = EnvelopedData::parse(cms, &limits)?;
        message.decrypt_with(key, &DecryptPolicy::default()).await
    };
    match opened.await {
        Ok(key) => Ok(Secret::new(key.to_vec())),
        Err(error) => Err(error.to_string()),
    }
}

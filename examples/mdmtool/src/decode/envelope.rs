//! What is encrypted, and opening it with the caller's key.

use mdm_pki::{
    Error as PkiError, PrivateKey,
    cms::{ContentCipher, DecryptPolicy, EnvelopedData},
};
use mdm_schema::{Finding, Rule, Severity};
use serde_json::{Value, json};

use crate::error::{Error, one_line};

pub(super) fn describe(enveloped: &EnvelopedData) -> Value {
    let cipher = match enveloped.cipher() {
        Ok(cipher) => format!("{cipher:?}"),
        Err(error) => one_line(&error),
    };
    let recipients = enveloped.recipients().iter().map(|recipient| {
        recipient
            .key_transport()
            .map_or("unknown".to_owned(), |transport| format!("{transport:?}"))
    });
    json!({"cipher": cipher, "recipients": recipients.collect::<Vec<_>>()})
}

/// What is wrong with how it is encrypted.
pub(super) fn finding(enveloped: &EnvelopedData) -> Option<Finding> {
    matches!(enveloped.cipher(), Ok(ContentCipher::DesCbc)).then(|| {
        Finding::new(
            "",
            Rule::Deprecated,
            Severity::Warning,
            "is encrypted with single DES, which anybody can break",
        )
    })
}

/// The content, or why it stays closed: no key was named, or no key would do here.
///
/// Any cipher is tried: this only looks, and [`finding`] names a weak one.
///
/// # Errors
/// [`Error::Decrypt`] for a key that does not fit.
pub(super) fn open(
    enveloped: &EnvelopedData,
    key: Option<&PrivateKey>,
) -> Result<Result<Vec<u8>, Finding>, Error> {
    let closed = |severity, why: String| Finding::new("", Rule::Unreadable, severity, why);
    let Some(key) = key else {
        let why = "is encrypted; name the private key with --key to open it".to_owned();
        return Ok(Err(closed(Severity::Info, why)));
    };
    let policy = DecryptPolicy::default().with(|policy| policy.single_des = true);
    match enveloped.decrypt(key, &policy) {
        Ok(plain) => Ok(Ok(plain.to_vec())),
        Err(
            error @ (PkiError::Unsupported { .. }
            | PkiError::NotAllowed(_)
            | PkiError::LegacyProviderMissing(_)),
        ) => {
            let why = format!("cannot be opened here: {}", one_line(&error));
            Ok(Err(closed(Severity::Warning, why)))
        }
        Err(error) => Err(Error::Decrypt(error)),
    }
}

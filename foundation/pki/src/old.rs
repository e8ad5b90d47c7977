//! Files whose encryption is in OpenSSL's legacy provider.

use openssl::{error::ErrorStack, provider::Provider};

use crate::error::Error;

/// Reads a file, and reads it again with the legacy provider beside the default one where the cipher was missing. The provider
/// stays no longer than that.
///
/// # Errors
/// [`Error::LegacyProviderMissing`]; [`Error::Unsupported`] where that provider does not have the cipher either; else what `judge`
/// makes of OpenSSL's reasons.
pub(crate) fn read<T>(
    what: &'static str,
    mut read: impl FnMut() -> Result<T, ErrorStack>,
    judge: impl Fn(ErrorStack) -> Error,
) -> Result<T, Error> {
    let stack = match read() {
        Err(stack) if is_unknown(&stack) => stack,
        outcome => return outcome.map_err(judge),
    };
    let _legacy =
        Provider::try_load(None, "legacy", true).map_err(|_| Error::LegacyProviderMissing(what))?;
    read().map_err(|again| match is_unknown(&again) {
        true => Error::unsupported(what, Error::openssl(stack.clone())),
        false => judge(again),
    })
}

/// Whether OpenSSL does not know how the file is encrypted, or not so: no password opens it.
fn is_unknown(stack: &ErrorStack) -> bool {
    stack.errors().iter().any(|error| {
        let reason = error.reason().unwrap_or_default();
        // The readers of files say so of any that they cannot read; the ciphers themselves of what they do not have.
        // Of a kind of key they say that its algorithm is unsupported.
        let of_cipher = error.library() == Some("digital envelope routines");
        (of_cipher && reason.contains("unsupported") && !reason.contains("algorithm"))
            || [
                "unknown cipher",
                "unknown pbe algorithm",
                "invalid iteration",
            ]
            .iter()
            .any(|unknown| reason.contains(unknown))
    })
}

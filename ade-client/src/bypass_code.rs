//! Bypass codes of Activation Lock: made here, handed to Apple as a hash when a device is locked, and
//! in the clear when it is unlocked.
//!
//! <https://developer.apple.com/documentation/devicemanagement/creating-and-using-bypass-codes>

use std::{fmt, str::FromStr};

use mdm_core::Secret;
use mdm_pki::{DigestAlgorithm, pbkdf2};

use crate::Error;

/// Neither B, I, O nor S, which look like digits.
const SYMBOLS: &[u8; 32] = b"0123456789ACDEFGHJKLMNPQRTUVWXYZ";

/// What a symbol that is not among them was meant to be.
const LOOKALIKES: [(char, char); 4] = [('B', '8'), ('I', '1'), ('O', '0'), ('S', '5')];

/// How many symbols a code has: 25 of 5 bits, and one of 3.
const LENGTH: usize = 26;

/// Behind how many symbols a dash is printed.
const DASHES: [usize; 5] = [5, 10, 14, 18, 22];

const ITERATIONS: u32 = 50_000;

/// What unlocks a device: 16 random bytes, for people a code of 26 symbols.
///
/// It has to be stored before the device is locked; nobody else has it. `Debug` does not show it.
///
/// ```
/// use ade_client::BypassCode;
///
/// let code: BypassCode = "3um43 puyvy qyd1 uvcc hehj fka4".parse()?;
/// assert_eq!(code.to_text().expose(), "3UM43-PUYVY-QYD1-UVCC-HEHJ-FKA4");
/// assert_eq!(
///     code.escrow_key()?.to_upper_hex(),
///     "6AB40D5EABE7218EC04182F461005600C7E3426BDDD82CDB405BDE9A1E0014B5",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BypassCode(Secret<[u8; 16]>);

impl BypassCode {
    /// A new code.
    ///
    /// # Errors
    /// [`Error::Signing`] if OpenSSL has no randomness.
    pub fn generate() -> Result<Self, Error> {
        Ok(Self::from_bytes(mdm_pki::random()?))
    }

    /// The code of these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Secret::new(bytes))
    }

    /// The bytes, to store.
    pub fn expose(&self) -> &[u8; 16] {
        self.0.expose()
    }

    /// The code as people write it: upper case, with dashes.
    pub fn to_text(&self) -> Secret<String> {
        let bits = u128::from_be_bytes(*self.expose());
        let mut text = String::with_capacity(LENGTH + DASHES.len());
        for index in 0..LENGTH {
            if DASHES.contains(&index) {
                text.push('-');
            }
            // The last symbol holds the 3 bits that are left.
            let value = match 128_usize.checked_sub(5 * (index + 1)) {
                Some(below) => bits >> below & 31,
                None => bits & 7,
            };
            let symbol = usize::try_from(value)
                .ok()
                .and_then(|value| SYMBOLS.get(value));
            text.extend(symbol.copied().map(char::from));
        }
        Secret::new(text)
    }

    /// What Apple is given when the device is locked.
    ///
    /// # Errors
    /// [`Error::Signing`] if OpenSSL offers no PBKDF2 with SHA-256.
    pub fn escrow_key(&self) -> Result<EscrowKey, Error> {
        let key = pbkdf2(DigestAlgorithm::Sha256, self.expose(), &[0; 4], ITERATIONS)?;
        Ok(EscrowKey(Secret::new(*key)))
    }
}

impl fmt::Debug for BypassCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BypassCode([redacted])")
    }
}

/// Reads what people write: in either case, with dashes and spaces anywhere or nowhere, and with B,
/// I, O and S for the digits that they look like.
impl FromStr for BypassCode {
    type Err = InvalidBypassCode;

    fn from_str(text: &str) -> Result<Self, InvalidBypassCode> {
        let mut bits = 0_u128;
        let mut length = 0;
        for symbol in text.chars() {
            if symbol == '-' || symbol.is_whitespace() {
                continue;
            }
            let value = value_of(symbol).ok_or(InvalidBypassCode::Symbol)?;
            length += 1;
            bits = match length {
                ..LENGTH => bits << 5 | value,
                LENGTH if value < 8 => bits << 3 | value,
                LENGTH => return Err(InvalidBypassCode::LastSymbol),
                _ => return Err(InvalidBypassCode::Length),
            };
        }
        match length {
            LENGTH => Ok(Self::from_bytes(bits.to_be_bytes())),
            _ => Err(InvalidBypassCode::Length),
        }
    }
}

fn value_of(symbol: char) -> Option<u128> {
    let symbol = symbol.to_ascii_uppercase();
    let meant = LOOKALIKES
        .iter()
        .find(|(lookalike, _)| *lookalike == symbol)
        .map_or(symbol, |(_, digit)| *digit);
    let index = SYMBOLS
        .iter()
        .position(|known| char::from(*known) == meant)?;
    u128::try_from(index).ok()
}

/// Why a text is no bypass code. The text is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBypassCode {
    /// It has a symbol that no code has.
    #[error("a bypass code has digits and letters only")]
    Symbol,
    /// It has more or fewer than 26 symbols.
    #[error("a bypass code has 26 symbols")]
    Length,
    /// It ends in something else than one of the digits 0 to 7, so a symbol is wrong.
    #[error("the last symbol of a bypass code is a digit from 0 to 7")]
    LastSymbol,
}

/// A bypass code's hash: PBKDF2 with HMAC-SHA256, a salt of four zeros and 50,000 rounds.
#[derive(Clone, PartialEq, Eq)]
pub struct EscrowKey(Secret<[u8; 32]>);

impl EscrowKey {
    /// Takes a hash as it was stored.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// 64 hex digits in upper case, as Apple's sample has them and as they are sent.
    pub fn to_upper_hex(&self) -> String {
        hex::encode_upper(self.expose())
    }

    /// 64 hex digits in lower case, as other servers have them.
    pub fn to_lower_hex(&self) -> String {
        hex::encode(self.expose())
    }
}

impl fmt::Debug for EscrowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EscrowKey([redacted])")
    }
}

#[cfg(test)]
mod tests;

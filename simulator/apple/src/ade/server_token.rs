//! The server token: its credentials, and the file that the portal gives.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{Months, Utc};
use mdm_pki::{Certificate, Error};
use serde_json::json;

use super::{ber, random_hex, timestamp};

/// The credentials of the one server, over all its tokens.
pub(super) struct Credentials {
    pub(super) consumer_key: String,
    pub(super) consumer_secret: String,
    tokens: Vec<Token>,
    ended: Option<Ended>,
}

#[derive(Clone)]
struct Token {
    access_token: String,
    access_secret: String,
}

enum Ended {
    Revoked,
    Expired,
}

/// How an access token stands.
pub(super) enum Standing<'a> {
    Unknown,
    /// A newer one was made.
    Superseded,
    Expired,
    Revoked,
    Current(&'a str),
}

/// What is inside of a token file.
pub(super) struct Contents {
    consumer_key: String,
    consumer_secret: String,
    token: Token,
}

#[cfg(test)]
impl Contents {
    /// Consumer key and secret, access token and secret.
    pub(super) fn values(&self) -> [String; 4] {
        [
            self.consumer_key.clone(),
            self.consumer_secret.clone(),
            self.token.access_token.clone(),
            self.token.access_secret.clone(),
        ]
    }
}

impl Credentials {
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self {
            consumer_key: format!("CK_{}", random_hex::<32>()?.to_ascii_lowercase()),
            consumer_secret: format!("CS_{}", random_hex::<20>()?.to_ascii_lowercase()),
            tokens: Vec::new(),
            ended: None,
        })
    }

    /// A new token of the same server.
    pub(super) fn renew(&mut self) -> Result<Contents, Error> {
        let digits = random_hex::<20>()?;
        let millis = Utc::now().timestamp_millis();
        let token = Token {
            access_token: format!("AT_{digits}O{}O{millis}", random_hex::<8>()?),
            access_secret: format!("AS_{}", random_hex::<20>()?.to_ascii_lowercase()),
        };
        self.tokens.push(token.clone());
        self.ended = None;
        Ok(Contents {
            consumer_key: self.consumer_key.clone(),
            consumer_secret: self.consumer_secret.clone(),
            token,
        })
    }

    pub(super) fn standing(&self, access_token: &str) -> Standing<'_> {
        let Some(at) = self
            .tokens
            .iter()
            .position(|token| token.access_token == access_token)
        else {
            return Standing::Unknown;
        };
        if at + 1 < self.tokens.len() {
            return Standing::Superseded;
        }
        match (&self.ended, self.tokens.get(at)) {
            (Some(Ended::Revoked), _) => Standing::Revoked,
            (Some(Ended::Expired), _) => Standing::Expired,
            (None, Some(token)) => Standing::Current(&token.access_secret),
            (None, None) => Standing::Unknown,
        }
    }

    pub(super) fn revoke(&mut self) {
        self.ended = Some(Ended::Revoked);
    }

    pub(super) fn expire(&mut self) {
        self.ended = Some(Ended::Expired);
    }
}

/// The file, as Apple makes it: CRLF around base64 of 76 columns around BER.
pub(super) fn file(contents: &Contents, recipient: &Certificate) -> Result<Vec<u8>, Error> {
    let envelope = ber::envelope(message(contents).as_bytes(), recipient)?;
    let mut out = String::from(
        "Content-Type: application/pkcs7-mime; name=\"smime.p7m\"; smime-type=enveloped-data\r\n\
         Content-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"smime.p7m\"\r\n\
         Content-Description: S/MIME Encrypted Message\r\n\
         \r\n",
    );
    let base64 = STANDARD.encode(envelope);
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(76));
        out.push_str(line);
        out.push_str("\r\n");
        rest = after;
    }
    Ok(out.into_bytes())
}

/// The inner message: a header with CRLF, then lines with LF.
fn message(contents: &Contents) -> String {
    let expiry = Utc::now()
        .checked_add_months(Months::new(12))
        .unwrap_or_else(Utc::now);
    let json = json!({
        "consumer_key": contents.consumer_key,
        "consumer_secret": contents.consumer_secret,
        "access_token": contents.token.access_token,
        "access_secret": contents.token.access_secret,
        "access_token_expiry": timestamp(expiry),
    });
    format!(
        "Content-Type: text/plain;charset=UTF-8\r\n\
         Content-Transfer-Encoding: 7bit\r\n\
         \r\n\
         -----BEGIN MESSAGE-----\n{json}\n-----END MESSAGE-----\n"
    )
}

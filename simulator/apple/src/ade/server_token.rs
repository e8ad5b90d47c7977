//! The server token: its credentials, and the file that the portal gives.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Months, Utc};
use mdm_pki::{Certificate, Error};
use serde_json::{Value, json};

use super::{ber, ids::Ids, timestamp};

/// The credentials of the one server, over all its tokens.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) consumer_key: String,
    pub(super) consumer_secret: String,
    tokens: Vec<Token>,
    ended: Option<Ended>,
}

#[derive(Debug, Clone)]
struct Token {
    access_token: String,
    access_secret: String,
}

#[derive(Debug)]
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
    made: DateTime<Utc>,
}

impl Credentials {
    pub(super) fn new(ids: &mut Ids) -> Self {
        Self {
            consumer_key: format!("CK_{}", ids.hex(32).to_ascii_lowercase()),
            consumer_secret: format!("CS_{}", ids.hex(20).to_ascii_lowercase()),
            tokens: Vec::new(),
            ended: None,
        }
    }

    /// A new token of the same server.
    pub(super) fn renew(&mut self, ids: &mut Ids, now: DateTime<Utc>) -> Contents {
        let (digits, number) = (ids.hex(20), ids.hex(8));
        let millis = now.timestamp_millis();
        let token = Token {
            access_token: format!("AT_{digits}O{number}O{millis}"),
            access_secret: format!("AS_{}", ids.hex(20).to_ascii_lowercase()),
        };
        self.tokens.push(token.clone());
        self.ended = None;
        Contents {
            consumer_key: self.consumer_key.clone(),
            consumer_secret: self.consumer_secret.clone(),
            token,
            made: now,
        }
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

impl Contents {
    /// The token that lies in the file; it lives for a year.
    pub(super) fn to_json(&self) -> Value {
        let expiry = self.made.checked_add_months(Months::new(12));
        json!({
            "consumer_key": self.consumer_key,
            "consumer_secret": self.consumer_secret,
            "access_token": self.token.access_token,
            "access_secret": self.token.access_secret,
            "access_token_expiry": timestamp(expiry.unwrap_or(self.made)),
        })
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
    let json = contents.to_json();
    format!(
        "Content-Type: text/plain;charset=UTF-8\r\n\
         Content-Transfer-Encoding: 7bit\r\n\
         \r\n\
         -----BEGIN MESSAGE-----\n{json}\n-----END MESSAGE-----\n"
    )
}

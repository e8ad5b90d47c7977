//! The verifying side of OAuth 1.0a (RFC 5849 section 3.2), written from the RFC and apart from any
//! client.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use mdm_pki::DigestAlgorithm;

use super::{
    config::Shapes,
    server_token::{Credentials, Standing},
};

/// The nonces seen with each timestamp.
#[derive(Debug, Default)]
pub(super) struct Nonces(BTreeSet<(i64, String)>);

/// Why a request is refused: status and body as they have been seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A parameter is missing, doubled or not supported.
    BadRequest,
    /// Wrong consumer key, stale timestamp or used nonce.
    Unauthorized,
    SignatureInvalid,
    TokenRejected,
    TokenExpired,
    TokenRevoked,
}

impl Refusal {
    pub(super) fn answer(&self, shapes: &Shapes) -> (u16, &'static str) {
        match self {
            Self::BadRequest => (400, "oauth_problem_adviceBad Request"),
            Self::Unauthorized => (401, "oauth_problem_adviceUnauthorized"),
            Self::SignatureInvalid => (401, "signature_invalid"),
            Self::TokenRejected if shapes.superseded_token_is_signature_invalid => {
                (401, "signature_invalid")
            }
            Self::TokenRejected => (401, "token_rejected"),
            Self::TokenExpired if shapes.expired_token_is_400 => (400, "token_expiredBad Request"),
            Self::TokenExpired => (403, "token_expiredForbidden"),
            Self::TokenRevoked => (403, "FORBIDDEN"),
        }
    }
}

/// What a request looks like to the one who checks it.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    /// `https://host[:port]`, as the client sees the service.
    pub(super) origin: &'a str,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) authorization: Option<&'a str>,
}

/// Checks the request and uses up its nonce.
pub(super) fn verify(
    request: &Request<'_>,
    credentials: &Credentials,
    nonces: &mut Nonces,
    tolerance: Duration,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let header = request.authorization.ok_or(Refusal::BadRequest)?;
    let mut given = parameters(header)?;
    let signature = given.remove("oauth_signature").ok_or(Refusal::BadRequest)?;
    let wants = |name: &str| given.get(name).cloned().ok_or(Refusal::BadRequest);
    let consumer_key = wants("oauth_consumer_key")?;
    let token = wants("oauth_token")?;
    let timestamp: i64 = wants("oauth_timestamp")?
        .parse()
        .map_err(|_| Refusal::BadRequest)?;
    let nonce = wants("oauth_nonce")?;
    if wants("oauth_signature_method")? != "HMAC-SHA1" {
        return Err(Refusal::BadRequest);
    }
    if given
        .get("oauth_version")
        .is_some_and(|version| version != "1.0")
        || nonce.is_empty()
    {
        return Err(Refusal::BadRequest);
    }

    if consumer_key != credentials.consumer_key {
        return Err(Refusal::Unauthorized);
    }
    let access_secret = match credentials.standing(&token) {
        Standing::Unknown => return Err(Refusal::Unauthorized),
        Standing::Superseded => return Err(Refusal::TokenRejected),
        Standing::Expired => return Err(Refusal::TokenExpired),
        Standing::Revoked => return Err(Refusal::TokenRevoked),
        Standing::Current(secret) => secret,
    };
    let key = format!(
        "{}&{}",
        escape(credentials.consumer_secret.as_bytes()),
        escape(access_secret.as_bytes())
    );
    let expected = mdm_pki::hmac(
        DigestAlgorithm::Sha1,
        key.as_bytes(),
        base_string(request, &given).as_bytes(),
    )
    .map_err(|_| Refusal::SignatureInvalid)?;
    if STANDARD.decode(signature).ok().as_deref() != Some(&expected) {
        return Err(Refusal::SignatureInvalid);
    }

    let seconds = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
    let oldest = now.timestamp().saturating_sub(seconds);
    nonces.0 = nonces.0.split_off(&(oldest, String::new()));
    let off = now.timestamp().abs_diff(timestamp);
    if off > tolerance.as_secs() || !nonces.0.insert((timestamp, nonce)) {
        return Err(Refusal::Unauthorized);
    }
    Ok(())
}

/// The header's parameters without the realm (section 3.5.1). A doubled or foreign one is refused.
fn parameters(header: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let rest = header
        .get(..6)
        .filter(|scheme| scheme.eq_ignore_ascii_case("OAuth "))
        .and_then(|_| header.get(6..))
        .ok_or(Refusal::BadRequest)?;
    let mut given = BTreeMap::new();
    for part in rest.split(',') {
        let (name, value) = part.trim().split_once('=').ok_or(Refusal::BadRequest)?;
        let value = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .ok_or(Refusal::BadRequest)?;
        if name == "realm" {
            continue;
        }
        let text = |escaped| String::from_utf8(unescape(escaped)).map_err(|_| Refusal::BadRequest);
        let name = text(name)?;
        if !KNOWN.contains(&name.as_str()) || given.insert(name, text(value)?).is_some() {
            return Err(Refusal::BadRequest);
        }
    }
    Ok(given)
}

const KNOWN: [&str; 7] = [
    "oauth_consumer_key",
    "oauth_nonce",
    "oauth_signature",
    "oauth_signature_method",
    "oauth_timestamp",
    "oauth_token",
    "oauth_version",
];

/// Section 3.4.1.
fn base_string(request: &Request<'_>, given: &BTreeMap<String, String>) -> String {
    let mut pairs: Vec<(String, String)> = given
        .iter()
        .map(|(name, value)| (escape(name.as_bytes()), escape(value.as_bytes())))
        .collect();
    for pair in request.query.into_iter().flat_map(|query| query.split('&')) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let plain = |text: &str| escape(&unescape(&text.replace('+', " ")));
        pairs.push((plain(name), plain(value)));
    }
    pairs.sort();
    let mut normalized = String::new();
    for (name, value) in &pairs {
        if !normalized.is_empty() {
            normalized.push('&');
        }
        normalized.push_str(&format!("{name}={value}"));
    }
    let uri = format!("{}{}", request.origin.to_ascii_lowercase(), request.path);
    [request.method, &uri, &normalized]
        .map(|part| escape(part.as_bytes()))
        .join("&")
}

/// Section 3.6.
fn escape(bytes: &[u8]) -> String {
    let mut out = String::new();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

pub(super) fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits: Vec<u8> = bytes.by_ref().take(2).collect();
            out.extend(hex::decode(&digits).unwrap_or(digits));
        } else {
            out.push(byte);
        }
    }
    out
}

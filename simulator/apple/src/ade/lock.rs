//! Activation Lock: which devices the organization has locked, and how a lock is opened with its
//! bypass code.

use std::collections::HashMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::Request;
use mdm_pki::DigestAlgorithm;
use serde_json::{Map, Value, json};

use super::{
    Outcome,
    outcomes::Strike,
    routes::{Answered, Reply},
    state::State,
};

/// The locked devices, each with the escrow key that it was locked with.
pub(super) type Locks = HashMap<String, Option<String>>;

/// `POST /device/activationlock`.
pub(super) fn lock(state: &mut State, body: &Map<String, Value>, now: DateTime<Utc>) -> Answered {
    let serial = match body.get("device") {
        Some(Value::String(serial)) if !serial.is_empty() => serial.clone(),
        None | Some(Value::Null | Value::String(_)) => return Err((400, "DEVICE_ID_REQUIRED")),
        Some(_) => return Err((400, "MALFORMED_REQUEST_BODY")),
    };
    let escrow_key = match body.get("escrow_key") {
        None | Some(Value::Null) => None,
        Some(Value::String(key)) if is_escrow_key(key) => Some(key.to_ascii_lowercase()),
        Some(_) => return Err((400, "MALFORMED_REQUEST_BODY")),
    };
    if body
        .get("lost_message")
        .is_some_and(|message| !message.is_string())
    {
        return Err((400, "MALFORMED_REQUEST_BODY"));
    }
    state.named = vec![serial.clone()];
    let outcome = if !state.config.activation_lock {
        "ORG_NOT_SUPPORTED"
    } else if let Some(outcome) = Strike::take(state, now).on(0) {
        match outcome {
            Outcome::NotAccessible => "NOT_ACCESSIBLE",
            _ => "FAILED",
        }
    } else {
        let device = state.devices.get(&serial);
        match device
            .as_ref()
            .map(|device| device["device_family"].as_str())
        {
            None => "NOT_ACCESSIBLE",
            Some(Some("AppleTV")) => "DEVICE_NOT_SUPPORTED",
            Some(_) if state.locks.contains_key(&serial) => "DEVICE_ALREADY_LOCKED",
            Some(_) => {
                state.locks.insert(serial.clone(), escrow_key);
                "SUCCESS"
            }
        }
    };
    Ok(Reply::Json(
        json!({"serial_number": serial, "response_status": outcome}),
    ))
}

/// `POST /deviceservicesworkers/escrowKeyUnlock`, which stands on another host at Apple and asks
/// for no session but for the push certificate: what the certificate is, is not looked at here.
pub(super) fn unlock(state: &mut State, request: &Request<Bytes>) -> Answered {
    let query = pairs(request.uri().query().unwrap_or_default());
    let form = pairs(std::str::from_utf8(request.body()).unwrap_or_default());
    let find = |pairs: &[(String, String)], name: &str| {
        let found = pairs.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.clone())
            .filter(|value| !value.is_empty())
    };
    let wanted = find(&query, "serial").zip(find(&form, "escrowKey"));
    let described = find(&query, "productType").is_some()
        && find(&form, "orgName").is_some()
        && find(&form, "guid").is_some();
    let Some((serial, code)) = wanted.filter(|_| described) else {
        return Err((400, "MALFORMED_REQUEST_BODY"));
    };
    state.named = vec![serial.clone()];
    match state.locks.get(&serial) {
        Some(Some(known)) if hash(&code).as_ref() == Some(known) => {
            state.locks.remove(&serial);
            Ok(Reply::Empty)
        }
        // Nobody is told which of the two was wrong.
        _ => Err((404, "NOT_FOUND")),
    }
}

/// What a device was locked with, from its bypass code: what `escrowKey` is when it is opened.
fn hash(code: &str) -> Option<String> {
    const SYMBOLS: &str = "0123456789ACDEFGHJKLMNPQRTUVWXYZ";
    let symbols: Option<Vec<usize>> = code
        .chars()
        .filter(|symbol| *symbol != '-')
        .map(|symbol| SYMBOLS.find(symbol))
        .collect();
    let (last, first) = symbols.as_deref()?.split_last()?;
    if first.len() != 25 || *last > 7 {
        return None;
    }
    let bits = first.iter().fold(0, |bits, five| bits << 5 | *five as u128);
    let bytes = (bits << 3 | *last as u128).to_be_bytes();
    let key = mdm_pki::pbkdf2::<32>(DigestAlgorithm::Sha256, &bytes, &[0; 4], 50_000).ok()?;
    Some(hex::encode(*key))
}

fn is_escrow_key(key: &str) -> bool {
    key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `application/x-www-form-urlencoded`.
fn pairs(text: &str) -> Vec<(String, String)> {
    let plain = |text: &str| {
        let bytes = super::oauth::unescape(&text.replace('+', " "));
        String::from_utf8_lossy(&bytes).into_owned()
    };
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (plain(name), plain(value)))
        .collect()
}

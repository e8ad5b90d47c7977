//! Any bytes as what a device says of itself in a header or a query (`x-apple-aspen-deviceinfo`), and as the digests with
//! which users of a Mac log in. What was encoded is decoded, and what is read can be written and read again.
#![no_main]

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use libfuzzer_sys::fuzz_target;
use mdm_protocol::{
    checkin::digest::{DigestChallenge, DigestResponse, password_digest},
    enroll::{MAX_DEVICE_INFO_BYTES, device_info},
};

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    match mode % 4 {
        0 => genuine(data),
        1 => text(data, device),
        2 => text(data, digest),
        // Behind what every such text begins with.
        _ => text(&[b"Digest ", data].concat(), digest),
    }
});

fn text(data: &[u8], read: impl FnOnce(&str)) {
    if let Ok(text) = std::str::from_utf8(data) {
        read(text);
    }
}

fn device(text: &str) {
    if let Ok(cms) = device_info(text) {
        assert!(cms.len() <= MAX_DEVICE_INFO_BYTES);
    }
}

/// In both alphabets, with padding and without, as it is and as a query has it.
fn genuine(data: &[u8]) {
    for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
        let text = engine.encode(data);
        let escaped = text.replace('+', "%2B").replace('/', "%2f");
        let escaped = escaped.replace('=', "%3D");
        let form = text.replace('+', " ");
        for text in [text, escaped, form] {
            let read = device_info(&text);
            // White space around it is none of it.
            let is_whole = !text.is_empty() && text.trim() == text;
            let is_wanted = is_whole && text.len() <= MAX_DEVICE_INFO_BYTES;
            assert!(!is_wanted || read.is_ok_and(|read| read == data), "{text}");
        }
    }
}

fn digest(text: &str) {
    if let Ok(challenge) = text.parse::<DigestChallenge>() {
        let again: DigestChallenge = challenge.to_string().parse().expect("read again");
        assert!(again == challenge);
        let password = password_digest("anna", &challenge.realm, "secret").expect("MD5");
        let answer = DigestResponse::answer(&challenge, "anna", &password, "/", "c");
        let answer: DigestResponse = answer.expect("MD5").to_string().parse().expect("read");
        assert!(answer.is_made_with(&password).expect("MD5"));
    }
    if let Ok(response) = text.parse::<DigestResponse>() {
        let again: DigestResponse = response.to_string().parse().expect("read again");
        assert!(again == response);
        let password = password_digest("anna", "mdm", "secret").expect("MD5");
        assert!(!response.is_made_with(&password).expect("MD5"));
    }
}

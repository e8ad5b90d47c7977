//! Enveloped data for those who know a password (RFC 5652 section 6.2.4): any bytes in its place, parts of a genuine one
//! exchanged, and any content through it and back.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use mdm_fuzz::spliced;
use mdm_pki::cms::{ContentCipher, DecryptPolicy, EnvelopedData, EnvelopedDataBuilder, Limits};

const PASSWORD: &[u8] = b"hunter2";
const CONTENT: &[u8] = b"what is inside";
/// As few as are written, so that a run takes no longer than it must.
const ITERATIONS: u32 = 1000;

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    match mode % 3 {
        0 => open(data),
        1 => open(&spliced(genuine(), data)),
        _ => {
            let sealed = seal(data);
            let read = EnvelopedData::parse(&sealed, &Limits::default()).expect("our own");
            let opened = read.decrypt_with_password(PASSWORD, &policy());
            assert!(*opened.expect("our own") == data, "another content");
            assert!(
                !matches!(read.decrypt_with_password(b"hunter3", &policy()), Ok(it) if *it == data && data.len() > 4),
                "opened by another password"
            );
        }
    }
});

fn open(bytes: &[u8]) {
    let limits = Limits::default().with(|limits| limits.bytes = 1 << 16);
    let Ok(read) = EnvelopedData::parse(bytes, &limits) else {
        return;
    };
    let opened = read.decrypt_with_password(PASSWORD, &policy());
    // A content that was altered may decrypt to something; no password makes work without bound.
    if let Ok(content) = opened {
        assert!(content.len() <= bytes.len(), "more than was there");
    }
}

fn policy() -> DecryptPolicy {
    DecryptPolicy::default().with(|policy| policy.password_iterations = 2 * ITERATIONS)
}

fn seal(content: &[u8]) -> Vec<u8> {
    EnvelopedDataBuilder::new(content)
        .cipher(ContentCipher::Aes128Cbc)
        .password(PASSWORD, ITERATIONS)
        .encrypt()
        .expect("a message")
}

fn genuine() -> &'static [u8] {
    static GENUINE: OnceLock<Vec<u8>> = OnceLock::new();
    GENUINE.get_or_init(|| seal(CONTENT))
}

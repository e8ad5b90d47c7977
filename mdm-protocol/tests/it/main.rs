//! What real devices and real servers send, and what is made of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod checkin;
mod command;
mod ddm;
mod ddm_typed;
mod enroll;
mod property;
mod response;
mod schema;
#[cfg(feature = "crypto")]
mod signature;

/// A property list around these keys.
fn plist(keys: &str) -> Vec<u8> {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><plist version=\"1.0\"><dict>{keys}</dict></plist>")
        .into_bytes()
}

const UDID: &str = "00008101-001938611EE9001E";
const TOPIC: &str = "com.apple.mgmt.External.example";

//! Whatever is read as XML is written and read again as the same tree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mdm_plist::{Format, Value};

fuzz_target!(|data: &[u8]| {
    if mdm_plist::detect(data) != Some(Format::Xml) {
        return;
    }
    let Ok(value) = mdm_plist::from_slice::<Value>(data) else {
        return;
    };
    // What has no XML form (a character, a number) is a typed error, never a broken document.
    if let Ok(written) = mdm_plist::to_xml(&value) {
        let again: Value = mdm_plist::from_slice(&written).expect("our own XML is readable");
        let twice = mdm_plist::to_xml(&again).expect("what was written once is writable");
        assert!(written == twice, "a second round changed the document");
    }
});

//! Any bytes as BER: what is normalised is DER, and normalising DER changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mdm_pki::cms::{self, SignedData};

fuzz_target!(|data: &[u8]| {
    let limits = cms::Limits::default();
    if let Ok(der) = cms::normalize(data, &limits) {
        let again = cms::normalize(&der, &limits).expect("normalised input is readable");
        assert!(der == again, "a second round changed the bytes");
    }
    let _ = SignedData::parse(data, &limits);
});

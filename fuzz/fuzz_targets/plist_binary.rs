//! Any objects behind the binary header: no panic, no overflow, bounded work.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mdm_plist::Value;

fuzz_target!(|data: &[u8]| {
    let Some((&count, objects)) = data.split_first() else {
        return;
    };
    let mut document = b"bplist00".to_vec();
    document.extend_from_slice(objects);
    // A sound trailer, without which hardly any input would be more than a broken one: one byte an
    // offset and a reference, the offsets being the last bytes of the input.
    let table = document.len().saturating_sub(usize::from(count)) as u64;
    document.extend_from_slice(&[0, 0, 0, 0, 0, 0, 1, 1]);
    for number in [u64::from(count), 0, table] {
        document.extend_from_slice(&number.to_be_bytes());
    }
    let Ok(value) = mdm_plist::from_slice::<Value>(&document) else {
        return;
    };
    if let Ok(written) = mdm_plist::to_binary(&value) {
        mdm_plist::from_slice::<Value>(&written).expect("our own binary is readable");
    }
});

//! What several fuzz targets need.

/// A genuine input with parts of it exchanged, so that a fuzzer comes past the structure and signatures around them:
/// `data` is a list of places (two bytes), how many bytes to take out there (one), how many to put in (one), and these.
pub fn spliced(genuine: &[u8], mut data: &[u8]) -> Vec<u8> {
    let mut altered = genuine.to_vec();
    while let Some(([high, low, out, length], rest)) = data.split_first_chunk() {
        let (put, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        let from = usize::from(u16::from_be_bytes([*high, *low])) % (altered.len() + 1);
        let to = (from + usize::from(*out)).min(altered.len());
        altered.splice(from..to, put.iter().copied());
        data = rest;
    }
    altered
}

//! What a profile's bytes are, by content alone.

/// How a profile is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Packing {
    /// An XML property list.
    Xml,
    /// A binary property list.
    Binary,
    /// A CMS message in DER or BER: signed, or encrypted.
    Cms,
    /// A CMS message in PEM.
    Pem,
}

/// Tells how a profile is packed; `None` for anything else.
///
/// A byte-order mark and white space in front mean nothing. Nor does other text of up to 4 KiB, such as the lines that a mail,
/// a web server or `openssl` leave there, where it is followed by what can be nothing else than a profile.
///
/// ```
/// use mdm_profiles::detect::{Packing, packing};
///
/// assert_eq!(packing(b"\xEF\xBB\xBF\r\n<?xml version='1.0'?><plist/>"), Some(Packing::Xml));
/// assert_eq!(packing(b"bplist00"), Some(Packing::Binary));
/// assert_eq!(packing(b"hello"), None);
/// ```
pub fn packing(bytes: &[u8]) -> Option<Packing> {
    locate(bytes).map(|(packing, _)| packing)
}

/// How a profile is packed, and where it lies without what is around it.
pub(crate) fn locate(bytes: &[u8]) -> Option<(Packing, &[u8])> {
    let text = trim(bytes);
    let begun = sure(text).or_else(|| likely(text).then_some(Packing::Xml));
    let (packing, found) = match begun {
        Some(packing) => (packing, text),
        None => {
            // Text alone: what lies in a broken message is not to be taken for what lies behind garbage.
            let is_text = |byte: &u8| !byte.is_ascii_control() || byte.is_ascii_whitespace();
            let garbage = text
                .iter()
                .take(MOST_GARBAGE)
                .take_while(|byte| is_text(byte));
            (1..=garbage.count()).find_map(|at| {
                let rest = text.get(at..)?;
                Some((sure(rest)?, rest))
            })?
        }
    };
    Some((
        packing,
        if packing == Packing::Cms {
            whole(found)
        } else {
            found
        },
    ))
}

/// How many bytes of text may stand in front.
const MOST_GARBAGE: usize = 4096;

const PEM: [&[u8]; 3] = [
    b"-----BEGIN PKCS7-----",
    b"-----BEGIN CMS-----",
    b"-----BEGIN PKCS #7 SIGNED DATA-----",
];

/// What nothing but a profile begins with.
fn sure(text: &[u8]) -> Option<Packing> {
    let starts = |with: &[u8]| starts_with_ignore_case(text, with);
    match text.first()? {
        0x30 => is_cms(text).then_some(Packing::Cms),
        b'b' => text.starts_with(b"bplist0").then_some(Packing::Binary),
        b'-' => PEM
            .iter()
            .any(|label| text.starts_with(label))
            .then_some(Packing::Pem),
        b'<' => [&b"<?xml"[..], b"<!DOCTYPE plist", b"<plist"]
            .into_iter()
            .any(starts)
            .then_some(Packing::Xml),
        // UTF-16 begins with its own mark, which `trim` leaves in place.
        _ => (text.starts_with(b"\xFF\xFE<\0") || text.starts_with(b"\xFE\xFF\0<"))
            .then_some(Packing::Xml),
    }
}

/// What a profile may begin with as well, where nothing stands in front.
fn likely(text: &[u8]) -> bool {
    [&b"<!DOCTYPE"[..], b"<!--", b"<dict"]
        .into_iter()
        .any(|start| starts_with_ignore_case(text, start))
}

fn trim(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.trim_ascii_start();
    bytes
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(bytes)
        .trim_ascii_start()
}

fn starts_with_ignore_case(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// A message without what follows it, where its length is told and there.
fn whole(bytes: &[u8]) -> &[u8] {
    let head = bytes.get(1..).and_then(|rest| rest.split_first());
    let length = head.and_then(|(first, rest)| match first {
        0..=0x7F => Some(2 + usize::from(*first)),
        0x81..=0x84 => {
            let digits = rest.get(..usize::from(first & 0x7F))?;
            let length = digits.iter().try_fold(0_usize, |length, digit| {
                length.checked_mul(256)?.checked_add(usize::from(*digit))
            })?;
            length.checked_add(2 + digits.len())
        }
        _ => None,
    });
    length
        .and_then(|length| bytes.get(..length))
        .unwrap_or(bytes)
}

/// A SEQUENCE that begins with one of the PKCS #7 object identifiers.
fn is_cms(bytes: &[u8]) -> bool {
    const PKCS7: &[u8] = b"\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07";
    let Some([0x30, length, rest @ ..]) = bytes.get(..).filter(|b| b.len() > 2) else {
        return false;
    };
    let skip = match length {
        // Indefinite (BER) and the short form have no further length octets.
        0..=0x80 => 0,
        0x81..=0x84 => usize::from(length & 0x7F),
        _ => return false,
    };
    rest.get(skip..).is_some_and(|body| body.starts_with(PKCS7))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &[u8] = b"\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x02";

    fn cms(head: &[u8]) -> Vec<u8> {
        [head, OID].concat()
    }

    #[test]
    fn every_packing_is_told_by_its_content() {
        let cases: [(&[u8], Packing); 12] = [
            (b"<?xml version=\"1.0\"?>", Packing::Xml),
            (b"<plist version=\"1.0\">", Packing::Xml),
            (b"<!DOCTYPE plist>", Packing::Xml),
            (b" \r\n\t<?xml?>", Packing::Xml),
            (b"\n\xEF\xBB\xBF\n<?xml?>", Packing::Xml),
            (b"<!-- made by hand --><plist>", Packing::Xml),
            (b"bplist00\xD0", Packing::Binary),
            (b"-----BEGIN PKCS7-----\nMIA=", Packing::Pem),
            (b"\n-----BEGIN CMS-----\nMIA=", Packing::Pem),
            (&cms(b"\x30\x80"), Packing::Cms),
            (&cms(b"\x30\x82\x0C\x03"), Packing::Cms),
            (&cms(b"\x30\x0B"), Packing::Cms),
        ];
        for (bytes, expected) in cases {
            assert_eq!(packing(bytes), Some(expected), "{:?}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_stands_around_a_profile_is_told_from_it() {
        let signed = cms(b"\x30\x0B");
        let cases: [([&[u8]; 3], Packing); 7] = [
            ([b"\xEF\xBB\xBF \n", b"<plist/>", b""], Packing::Xml),
            ([b"HTTP/1.1 200 OK\r\n\r\n", b"<?xml?>", b""], Packing::Xml),
            (
                [b"subject=x\n\n", b"-----BEGIN CMS-----\n", b""],
                Packing::Pem,
            ),
            (
                ["Größe\n".as_bytes(), b"bplist00\xD0", b""],
                Packing::Binary,
            ),
            ([b"\r\n", &signed, b"\r\n"], Packing::Cms),
            ([b"\xEF\xBB\xBF", &signed, b"--boundary--"], Packing::Cms),
            ([b"0", &signed, b"\0\0"], Packing::Cms),
        ];
        for (parts, packing) in cases {
            let bytes = parts.concat();
            let found = locate(&bytes);
            assert_eq!(found, Some((packing, parts[1])), "{}", bytes.escape_ascii());
        }
        // A length that is not told, or not there, is the reader's affair.
        for head in [&b"\x30\x80"[..], b"\x30\x82\x0C\x03"] {
            let bytes = [&cms(head)[..], b"more"].concat();
            assert_eq!(locate(&bytes), Some((Packing::Cms, &bytes[..])));
        }
        let far = [&[b'x'; MOST_GARBAGE + 1][..], b"<?xml?>"].concat();
        assert_eq!(locate(&far), None);
        // The content of a message whose head is broken is no profile behind garbage.
        let broken = [&b"\x30\x85"[..], &[0, 0, 0, 0, 9], OID, b"<?xml?>"].concat();
        assert_eq!(locate(&broken), None);
    }

    #[test]
    fn nothing_else_passes_for_a_profile() {
        let cases: [&[u8]; 9] = [
            b"see <dict> or <!-- this -->",
            b"",
            b" ",
            b"{}",
            b"\x30",
            b"\x30\x82\x0C",
            b"\x30\x03\x02\x01\x05",
            b"\x30\x89\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            b"-----BEGIN CERTIFICATE-----",
        ];
        for bytes in cases {
            assert_eq!(packing(bytes), None, "{:?}", bytes.escape_ascii());
        }
    }
}

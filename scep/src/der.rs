//! The little DER that signed attributes need.

/// Tag, content and what follows of the first element, with a definite length below 64 KiB.
pub(crate) fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => {
            let (&length, rest) = rest.split_first()?;
            (usize::from(length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    (rest.len() >= length).then(|| {
        let (content, after) = rest.split_at(length);
        (tag, content, after)
    })
}

/// One DER element. Everything written here is far below 64 KiB.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    match content.len() {
        length @ 0..=0x7f => der.push(length as u8),
        length @ 0x80..=0xff => der.extend([0x81, length as u8]),
        length => {
            der.push(0x82);
            der.extend((length as u16).to_be_bytes());
        }
    }
    der.extend_from_slice(content);
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_every_length_read_back() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff] {
            let content = vec![7; length];
            let mut element = tlv(4, &content);
            element.push(9);
            assert_eq!(
                split(&element),
                Some((4, &content[..], &[9][..])),
                "{length}"
            );
            assert_eq!(split(&element[..element.len() - 2]), None, "{length}");
        }
        for broken in [
            &[][..],
            &[4],
            &[4, 0x81],
            &[4, 0x82, 1],
            &[4, 0x83, 0, 0, 0],
            &[4, 0x80],
        ] {
            assert_eq!(split(broken), None);
        }
    }
}

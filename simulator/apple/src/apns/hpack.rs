//! Header blocks (RFC 7541): read with a table of the client's making, written without one.

mod huffman;

use std::collections::VecDeque;

/// How many bytes the table of what the client indexed may hold (SETTINGS_HEADER_TABLE_SIZE), as
/// Apple's servers have it.
pub(super) const TABLE_SIZE: usize = 4096;

/// The block is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// How a field was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// As a reference to a table.
    Indexed,
    /// In words, and put into the table.
    Added,
    /// In words, and left out of the table.
    Plain,
}

/// Reads the blocks of one connection, in order.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    table: VecDeque<Entry>,
    size: usize,
    /// What the client shrank the table to.
    limit: Option<usize>,
    name: Vec<u8>,
    value: Vec<u8>,
}

#[derive(Debug)]
struct Entry {
    text: Box<[u8]>,
    name: usize,
}

impl Entry {
    fn new(name: &[u8], value: &[u8]) -> Self {
        Self {
            text: [name, value].concat().into(),
            name: name.len(),
        }
    }

    fn field(&self) -> (&[u8], &[u8]) {
        self.text.split_at_checked(self.name).unwrap_or_default()
    }

    fn size(&self) -> usize {
        self.text.len() + 32
    }
}

impl Decoder {
    /// Reads a block and shows each field: name, value, and how it was written.
    pub(super) fn decode(
        &mut self,
        mut block: &[u8],
        mut show: impl FnMut(&[u8], &[u8], Written),
    ) -> Result<(), Malformed> {
        while let Some(first) = block.first().copied() {
            if first & 0x80 != 0 {
                let index = integer(&mut block, 7)?;
                let (name, value) = self.field(index)?;
                show(name, value, Written::Indexed);
            } else if first & 0xe0 == 0x20 {
                let limit = integer(&mut block, 5)?;
                if limit > TABLE_SIZE {
                    return Err(Malformed);
                }
                self.limit = Some(limit);
                self.make_room(0);
            } else {
                let add = first & 0x40 != 0;
                let index = integer(&mut block, if add { 6 } else { 4 })?;
                self.literal(&mut block, index, add, &mut show)?;
            }
        }
        Ok(())
    }

    fn literal(
        &mut self,
        block: &mut &[u8],
        index: usize,
        add: bool,
        show: &mut impl FnMut(&[u8], &[u8], Written),
    ) -> Result<(), Malformed> {
        let (mut name_room, mut value_room) = (
            std::mem::take(&mut self.name),
            std::mem::take(&mut self.value),
        );
        let name = match index {
            0 => string(block, &mut name_room)?,
            index => self.field(index)?.0,
        };
        let value = string(block, &mut value_room)?;
        if add {
            show(name, value, Written::Added);
            let entry = Entry::new(name, value);
            self.make_room(entry.size());
            if self.size + entry.size() <= self.limit.unwrap_or(TABLE_SIZE) {
                self.size += entry.size();
                self.table.push_front(entry);
            }
        } else {
            show(name, value, Written::Plain);
        }
        (self.name, self.value) = (name_room, value_room);
        Ok(())
    }

    fn field(&self, index: usize) -> Result<(&[u8], &[u8]), Malformed> {
        let index = index.checked_sub(1).ok_or(Malformed)?;
        match STATIC.get(index) {
            Some((name, value)) => Ok((name.as_bytes(), value.as_bytes())),
            None => self
                .table
                .get(index - STATIC.len())
                .map(Entry::field)
                .ok_or(Malformed),
        }
    }

    /// Drops the oldest entries until this many bytes fit, or all.
    fn make_room(&mut self, bytes: usize) {
        while self.size + bytes > self.limit.unwrap_or(TABLE_SIZE)
            && let Some(oldest) = self.table.pop_back()
        {
            self.size -= oldest.size();
        }
    }
}

/// An integer that starts in the low `bits` of the first byte (§5.1).
fn integer(block: &mut &[u8], bits: u32) -> Result<usize, Malformed> {
    let (first, mut rest) = block.split_first().ok_or(Malformed)?;
    let full = (1_usize << bits) - 1;
    let mut number = usize::from(*first) & full;
    if number == full {
        // Four bytes more hold any length that a block of ours can have.
        for shift in [0, 7, 14, 21, 28] {
            let (byte, more) = rest.split_first().ok_or(Malformed)?;
            rest = more;
            if shift == 28 {
                return Err(Malformed);
            }
            number += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    *block = rest;
    Ok(number)
}

/// A string (§5.2), decoded into `room` where it is coded.
fn string<'b: 'r, 'r>(block: &mut &'b [u8], room: &'r mut Vec<u8>) -> Result<&'r [u8], Malformed> {
    let coded = block.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(block, 7)?;
    let (text, rest) = block.split_at_checked(length).ok_or(Malformed)?;
    *block = rest;
    if !coded {
        return Ok(text);
    }
    room.clear();
    huffman::decode(text, room)?;
    Ok(room)
}

/// Appends that no table is used, which a client that shrank it must be told.
pub(super) fn put_no_table(block: &mut Vec<u8>) {
    block.push(0x20);
}

/// Appends `:status`.
pub(super) fn put_status(block: &mut Vec<u8>, status: u16) {
    let indexed = match status {
        200 => 8,
        400 => 12,
        404 => 13,
        500 => 14,
        _ => 0,
    };
    if indexed != 0 {
        block.push(0x80 | indexed);
    } else {
        // The name is the static table's eighth.
        block.push(8);
        let text = status.to_string();
        put_string(block, text.as_bytes());
    }
}

/// Appends a field in words, for no table.
pub(super) fn put_field(block: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    block.push(0);
    put_string(block, name);
    put_string(block, value);
}

fn put_string(block: &mut Vec<u8>, text: &[u8]) {
    match text.len() {
        short @ 0..127 => block.push(u8::try_from(short).unwrap_or_default()),
        long => {
            block.push(127);
            let mut rest = long - 127;
            while rest >= 128 {
                block.push(u8::try_from(rest % 128).unwrap_or_default() | 0x80);
                rest /= 128;
            }
            block.push(u8::try_from(rest).unwrap_or_default());
        }
    }
    block.extend_from_slice(text);
}

/// The static table (Appendix A).
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    type Fields = Vec<(String, String, Written)>;

    fn read(decoder: &mut Decoder, block: &str) -> Result<Fields, Malformed> {
        let mut fields = Vec::new();
        decoder.decode(&hex::decode(block).unwrap(), |name, value, written| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            fields.push((text(name), text(value), written));
        })?;
        Ok(fields)
    }

    #[test]
    fn the_requests_of_the_specification_are_read_one_after_the_other() {
        // RFC 7541 C.4: with Huffman coding, over one table.
        let mut decoder = Decoder::default();
        let first = read(&mut decoder, "828684418cf1e3c2e5f23a6ba0ab90f4ff").unwrap();
        assert_eq!(
            first[3],
            (
                ":authority".to_owned(),
                "www.example.com".to_owned(),
                Written::Added
            )
        );
        let second = read(&mut decoder, "828684be5886a8eb10649cbf").unwrap();
        assert_eq!(
            second[3],
            (
                ":authority".to_owned(),
                "www.example.com".to_owned(),
                Written::Indexed
            )
        );
        let third = read(
            &mut decoder,
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        )
        .unwrap();
        assert_eq!(
            third[4],
            (
                "custom-key".to_owned(),
                "custom-value".to_owned(),
                Written::Added
            )
        );
        assert_eq!((decoder.table.len(), decoder.size), (3, 164));
    }

    #[test]
    fn the_table_stays_within_its_size() {
        let mut decoder = Decoder::default();
        let long = "61".repeat(120);
        for _ in 0..50 {
            read(&mut decoder, &format!("400161{:02x}{long}", 120)).unwrap();
        }
        assert!(decoder.size <= TABLE_SIZE && decoder.table.len() == 26);
        read(&mut decoder, "20").unwrap();
        assert_eq!((decoder.size, decoder.table.len()), (0, 0));
    }

    #[test]
    fn blocks_that_are_none_are_told() {
        for block in [
            "80",
            "be",
            "ffffffffffff",
            "40",
            "4001",
            "400161",
            "4001610561",
            "3fe21f",
        ] {
            assert_eq!(
                read(&mut Decoder::default(), block),
                Err(Malformed),
                "{block}"
            );
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut block = Vec::new();
        put_status(&mut block, 410);
        put_field(&mut block, b"x-long", &[b'x'; 20_000]);
        let fields = read(&mut Decoder::default(), &hex::encode(block)).unwrap();
        assert_eq!((&*fields[0].0, &*fields[0].1), (":status", "410"));
        assert_eq!(fields[1].1.len(), 20_000);
    }
}

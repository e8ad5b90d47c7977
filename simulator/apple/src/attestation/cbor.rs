//! CBOR (RFC 8949) written by hand: heads, strings, arrays and maps, also such as nobody should send.

/// The head of an item: its major type (0 to 7) and its length or number, in the shortest form.
pub fn head(major: u8, number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let (info, length) = match number {
        0..24 => return vec![major << 5 | number as u8],
        24..0x100 => (24, 1),
        0x100..0x1_0000 => (25, 2),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 8),
    };
    let mut head = vec![major << 5 | info];
    head.extend(bytes.iter().skip(8 - length));
    head
}

/// A byte string.
pub fn bytes(content: &[u8]) -> Vec<u8> {
    [head(2, content.len() as u64), content.to_vec()].concat()
}

/// A text string.
pub fn text(content: &str) -> Vec<u8> {
    [head(3, content.len() as u64), content.as_bytes().to_vec()].concat()
}

/// An array of items that are written already.
pub fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [head(4, items.len() as u64), items.concat()].concat()
}

/// A map of text keys to items that are written already, in the order given.
pub fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut map = head(5, entries.len() as u64);
    for (key, item) in entries {
        map.extend(text(key));
        map.extend(item);
    }
    map
}

/// An item of indefinite length: a byte string (2), text (3), array (4) or map (5) of parts that are written already.
pub fn indefinite(major: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let mut item = vec![major << 5 | 31];
    item.extend(parts.concat());
    item.push(0xff);
    item
}

/// A statement of some format: `{"fmt": .., "attStmt": {"x5c": [..]}}`.
pub fn statement(format: &str, chain: &[Vec<u8>]) -> Vec<u8> {
    let chain: Vec<_> = chain.iter().map(|der| bytes(der)).collect();
    map(&[
        ("fmt", text(format)),
        ("attStmt", map(&[("x5c", array(&chain))])),
    ])
}

//! HTTP/2 frames as they lie on the wire (RFC 9113 §4 and §6).

/// What a client says first (§3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The most bytes of a frame's payload that both sides take unless told otherwise.
pub(super) const MAX_PAYLOAD: usize = 16_384;
/// A window that no SETTINGS changed.
pub(super) const WINDOW: u32 = 65_535;

/// The types of frames (§6).
pub(super) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PUSH_PROMISE: u8 = 5;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// Flags of frames; which mean what depends on the type.
pub(super) mod flag {
    pub(crate) const ACK: u8 = 1;
    pub(crate) const END_STREAM: u8 = 1;
    pub(crate) const END_HEADERS: u8 = 4;
    pub(crate) const PADDED: u8 = 8;
    pub(crate) const PRIORITY: u8 = 32;
}

/// What SETTINGS speak of (§6.5.2).
pub(super) mod setting {
    pub(crate) const HEADER_TABLE_SIZE: u16 = 1;
    pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
    pub(crate) const MAX_FRAME_SIZE: u16 = 5;
    pub(crate) const MAX_HEADER_LIST_SIZE: u16 = 6;
}

/// Error codes (§7).
pub(super) mod code {
    pub(crate) const NO_ERROR: u32 = 0;
    pub(crate) const PROTOCOL_ERROR: u32 = 1;
    pub(crate) const FLOW_CONTROL_ERROR: u32 = 3;
    pub(crate) const FRAME_SIZE_ERROR: u32 = 6;
    pub(crate) const REFUSED_STREAM: u32 = 7;
    pub(crate) const COMPRESSION_ERROR: u32 = 9;
    pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;
}

/// The client broke the protocol; the connection ends with this error code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken(pub(super) u32);

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame at the start and what follows it; `None` where it is not whole yet.
    pub(super) fn split(bytes: &'a [u8]) -> Result<Option<(Self, &'a [u8])>, Broken> {
        let Some((head, rest)) = bytes.split_first_chunk::<9>() else {
            return Ok(None);
        };
        let [a, b, c, kind, flags, s0, s1, s2, s3] = *head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if length > MAX_PAYLOAD {
            return Err(Broken(code::FRAME_SIZE_ERROR));
        }
        Ok(rest.split_at_checked(length).map(|(payload, rest)| {
            let stream = u32::from_be_bytes([s0, s1, s2, s3]) & 0x7fff_ffff;
            let frame = Self {
                kind,
                flags,
                stream,
                payload,
            };
            (frame, rest)
        }))
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The payload of DATA or HEADERS without padding and priority.
    pub(super) fn content(&self) -> Result<&'a [u8], Broken> {
        let mut content = self.payload;
        if self.has(flag::PADDED) {
            let (padding, rest) = content
                .split_first()
                .ok_or(Broken(code::FRAME_SIZE_ERROR))?;
            let length = rest.len().checked_sub(usize::from(*padding));
            content = length
                .and_then(|length| rest.get(..length))
                .ok_or(Broken(code::PROTOCOL_ERROR))?;
        }
        if self.kind == kind::HEADERS && self.has(flag::PRIORITY) {
            content = content.get(5..).ok_or(Broken(code::FRAME_SIZE_ERROR))?;
        }
        Ok(content)
    }

    /// The payload as one number.
    pub(super) fn number(&self) -> Result<u32, Broken> {
        let bytes = self.payload.try_into();
        Ok(u32::from_be_bytes(
            bytes.map_err(|_| Broken(code::FRAME_SIZE_ERROR))?,
        ))
    }

    /// What SETTINGS say.
    pub(super) fn settings(&self) -> Result<impl Iterator<Item = (u16, u32)> + 'a, Broken> {
        let (entries, rest) = self.payload.as_chunks::<6>();
        if !rest.is_empty() {
            return Err(Broken(code::FRAME_SIZE_ERROR));
        }
        Ok(entries.iter().map(|[k0, k1, v0, v1, v2, v3]| {
            (
                u16::from_be_bytes([*k0, *k1]),
                u32::from_be_bytes([*v0, *v1, *v2, *v3]),
            )
        }))
    }
}

/// Appends a frame; a payload longer than a frame may be is cut.
pub(super) fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let payload = payload.get(..MAX_PAYLOAD).unwrap_or(payload);
    put_head(out, kind, flags, stream, payload.len());
    out.extend_from_slice(payload);
}

/// Appends the start of a frame whose payload follows.
fn put_head(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, length: usize) {
    let [_, a, b, c] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let [s0, s1, s2, s3] = stream.to_be_bytes();
    out.extend_from_slice(&[a, b, c, kind, flags, s0, s1, s2, s3]);
}

/// Appends a header block: HEADERS, and CONTINUATION where it is long.
pub(super) fn put_headers(out: &mut Vec<u8>, stream: u32, end_stream: bool, block: &[u8]) {
    let mut kind = kind::HEADERS;
    let mut flags = if end_stream { flag::END_STREAM } else { 0 };
    let mut rest = block;
    while let Some((part, more)) = rest.split_at_checked(MAX_PAYLOAD)
        && !more.is_empty()
    {
        put(out, kind, flags, stream, part);
        (kind, flags, rest) = (kind::CONTINUATION, 0, more);
    }
    put(out, kind, flags | flag::END_HEADERS, stream, rest);
}

/// Appends SETTINGS.
pub(super) fn put_settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    put_head(out, kind::SETTINGS, 0, 0, settings.len() * 6);
    for (key, value) in settings {
        out.extend_from_slice(&key.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Appends a frame whose payload is one number: RST_STREAM, WINDOW_UPDATE.
pub(super) fn put_number(out: &mut Vec<u8>, kind: u8, stream: u32, number: u32) {
    put(out, kind, 0, stream, &number.to_be_bytes());
}

/// Appends GOAWAY.
pub(super) fn put_go_away(out: &mut Vec<u8>, last: u32, code: u32, data: &[u8]) {
    let payload = [&last.to_be_bytes()[..], &code.to_be_bytes(), data].concat();
    put(out, kind::GOAWAY, 0, 0, &payload);
}

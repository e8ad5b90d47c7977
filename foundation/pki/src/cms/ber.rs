//! BER to DER (X.690): indefinite lengths, strings in parts and padded lengths are rewritten, under bounds.
//!
//! One pass over the input lists its elements without recursion; DER, the usual case, is then handed back as it is. A
//! second pass writes from the list. Work and memory grow with the input, never with what a length claims.

use std::borrow::Cow;

use crate::asn1::write_length;

/// How much of a message is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest message, in bytes: 64 MiB by default.
    pub bytes: usize,
    /// The deepest nesting of elements: 64 by default, where real messages stay below 20.
    pub depth: usize,
    /// The most elements outside of opaque strings: 262,144 by default, enough for 64 MiB streamed in chunks of 1 KiB.
    /// Each takes 64 bytes of memory while a message is rewritten.
    pub elements: usize,
    /// The most certificates in signed data: 1,000 by default.
    pub certificates: usize,
    /// The most signers of signed data: 16 by default.
    pub signers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            depth: 64,
            elements: 1 << 18,
            certificates: 1000,
            signers: 16,
        }
    }
}

impl Limits {
    /// These limits with changes: `Limits::default().with(|limits| limits.bytes = 1 << 20)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// Why a message is no readable BER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BerError {
    /// Longer than [`Limits::bytes`].
    #[error("the message is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// Nested deeper than [`Limits::depth`].
    #[error("the message is nested deeper than {limit} levels at byte {offset}")]
    TooDeep {
        /// The limit.
        limit: usize,
        /// Where.
        offset: usize,
    },
    /// More elements than [`Limits::elements`].
    #[error("the message has more than {limit} elements at byte {offset}")]
    TooManyElements {
        /// The limit.
        limit: usize,
        /// Where.
        offset: usize,
    },
    /// The input ends inside an element.
    #[error("the message ends inside the element at byte {offset}")]
    Truncated {
        /// Where the element begins.
        offset: usize,
    },
    /// A tag or length that no encoder writes, or an element that does not fit into the one around it.
    #[error("broken encoding at byte {offset}")]
    Broken {
        /// Where.
        offset: usize,
    },
    /// Something other than padding follows the message.
    #[error("{count} bytes follow the message")]
    TrailingData {
        /// How many bytes.
        count: usize,
    },
}

/// Rewrites one BER element as DER; DER comes back borrowed.
///
/// Line ends, spaces and zero bytes after the element are dropped, since files and mail leave them there; anything
/// else is an error. What lies inside a primitive OCTET STRING is opaque and stays as it is. Values of elements are not
/// looked at: the order of a SET and the padding of an INTEGER stay as they are, because signatures cover them.
///
/// # Errors
/// [`BerError`], also for input over the [`Limits`].
pub fn normalize<'a>(ber: &'a [u8], limits: &Limits) -> Result<Cow<'a, [u8]>, BerError> {
    if ber.len() > limits.bytes {
        return Err(BerError::TooLong {
            limit: limits.bytes,
        });
    }
    let mut scan = Scan {
        input: ber,
        limits,
        nodes: Vec::with_capacity(limits.elements.min(USUAL_ELEMENTS)),
        open: Vec::with_capacity(limits.depth.min(USUAL_DEPTH)),
        is_der: true,
    };
    let end = scan.run()?;
    let rest = ber.get(end..).unwrap_or(&[]);
    let padding = |byte: &u8| matches!(byte, 0 | b' ' | b'\r' | b'\n');
    if !rest.iter().all(padding) {
        return Err(BerError::TrailingData { count: rest.len() });
    }
    if scan.is_der {
        return Ok(Cow::Borrowed(ber.get(..end).unwrap_or(&[])));
    }
    Ok(Cow::Owned(write(ber, scan.nodes)))
}

/// What there is room for from the start: as much as a SCEP request has.
const USUAL_ELEMENTS: usize = 128;
const USUAL_DEPTH: usize = 16;

const CONSTRUCTED: u8 = 0x20;
const BIT_STRING: u8 = 3;

struct Node {
    /// Where the identifier octets begin and end.
    start: usize,
    tag_end: usize,
    /// Where the value ends, without end-of-contents octets.
    end: usize,
    value: usize,
    /// The index of the first node that is not inside this one.
    after: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Primitive,
    Constructed,
    /// A string in parts: written as one primitive string.
    Parts,
    /// A BIT STRING in parts, each of which begins with its count of unused bits.
    BitParts,
}

impl Kind {
    fn in_parts(self) -> bool {
        matches!(self, Self::Parts | Self::BitParts)
    }
}

struct Open {
    node: usize,
    /// Where it ends; with an indefinite length, at most: where what is around it ends.
    bound: usize,
    indefinite: bool,
}

struct Scan<'a> {
    input: &'a [u8],
    limits: &'a Limits,
    nodes: Vec<Node>,
    open: Vec<Open>,
    is_der: bool,
}

impl Scan<'_> {
    /// Lists one element and everything in it; answers where it ends.
    fn run(&mut self) -> Result<usize, BerError> {
        let mut at = 0;
        loop {
            at = self.element(at)?;
            at = self.close(at)?;
            if self.open.is_empty() {
                return Ok(at);
            }
        }
    }

    /// Lists the element at `at`; answers where the next one begins, inside of it or behind.
    fn element(&mut self, at: usize) -> Result<usize, BerError> {
        let bound = self.open.last().map_or(self.input.len(), |open| open.bound);
        let (tag_end, number) = self.tag(at, bound)?;
        let (value, length) = self.length(at, tag_end, bound)?;
        let first = self.byte(at, at, bound)?;
        let constructed = first & CONSTRUCTED != 0;
        if self.nodes.len() >= self.limits.elements {
            return Err(BerError::TooManyElements {
                limit: self.limits.elements,
                offset: at,
            });
        }
        let kind = match (constructed, first & 0xc0 == 0 && is_string(number)) {
            (false, _) => Kind::Primitive,
            (true, true) if number == BIT_STRING => Kind::BitParts,
            (true, true) => Kind::Parts,
            (true, false) => Kind::Constructed,
        };
        self.check_part(at, first, number)?;
        self.is_der &= !kind.in_parts() && length.is_some();
        let end = match length {
            Some(length) if length <= bound - value => Some(value + length),
            Some(_) if bound == self.input.len() => {
                return Err(BerError::Truncated { offset: at });
            }
            Some(_) => return Err(BerError::Broken { offset: at }),
            // An indefinite length needs a constructed element (X.690, section 8.1.3.2).
            None if constructed => None,
            None => return Err(BerError::Broken { offset: at }),
        };
        self.nodes.push(Node {
            start: at,
            tag_end,
            value,
            end: end.unwrap_or(value),
            after: self.nodes.len() + 1,
            kind,
        });
        match (constructed, end) {
            (false, Some(end)) => Ok(end),
            _ => {
                if self.open.len() >= self.limits.depth {
                    return Err(BerError::TooDeep {
                        limit: self.limits.depth,
                        offset: at,
                    });
                }
                self.open.push(Open {
                    node: self.nodes.len() - 1,
                    bound: end.unwrap_or(bound),
                    indefinite: end.is_none(),
                });
                Ok(value)
            }
        }
    }

    /// A string in parts holds strings of its own kind alone.
    fn check_part(&self, at: usize, first: u8, number: u8) -> Result<(), BerError> {
        let Some(parent) = self.open.last().and_then(|open| self.nodes.get(open.node)) else {
            return Ok(());
        };
        if !parent.kind.in_parts() {
            return Ok(());
        }
        let of = self.input.get(parent.start).copied().unwrap_or_default() & 0x1f;
        // Each part of a character string may be tagged as an OCTET STRING (X.690, section 8.23.6).
        let fits = first & 0xc0 == 0 && (number == of || (number == 4 && of != BIT_STRING));
        if fits {
            Ok(())
        } else {
            Err(BerError::Broken { offset: at })
        }
    }

    /// Closes every element that ends at `at`; answers where the next one begins.
    fn close(&mut self, mut at: usize) -> Result<usize, BerError> {
        while let Some(open) = self.open.last() {
            let over = match open.indefinite {
                false => at == open.bound,
                true => self.input.get(at..at + 2) == Some(&[0, 0]),
            };
            if !over {
                break;
            }
            let (node, indefinite) = (open.node, open.indefinite);
            self.open.pop();
            let count = self.nodes.len();
            if let Some(node) = self.nodes.get_mut(node) {
                node.end = at;
                node.after = count;
            }
            if indefinite {
                at += 2;
            }
        }
        Ok(at)
    }

    /// Reads identifier octets: where they end, and the tag's number (31 for all above 30).
    fn tag(&mut self, at: usize, bound: usize) -> Result<(usize, u8), BerError> {
        let first = self.byte(at, at, bound)?;
        let mut next = at + 1;
        if first & 0x1f == 0x1f {
            // Tags above 30 take at most four further bytes here.
            loop {
                let byte = self.byte(at, next, bound)?;
                next += 1;
                if byte & 0x80 == 0 {
                    break;
                }
                if next - at > 5 {
                    return Err(BerError::Broken { offset: at });
                }
            }
        }
        // End-of-contents where none belongs, or half of one, or the reserved tag 0.
        if first == 0 {
            return Err(match self.input.len() {
                length if length == next => BerError::Truncated { offset: at },
                _ => BerError::Broken { offset: at },
            });
        }
        Ok((next, first & 0x1f))
    }

    /// Reads length octets: where the value begins, and its length unless that is indefinite.
    fn length(
        &mut self,
        start: usize,
        at: usize,
        bound: usize,
    ) -> Result<(usize, Option<usize>), BerError> {
        let first = self.byte(start, at, bound)?;
        let value = at + 1;
        match first {
            0..=0x7f => Ok((value, Some(usize::from(first)))),
            0x80 => Ok((value, None)),
            0xff => Err(BerError::Broken { offset: start }),
            _ => {
                let end = value + usize::from(first & 0x7f);
                let mut length: usize = 0;
                for at in value..end {
                    let byte = usize::from(self.byte(start, at, bound)?);
                    // No length above 32 bits: what claims one is cut off anyway.
                    if length >> 24 != 0 {
                        return Err(BerError::Truncated { offset: start });
                    }
                    length = length << 8 | byte;
                }
                let shortest = length >= 0x80 && self.byte(start, value, bound)? != 0;
                self.is_der &= shortest;
                Ok((end, Some(length)))
            }
        }
    }

    fn byte(&self, start: usize, at: usize, bound: usize) -> Result<u8, BerError> {
        if at < bound {
            self.input
                .get(at)
                .copied()
                .ok_or(BerError::Truncated { offset: start })
        } else if bound == self.input.len() {
            Err(BerError::Truncated { offset: start })
        } else {
            Err(BerError::Broken { offset: start })
        }
    }
}

/// The universal types that may come in parts: BIT STRING, OCTET STRING and all that are encoded like it.
fn is_string(number: u8) -> bool {
    matches!(number, 3 | 4 | 7 | 12 | 18..=30)
}

/// Writes the listed elements in DER.
fn write(input: &[u8], nodes: Vec<Node>) -> Vec<u8> {
    let lengths = value_lengths(&nodes);
    let mut out = Vec::with_capacity(input.len());
    let mut at = 0;
    while let Some(node) = nodes.get(at) {
        let tag = input.get(node.start..node.tag_end).unwrap_or(&[]);
        let length = lengths.get(at).copied().unwrap_or_default();
        match node.kind {
            Kind::Parts | Kind::BitParts => {
                let first = tag.first().copied().unwrap_or_default() & !CONSTRUCTED;
                out.push(first);
                write_length(&mut out, length);
                let inside = nodes.get(at + 1..node.after).unwrap_or(&[]);
                write_parts(&mut out, input, inside, node.kind == Kind::BitParts);
                at = node.after;
            }
            Kind::Constructed => {
                out.extend_from_slice(tag);
                write_length(&mut out, length);
                at += 1;
            }
            Kind::Primitive => {
                out.extend_from_slice(tag);
                write_length(&mut out, length);
                out.extend_from_slice(input.get(node.value..node.end).unwrap_or(&[]));
                at += 1;
            }
        }
    }
    out
}

fn write_parts(out: &mut Vec<u8>, input: &[u8], parts: &[Node], bits: bool) {
    let start = out.len();
    if bits {
        out.push(0);
    }
    for part in parts.iter().filter(|part| part.kind == Kind::Primitive) {
        let value = input.get(part.value..part.end).unwrap_or(&[]);
        match (bits, value.split_first()) {
            // Only the last part may have unused bits, whose count leads the whole.
            (true, Some((unused, value))) => {
                if let Some(count) = out.get_mut(start) {
                    *count = *unused;
                }
                out.extend_from_slice(value);
            }
            (true, None) => {}
            (false, _) => out.extend_from_slice(value),
        }
    }
}

/// The length of each element's value in DER. What an element encloses stands behind it, so one walk from the end
/// suffices.
fn value_lengths(nodes: &[Node]) -> Vec<usize> {
    let parents = parents(nodes);
    let mut lengths: Vec<usize> = nodes
        .iter()
        .map(|node| match node.kind {
            Kind::Primitive => node.end - node.value,
            Kind::BitParts => 1,
            Kind::Constructed | Kind::Parts => 0,
        })
        .collect();
    for (at, node) in nodes.iter().enumerate().rev() {
        let own = lengths.get(at).copied().unwrap_or_default();
        let Some(parent) = parents.get(at).copied().flatten() else {
            continue;
        };
        let added = match nodes.get(parent).map(|parent| parent.kind) {
            Some(Kind::Parts) => own,
            Some(Kind::BitParts) => own.saturating_sub(1),
            _ => (node.tag_end - node.start) + length_of_length(own) + own,
        };
        if let Some(length) = lengths.get_mut(parent) {
            *length += added;
        }
    }
    lengths
}

/// The element around each element.
fn parents(nodes: &[Node]) -> Vec<Option<usize>> {
    let mut open: Vec<usize> = Vec::new();
    let mut parents = Vec::with_capacity(nodes.len());
    for (at, node) in nodes.iter().enumerate() {
        while open
            .last()
            .and_then(|parent| nodes.get(*parent))
            .is_some_and(|parent| parent.after <= at)
        {
            open.pop();
        }
        parents.push(open.last().copied());
        if node.kind != Kind::Primitive {
            open.push(at);
        }
    }
    parents
}

fn length_of_length(length: usize) -> usize {
    match length {
        0..=0x7f => 1,
        _ => 1 + (usize::BITS - length.leading_zeros()).div_ceil(8) as usize,
    }
}

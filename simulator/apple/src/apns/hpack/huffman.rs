//! The Huffman code of HPACK (RFC 7541, Appendix B). It is canonical, so that the lengths of its
//! codes say all of it.

use std::sync::LazyLock;

use super::Malformed;

/// The length in bits of each byte's code; the code for the end has thirty.
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

/// Appends the text that `coded` stands for.
pub(super) fn decode(coded: &[u8], text: &mut Vec<u8>) -> Result<(), Malformed> {
    let machine = &*MACHINE;
    let mut state = 0;
    for byte in coded {
        for nibble in [byte >> 4, byte & 15] {
            let step = machine
                .steps
                .get(usize::from(state) * 16 + usize::from(nibble))
                .ok_or(Malformed)?;
            match step.byte {
                Some(Ok(byte)) => text.push(byte),
                Some(Err(End)) => return Err(Malformed),
                None => {}
            }
            state = step.state;
        }
    }
    // What is left over is the start of the code for the end, of fewer than eight bits.
    match machine.padding.contains(&state) {
        true => Ok(()),
        false => Err(Malformed),
    }
}

/// The code for the end, which no text holds.
#[derive(Debug, Clone, Copy)]
struct End;

/// The code's tree, walked four bits at a time. No code is shorter than five bits, so that a step
/// meets the end of one at most.
struct Machine {
    steps: Vec<Step>,
    padding: Vec<u16>,
}

#[derive(Clone, Copy, Default)]
struct Step {
    state: u16,
    byte: Option<Result<u8, End>>,
}

#[derive(Clone, Copy)]
enum Node {
    Inner([u16; 2]),
    Leaf(Result<u8, End>),
}

static MACHINE: LazyLock<Machine> = LazyLock::new(Machine::new);

impl Machine {
    fn new() -> Self {
        let mut nodes = vec![Node::Inner([0, 0])];
        for (leaf, length, code) in codes() {
            let mut at = 0_u16;
            for bit in (0..length).rev() {
                let side = usize::from(code >> bit & 1 == 1);
                let free = u16::try_from(nodes.len()).unwrap_or_default();
                let Some(Node::Inner(next)) = nodes.get_mut(usize::from(at)) else {
                    break;
                };
                let Some(next) = next.get_mut(side) else {
                    break;
                };
                if *next == 0 {
                    *next = free;
                    at = free;
                    nodes.push(if bit == 0 {
                        Node::Leaf(leaf)
                    } else {
                        Node::Inner([0, 0])
                    });
                } else {
                    at = *next;
                }
            }
        }
        let walk = |mut state: u16, nibble: u8| {
            let mut byte = None;
            for bit in (0..4).rev() {
                if let Some(Node::Inner(next)) = nodes.get(usize::from(state)) {
                    state = next[usize::from(nibble >> bit & 1)];
                }
                if let Some(Node::Leaf(leaf)) = nodes.get(usize::from(state)) {
                    byte = Some(*leaf);
                    state = 0;
                }
            }
            Step { state, byte }
        };
        let states = 0..u16::try_from(nodes.len()).unwrap_or_default();
        let steps = states.flat_map(|state| (0..16).map(move |nibble| (state, nibble)));
        let steps = steps.map(|(state, nibble)| walk(state, nibble)).collect();
        let ones = std::iter::successors(Some(0), |state| match nodes.get(usize::from(*state)) {
            Some(Node::Inner([_, one])) => Some(*one),
            _ => None,
        });
        Self {
            steps,
            padding: ones.take(8).collect(),
        }
    }
}

/// What each code stands for, its length and its bits.
fn codes() -> impl Iterator<Item = (Result<u8, End>, u8, u32)> {
    let mut lengths: Vec<_> = (0..=255_u8)
        .zip(LENGTHS)
        .map(|(byte, length)| (length, Ok(byte)))
        .collect();
    lengths.sort_by_key(|(length, _)| *length);
    lengths.push((30, Err(End)));
    let (mut code, mut before) = (0_u32, 0);
    lengths.into_iter().map(move |(length, leaf)| {
        code <<= length - before;
        before = length;
        code += 1;
        (leaf, length, code - 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(coded: &str) -> Option<String> {
        let mut text = Vec::new();
        decode(&hex::decode(coded).unwrap(), &mut text).ok()?;
        Some(String::from_utf8(text).unwrap())
    }

    #[test]
    fn the_examples_of_the_specification_are_read() {
        // RFC 7541 C.4 and C.6.
        for (coded, plain) in [
            ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
            ("a8eb10649cbf", "no-cache"),
            ("25a849e95ba97d7f", "custom-key"),
            (
                "d07abe941054d444a8200595040b8166e082a62d1bff",
                "Mon, 21 Oct 2013 20:13:21 GMT",
            ),
        ] {
            assert_eq!(text(coded).as_deref(), Some(plain));
        }
    }

    #[test]
    fn padding_is_short_and_of_ones_and_the_end_is_not_text() {
        assert_eq!(text("a8eb10649cbfff"), None);
        assert_eq!(text("a8eb10649cb0"), None);
        assert_eq!(text("ffffffff"), None);
    }
}

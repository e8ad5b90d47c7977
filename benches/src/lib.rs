//! The harness of the comparisons with peers: outputs first, then interleaved runs, then medians.
//!
//! A [`Comparison`] holds one or more [`Case`]s (an input, a size), each with our side and its
//! peers. Every peer states its bar: how many times better ours has to be. The comparison
//!
//! 1. checks that all sides answer alike, and measures nothing where they do not;
//! 2. finds how many operations fill one run (300 ms unless told otherwise);
//! 3. runs ours, peer, ours, peer, ... at least five times each, so that a busy moment of the
//!    machine hits all sides;
//! 4. prints one line a peer, `NAME: ours A, peer B, ratio R (min..max)`: medians, the ratio being
//!    the median of the ratios of neighbouring runs;
//! 5. fails where a ratio misses its bar, and names it.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`comparison`] | [`Comparison`] and [`Case`]: what is compared, and the runs |
//! | [`documents`] | property lists of real shape and size, to measure on |
//! | [`report`] | [`Line`], [`Unit`]: medians, ratios and how they are printed |
//!
//! ```
//! use std::time::Duration;
//! use mdm_benches::{Case, Comparison};
//!
//! let text = "7 ".repeat(500);
//! let ours = || text.bytes().filter(|b| *b == b'7').count();
//! let peer = || text.split(' ').filter(|word| *word == "7").count();
//!
//! let mut out = Vec::new();
//! let verdict = Comparison::new("count", || {
//!     if ours() == peer() { Ok(()) } else { Err("the counts differ".to_owned()) }
//! })
//! .run_length(Duration::from_millis(2))
//! .case(Case::timed("1 KB", ours).peer("split", 0.001, peer))
//! .run_to(&mut out)?;
//!
//! assert!(verdict.is_met());
//! assert!(String::from_utf8_lossy(&out).contains("count 1 KB, split: ours "));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! The programs that use it live in `benches/peers`, a package outside the workspace, because they
//! depend on the peers; `cargo xtask bench NAME` builds and runs one.

pub mod comparison;
pub mod documents;
pub mod report;

pub use comparison::{Case, Comparison};
pub use report::{Better, Line, Unit, Verdict};

/// The README's examples, compiled as doctests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

//! What `mdmtool` knows, for other tools to use.
//!
//! | Item | What it tells |
//! |---|---|
//! | [`decode`] | what a document is, by its content, and what it says |
//! | [`validate`] | what is wrong with it, for any device or for one |
//! | [`decode_as`], [`typed`](typed()), [`roundtrip`] | it as its own types, and whether they say the same when written again |
//! | [`explain`] | what a name of Apple's vocabulary means, and whether a device takes it |
//! | [`schema`] | the vocabulary listed, counted, and whole |
//!
//! ```
//! use mdmtool::{Kind, Options, decode};
//!
//! let report = br#"<plist version="1.0"><dict>
//!     <key>Status</key><string>Acknowledged</string>
//!     <key>CommandUUID</key><string>1</string>
//!     <key>SecurityInfo</key><dict/>
//! </dict></plist>"#;
//! let document = decode(report, &Options::default())?;
//! assert_eq!(document.kind, Kind::Response);
//! assert_eq!(document.name.as_deref(), Some("SecurityInfo"));
//! # Ok::<(), mdmtool::Error>(())
//! ```

mod decode;
mod document;
mod error;
pub mod explain;
pub mod input;
pub mod json;
mod parts;
pub mod schema;
pub mod typed;
mod validate;

pub use decode::{As, Options, decode};
pub use document::{Document, Kind, MAX_UNKNOWN_BYTES};
pub use error::{Error, one_line};
pub use typed::{Roundtrip, Typed, decode_as, roundtrip, typed};
pub use validate::{Validation, validate};

//! Documents that commands and profiles refer to.

mod generated;

pub use self::generated::*;

//! The program itself, on checkouts and in a workspace that the tests write.
#![allow(clippy::unwrap_used)]

mod program;

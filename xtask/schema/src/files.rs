//! What is generated: written, or compared with what is there.

/// A generated file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Below the workspace's folder: `foundation/schema/src/generated.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
}

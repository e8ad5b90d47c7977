//! How much of a property list is read before it is refused.

/// Bounds on one property list. Each is checked before the memory or the stack it guards is used.
///
/// ```
/// let limits = mdm_plist::Limits::default().with(|l| l.bytes = 64 * 1024);
/// assert_eq!(limits.depth, 64);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Length of the document in bytes; default 16 MiB.
    ///
    /// In a binary property list, where many places may share one string, the text and data as read
    /// out are counted against the same number.
    pub bytes: usize,
    /// Arrays and dictionaries open at the same time; default 64, never more than
    /// [`Limits::MAX_DEPTH`].
    ///
    /// Also enforced inside values that the type does not ask for.
    pub depth: usize,
    /// Values in the document, each array, dictionary and scalar counting one, keys not; default
    /// 500,000.
    ///
    /// In a binary property list a shared object counts each time it is reached.
    pub items: usize,
}

impl Limits {
    /// The deepest nesting that is ever read or written, whatever [`Limits::depth`] says.
    ///
    /// serde decodes and Rust drops nested values by recursion. At this depth both fit into a stack
    /// of 2 MiB without optimisation, with room for types that buffer (`flatten`, `untagged`).
    pub const MAX_DEPTH: usize = 128;

    /// Changes some of the limits in place of a struct literal.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 16 * 1024 * 1024,
            depth: 64,
            items: 500_000,
        }
    }
}

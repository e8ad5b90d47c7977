//! What a check has to say about a document.

use std::{borrow::Cow, fmt};

use serde::Serialize;

/// One thing that is wrong, or noteworthy, in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Where: keys joined by dots, array elements in brackets, `PayloadContent[0].PayloadType`.
    /// Empty for the document as a whole.
    pub path: String,
    /// Which rule.
    pub rule: Rule,
    /// How bad.
    pub severity: Severity,
    /// What is wrong, in a sentence without a full stop. Never a secret's value.
    pub message: Cow<'static, str>,
}

impl Finding {
    /// A finding at `path`.
    pub fn new(
        path: impl Into<String>,
        rule: Rule,
        severity: Severity,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            path: path.into(),
            rule,
            severity,
            message: message.into(),
        }
    }

    /// The same finding about a document that lies at `parent` in a larger one.
    #[must_use]
    pub fn under(mut self, parent: &str) -> Self {
        self.path = path::join(parent, &self.path);
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            rule,
            severity,
            message,
        } = self;
        if path.is_empty() {
            write!(f, "{severity}: {message} ({rule})")
        } else {
            write!(f, "{severity}: {path}: {message} ({rule})")
        }
    }
}

macro_rules! named {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// The name, as it is written in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

named! {
    /// How bad a finding is, in rising order.
    Severity {
        /// Worth knowing; the device does not mind.
        Info = "info",
        /// The device may take it differently than was meant.
        Warning = "warning",
        /// The device refuses it or it cannot mean what was intended.
        Error = "error",
    }
}

named! {
    /// The rule that a document breaks.
    Rule {
        /// A required key is missing.
        Required = "required",
        /// A value has the wrong type.
        Type = "type",
        /// A value is none of those allowed.
        Enum = "enum",
        /// A number is out of its range, or a text too long.
        Range = "range",
        /// A text is not in its format.
        Format = "format",
        /// A key that nobody knows here.
        UnknownKey = "unknown-key",
        /// A known key in the wrong place.
        Misplaced = "misplaced",
        /// The same thing twice where once is meant.
        Duplicate = "duplicate",
        /// A value that rules out, or needs, another value.
        Conflict = "conflict",
        /// A reference that leads to nothing, or to the wrong thing.
        Reference = "reference",
        /// Embedded bytes that are not what they claim to be.
        Unreadable = "unreadable",
        /// Not available on the target.
        NotAvailable = "not-available",
        /// Deprecated on the target.
        Deprecated = "deprecated",
        /// Removed from the target.
        Removed = "removed",
        /// Needs supervision.
        Supervision = "supervision",
        /// Wrong channel.
        Channel = "channel",
        /// Wrong kind of enrolment.
        Enrollment = "enrollment",
        /// May be there once only.
        SingleInstance = "single-instance",
        /// Cannot be combined in the way that several documents ask for.
        CombineType = "combine-type",
    }
}

/// How paths are put together.
pub mod path {
    /// `parent` and the key below it; either may be empty.
    pub fn join(parent: &str, key: &str) -> String {
        match (parent, key) {
            ("", key) => key.to_owned(),
            (parent, "") => parent.to_owned(),
            (parent, key) if key.starts_with('[') => format!("{parent}{key}"),
            (parent, key) => format!("{parent}.{key}"),
        }
    }

    /// `parent` and the element at `index` of it.
    pub fn index(parent: &str, index: usize) -> String {
        format!("{parent}[{index}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_moves_under_the_document_that_holds_it() {
        let finding = Finding::new("PayloadType", Rule::Required, Severity::Error, "is missing");
        let moved = finding.under(&path::index("PayloadContent", 2));
        assert_eq!(moved.path, "PayloadContent[2].PayloadType");
        let whole = Finding::new("", Rule::Unreadable, Severity::Warning, "is garbled");
        assert_eq!(whole.to_string(), "warning: is garbled (unreadable)");
        assert_eq!(whole.clone().under("Data").path, "Data");
        assert_eq!(whole.under("").path, "");
        let element = Finding::new("[1].UDID", Rule::Type, Severity::Info, "is no text");
        assert_eq!(element.under("Devices").path, "Devices[1].UDID");
    }

    #[test]
    fn findings_are_written_as_json_by_their_names() {
        let finding = Finding::new("A", Rule::UnknownKey, Severity::Info, "is not known");
        assert_eq!(
            serde_json::to_string(&finding).unwrap(),
            r#"{"path":"A","rule":"unknown-key","severity":"info","message":"is not known"}"#
        );
    }

    #[test]
    fn severities_rise() {
        assert!(Severity::Info < Severity::Warning && Severity::Warning < Severity::Error);
    }
}

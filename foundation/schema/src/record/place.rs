//! Where a reading is, and what it found wrong on its way.

use std::{borrow::Cow, cell::RefCell};

use crate::finding::{Finding, Rule, Severity, path};

/// The most mistakes that are noted in one reading; the document is read to its end all the same.
pub const MAX_FINDINGS: usize = 1000;

/// The most bytes of a key that are shown in a path. No key of Apple's is as long.
const MAX_SHOWN_KEY: usize = 128;

/// What a reading found wrong, [`MAX_FINDINGS`] at most.
#[derive(Debug, Default)]
pub struct Log(RefCell<Vec<Finding>>);

impl Log {
    /// What was found, in the order of the reading.
    pub fn into_findings(self) -> Vec<Finding> {
        self.0.into_inner()
    }
}

/// Where in a document a value stands, and where mistakes are noted.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    outer: Option<&'a Place<'a>>,
    step: Step<'a>,
    log: &'a Log,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    /// The document itself.
    pub fn root(log: &'a Log) -> Self {
        Self {
            outer: None,
            step: Step::Root,
            log,
        }
    }

    /// The place of a key in the dictionary here.
    pub fn key<'b>(&'b self, key: &'b str) -> Place<'b> {
        self.inner(Step::Key(key))
    }

    /// The place of an element in the array here.
    pub fn index(&self, index: usize) -> Place<'_> {
        self.inner(Step::Index(index))
    }

    fn inner<'b>(&'b self, step: Step<'b>) -> Place<'b> {
        Place {
            outer: Some(self),
            step,
            log: self.log,
        }
    }

    /// The path from the document's root, as findings write it; a very long key is cut.
    pub fn path(&self) -> String {
        let outer = self.outer.map(Place::path).unwrap_or_default();
        match self.step {
            Step::Root => outer,
            Step::Key(key) => path::join(&outer, shown(key)),
            Step::Index(index) => path::index(&outer, index),
        }
    }

    /// Notes what is wrong here.
    pub fn note(&self, rule: Rule, severity: Severity, message: impl Into<Cow<'static, str>>) {
        let mut findings = self.log.0.borrow_mut();
        if findings.len() < MAX_FINDINGS {
            findings.push(Finding::new(self.path(), rule, severity, message));
        }
    }

    /// Whether nothing more is noted.
    pub(crate) fn is_full(&self) -> bool {
        self.log.0.borrow().len() >= MAX_FINDINGS
    }

    /// Notes that the value here is not `expected`, such as `a string`.
    pub fn mismatch<T>(&self, expected: &str) -> Option<T> {
        self.note_mismatch(expected);
        None
    }

    /// Apart from the above, which is compiled for each type.
    #[doc(hidden)]
    pub fn note_mismatch(&self, expected: &str) {
        self.note(Rule::Type, Severity::Error, format!("is not {expected}"));
    }
}

fn shown(key: &str) -> &str {
    let mut end = key.len().min(MAX_SHOWN_KEY);
    while !key.is_char_boundary(end) {
        end -= 1;
    }
    &key[..end]
}

//! What the program said, and what has to be in it.

use std::process::Output;

use serde_json::Value;

/// What the program said.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Told {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Told {
    pub(crate) fn succeeded(&self) {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert!(self.stderr.is_empty(), "{self:?}");
    }

    /// It failed with this code and one line, in which these words are.
    pub(crate) fn failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        assert!(self.stderr.starts_with("mdmtool: "), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in {self:?}");
        }
    }

    /// It found something, told it, and ended with code 1: no error.
    pub(crate) fn failed_quietly(&self) {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert!(
            self.stderr.is_empty() && !self.stdout.is_empty(),
            "{self:?}"
        );
    }

    /// It failed with code 2 over the command line, in the parser's words.
    pub(crate) fn failed_usage(&self) {
        assert_eq!(self.code, Some(2), "{self:?}");
        assert!(self.stderr.starts_with("error: "), "{self:?}");
    }

    /// It failed with this code and an error of this kind, as JSON.
    pub(crate) fn error(&self, code: i32, kind: &str) -> Value {
        assert_eq!(self.code, Some(code), "{self:?}");
        let document: Value = serde_json::from_str(&self.stderr).unwrap();
        assert_eq!(document["error"]["kind"], kind, "{self:?}");
        document["error"].clone()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }

    pub(crate) fn holds_none_of(&self, secrets: &[&str]) {
        for secret in secrets {
            let said = format!("{}{}", self.stdout, self.stderr);
            assert!(!said.contains(secret), "{secret:?} in {self:?}");
        }
    }
}

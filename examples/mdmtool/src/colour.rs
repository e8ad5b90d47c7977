//! Colour for those who sit before a terminal, and none for anybody else.

use std::io;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use mdm_schema::Severity;

/// When to write in colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Wherever it goes.
    Always,
    /// Not even on a terminal.
    Never,
}

/// Writes texts in colour, or as they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint(bool);

impl Paint {
    /// For standard output.
    pub(crate) fn new(when: When) -> Self {
        Self(match when {
            When::Always => true,
            When::Never => false,
            When::Auto => AutoStream::choice(&io::stdout()) != ColorChoice::Never,
        })
    }

    /// What something is called.
    pub(crate) fn title(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// What matters less.
    pub(crate) fn faint(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// What is well, or has come.
    pub(crate) fn good(self, text: &str) -> String {
        self.colour(AnsiColor::Green, text)
    }

    /// What is to be looked at, or has changed.
    pub(crate) fn doubtful(self, text: &str) -> String {
        self.colour(AnsiColor::Yellow, text)
    }

    /// What is wrong, or has gone.
    pub(crate) fn bad(self, text: &str) -> String {
        self.colour(AnsiColor::Red, text)
    }

    /// What is of one kind among others: a path, a name.
    pub(crate) fn name(self, text: &str) -> String {
        self.colour(AnsiColor::Cyan, text)
    }

    /// A text in the colour of how bad it is.
    pub(crate) fn severity(self, severity: Severity, text: &str) -> String {
        match severity {
            Severity::Error => self.bad(text),
            Severity::Warning => self.doubtful(text),
            _ => self.name(text),
        }
    }

    fn colour(self, colour: AnsiColor, text: &str) -> String {
        self.paint(colour.on_default(), text)
    }

    fn paint(self, style: Style, text: &str) -> String {
        match self.0 {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }
}

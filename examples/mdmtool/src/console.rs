//! Where answers go: text or one JSON document on standard output, progress on standard error.

use std::{
    io::{self, IsTerminal, Stdout, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::failure::{Done, Failure};

/// How much is held back before it is written: the bar gives way for each write.
const BUFFER: usize = 16 * 1024;

/// Standard output and the progress bar above which it is written.
pub(crate) struct Console {
    json: bool,
    out: Stdout,
    buffer: String,
    /// Whoever read has seen enough; what follows is not written.
    closed: bool,
    bar: ProgressBar,
}

impl Console {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            out: io::stdout(),
            buffer: String::new(),
            closed: false,
            bar: ProgressBar::hidden(),
        }
    }

    /// Whether the answer is to be JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether nobody reads any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// A line of text, or several, with the line's end.
    pub(crate) fn line(&mut self, text: &str) -> Done {
        self.raw(text)?;
        self.raw("\n")
    }

    /// Text as it stands.
    pub(crate) fn raw(&mut self, text: &str) -> Done {
        self.buffer.push_str(text);
        match self.buffer.len() {
            ..BUFFER => Ok(()),
            _ => self.flush(),
        }
    }

    /// The answer as JSON.
    pub(crate) fn document(&mut self, value: &impl Serialize) -> Done {
        let text = serde_json::to_string_pretty(value).map_err(mdmtool::Error::from)?;
        self.line(&text)
    }

    /// The answer in the form that was asked for.
    pub(crate) fn answer(&mut self, value: &impl Serialize, text: impl FnOnce() -> String) -> Done {
        if self.json {
            return self.document(value);
        }
        let text = text();
        self.line(text.trim_end())
    }

    /// A remark for a person; with `--json` it is for the document to tell.
    pub(crate) fn note(&self, text: &str) {
        if !self.json {
            self.bar.suspend(|| {
                // Where standard error is gone as well, the exit code still tells.
                let _ = writeln!(io::stderr(), "mdmtool: {text}");
            });
        }
    }

    /// Shows how much there is of something whose end is not known, where somebody sits before it.
    pub(crate) fn progress(&mut self, what: &'static str) -> ProgressBar {
        self.bar(None, what, "{spinner} {human_pos} {msg}, {elapsed}")
    }

    /// Shows how far work on `all` of something is, where somebody sits before it.
    pub(crate) fn work(&mut self, what: &'static str, all: usize) -> ProgressBar {
        let template = "{bar:30} {human_pos} of {human_len} {msg}, {elapsed}, {eta} left";
        self.bar(Some(all as u64), what, template)
    }

    fn bar(&mut self, all: Option<u64>, what: &'static str, template: &str) -> ProgressBar {
        let bar = if io::stderr().is_terminal() {
            ProgressBar::with_draw_target(all, ProgressDrawTarget::stderr())
        } else {
            ProgressBar::hidden()
        };
        bar.set_message(what);
        bar.set_style(
            // The templates are this program's own.
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        bar.enable_steady_tick(Duration::from_millis(200));
        self.bar = bar.clone();
        bar
    }

    /// Writes out what is left.
    pub(crate) fn finish(&mut self) -> Done {
        self.bar.finish_and_clear();
        self.flush()
    }

    /// Writes out what is there, for those who follow.
    pub(crate) fn flush(&mut self) -> Done {
        let text = std::mem::take(&mut self.buffer);
        if self.closed || text.is_empty() {
            return Ok(());
        }
        let out = &mut self.out;
        let mut write = || out.write_all(text.as_bytes()).and_then(|()| out.flush());
        match self.bar.suspend(&mut write) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other.map_err(Failure::Output),
        }
    }
}

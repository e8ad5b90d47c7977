//! Serial numbers from the command line or a file.

use std::{collections::HashSet, path::PathBuf};

use clap::Args;
use mdm_core::SerialNumber;
use mdmtool::input;

use super::failure::Failure;

/// The longest file that is read, in bytes: a million lines.
const MAX_FILE_BYTES: usize = 32 * 1024 * 1024;

/// Serial numbers, each once and in the order that they were given in.
#[derive(Debug, Args)]
pub(super) struct Serials {
    /// Serial numbers.
    #[arg(value_name = "SERIAL")]
    serials: Vec<String>,
    /// A file with one serial number a line, or - for standard input. What follows a comma, a semicolon
    /// or a tab is left out, as are blank lines, lines that begin with # and a first line of headings.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Serials {
    /// Whether none was asked for.
    pub(super) fn are_unnamed(&self) -> bool {
        self.serials.is_empty() && self.file.is_none()
    }

    /// All of them, at least one.
    pub(super) fn read(&self) -> Result<Vec<SerialNumber>, Failure> {
        let mut all = Collected::default();
        for serial in &self.serials {
            all.take(serial, || "on the command line".to_owned())?;
        }
        if let Some(file) = &self.file {
            let bytes = input::read(file, MAX_FILE_BYTES)?;
            let text = std::str::from_utf8(&bytes).map_err(|_| {
                Failure::input("the list of serial numbers is not text", "save it as UTF-8")
            })?;
            all.take_lines(text.strip_prefix('\u{feff}').unwrap_or(text))?;
        }
        if all.serials.is_empty() {
            return Err(Failure::input(
                "no serial number is given",
                "name devices by their serial numbers, or by --file a list of them",
            ));
        }
        Ok(all.serials)
    }
}

#[derive(Default)]
struct Collected {
    serials: Vec<SerialNumber>,
    seen: HashSet<SerialNumber>,
}

impl Collected {
    fn take_lines(&mut self, text: &str) -> Result<(), Failure> {
        let lines = text.lines().enumerate();
        for (number, line) in lines.filter(|(_, line)| !line.trim_start().starts_with('#')) {
            let first = line.split([',', ';', '\t']).next().unwrap_or_default();
            let first = first.trim().trim_matches('"').trim();
            if first.is_empty() || (number == 0 && is_heading(first)) {
                continue;
            }
            self.take(first, || format!("in line {}", number + 1))?;
        }
        Ok(())
    }

    fn take(&mut self, text: &str, place: impl Fn() -> String) -> Result<(), Failure> {
        let text = text.trim();
        let serial = SerialNumber::new(text)
            .ok()
            .filter(|_| text.chars().all(|c| c.is_ascii_alphanumeric()));
        let Some(serial) = serial else {
            return Err(Failure::input(
                format!("{text:?} {} is no serial number", place()),
                "serial numbers are letters and digits",
            ));
        };
        if self.seen.insert(serial.clone()) {
            self.serials.push(serial);
        }
        Ok(())
    }
}

/// `serial_number`, `Serial Number`, `serial`.
fn is_heading(text: &str) -> bool {
    let text = text.replace(['_', ' ', '-'], "").to_ascii_lowercase();
    matches!(text.as_str(), "serial" | "serialnumber" | "serialno")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Result<Vec<String>, Failure> {
        let mut all = Collected::default();
        all.take_lines(text)?;
        Ok(all.serials.into_iter().map(String::from).collect())
    }

    #[test]
    fn a_list_may_be_a_table_with_headings_and_remarks() {
        let text =
            "Serial Number,Model\r\n\"C02A\",Mac\n\n# spare ones\n  C02B ;x\nC02A\nC02C\t1\n";
        assert_eq!(lines(text).unwrap(), ["C02A", "C02B", "C02C"]);
        assert!(lines("").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_serial_number_is_told_with_its_line() {
        let failure = lines("C02A\nC02 B\n").unwrap_err().to_string();
        assert_eq!(failure, "\"C02 B\" in line 2 is no serial number");
        assert!(lines("C02A\nserial\n").is_ok());
        assert!(lines(&"X".repeat(300)).is_err());
    }
}

//! The account's devices as a file for people (CSV) or programs (JSON), such as before its token is
//! cleared.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    sync::Arc,
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::AdeService;
use crate::{
    Error,
    record::{AccountId, DeviceRecord},
    store::DeviceFilter,
};

/// How many devices or profiles are in memory at once.
const PAGE: usize = 500;

/// How an export is written. Both name a device's `serial_number`, `model`, `profile_status`,
/// `profile_uuid`, `profile_name`, `wanted_profile`, `tags`, `user`, `profile_assign_time` and
/// `profile_push_time`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportFormat {
    /// Comma-separated values by RFC 4180 in UTF-8, the names in the first line, tags with `;`
    /// between them.
    ///
    /// A value that a spreadsheet could take for a formula, because it begins with `=`, `+`, `-`,
    /// `@`, a tab or a carriage return, has an apostrophe in front. JSON has every value as it is.
    Csv,
    /// An array of objects, one in each line; keys without a value are null.
    Json,
}

impl AdeService {
    /// Writes the devices that are assigned to the account's server, in the order of their serial
    /// numbers, and tells how many. Memory does not grow with their number.
    ///
    /// Devices that come or go meanwhile may be in it or not; all others are, once.
    ///
    /// # Errors
    /// [`Refusal::NoAccount`](super::Refusal::NoAccount); [`Error::Export`] where `out` cannot be
    /// written.
    pub async fn export(
        &self,
        account: &AccountId,
        format: ExportFormat,
        out: &mut (dyn Write + Send),
    ) -> Result<u64, Error> {
        self.account(account).await?;
        let names = self.profile_names(account).await?;
        let mut written = 0;
        let mut after = None;
        begin(format, out).map_err(unwritten)?;
        loop {
            let page = self
                .store()
                .devices(account, &DeviceFilter::Present, after.as_ref(), PAGE)
                .await?;
            let Some(last) = page.last() else { break };
            after = Some(last.serial_number.clone());
            for device in &page {
                let row = Row::new(device, &names);
                put(format, &row, written == 0, out).map_err(unwritten)?;
                written += 1;
            }
        }
        end(format, written == 0, out).map_err(unwritten)?;
        Ok(written)
    }

    async fn profile_names(&self, account: &AccountId) -> Result<BTreeMap<String, String>, Error> {
        let mut names = BTreeMap::new();
        let mut after: Option<String> = None;
        loop {
            let page = self
                .store()
                .profiles(account, after.as_deref(), PAGE)
                .await?;
            let Some(last) = page.last() else {
                return Ok(names);
            };
            after = Some(last.uuid.clone());
            let named = page
                .into_iter()
                .filter_map(|record| Some((record.uuid, record.profile.profile_name?)));
            names.extend(named);
        }
    }
}

#[derive(Serialize)]
struct Row<'a> {
    serial_number: &'a str,
    model: Option<&'a str>,
    profile_status: &'a str,
    profile_uuid: Option<&'a str>,
    profile_name: Option<&'a str>,
    wanted_profile: Option<&'a str>,
    tags: &'a BTreeSet<String>,
    user: Option<&'a str>,
    profile_assign_time: Option<String>,
    profile_push_time: Option<String>,
}

impl<'a> Row<'a> {
    fn new(device: &'a DeviceRecord, names: &'a BTreeMap<String, String>) -> Self {
        let uuid = device.device.profile_uuid.as_deref();
        Self {
            serial_number: device.serial_number.as_str(),
            model: device.device.model.as_deref(),
            profile_status: device.state.as_str(),
            profile_uuid: uuid,
            profile_name: uuid.and_then(|uuid| names.get(uuid)).map(String::as_str),
            wanted_profile: device.wanted_profile.as_deref(),
            tags: &device.tags,
            user: device.user.as_deref(),
            profile_assign_time: device.times.assigned.map(time),
            profile_push_time: device.times.pushed.map(time),
        }
    }

    const NAMES: [&'static str; 10] = [
        "serial_number",
        "model",
        "profile_status",
        "profile_uuid",
        "profile_name",
        "wanted_profile",
        "tags",
        "user",
        "profile_assign_time",
        "profile_push_time",
    ];

    fn line(&self) -> String {
        let tags: Vec<_> = self.tags.iter().map(String::as_str).collect();
        let tags = tags.join(";");
        csv([
            self.serial_number,
            self.model.unwrap_or_default(),
            self.profile_status,
            self.profile_uuid.unwrap_or_default(),
            self.profile_name.unwrap_or_default(),
            self.wanted_profile.unwrap_or_default(),
            &tags,
            self.user.unwrap_or_default(),
            self.profile_assign_time.as_deref().unwrap_or_default(),
            self.profile_push_time.as_deref().unwrap_or_default(),
        ])
    }
}

fn begin(format: ExportFormat, out: &mut dyn Write) -> io::Result<()> {
    match format {
        ExportFormat::Csv => out.write_all(csv(Row::NAMES).as_bytes()),
        ExportFormat::Json => out.write_all(b"["),
    }
}

fn put(format: ExportFormat, row: &Row<'_>, first: bool, out: &mut dyn Write) -> io::Result<()> {
    match format {
        ExportFormat::Csv => out.write_all(row.line().as_bytes()),
        ExportFormat::Json => {
            out.write_all(if first { b"\n" } else { b",\n" })?;
            serde_json::to_writer(out, row).map_err(io::Error::from)
        }
    }
}

fn end(format: ExportFormat, empty: bool, out: &mut dyn Write) -> io::Result<()> {
    match format {
        ExportFormat::Csv => {}
        ExportFormat::Json if empty => out.write_all(b"]\n")?,
        ExportFormat::Json => out.write_all(b"\n]\n")?,
    }
    out.flush()
}

fn csv(fields: [&str; 10]) -> String {
    let mut line = fields.map(field).join(",");
    line.push_str("\r\n");
    line
}

fn field(text: &str) -> String {
    let guard = match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => "'",
        false => "",
    };
    match text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{guard}{}\"", text.replace('"', "\"\"")),
        false => format!("{guard}{text}"),
    }
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn unwritten(error: io::Error) -> Error {
    Error::Export(Arc::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_quoted_where_rfc_4180_says_so_and_no_formula() {
        for (text, written) in [
            ("", ""),
            ("iPad (10. Gen)", "iPad (10. Gen)"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("@SUM(A1,A2)", "\"'@SUM(A1,A2)\""),
            ("-1", "'-1"),
            ("+49", "'+49"),
            ("\t=1", "'\t=1"),
            ("\r=1", "\"'\r=1\""),
            ("a=1", "a=1"),
        ] {
            assert_eq!(field(text), written, "{text:?}");
        }
    }
}

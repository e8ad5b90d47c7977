//! `devices`: all devices of the server, or all about some.

use std::collections::HashSet;

use ade_client::{
    Client,
    endpoint::{FetchDevices, MAX_ITEMS},
    model::{Cursor, Device, DeviceDetail, DevicePage},
};
use clap::Args;
use mdm_core::SerialNumber;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Done, console::Console, failure::Failure, online::Online, serials::Serials, text, verdicts,
};

#[derive(Debug, Args)]
pub(super) struct Devices {
    #[command(flatten)]
    serials: Serials,
    #[command(flatten)]
    online: Online,
}

impl Devices {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        if self.serials.are_unnamed() {
            return list(&self.online.client()?, console).await;
        }
        let serials = self.serials.read()?;
        details(&self.online.client()?, &serials, console).await
    }
}

/// All devices, as they come: a list of any length takes no more memory than its serial numbers.
async fn list(client: &Client, console: &mut Console) -> Done {
    let mut list = List::begin(console)?;
    let done = list.pages(client, console).await;
    list.end(done.is_ok(), console)?;
    done
}

struct List {
    /// A page may name a device that another one has named.
    seen: HashSet<SerialNumber>,
    written: usize,
    unreadable: Vec<Value>,
}

impl List {
    fn begin(console: &mut Console) -> Result<Self, Failure> {
        if console.is_json() {
            console.raw("{\"devices\":[")?;
        } else {
            console.line(&row("SERIAL", "FAMILY", "STATUS", "PROFILE", "DESCRIPTION"))?;
        }
        Ok(Self {
            seen: HashSet::new(),
            written: 0,
            unreadable: Vec::new(),
        })
    }

    async fn pages(&mut self, client: &Client, console: &mut Console) -> Done {
        let bar = console.progress("devices");
        let mut used = HashSet::new();
        let mut request = FetchDevices::first();
        while !console.is_closed() {
            let page = match client.send(&request).await {
                Err(error) if error.is_cursor_exhausted() => return Ok(()),
                page => page?,
            };
            let next = next(&page, &mut used)?;
            self.page(page, console)?;
            bar.set_position(self.written as u64);
            match next {
                Some(cursor) => request = FetchDevices::after(cursor),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn page(&mut self, page: DevicePage, console: &mut Console) -> Done {
        self.unreadable.extend(page.unreadable);
        for device in page.devices {
            let named = device.serial_number.clone();
            if named.is_some_and(|serial| !self.seen.insert(serial)) {
                continue;
            }
            if console.is_json() {
                let comma = if self.written == 0 { "\n" } else { ",\n" };
                let json = serde_json::to_string(&device).map_err(mdmtool::Error::from)?;
                console.raw(comma)?;
                console.raw(&json)?;
            } else {
                console.line(&line(&device))?;
            }
            self.written += 1;
        }
        Ok(())
    }

    /// The document ends as one also where the list does not.
    fn end(self, complete: bool, console: &mut Console) -> Done {
        if console.is_json() {
            let unreadable =
                serde_json::to_string(&self.unreadable).map_err(mdmtool::Error::from)?;
            return console.line(&format!(
                "\n],\"unreadable\":{unreadable},\"complete\":{complete}}}"
            ));
        }
        if !self.unreadable.is_empty() {
            console.note(&format!(
                "{} in Apple's answers cannot be read; --json shows them",
                text::count(self.unreadable.len(), "record")
            ));
        }
        Ok(())
    }
}

/// Where the next page is. A cursor that leads back would never end.
fn next(page: &DevicePage, used: &mut HashSet<Cursor>) -> Result<Option<Cursor>, Failure> {
    if !page.more_to_follow {
        return Ok(None);
    }
    match &page.cursor {
        Some(cursor) if used.insert(cursor.clone()) => Ok(Some(cursor.clone())),
        _ => Err(Failure::Answers(
            "Apple says that more devices follow, and gives no new cursor to ask with",
        )),
    }
}

fn line(device: &Device) -> String {
    row(
        device.serial_number.as_ref().map_or("-", |s| s.as_str()),
        device.device_family.as_ref().map_or("-", |f| f.as_str()),
        device.profile_status.as_ref().map_or("-", |s| s.as_str()),
        device.profile_uuid.as_deref().unwrap_or("-"),
        device
            .description
            .as_deref()
            .or(device.model.as_deref())
            .unwrap_or_default(),
    )
}

fn row(serial: &str, family: &str, status: &str, profile: &str, description: &str) -> String {
    let row = format!("{serial:<14} {family:<8} {status:<9} {profile:<32} {description}");
    text::printable(row.trim_end())
}

/// One device that was asked for.
#[derive(Serialize)]
struct Detail {
    serial_number: SerialNumber,
    outcome: String,
    device: Option<Device>,
}

async fn details(client: &Client, serials: &[SerialNumber], console: &mut Console) -> Done {
    let bar = console.work("devices", serials.len());
    let mut found: Vec<DeviceDetail> = Vec::with_capacity(serials.len());
    for batch in serials.chunks(MAX_ITEMS as usize) {
        let report = client.details(batch).await;
        if let Some(error) = report.error {
            return Err(error.into());
        }
        found.extend(report.devices);
        bar.set_position(found.len() as u64);
    }
    let told: Vec<Detail> = found.into_iter().map(Detail::from).collect();
    let missing = told.iter().filter(|detail| detail.device.is_none()).count();
    console.answer(&json!({"devices": told}), || {
        let blocks: Vec<String> = told.iter().map(Detail::text).collect();
        blocks.join("\n")
    })?;
    verdicts::failed(missing, told.len(), "known to the server", NOT_FOUND)
}

const NOT_FOUND: &str = "in Apple's portal, see whether they are assigned to this server";

impl From<DeviceDetail> for Detail {
    fn from(detail: DeviceDetail) -> Self {
        Self {
            outcome: verdicts::word(&detail.outcome),
            serial_number: detail.serial_number,
            device: detail.device,
        }
    }
}

impl Detail {
    fn text(&self) -> String {
        match &self.device {
            Some(device) => text::fields(&json!(device), &["response_status"]),
            None => format!("serial_number  {}\n{}\n", self.serial_number, self.outcome),
        }
    }
}

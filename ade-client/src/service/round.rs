//! One round of a sync, driven: requests are sent, pages are stored with their cursors, and devices
//! that a full fetch did not name, or that are in doubt, are asked about.

use std::{sync::Arc, time::Duration};

use mdm_core::SerialNumber;

use super::{
    SyncReport,
    trouble::{self, retry_after},
    worker::Pass,
};
use crate::{
    Error, ErrorCode,
    assign::is_about_all,
    endpoint::{FetchDevices, GetAccount, GetDeviceDetails, MAX_ITEMS, SyncDevices},
    model::{Cursor, DeviceDetail, DevicePage, Outcome, ResponseStatus},
    progress::Meter,
    record::{AccountRecord, KnownAccount, Merged, SyncState, Telling, TroubleKind},
    store::{Changes, DeviceFilter, Reads},
    sync::{Effect, Event, Failure, Round, RoundEnd, RoundKind},
};

/// What waits to be stored with the next commit.
#[derive(Debug, Clone, Default)]
struct Taken {
    page: Option<Arc<DevicePage>>,
    known: Option<KnownAccount>,
    failed: Option<Error>,
}

/// How many records a step changed in which way.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    came: u64,
    left: u64,
    stale: u64,
    unreadable: u64,
    unanswered: u64,
    in_doubt: u64,
}

impl Pass<'_> {
    /// Drives a round to its end, and tells whether Apple may be asked for more.
    pub(super) async fn round(
        &mut self,
        record: AccountRecord,
        kind: RoundKind,
    ) -> Result<bool, Error> {
        let mut report = SyncReport::new(kind);
        let mut round = Round::begin(&record.sync, kind, self.policy(), self.began);
        let mut meter = Meter::new(self.expected(&record.sync).await?);
        let mut known = record.known;
        let mut taken = Taken::default();
        let mut fetched = record.sync.taken;
        loop {
            let effect = round.effect();
            let event = match effect {
                Effect::Fetch(cursor) => {
                    meter.fetch(if cursor.is_some() { fetched } else { 0 });
                    let answer = self.fetch(cursor, &mut known, &mut taken).await;
                    self.page(answer, &mut taken)
                }
                Effect::Sync(cursor) => {
                    meter.sync();
                    let mut request = SyncDevices::new(cursor);
                    request.limit = Some(self.limit(known.as_ref(), "/devices/sync"));
                    let answer = self.ask(&request).await;
                    self.page(answer, &mut taken)
                }
                Effect::Commit(state) => {
                    let taken = std::mem::take(&mut taken);
                    let page = taken.page.clone();
                    self.error = self.error.take().or_else(|| {
                        let failed = round.ending() == Some(RoundEnd::Failed);
                        taken.failed.clone().filter(|_| failed)
                    });
                    fetched = state.taken;
                    let counts = self.store_page(&state, taken, round.ending()).await?;
                    report.add(&counts);
                    if let Some(page) = page {
                        let devices = page.devices.len() as u64;
                        report.pages += 1;
                        report.devices += devices;
                        let progress = meter.page(devices, self.elapsed());
                        self.service.observe(&self.held.account, progress);
                    }
                    match counts.in_doubt {
                        0 => Event::Committed,
                        _ => Event::InDoubt,
                    }
                }
                Effect::Verify { sweep } => {
                    self.verify(sweep, &round, &mut report, known.as_ref(), &mut taken)
                        .await?
                }
                Effect::End(end) => {
                    report.end = end;
                    break;
                }
            };
            round.handle(event, self.now());
        }
        let may_go_on =
            report.end != RoundEnd::Failed || !self.error.as_ref().is_some_and(is_about_all);
        self.report.sync = Some(report);
        Ok(may_go_on)
    }

    /// The first page comes after the account itself, whose limits hold for the rest.
    async fn fetch(
        &self,
        cursor: Option<Cursor>,
        known: &mut Option<KnownAccount>,
        taken: &mut Taken,
    ) -> Result<DevicePage, Error> {
        if cursor.is_none() {
            match self.ask(&GetAccount::new()).await {
                Ok(account) => {
                    *known = Some(KnownAccount::new(account.bounded(), self.now()));
                    taken.known.clone_from(known);
                }
                Err(error) if is_about_all(&error) => return Err(error),
                // What was known of the limits does until then.
                Err(error) => {
                    tracing::warn!(account = %self.held.account, %error, "the account is not told");
                }
            }
        }
        let mut request = FetchDevices::first();
        request.cursor = cursor;
        request.limit = Some(self.limit(known.as_ref(), "/server/devices"));
        self.ask(&request).await
    }

    fn page(&self, answer: Result<DevicePage, Error>, taken: &mut Taken) -> Event {
        match answer {
            Ok(page) => {
                let summary = (&page).into();
                taken.page = Some(Arc::new(page));
                Event::Page(summary)
            }
            Err(error) => self.failed(error, taken),
        }
    }

    fn failed(&self, error: Error, taken: &mut Taken) -> Event {
        tracing::debug!(account = %self.held.account, %error, "sync request failed");
        let failure = match error.code() {
            Some(ErrorCode::ExhaustedCursor) => Failure::Exhausted,
            Some(
                ErrorCode::ExpiredCursor | ErrorCode::InvalidCursor | ErrorCode::CursorRequired,
            ) => Failure::CursorLost,
            _ => {
                let retry_after = retry_after(&error, self.policy(), self.now());
                match &error {
                    // The cursor: nothing else can be wrong with these requests.
                    Error::Build(_) => Failure::CursorLost,
                    error if is_about_all(error) => Failure::Other { retry_after },
                    _ => Failure::Alone { retry_after },
                }
            }
        };
        taken.failed = Some(error);
        Event::Failed(failure)
    }

    /// Stores where the sync stands and the page that led there, in one step.
    async fn store_page(
        &self,
        state: &SyncState,
        taken: Taken,
        ending: Option<RoundEnd>,
    ) -> Result<Counts, Error> {
        let page = taken.page.as_deref();
        let serials = page.into_iter().flat_map(|page| &page.devices);
        let reads = Reads::devices(
            serials
                .filter_map(|device| device.serial_number.clone())
                .collect(),
        );
        let (state, now) = (state.clone(), self.now());
        let take_over = self.policy().take_over_replaced;
        let counts = self
            .service
            .held_step(&self.held, reads, move |record, loaded| {
                let telling = telling(record, state.sweep, take_over, now);
                let mut devices = loaded.devices;
                let mut counts = Counts::default();
                let page = taken.page.as_deref();
                for told in page.into_iter().flat_map(|page| &page.devices) {
                    let Some(serial) = &told.serial_number else {
                        counts.unreadable += 1;
                        continue;
                    };
                    let (device, merged) =
                        telling.merge(devices.remove(serial), serial, told.clone());
                    counts.add(merged);
                    devices.insert(serial.clone(), device);
                }
                let in_doubt = devices.values().filter(|device| telling.has_to_ask(device));
                counts.in_doubt = in_doubt.count() as u64;
                counts.unreadable += page.map_or(0, |page| page.unreadable.len() as u64);
                record.sync = state.clone();
                record.sync.unseen |= counts.in_doubt > 0;
                if let Some(known) = &taken.known {
                    record.known = Some(known.clone());
                }
                tell_trouble(record, &taken, ending, now);
                Ok((Changes::devices(devices.into_values().collect()), counts))
            })
            .await?;
        if counts.unreadable > 0 {
            let count = counts.unreadable;
            tracing::warn!(account = %self.held.account, count, "a page holds items that are no device");
        }
        Ok(counts)
    }

    /// Asks about the devices that a full fetch did not name, or that are in doubt.
    async fn verify(
        &self,
        sweep: u64,
        round: &Round,
        report: &mut SyncReport,
        known: Option<&KnownAccount>,
        taken: &mut Taken,
    ) -> Result<Event, Error> {
        let filter = DeviceFilter::Unseen { sweep };
        let limit = self.batch_size(known, "/devices");
        let mut after: Option<SerialNumber> = None;
        loop {
            let unseen = self
                .service
                .store()
                .devices(&self.held.account, &filter, after.as_ref(), limit)
                .await?;
            let Some(last) = unseen.last() else {
                return Ok(Event::Verified);
            };
            if after.is_some() && round.is_over(self.now()) {
                return Ok(Event::OutOfTime);
            }
            after = Some(last.serial_number.clone());
            let serials = unseen.into_iter().map(|device| device.serial_number);
            let request = GetDeviceDetails::new(serials.collect());
            let details = match self.ask(&request).await {
                Ok(answer) => answer.devices,
                Err(error) => return Ok(self.failed(error, taken)),
            };
            report.verified += details.len() as u64;
            report.add(&self.store_details(sweep, details).await?);
        }
    }

    async fn store_details(&self, sweep: u64, details: Vec<DeviceDetail>) -> Result<Counts, Error> {
        let serials = details.iter().map(|detail| detail.serial_number.clone());
        let reads = Reads::devices(serials.collect());
        let now = self.now();
        let take_over = self.policy().take_over_replaced;
        self.service
            .held_step(&self.held, reads, move |record, mut loaded| {
                let telling = telling(record, sweep, take_over, now);
                let mut counts = Counts::default();
                let mut changed = Vec::new();
                for detail in &details {
                    let serial = &detail.serial_number;
                    let Some(mut device) = loaded.devices.remove(serial) else {
                        continue;
                    };
                    match (&detail.outcome, &detail.device) {
                        (Outcome::Answered(ResponseStatus::Success), Some(told)) => {
                            let (device, merged) =
                                telling.merge(Some(device), serial, told.clone());
                            counts.add(merged);
                            changed.push(device);
                        }
                        (Outcome::Answered(status), _) if is_elsewhere(status) => {
                            telling.miss(&mut device);
                            counts.left += 1;
                            changed.push(device);
                        }
                        _ => counts.unanswered += 1,
                    }
                }
                Ok((Changes::devices(changed), counts))
            })
            .await
    }

    /// How many devices a full fetch will have.
    async fn expected(&self, state: &SyncState) -> Result<Option<u64>, Error> {
        if state.full_ended.is_none() {
            return Ok(None);
        }
        let store = self.service.store();
        let count = store
            .count(&self.held.account, &DeviceFilter::Present)
            .await?;
        Ok(Some(count))
    }

    fn limit(&self, known: Option<&KnownAccount>, path: &str) -> u32 {
        held(self.policy().page_size, known, path)
    }

    pub(super) fn batch_size(&self, known: Option<&KnownAccount>, path: &str) -> usize {
        usize::try_from(held(self.policy().batch_size, known, path)).unwrap_or(usize::MAX)
    }

    fn elapsed(&self) -> Duration {
        (self.now() - self.began).to_std().unwrap_or_default()
    }
}

/// Whether the device is not the account's. Apple's simulator has another word for it.
fn is_elsewhere(status: &ResponseStatus) -> bool {
    *status == ResponseStatus::NotAccessible || status.as_str().eq_ignore_ascii_case("not_found")
}

/// Between 1 and what Apple states, which is never taken for more than it documents.
fn held(size: u32, known: Option<&KnownAccount>, path: &str) -> u32 {
    let most = known
        .and_then(|known| known.account.maximum(path))
        .unwrap_or(MAX_ITEMS);
    size.min(most).clamp(1, MAX_ITEMS)
}

fn telling(
    record: &AccountRecord,
    sweep: u64,
    take_over: bool,
    now: chrono::DateTime<chrono::Utc>,
) -> Telling {
    Telling {
        now,
        sweep,
        default_profile: record.default_profile.clone(),
        take_over,
    }
}

fn tell_trouble(
    record: &mut AccountRecord,
    taken: &Taken,
    ending: Option<RoundEnd>,
    now: chrono::DateTime<chrono::Utc>,
) {
    match (ending, &taken.failed) {
        (Some(RoundEnd::Failed), Some(error)) => trouble::meet(record, error, now),
        (Some(RoundEnd::RepeatedCursor), _) => {
            let words = "the same cursor came again, and more is to follow";
            trouble::note(record, TroubleKind::RepeatedCursor, words.into(), now);
        }
        (Some(RoundEnd::RecoverLater), _) => {
            let words = "the cursor is not known any more, soon after everything was fetched anew";
            trouble::note(record, TroubleKind::Unexpected, words.into(), now);
        }
        _ if taken.page.is_some() => {
            trouble::clear(record, |kind| *kind != TroubleKind::ProfileNotFound);
        }
        _ => {}
    }
}

impl Counts {
    fn add(&mut self, merged: Merged) {
        match merged {
            Merged::Came => self.came += 1,
            Merged::Left => self.left += 1,
            Merged::Stale => self.stale += 1,
            Merged::Stays | Merged::Absent => {}
        }
    }
}

impl SyncReport {
    fn add(&mut self, counts: &Counts) {
        self.came += counts.came;
        self.left += counts.left;
        self.stale += counts.stale;
        self.unreadable += counts.unreadable;
        self.unanswered += counts.unanswered;
    }
}

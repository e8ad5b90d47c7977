//! One list of all devices: what Apple says of them, how far they have enrolled, what they last said of themselves.

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::{Query, State},
};
use mdm_sdk::{
    ade::{
        record::{AccountId, DeviceRecord, DeviceState},
        store::DeviceFilter,
    },
    core::SerialNumber,
    service::{Enrollment, EnrollmentId, EnrollmentStatus, store::EnrollmentFilter},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Problem,
    enrollments::{id, reported, status_name},
    json::date,
    page,
};
use crate::server::App;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    after: Option<String>,
    limit: Option<usize>,
    /// Only those with this finding.
    finding: Option<String>,
}

/// Where a page begins: first come the devices of each account, then enrolments of others.
enum Place {
    Account(AccountId, Option<SerialNumber>),
    Others(Option<EnrollmentId>),
}

impl Place {
    fn parse(text: &str) -> Result<Self, Problem> {
        let invalid = || Problem::invalid("after is what next said");
        match text.split_once('/').ok_or_else(invalid)? {
            ("enrollment", "") => Ok(Self::Others(None)),
            ("enrollment", name) => Ok(Self::Others(Some(id(name)?))),
            ("account", place) => {
                let (serial, account) = place.split_once('/').ok_or_else(invalid)?;
                let account = AccountId::new(account).map_err(|_| invalid())?;
                let serial = match serial {
                    "" => None,
                    serial => Some(serial.parse().map_err(|_| invalid())?),
                };
                Ok(Self::Account(account, serial))
            }
            _ => Err(invalid()),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Account(account, serial) => {
                let serial = serial.as_ref().map_or("", SerialNumber::as_str);
                format!("account/{serial}/{account}")
            }
            Self::Others(after) => {
                let after = after.as_ref().map(ToString::to_string);
                format!("enrollment/{}", after.unwrap_or_default())
            }
        }
    }
}

/// A page of devices.
pub(super) async fn list(
    State(app): State<App>,
    Query(which): Query<Which>,
) -> Result<Json<Value>, Problem> {
    let limit = page(which.limit);
    let place = match &which.after {
        Some(text) => Place::parse(text)?,
        None => first(&app, None).await?,
    };
    let (mut shown, next) = match place {
        Place::Account(account, after) => of_account(&app, account, after, limit).await?,
        Place::Others(after) => of_nobody(&app, after, limit).await?,
    };
    if let Some(finding) = &which.finding {
        shown.retain(|device| device["finding"] == **finding);
    }
    Ok(Json(json!({
        "next": next.map(|place| place.text()),
        "devices": shown,
    })))
}

type Page = (Vec<Value>, Option<Place>);

/// The beginning of the account after `after`, or else of the rest.
async fn first(app: &App, after: Option<&AccountId>) -> Result<Place, Problem> {
    let next = app.ade.store().accounts(after, 1).await?.pop();
    Ok(next.map_or(Place::Others(None), |account| Place::Account(account, None)))
}

async fn of_account(
    app: &App,
    account: AccountId,
    after: Option<SerialNumber>,
    limit: usize,
) -> Result<Page, Problem> {
    let present = DeviceFilter::Present;
    let store = app.ade.store();
    let devices = store
        .devices(&account, &present, after.as_ref(), limit)
        .await?;
    let mut shown = Vec::with_capacity(devices.len());
    for device in &devices {
        let enrollment = enrollment_of(app, &device.serial_number).await?;
        shown.push(told(Some((&account, device)), enrollment.as_ref()));
    }
    let next = match devices.last() {
        Some(last) if devices.len() == limit => {
            Place::Account(account, Some(last.serial_number.clone()))
        }
        _ => first(app, Some(&account)).await?,
    };
    Ok((shown, Some(next)))
}

/// Enrolments of devices that are in no account.
async fn of_nobody(app: &App, after: Option<EnrollmentId>, limit: usize) -> Result<Page, Problem> {
    let filter = EnrollmentFilter::new().with(|filter| filter.devices_only = true);
    let store = app.service.store();
    let enrollments = store.enrollments(&filter, after.as_ref(), limit).await?;
    let mut shown = Vec::new();
    for enrollment in &enrollments {
        if !is_assigned(app, enrollment.serial_number.as_ref()).await? {
            shown.push(told(None, Some(enrollment)));
        }
    }
    let last = enrollments.last().filter(|_| enrollments.len() == limit);
    let next = last.map(|last| Place::Others(Some(last.id.clone())));
    Ok((shown, next))
}

async fn is_assigned(app: &App, serial: Option<&SerialNumber>) -> Result<bool, Problem> {
    let Some(serial) = serial else {
        return Ok(false);
    };
    let store = app.ade.store();
    for account in store.accounts_of(serial).await? {
        let device = store.device(&account, serial).await?;
        if device.is_some_and(|device| device.is_present()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The device's enrolment; of several, the one that counts most.
async fn enrollment_of(app: &App, serial: &SerialNumber) -> Result<Option<Enrollment>, Problem> {
    let filter = EnrollmentFilter::new().with(|filter| {
        filter.serial_number = Some(serial.clone());
        filter.devices_only = true;
    });
    let found = app.service.store().enrollments(&filter, None, 16).await?;
    let rank = |enrollment: &Enrollment| match enrollment.status {
        EnrollmentStatus::Enrolled => 2,
        EnrollmentStatus::Authenticated => 1,
        _ => 0,
    };
    Ok(found.into_iter().max_by_key(rank))
}

/// What Apple and the device itself disagree about.
fn finding(state: Option<&DeviceState>, is_enrolled: bool) -> Option<&'static str> {
    match state? {
        DeviceState::Empty | DeviceState::Removed if is_enrolled => Some("empty_but_enrolled"),
        DeviceState::Pushed if !is_enrolled => Some("pushed_but_not_enrolled"),
        _ => None,
    }
}

fn told(assigned: Option<(&AccountId, &DeviceRecord)>, enrollment: Option<&Enrollment>) -> Value {
    let device = assigned.map(|(_, device)| device);
    let is_enrolled = enrollment.is_some_and(|it| it.status == EnrollmentStatus::Enrolled);
    let serials: BTreeSet<&str> = device
        .map(|device| device.serial_number.as_str())
        .into_iter()
        .chain(
            enrollment
                .and_then(|it| it.serial_number.as_ref())
                .map(AsRef::as_ref),
        )
        .collect();
    json!({
        "serial_number": serials.first(),
        "account": assigned.map(|(account, _)| account.to_string()),
        "assignment": device.map(|device| device.state.as_str()),
        "profile_uuid": device.and_then(|device| device.device.profile_uuid.as_ref()),
        "enrollment": enrollment.map(|it| it.id.to_string()),
        "status": enrollment.map(|it| status_name(it.status)),
        "owner": enrollment.and_then(|it| it.owner.as_ref()),
        "last_seen_at": enrollment.and_then(|it| it.last_seen_at).map(date),
        "reported": enrollment.and_then(|it| it.reported.as_ref()).map(reported),
        "finding": finding(device.map(|device| &device.state), is_enrolled),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apple_and_the_device_disagree_about_is_told() {
        for (state, is_enrolled, expected) in [
            (DeviceState::Empty, true, Some("empty_but_enrolled")),
            (DeviceState::Removed, true, Some("empty_but_enrolled")),
            (DeviceState::Pushed, false, Some("pushed_but_not_enrolled")),
            (DeviceState::Empty, false, None),
            (DeviceState::Assigned, false, None),
            (DeviceState::Pushed, true, None),
        ] {
            assert_eq!(finding(Some(&state), is_enrolled), expected, "{state:?}");
        }
        assert_eq!(finding(None, true), None);
    }

    #[test]
    fn a_place_comes_back_as_it_was_told() {
        for text in [
            "account/C02/head/office",
            "account//a",
            "enrollment/",
            "enrollment/device:A",
        ] {
            assert_eq!(
                Place::parse(text).ok().map(|it| it.text()).as_deref(),
                Some(text)
            );
        }
        for text in ["", "a", "account/C02", "other/a", "enrollment/a"] {
            assert!(Place::parse(text).is_err(), "{text}");
        }
    }
}

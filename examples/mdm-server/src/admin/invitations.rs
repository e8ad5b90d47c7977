//! Links for people who enrol a device by themselves.

use axum::{Json, extract::State};
use chrono::TimeDelta;
use mdm_sdk::service::entry::Invite;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Problem;
use crate::server::App;

/// Longest life of a link, in hours.
const LONGEST: u32 = 24 * 90;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    owner: Option<String>,
    /// The only device that may use it.
    serial_number: Option<String>,
    /// A week unless said.
    hours: Option<u32>,
}

/// Makes a link that is good for one device.
pub(super) async fn invite(
    State(app): State<App>,
    Json(new): Json<New>,
) -> Result<Json<Value>, Problem> {
    let serial_number = new.serial_number.map(|it| it.parse()).transpose();
    let serial_number = serial_number.map_err(Problem::invalid)?;
    let hours = new.hours.unwrap_or(24 * 7);
    if !(1..=LONGEST).contains(&hours) {
        return Err(Problem::invalid(format!("hours are 1 to {LONGEST}")));
    }
    let invite = Invite::default().with(|invite| {
        invite.owner = new.owner;
        invite.serial_number = serial_number;
        invite.lifetime = TimeDelta::hours(hours.into());
    });
    let url = app.portal.invite(invite).await?;
    let name = url.split_once('=').map(|(_, name)| name);
    let over_the_air = app.portal.urls().over_the_air(name);
    Ok(Json(
        json!({ "url": url, "over_the_air_url": over_the_air }),
    ))
}

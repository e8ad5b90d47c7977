//! What a profile needs so that Macs deposit their recovery keys here.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::Problem;
use crate::server::App;

/// The certificate that recovery keys are encrypted for.
pub(super) async fn certificate(State(app): State<App>) -> Result<Json<Value>, Problem> {
    match &app.recovery {
        Some(certificate) => Ok(Json(json!({ "certificate": certificate.to_pem() }))),
        None => Err(Problem::not_found("the settings have no table filevault")),
    }
}

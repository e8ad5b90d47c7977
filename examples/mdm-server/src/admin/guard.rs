//! The bearer token (RFC 6750).

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use mdm_sdk::pki::digest::constant_time_eq;

use super::Problem;
use crate::server::App;

/// Lets through who has the token.
pub(super) async fn token(State(app): State<App>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .map(HeaderValue::as_bytes)
        .and_then(|value| value.split_at_checked(b"Bearer ".len()))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "))
        .map(|(_, token)| token);
    let expected = app.token.expose().as_bytes();
    if given.is_some_and(|given| constant_time_eq(given, expected)) {
        return next.run(request).await;
    }
    let mut response = Problem::unauthorized().into_response();
    let challenge = HeaderValue::from_static("Bearer");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, challenge);
    response
}

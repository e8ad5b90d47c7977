//! What devices reach.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use http::{Method, StatusCode};
use mdm_sdk::{protocol::enroll::WELL_KNOWN_PATH, scep::ca::publish_crl};

use crate::{
    server::App,
    sign_in::{self, Answered},
};

/// Largest report of a device, in bytes: as `mdm_service::Limits` has it.
const REPORT: usize = 16 << 20;

/// Largest check-in message, as that has it.
const CHECK_IN: usize = 4 << 20;

/// Largest message of SCEP, and of a way in.
const SMALL: usize = 256 << 10;

/// The routes of devices.
pub(crate) fn devices(app: App) -> Router {
    Router::new()
        .route("/mdm", any(mdm))
        .route("/checkin", any(check_in))
        .route("/scep", any(scep))
        .route("/scep/{*path}", any(scep))
        .route("/acme/{*path}", any(acme))
        .route("/crl", get(crl))
        .route("/ocsp", any(ocsp))
        .route("/ocsp/{*path}", any(ocsp))
        .route("/enroll/{*path}", any(enroll))
        .route(sign_in::PATH, any(sign_in))
        .route(WELL_KNOWN_PATH, any(enroll))
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .fallback(written_otherwise)
        .with_state(app)
}

/// The address of an enrolment profile with a slash too many, at its end or before a name. A device keeps to the address that it
/// was given, so it is answered there.
async fn written_otherwise(State(app): State<App>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let mut names = path.split('/').filter(|name| !name.is_empty());
    match (names.next(), names.next()) {
        (Some("mdm"), None) => mdm(State(app), request).await,
        (Some("checkin"), None) => check_in(State(app), request).await,
        (Some("scep"), _) => scep(State(app), request).await,
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn mdm(State(app): State<App>, request: Request) -> Response {
    match app.bodies.whole(request, REPORT).await {
        Ok((request, _drawn)) => {
            let response = app.service.handle(request).await;
            app.metrics.answered("mdm", response.status());
            response.map(Body::from)
        }
        Err(unread) => unread.into_response(),
    }
}

async fn check_in(State(app): State<App>, request: Request) -> Response {
    match app.bodies.whole(request, CHECK_IN).await {
        Ok((request, _drawn)) => {
            let response = app.service.handle_check_in(request).await;
            app.metrics.answered("mdm", response.status());
            response.map(Body::from)
        }
        Err(unread) => unread.into_response(),
    }
}

async fn scep(State(app): State<App>, request: Request) -> Response {
    match app.bodies.whole(request, SMALL).await {
        Ok((request, _drawn)) => {
            let response = app.authority.scep.handle(request).await;
            app.metrics.answered("scep", response.status());
            response.map(Body::from)
        }
        Err(unread) => unread.into_response(),
    }
}

async fn acme(State(app): State<App>, request: Request) -> Response {
    let Some(acme) = &app.acme else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match app.bodies.whole(request, SMALL).await {
        Ok((request, _drawn)) => {
            let response = acme.handle(request).await;
            app.metrics.answered("acme", response.status());
            response.map(Body::from)
        }
        Err(unread) => unread.into_response(),
    }
}

async fn crl(State(app): State<App>) -> Response {
    let response = publish_crl(&*app.authority.ca, app.clock.now()).await;
    app.metrics.answered("crl", response.status());
    response.map(Body::from)
}

async fn ocsp(State(app): State<App>, request: Request) -> Response {
    match app.bodies.whole(request, SMALL).await {
        Ok((request, _drawn)) => {
            let response = app.authority.ocsp.handle(request).await;
            app.metrics.answered("ocsp", response.status());
            response.map(Body::from)
        }
        Err(unread) => unread.into_response(),
    }
}

async fn enroll(State(app): State<App>, request: Request) -> Response {
    match app.bodies.whole(request, SMALL).await {
        Ok((request, _drawn)) => {
            let response = app.portal.handle(request).await;
            app.metrics.answered("enroll", response.status());
            response.map(Body::from)
        }
        Err(unread) => unread.into_response(),
    }
}

/// Takes the form that a page of the portal shows.
async fn sign_in(State(app): State<App>, request: Request) -> Response {
    let Some(page) = &app.sign_in else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if request.method() != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let (request, _drawn) = match app.bodies.whole(request, sign_in::FORM).await {
        Ok(read) => read,
        Err(unread) => return unread.into_response(),
    };
    let response = match page.take(&request).await {
        Answered::Page(response) => response,
        Answered::SignedIn(ticket, account) => {
            page.finish(app.portal.signed_in(&ticket, account).await)
        }
    };
    app.metrics.answered("sign-in", response.status());
    response.map(Body::from)
}

/// The process answers.
pub(crate) async fn healthy() -> StatusCode {
    StatusCode::OK
}

/// The database answers as well.
pub(crate) async fn ready(State(app): State<App>) -> StatusCode {
    match app.service.store().subscribers().await {
        Ok(_) => StatusCode::OK,
        Err(error) => {
            tracing::error!(error = %error, "the store does not answer");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

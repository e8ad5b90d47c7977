//! What the vendor's own people and programs reach, on an address of its own: JSON behind a bearer token, metrics,
//! a page for the browser. `openapi.json` describes all of it.

mod assignment;
mod commands;
mod dead_letters;
mod devices;
mod enrollments;
mod filevault;
mod guard;
mod invitations;
mod json;
mod metrics;
mod pages;
mod problem;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{MethodRouter, delete, get, post, put},
};

pub(crate) use self::metrics::{Counted, Metrics};
use self::problem::Problem;
use crate::{routes, server::App};

/// Largest body, in bytes: a command with a profile or a manifest in it.
const BODY: usize = 16 << 20;

/// Fewest and most of what a page lists.
const PAGE: usize = 100;
const LONGEST_PAGE: usize = 1_000;

/// Who gets an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Anybody,
    /// Who has the token.
    Token,
}

struct Route {
    #[cfg_attr(not(test), expect(dead_code))]
    method: &'static str,
    path: &'static str,
    access: Access,
    answer: MethodRouter<App>,
}

/// All of them; a test holds `openapi.json` against this.
fn table() -> Vec<Route> {
    use Access::{Anybody, Token};
    const ACCOUNT: &str = "/v1/assignment/accounts/{account}";
    const ONE: &str = "/v1/enrollments/{id}";
    const COMMANDS: &str = "/v1/enrollments/{id}/commands";
    const COMMAND: &str = "/v1/enrollments/{id}/commands/{command_uuid}";
    const LETTERS: &str = "/v1/subscribers/{name}/dead-letters";
    let route = |method, path, access, answer| Route {
        method,
        path,
        access,
        answer,
    };
    vec![
        route("get", "/", Anybody, get(pages::status)),
        route("get", "/openapi.json", Anybody, get(pages::openapi)),
        route("get", "/healthz", Anybody, get(routes::healthy)),
        route("get", "/readyz", Anybody, get(routes::ready)),
        route("get", "/metrics", Token, get(metrics::show)),
        route(
            "get",
            "/v1/assignment/accounts",
            Token,
            get(assignment::list),
        ),
        route("put", ACCOUNT, Token, put(assignment::link)),
        route(
            "put",
            "/v1/assignment/accounts/{account}/token",
            Token,
            put(assignment::token),
        ),
        route(
            "put",
            "/v1/assignment/accounts/{account}/profile",
            Token,
            put(assignment::profile),
        ),
        route(
            "post",
            "/v1/assignment/accounts/{account}/sync",
            Token,
            post(assignment::sync),
        ),
        route("get", "/v1/devices", Token, get(devices::list)),
        route("get", "/v1/enrollments", Token, get(enrollments::list)),
        route("get", ONE, Token, get(enrollments::one)),
        route(
            "post",
            "/v1/enrollments/{id}/push",
            Token,
            post(enrollments::push),
        ),
        route(
            "post",
            "/v1/enrollments/{id}/retire",
            Token,
            post(enrollments::retire),
        ),
        route(
            "get",
            "/v1/enrollments/{id}/escrow",
            Token,
            get(enrollments::escrow),
        ),
        route("get", COMMANDS, Token, get(commands::list)),
        route("delete", COMMANDS, Token, delete(commands::clear)),
        route("get", COMMAND, Token, get(commands::one)),
        route("delete", COMMAND, Token, delete(commands::cancel)),
        route(
            "get",
            "/v1/filevault/certificate",
            Token,
            get(filevault::certificate),
        ),
        route("post", "/v1/commands", Token, post(commands::enqueue)),
        route("post", "/v1/invitations", Token, post(invitations::invite)),
        route(
            "get",
            "/v1/subscribers",
            Token,
            get(dead_letters::subscribers),
        ),
        route("get", LETTERS, Token, get(dead_letters::list)),
        route(
            "post",
            "/v1/subscribers/{name}/dead-letters/revive",
            Token,
            post(dead_letters::revive),
        ),
        route("delete", LETTERS, Token, delete(dead_letters::forget)),
    ]
}

/// The routes of the admin's address.
pub(crate) fn routes(app: App) -> Router {
    let mut router = Router::new();
    for route in table() {
        let answer = match route.access {
            Access::Anybody => route.answer,
            Access::Token => route
                .answer
                .layer(middleware::from_fn_with_state(app.clone(), guard::token)),
        };
        router = router.route(route.path, answer);
    }
    router
        .fallback(|| async { Problem::not_found("there is nothing at this path") })
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::map_response(problem::each_a_problem))
        .with_state(app)
}

/// How much is listed, of what a client asks for.
fn page(limit: Option<usize>) -> usize {
    limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE)
}

#[cfg(test)]
mod tests;

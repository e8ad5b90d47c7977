//! What the browser is shown, and the cookie beside it.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::PATH;

pub(super) const WRONG: &str = "The name or the password is wrong.";
pub(super) const LATER: &str = "Too many attempts. Wait some minutes, and try again.";
pub(super) const UNAVAILABLE: &str = "Nobody can sign in at the moment. Try again later.";
pub(super) const STALE: &str = "This page is no longer valid. Begin again.";

/// Sent back to this very host alone, and never by a form of another site.
const COOKIE: &str = "__Host-sign-in";

/// No script, no picture, no frame; the form goes here, from where account-driven enrolment leads back to the device.
const SECURITY: &str = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; \
    form-action 'self' apple-remotemanagement-user-login:";

/// What a form holds.
pub(super) struct Form<'a> {
    pub(super) ticket: &'a str,
    pub(super) proof: &'a str,
    pub(super) name: &'a str,
}

/// The form, with a message above it if there is one.
pub(super) fn form(
    organization: &str,
    form: &Form<'_>,
    status: StatusCode,
    message: &str,
) -> Response<Bytes> {
    let (organization, ticket) = (escaped(organization), escaped(form.ticket));
    let (proof, name) = (escaped(form.proof), escaped(form.name));
    let message = match message {
        "" => String::new(),
        message => format!(
            "<p role=\"alert\"><strong>{}</strong></p>",
            escaped(message)
        ),
    };
    html(
        status,
        &organization,
        &format!(
            "<p>Sign in with your account of {organization} to enrol this device.</p>{message}\
             <form method=\"post\" action=\"{PATH}\">\
             <input type=\"hidden\" name=\"ticket\" value=\"{ticket}\">\
             <input type=\"hidden\" name=\"proof\" value=\"{proof}\">\
             <p><label>Name<br><input name=\"name\" value=\"{name}\" autocomplete=\"username\" \
             autocapitalize=\"none\" spellcheck=\"false\" required maxlength=\"256\"></label></p>\
             <p><label>Password<br><input type=\"password\" name=\"password\" \
             autocomplete=\"current-password\" required maxlength=\"1024\"></label></p>\
             <p><button>Sign in</button></p></form>"
        ),
    )
}

/// A page with a message and nothing to do.
pub(super) fn plain(organization: &str, status: StatusCode, message: &str) -> Response<Bytes> {
    let message = format!("<p role=\"alert\">{}</p>", escaped(message));
    html(status, &escaped(organization), &message)
}

fn html(status: StatusCode, title: &str, content: &str) -> Response<Bytes> {
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title></head><body><main><h1>{title}</h1>{content}</main></body></html>"
    );
    let mut response = Response::new(Bytes::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, SECURITY),
        (header::CACHE_CONTROL, "no-store"),
        // No `no-referrer`, with which browsers say `Origin: null`.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

pub(super) fn cookie(nonce: &str) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    format!("{COOKIE}={nonce}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=3600").parse()
}

/// What the cookie holds that the browser sent.
pub(super) fn nonce(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let mut pairs = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, nonce) = pairs.find(|(name, _)| *name == COOKIE)?;
    Some(nonce)
}

fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

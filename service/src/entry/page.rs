//! The one page of our own: why a device is not admitted.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::Denial;

/// A plain page with the reason.
pub(super) fn refused(denial: &Denial) -> Response<Bytes> {
    let message = escaped(denial.message());
    let html = format!(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Not enrolled</title></head><body><h1>Not enrolled</h1><p>{message}</p></body></html>"
    );
    let mut response = Response::new(Bytes::from(html));
    *response.status_mut() = StatusCode::FORBIDDEN;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'"),
    );
    response
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

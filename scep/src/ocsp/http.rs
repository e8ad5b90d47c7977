//! OCSP in HTTP (RFC 6960 appendix A; RFC 5019 sections 5 and 6).

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use mdm_pki::{DigestAlgorithm, digest, ocsp::OcspRequest};
use percent_encoding::percent_decode_str;

use super::OcspLimits;
use crate::http as wire;

const RESPONSE: HeaderValue = HeaderValue::from_static("application/ocsp-response");

/// What a request holds.
pub(super) enum Question {
    Request(OcspRequest),
    Malformed,
}

/// From when to when an answer may be kept.
pub(super) struct Freshness {
    pub(super) now: DateTime<Utc>,
    pub(super) until: DateTime<Utc>,
}

/// The question in a request, or the response to what holds none.
pub(super) fn read(
    request: &Request<Bytes>,
    limits: &OcspLimits,
) -> Result<Question, Box<Response<Bytes>>> {
    let refuse =
        |status: StatusCode, text: &'static str| Box::new(wire::answer(status, wire::TEXT, text));
    let parse = |der: &[u8]| OcspRequest::from_der(der, limits.certificates);
    match *request.method() {
        Method::POST if request.body().len() > limits.request => Err(refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the request is too long\n",
        )),
        Method::POST => Ok(parse(request.body()).map_or(Question::Malformed, Question::Request)),
        // Escaped, each byte of base64 may take three.
        Method::GET if request.uri().path().len() > limits.request.saturating_mul(4) => {
            Err(refuse(StatusCode::URI_TOO_LONG, "the path is too long\n"))
        }
        Method::GET => Ok(in_path(request.uri().path())
            .find_map(|der| parse(&der).ok())
            .map_or(Question::Malformed, Question::Request)),
        _ => {
            let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, "GET or POST\n");
            let allow = HeaderValue::from_static("GET, POST");
            response.headers_mut().insert(header::ALLOW, allow);
            Err(response)
        }
    }
}

/// What the end of a path may hold. Where it begins is not known, since base64 has slashes of its own, and so may the path
/// in front; but a request is a SEQUENCE, whose base64 begins with an M. The longest is tried first.
fn in_path(path: &str) -> impl Iterator<Item = Vec<u8>> + '_ {
    let text: Vec<u8> = percent_decode_str(path).collect();
    let starts: Vec<usize> = text
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair == b"/M")
        .map(|(at, _)| at + 1)
        .take(MAX_STARTS)
        .collect();
    starts.into_iter().filter_map(move |start| {
        let text: Vec<u8> = text
            .get(start..)?
            .iter()
            // A proxy that took the path for a form has turned `+` into a blank.
            .map(|byte| if *byte == b' ' { b'+' } else { *byte })
            .collect();
        BASE64.decode(text).ok()
    })
}

/// An answer, with what a cache may do with it.
pub(super) fn answer(body: Vec<u8>, freshness: Option<Freshness>) -> Response<Bytes> {
    let tag = digest(DigestAlgorithm::Sha256, &body).map(hex::encode);
    let mut response = wire::answer(StatusCode::OK, RESPONSE, body);
    let Some(Freshness { now, until }) = freshness else {
        return response;
    };
    let seconds = (until - now).num_seconds().max(0);
    let headers = response.headers_mut();
    let date = |time: DateTime<Utc>| time.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let values = [
        (
            header::CACHE_CONTROL,
            format!("max-age={seconds}, public, no-transform, must-revalidate"),
        ),
        (header::DATE, date(now)),
        (header::LAST_MODIFIED, date(now)),
        (header::EXPIRES, date(until)),
    ];
    let tag = tag
        .into_iter()
        .map(|tag| (header::ETAG, format!("\"{tag}\"")));
    for (name, value) in values.into_iter().chain(tag) {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    response
}

/// How many beginnings are tried in a path.
const MAX_STARTS: usize = 16;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_found_behind_any_path() {
        let der = [0x30, 0x03, 0xfb, 0xff, 0xbf];
        let text = BASE64.encode(der);
        assert_eq!(text, "MAP7/78=");
        for path in [
            "/MAP7/78=",
            "/MAP7%2F78%3D",
            "/ocsp/MAP7/78=",
            "/M/ocsp/MAP7/78",
            "/MDM/ocsp/MAP7%2F78%3D",
        ] {
            assert!(in_path(path).any(|found| found == der), "{path}");
        }
        for path in ["/", "", "/ocsp", "/M", "/%%%", "/XAP7/78="] {
            assert!(in_path(path).all(|found| found != der), "{path}");
        }
    }
}

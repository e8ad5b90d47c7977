//! The revocation list where certificates say that it lies (RFC 5280 section 4.2.1.13; RFC 2585 section 4.2).

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderValue, Response, StatusCode, header};

use super::{CertificateAuthority, IssueError};
use crate::http::{TEXT, answer, later};

/// How long a cache may keep a list, in seconds: as long as an [`EmbeddedCa`](super::EmbeddedCa) hands it out.
const MAX_AGE: i64 = 300;

/// Answers a GET of what [`CertificateProfile::crl_urls`](super::CertificateProfile::crl_urls) name: the list in DER. 404 from an
/// authority that has none, 503 where there is none now.
pub async fn publish_crl(
    authority: &dyn CertificateAuthority,
    now: DateTime<Utc>,
) -> Response<Bytes> {
    let list = match authority.crl(now).await {
        Ok(list) => list,
        Err(IssueError::Refused(_)) => return answer(StatusCode::NOT_FOUND, TEXT, "no list\n"),
        Err(_) => {
            let text = "there is no list now\n";
            return later(
                StatusCode::SERVICE_UNAVAILABLE,
                text,
                Duration::from_secs(60),
            );
        }
    };
    let left = list.next_update().map(|next| (next - now).num_seconds());
    let age = left.unwrap_or(MAX_AGE).clamp(0, MAX_AGE);
    let kind = HeaderValue::from_static("application/pkix-crl");
    let mut response = answer(StatusCode::OK, kind, list.to_der().to_vec());
    if let Ok(value) = HeaderValue::try_from(format!("max-age={age}, public")) {
        response.headers_mut().insert(header::CACHE_CONTROL, value);
    }
    response
}

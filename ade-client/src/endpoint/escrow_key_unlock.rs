//! `POST /deviceservicesworkers/escrowKeyUnlock`: unlocks a device. Another service than that of the
//! other endpoints, without a session.
//!
//! <https://developer.apple.com/documentation/devicemanagement/creating-and-using-bypass-codes>

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use mdm_core::{Secret, SerialNumber};
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta, percent_encode};

use super::{MEBIBYTE, no_content};
use crate::{BypassCode, Error};

/// The service that unlocks devices.
pub const DEVICE_SERVICES: &str = "https://deviceservices-external.apple.com";

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// Unlocks a device with a bypass code: ours, or the one that the device made and told its server.
/// Which of them counts nobody can know: where one is refused, try the other.
///
/// Written for the base [`DEVICE_SERVICES`], and **not for a [`Client`](crate::Client)**, which would
/// send it elsewhere: its transport has to show the push certificate of the server that manages the
/// device (TLS client authentication).
///
/// A 404 means that the device is not known, or that the code is wrong.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EscrowKeyUnlock {
    /// The device.
    pub serial_number: SerialNumber,
    /// The device's `ProductType`, such as `iPad8,7`.
    pub product_type: String,
    /// The IMEI of the first slot.
    pub imei: Option<String>,
    /// The IMEI of the second slot.
    pub imei2: Option<String>,
    /// The MEID of the first slot.
    pub meid: Option<String>,
    /// The organization that unlocks, for Apple's records.
    pub org_name: String,
    /// The person or program that unlocks, for Apple's records.
    pub guid: String,
    /// The bypass code as people write it. Not the hash, whatever Apple's name for it.
    pub escrow_key: Secret<String>,
}

impl EscrowKeyUnlock {
    /// Unlocks this device with this code, on behalf of `guid` at `org_name`.
    pub fn new(
        serial_number: SerialNumber,
        product_type: impl Into<String>,
        org_name: impl Into<String>,
        guid: impl Into<String>,
        code: &BypassCode,
    ) -> Self {
        Self {
            serial_number,
            product_type: product_type.into(),
            imei: None,
            imei2: None,
            meid: None,
            org_name: org_name.into(),
            guid: guid.into(),
            escrow_key: code.to_text(),
        }
    }

    /// Sets some of the fields.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl ApiRequest for EscrowKeyUnlock {
    type Response = ();
    type Error = Error;
    const META: RequestMeta = RequestMeta::new("escrow-key-unlock", Replay::Idempotent, MEBIBYTE);

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        let query: Vec<_> = [
            ("serial", Some(self.serial_number.as_str())),
            ("productType", Some(&self.product_type)),
            ("imei", self.imei.as_deref()),
            ("imei2", self.imei2.as_deref()),
            ("meid", self.meid.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        let form = format!(
            "orgName={}&guid={}&escrowKey={}",
            percent_encode(&self.org_name),
            percent_encode(&self.guid),
            percent_encode(self.escrow_key.expose()),
        );
        let uri = base.endpoint("/deviceservicesworkers/escrowKeyUnlock", &query)?;
        Ok(Request::post(uri)
            .header(CONTENT_TYPE, FORM)
            .body(form.into())?)
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<(), Error> {
        no_content(Self::META.name, response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_is_in_the_query_and_the_code_in_the_body() {
        let code = BypassCode::from_bytes([0; 16]);
        let device = "C02AAAAAAAAA".parse().unwrap();
        let request =
            EscrowKeyUnlock::new(device, "iPad8,7", "Acme & Co", "it@acme.example", &code)
                .with(|request| request.imei = Some("35 1".to_owned()));
        let base = DEVICE_SERVICES.parse().unwrap();
        let written = request.to_http(&base).unwrap();
        assert_eq!(
            written.uri(),
            "https://deviceservices-external.apple.com/deviceservicesworkers/escrowKeyUnlock\
             ?serial=C02AAAAAAAAA&productType=iPad8%2C7&imei=35%201"
        );
        assert_eq!(
            written.body(),
            "orgName=Acme%20%26%20Co&guid=it%40acme.example\
             &escrowKey=00000-00000-0000-0000-0000-0000"
        );
        assert_eq!(written.headers()[CONTENT_TYPE], FORM);
        assert!(!format!("{request:?}").contains("00000"));
    }

    #[test]
    fn an_answer_is_done_or_an_error_that_keeps_the_body() {
        let code = BypassCode::from_bytes([0; 16]);
        let request = EscrowKeyUnlock::new("C02A".parse().unwrap(), "iPad8,7", "o", "g", &code);
        let answer = |status: u16, body: &'static str| {
            let body = Bytes::from_static(body.as_bytes());
            request.from_http(Response::builder().status(status).body(body).unwrap())
        };
        assert!(answer(200, "<plist/>").is_ok());
        let error = answer(404, "<plist/>").unwrap_err();
        assert!(error.is_device_not_found());
        assert_eq!(error.api().unwrap().body.as_bytes(), b"<plist/>");
    }
}

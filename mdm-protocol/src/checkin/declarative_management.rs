//! `DeclarativeManagement`: the tunnel of the declarative protocol.

use std::fmt;

use mdm_core::Udid;
use mdm_plist::data;
use serde::{Deserialize, Serialize};

use crate::{
    ddm::Endpoint,
    error::Error,
    id::{HasIds, has_ids},
    lenient,
};

/// A request of the declarative protocol; the answer's body is JSON.
///
/// Apple: "DeclarativeManagement".
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct DeclarativeManagement {
    /// `Endpoint` as sent; [`endpoint`](Self::endpoint) says what it means.
    pub endpoint: String,
    /// `Data`: JSON; with the `status` endpoint a status report.
    #[serde(
        default,
        with = "data::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub data: Option<Vec<u8>>,
    /// `UDID`; absent in User Enrolment.
    #[serde(
        rename = "UDID",
        default,
        deserialize_with = "lenient::id",
        skip_serializing_if = "Option::is_none"
    )]
    pub udid: Option<Udid>,
    /// `UserID`: on a user channel.
    #[serde(rename = "UserID", default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// `UserShortName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_short_name: Option<String>,
    /// `UserLongName`.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub user_long_name: Option<String>,
    /// `EnrollmentID`; User Enrolment only.
    #[serde(
        rename = "EnrollmentID",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub enrollment_id: Option<String>,
    /// `EnrollmentUserID`; the user channel of User Enrolment only.
    #[serde(
        rename = "EnrollmentUserID",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub enrollment_user_id: Option<String>,
}

impl DeclarativeManagement {
    /// A request to this endpoint; set the identity.
    pub fn new(endpoint: &Endpoint) -> Self {
        Self {
            endpoint: endpoint.to_string(),
            data: None,
            udid: None,
            user_id: None,
            user_short_name: None,
            user_long_name: None,
            enrollment_id: None,
            enrollment_user_id: None,
        }
    }

    /// Sets optional keys.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }

    /// Which resource is asked for. Never treat the text as a URL: it comes from the device.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a text that names no endpoint.
    pub fn endpoint(&self) -> Result<Endpoint, Error> {
        self.endpoint.parse()
    }
}

impl fmt::Debug for DeclarativeManagement {
    /// Shows the length of the data only: a status report may hold the push magic.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeclarativeManagement")
            .field("endpoint", &self.endpoint)
            .field("data_bytes", &self.data.as_ref().map(Vec::len))
            .field("ids", &self.ids())
            .finish_non_exhaustive()
    }
}

has_ids! {
    DeclarativeManagement { udid, user_id, user_short_name, enrollment_id, enrollment_user_id }
}

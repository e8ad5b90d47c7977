//! Who is speaking: the identifiers of every channel (Q8, Q9).
//!
//! A message names its sender by up to five keys. Which of them count depends on the kind of
//! enrolment; [`EnrollmentId::resolve`] holds that rule, once.

use std::{fmt, str::FromStr};

use mdm_core::id::MAX_ID_BYTES;
use serde::{Deserialize, Serialize};

/// The `UserID` that every user of every Shared iPad has; it identifies nobody (Q8).
pub const SHARED_IPAD_USER_ID: &str = "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF";

/// The keys by which a message names its sender, as they were sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ids<'a> {
    /// `UDID`: the device; absent in User Enrolment.
    pub udid: Option<&'a str>,
    /// `UserID`: the user of a Mac, or [`SHARED_IPAD_USER_ID`].
    pub user_id: Option<&'a str>,
    /// `UserShortName`: the user's account name; on a Shared iPad their Managed Apple Account.
    pub user_short_name: Option<&'a str>,
    /// `EnrollmentID`: stands for the device in User Enrolment.
    pub enrollment_id: Option<&'a str>,
    /// `EnrollmentUserID`: stands for the user in User Enrolment.
    pub enrollment_user_id: Option<&'a str>,
}

/// A message that names its sender.
pub trait HasIds {
    /// The keys as sent.
    fn ids(&self) -> Ids<'_>;

    /// The enrolment that they stand for.
    ///
    /// # Errors
    /// See [`EnrollmentId::resolve`].
    fn enrollment_id(&self) -> Result<EnrollmentId, IdError> {
        EnrollmentId::resolve(&self.ids())
    }
}

/// The kind of enrolment, and whether the device or a user speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Channel {
    /// A device in device enrolment.
    Device,
    /// A user of a Mac in device enrolment.
    User,
    /// A user of a Shared iPad.
    SharedIpadUser,
    /// A device in User Enrolment.
    UserEnrollmentDevice,
    /// The user of a device in User Enrolment.
    UserEnrollmentUser,
}

impl Channel {
    /// Every channel.
    pub const ALL: &[Self] = &[
        Self::Device,
        Self::User,
        Self::SharedIpadUser,
        Self::UserEnrollmentDevice,
        Self::UserEnrollmentUser,
    ];

    /// The name that an [`EnrollmentId`]'s text begins with.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::User => "user",
            Self::SharedIpadUser => "shared-ipad-user",
            Self::UserEnrollmentDevice => "enrollment",
            Self::UserEnrollmentUser => "enrollment-user",
        }
    }

    /// Whether a user speaks, not the device.
    pub const fn is_user(self) -> bool {
        matches!(
            self,
            Self::User | Self::SharedIpadUser | Self::UserEnrollmentUser
        )
    }

    /// The channel of the device that a user of this channel belongs to.
    const fn device(self) -> Self {
        match self {
            Self::Device | Self::User | Self::SharedIpadUser => Self::Device,
            Self::UserEnrollmentDevice | Self::UserEnrollmentUser => Self::UserEnrollmentDevice,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One enrolment: a device, or one user on one device.
///
/// A user is always identified together with the device, since the same `UserID` on two devices
/// is legal (Q9) and all users of all Shared iPads share one `UserID` (Q8).
///
/// Its text, which stores use as key and which reads back, is the channel, the device and the
/// user, joined by colons: `device:UDID`, `user:UDID:UserID`, `shared-ipad-user:UDID:UserShortName`,
/// `enrollment:EnrollmentID`, `enrollment-user:EnrollmentID:EnrollmentUserID`. No device's id may
/// hold a colon, so two enrolments never share a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnrollmentId {
    channel: Channel,
    device: String,
    user: Option<String>,
}

impl EnrollmentId {
    /// The enrolment that a message's keys stand for.
    ///
    /// With a `UDID`, a `UserID` makes it the user channel, and the `UserID` of all F a Shared
    /// iPad's user, who is told apart by `UserShortName`. Without a `UDID`, `EnrollmentID` and
    /// `EnrollmentUserID` take their places. An empty text counts as absent.
    ///
    /// # Errors
    /// [`IdError`] when no device is named, when a Shared iPad's user has no name, or when an
    /// identifier cannot be one.
    pub fn resolve(ids: &Ids<'_>) -> Result<Self, IdError> {
        let given = |id: Option<&'_ str>| id.filter(|id| !id.is_empty()).map(str::to_owned);
        if let Some(udid) = given(ids.udid) {
            return match given(ids.user_id) {
                None => Self::make(Channel::Device, udid, None),
                Some(user) if user.eq_ignore_ascii_case(SHARED_IPAD_USER_ID) => {
                    let name = given(ids.user_short_name).ok_or(IdError::NoUserShortName)?;
                    Self::make(Channel::SharedIpadUser, udid, Some(name))
                }
                user => Self::make(Channel::User, udid, user),
            };
        }
        let enrollment = given(ids.enrollment_id).ok_or(IdError::NoDevice)?;
        match given(ids.enrollment_user_id) {
            None => Self::make(Channel::UserEnrollmentDevice, enrollment, None),
            user => Self::make(Channel::UserEnrollmentUser, enrollment, user),
        }
    }

    /// A device in device enrolment.
    ///
    /// # Errors
    /// [`IdError::Malformed`] for a text that cannot be a UDID.
    pub fn device(udid: impl Into<String>) -> Result<Self, IdError> {
        Self::make(Channel::Device, udid.into(), None)
    }

    fn make(channel: Channel, device: String, user: Option<String>) -> Result<Self, IdError> {
        let fits = |id: &str| {
            !id.is_empty() && id.len() <= MAX_ID_BYTES && !id.chars().any(char::is_control)
        };
        if !fits(&device) || device.contains(':') || !user.as_deref().is_none_or(fits) {
            return Err(IdError::Malformed);
        }
        Ok(Self {
            channel,
            device,
            user,
        })
    }

    /// The channel.
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// The device's own identifier: `UDID`, or `EnrollmentID` in User Enrolment.
    pub fn device_id(&self) -> &str {
        &self.device
    }

    /// The user's identifier on that device; `None` on a device channel.
    pub fn user_id(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The enrolment of the device: itself on a device channel, the device's for a user.
    #[must_use]
    pub fn of_device(&self) -> Self {
        Self {
            channel: self.channel.device(),
            device: self.device.clone(),
            user: None,
        }
    }
}

impl fmt::Display for EnrollmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.channel, self.device)?;
        match &self.user {
            Some(user) => write!(f, ":{user}"),
            None => Ok(()),
        }
    }
}

impl FromStr for EnrollmentId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (channel, rest) = text.split_once(':').ok_or(IdError::Malformed)?;
        let channel = *Channel::ALL
            .iter()
            .find(|known| known.as_str() == channel)
            .ok_or(IdError::Malformed)?;
        if channel.is_user() {
            let (device, user) = rest.split_once(':').ok_or(IdError::Malformed)?;
            Self::make(channel, device.to_owned(), Some(user.to_owned()))
        } else {
            Self::make(channel, rest.to_owned(), None)
        }
    }
}

impl TryFrom<String> for EnrollmentId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<EnrollmentId> for String {
    fn from(id: EnrollmentId) -> Self {
        id.to_string()
    }
}

/// Why no enrolment could be made out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Neither `UDID` nor `EnrollmentID`.
    #[error("the message has neither UDID nor EnrollmentID")]
    NoDevice,
    /// A Shared iPad's user without a name.
    #[error("the message of a Shared iPad's user has no UserShortName")]
    NoUserShortName,
    /// A text that cannot be an identifier.
    #[error(
        "an identifier is empty, over {MAX_ID_BYTES} bytes, or has a character that none may have"
    )]
    Malformed,
}

/// Implements [`HasIds`] for a message that has the keys as public fields.
macro_rules! has_ids {
    ($($message:ty { $($field:ident),* })+) => { $(
        impl $crate::id::HasIds for $message {
            fn ids(&self) -> $crate::id::Ids<'_> {
                let mut ids = $crate::id::Ids::default();
                $( ids.$field = self.$field.as_ref().map(AsRef::as_ref); )*
                ids
            }
        }
    )+ };
}
pub(crate) use has_ids;

#[cfg(test)]
mod tests {
    use super::*;

    const UDID: &str = "00008101-001938611EE9001E";

    fn resolve(set: impl FnOnce(&mut Ids<'static>)) -> Result<EnrollmentId, IdError> {
        let mut ids = Ids::default();
        set(&mut ids);
        EnrollmentId::resolve(&ids)
    }

    #[test]
    fn q08_every_channel_has_its_own_identifier() {
        let device = resolve(|i| i.udid = Some(UDID)).unwrap();
        assert_eq!(device.channel(), Channel::Device);
        assert_eq!(device.to_string(), format!("device:{UDID}"));

        let user = resolve(|i| (i.udid, i.user_id) = (Some(UDID), Some("U1"))).unwrap();
        assert_eq!(user.channel(), Channel::User);
        assert_eq!((user.device_id(), user.user_id()), (UDID, Some("U1")));
        assert_eq!(user.of_device(), device);

        let enrolled = resolve(|i| i.enrollment_id = Some("E1")).unwrap();
        assert_eq!(enrolled.channel(), Channel::UserEnrollmentDevice);

        let user = resolve(|i| {
            (i.enrollment_id, i.enrollment_user_id) = (Some("E1"), Some("EU1"));
        })
        .unwrap();
        assert_eq!(user.channel(), Channel::UserEnrollmentUser);
        assert_eq!(user.of_device(), enrolled);
    }

    #[test]
    fn q08_shared_ipad_users_are_told_apart_by_name_and_by_device() {
        let user = |udid, name| {
            resolve(|i| {
                i.udid = Some(udid);
                i.user_id = Some(SHARED_IPAD_USER_ID);
                i.user_short_name = Some(name);
            })
            .unwrap()
        };
        let anna = user(UDID, "anna@example.com");
        assert_eq!(anna.channel(), Channel::SharedIpadUser);
        assert_eq!(anna.user_id(), Some("anna@example.com"));
        assert_ne!(anna, user(UDID, "ben@example.com"));
        assert_ne!(anna, user("OTHER", "anna@example.com"));
        let nobody = resolve(|i| (i.udid, i.user_id) = (Some(UDID), Some(SHARED_IPAD_USER_ID)));
        assert_eq!(nobody, Err(IdError::NoUserShortName));
    }

    #[test]
    fn q08_udids_of_every_age_are_taken() {
        for udid in [
            "564D9F4B-6B16-4CFB-9B1E-7F0B5A3C2D1E",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            UDID,
        ] {
            assert_eq!(EnrollmentId::device(udid).unwrap().device_id(), udid);
        }
    }

    #[test]
    fn q09_the_same_user_on_two_devices_is_two_enrolments() {
        let on = |udid| resolve(|i| (i.udid, i.user_id) = (Some(udid), Some("U1"))).unwrap();
        assert_ne!(on("A"), on("B"));
    }

    #[test]
    fn an_identifier_reads_back_from_its_text() {
        for text in [
            "device:A-1",
            "user:A-1:U:with:colons",
            "shared-ipad-user:A-1:anna@example.com",
            "enrollment:E",
            "enrollment-user:E:EU",
        ] {
            let id: EnrollmentId = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
            let json = serde_json::to_string(&id).unwrap();
            assert_eq!(serde_json::from_str::<EnrollmentId>(&json).unwrap(), id);
        }
    }

    #[test]
    fn two_enrolments_never_share_a_text() {
        let sly = resolve(|i| (i.udid, i.user_id) = (Some("A:B"), Some("C")));
        assert_eq!(sly, Err(IdError::Malformed));
        for text in [
            "",
            "device",
            "device:",
            "user:A",
            "user:A:",
            "martian:A",
            "device:a\nb",
        ] {
            assert_eq!(
                text.parse::<EnrollmentId>(),
                Err(IdError::Malformed),
                "{text}"
            );
        }
    }

    #[test]
    fn a_message_that_names_no_device_is_refused() {
        assert_eq!(resolve(|_| ()), Err(IdError::NoDevice));
        assert_eq!(resolve(|i| i.user_id = Some("U1")), Err(IdError::NoDevice));
        assert_eq!(resolve(|i| i.udid = Some("")), Err(IdError::NoDevice));
        let long: &'static str = Box::leak("x".repeat(MAX_ID_BYTES + 1).into_boxed_str());
        assert_eq!(resolve(|i| i.udid = Some(long)), Err(IdError::Malformed));
    }
}

//! Enrolments from another server and to another server, as the check-in messages that devices sent: the
//! form in which nanomdm hands its enrolments on (`/migration`).

use bytes::Bytes;
use mdm_core::Udid;
use mdm_protocol::{
    CheckIn, EnrollmentId,
    checkin::{Authenticate, SetBootstrapToken, TokenUpdate},
    id::{Channel, HasIds, SHARED_IPAD_USER_ID},
};

use super::{ATTEMPTS, Service, check_in, known};
use crate::{
    Enrollment, EnrollmentStatus, Fingerprint, StoreError,
    enrollment::{
        self,
        decide::{Message, Refusal},
    },
    store::{CommitError, EnrollmentFilter},
};

/// What became of an imported message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Imported {
    /// It is recorded for this enrolment.
    Taken(EnrollmentId),
    /// The device has come here by itself already: nothing changed.
    KnownHere(EnrollmentId),
}

/// Why a message is not imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It is no check-in message that can be read.
    #[error("no check-in message that can be read")]
    Message(#[from] mdm_protocol::Error),
    /// A message of this type says nothing about an enrolment.
    #[error("{0} says nothing about an enrolment")]
    OtherMessage(&'static str),
    /// The `Authenticate` of the device has to come first.
    #[error("the device of {0} is not known yet: its Authenticate has to come first")]
    NoDevice(EnrollmentId),
    /// It would not be taken from a device either.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed, or the enrolment kept changing: nothing is recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An enrolment as the messages that another server takes, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// Which device.
    pub device: EnrollmentId,
    /// `Authenticate`, `TokenUpdate` of the device and of each user, `SetBootstrapToken`: property lists,
    /// which hold secrets.
    pub messages: Vec<crate::Body>,
}

impl Service {
    /// Takes over one message that another server kept: `Authenticate` first, then `TokenUpdate` of the
    /// device and of its users, and `SetBootstrapToken`. Nobody is told, no policy is asked, and no
    /// certificate is pinned yet: [`AdoptImported`](crate::identity::AdoptImported) lets the device pin
    /// its own with its next message. A message may come twice.
    ///
    /// The caller has to know who hands the message over; unlike a device's own it is not signed.
    ///
    /// ```
    /// use mdm_service::{Imported, ImportError, Service};
    ///
    /// /// What `nano2nano` PUTs to the `/migration` of the server to move to.
    /// async fn migration(service: &Service, body: bytes::Bytes) -> Result<(), ImportError> {
    ///     if let Imported::KnownHere(id) = service.import(&body).await? {
    ///         println!("{id} came by itself already");
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ImportError`]; nothing is recorded then.
    pub async fn import(&self, body: &Bytes) -> Result<Imported, ImportError> {
        let inner = &self.0;
        let at = inner.clock.now();
        let mut limits = inner.limits.plist;
        limits.bytes = inner.limits.check_in_bytes;
        let message = CheckIn::decode_with(body, &limits)?;
        let id = message.enrollment_id().map_err(mdm_protocol::Error::from)?;
        let other = || ImportError::OtherMessage(message.message_type());
        let change = check_in::change(&message, body, at).ok_or_else(other)?;
        if change == Message::CheckOut {
            return Err(other());
        }
        for _ in 0..ATTEMPTS {
            let loaded = inner.store.load(&id, &Fingerprint::new([0; 32])).await?;
            let step = match enrollment::import(&loaded, &id, at, change.clone()) {
                Ok(step) => step,
                Err(Refusal::CertificateReused) => return Ok(Imported::KnownHere(id)),
                Err(Refusal::NotPinned) => return Err(ImportError::NoDevice(id)),
                Err(refusal) => return Err(refusal.into()),
            };
            if step.is_empty() {
                return Ok(Imported::Taken(id));
            }
            match known::commit(inner, &id, loaded.version, step).await {
                Ok(()) => return Ok(Imported::Taken(id)),
                Err(CommitError::Store(error)) => return Err(error.into()),
                // It takes no place and spends nothing: somebody else changed it.
                Err(_) => {}
            }
        }
        Err(StoreError::new(mdm_core::StoreErrorKind::Locked).into())
    }

    /// The device with its users as messages for another server; `None` for one that is unknown or
    /// disabled. `Authenticate` is as it came, the others are written from what is known.
    ///
    /// Walk all devices with [`EnrollmentStore::enrollments`](crate::store::EnrollmentStore::enrollments).
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    pub async fn export(&self, id: &EnrollmentId) -> Result<Option<Exported>, StoreError> {
        let store = &self.0.store;
        let id = id.of_device();
        let known = store.enrollment(&id).await?;
        let Some(device) = known.filter(|known| known.status != EnrollmentStatus::Disabled) else {
            return Ok(None);
        };
        let mut messages = vec![authenticate(&device)];
        messages.extend(token_update(&device));
        let family = EnrollmentFilter::new().with(|filter| {
            filter.device = Some(id.clone());
            filter.status = Some(EnrollmentStatus::Enrolled);
        });
        let mut after = None;
        loop {
            let page = store.enrollments(&family, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.id.clone());
            let users = page.iter().filter(|found| found.id != id);
            messages.extend(users.filter_map(token_update));
        }
        messages.extend(bootstrap_token(&device));
        Ok(Some(Exported {
            device: id,
            messages,
        }))
    }
}

const PAGE: usize = 100;

fn authenticate(device: &Enrollment) -> crate::Body {
    if let Some(raw) = &device.authenticate {
        return raw.clone();
    }
    let topic = device.push.as_ref().map(|push| push.topic.clone());
    let message = topic.map(|topic| {
        let ids = Names::of(&device.id);
        Authenticate::new(topic).with(|message| {
            message.udid = ids.udid;
            message.enrollment_id = ids.enrollment_id;
            message.serial_number.clone_from(&device.serial_number);
        })
    });
    message.and_then(written).unwrap_or_default()
}

fn token_update(known: &Enrollment) -> Option<crate::Body> {
    let push = known.push.clone()?;
    let ids = Names::of(&known.id);
    written(
        TokenUpdate::new(push.topic, push.token, push.magic).with(|message| {
            message.udid = ids.udid;
            message.enrollment_id = ids.enrollment_id;
            message.user_id = ids.user_id;
            message.enrollment_user_id = ids.enrollment_user_id;
            message.user_short_name = ids.user_short_name.or(known.user_short_name.clone());
            message.unlock_token.clone_from(&known.unlock_token);
            message.awaiting_configuration = known.awaiting_configuration;
        }),
    )
}

fn bootstrap_token(device: &Enrollment) -> Option<crate::Body> {
    let mut message = SetBootstrapToken::default();
    let ids = Names::of(&device.id);
    message.udid = ids.udid;
    message.enrollment_id = ids.enrollment_id;
    message.bootstrap_token = Some(device.bootstrap_token.as_ref()?.token.clone());
    written(message)
}

fn written(message: impl Into<CheckIn>) -> Option<crate::Body> {
    let written = message.into().to_xml();
    if let Err(error) = &written {
        tracing::error!(error = %error, "a message to export cannot be written");
    }
    written.ok().map(crate::Body::from)
}

/// The keys by which a message names an enrolment.
#[derive(Default)]
struct Names {
    udid: Option<Udid>,
    enrollment_id: Option<String>,
    user_id: Option<String>,
    enrollment_user_id: Option<String>,
    user_short_name: Option<String>,
}

impl Names {
    fn of(id: &EnrollmentId) -> Self {
        let mut names = Self::default();
        let user = id.user_id().map(str::to_owned);
        match id.channel() {
            Channel::UserEnrollmentDevice | Channel::UserEnrollmentUser => {
                names.enrollment_id = Some(id.device_id().to_owned());
                names.enrollment_user_id = user;
            }
            channel => {
                names.udid = Udid::new(id.device_id()).ok();
                if channel == Channel::SharedIpadUser {
                    names.user_id = Some(SHARED_IPAD_USER_ID.to_owned());
                    names.user_short_name = user;
                } else {
                    names.user_id = user;
                }
            }
        }
        names
    }
}

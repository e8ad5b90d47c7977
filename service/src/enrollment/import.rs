//! Enrolments of another server, taken over from the messages that its devices sent it.

use chrono::{DateTime, Utc};
use mdm_protocol::EnrollmentId;

use super::{
    Fingerprint,
    decide::{Loaded, Message, Refusal, Sender, Step, decide},
};

/// What stands for the certificate that nobody knows.
const NOBODY: Fingerprint = Fingerprint::new([0; 32]);

/// Decides what a message does that another server kept: as [`decide`], but that nothing is pinned and
/// nobody is told. The first message that the device sends here itself pins its certificate, if it is
/// vouched for as a renewal ([`AdoptImported`](crate::identity::AdoptImported)).
///
/// A message may be imported twice: a second `Authenticate` takes nothing back.
///
/// # Errors
/// [`Refusal::CertificateReused`] for a device that a certificate is pinned to: it has come by itself,
/// and nothing older counts. [`Refusal::NotPinned`] for a device without its `Authenticate`.
pub fn import(
    loaded: &Loaded,
    id: &EnrollmentId,
    at: DateTime<Utc>,
    message: Message,
) -> Result<Step, Refusal> {
    let mut loaded = loaded.clone();
    loaded.certificate_owner = None;
    if let Some(device) = &mut loaded.device {
        if device.certificate.is_some() {
            return Err(Refusal::CertificateReused);
        }
        device.certificate = Some(NOBODY);
    }
    let mut step = match (message, &loaded.device) {
        (
            Message::Authenticate {
                serial_number,
                reported,
                raw,
                ..
            },
            Some(known),
        ) if !id.channel().is_user() => {
            let mut device = known.clone();
            device.serial_number = serial_number.or(device.serial_number);
            device.reported = reported.or(device.reported);
            device.authenticate = Some(raw);
            let mut step = Step::new(at);
            step.device = Some(device);
            step
        }
        (message, _) => decide(&loaded, &Sender::new(id.clone(), NOBODY, at), message)?,
    };
    step.events.clear();
    if let Some(device) = &mut step.device {
        device.certificate = None;
        device.decision = None;
    }
    Ok(step)
}

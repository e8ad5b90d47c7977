//! Who and what from a report that is no readable property list.
//!
//! Devices have sent such (facts of the field: a NUL in a string kept a queue from moving for good).
//! The bytes are searched for the keys that matter; whether the sender may speak for the enrolment
//! is checked afterwards as for any report.

use mdm_protocol::{EnrollmentId, id::Ids, response::Status};

use super::report::Heading;

/// The heading of an XML report that cannot be read as a whole, if its keys are legible and name a
/// command with a final answer or `NotNow`.
pub(super) fn heading(body: &[u8]) -> Option<Heading> {
    let status = all(body, b"Status")
        .map(Status::from)
        .find(Status::is_known)?;
    let command_uuid = all(body, b"CommandUUID").next()?.to_owned();
    let first = |key| all(body, key).next();
    let mut ids = Ids::default();
    ids.udid = first(b"UDID");
    ids.user_id = first(b"UserID");
    ids.user_short_name = first(b"UserShortName");
    ids.enrollment_id = first(b"EnrollmentID");
    ids.enrollment_user_id = first(b"EnrollmentUserID");
    Some(Heading {
        enrollment: EnrollmentId::resolve(&ids).ok()?,
        status,
        command_uuid: Some(command_uuid),
    })
}

/// The strings that follow `<key>key</key>`, in order.
fn all<'a>(body: &'a [u8], key: &'a [u8]) -> impl Iterator<Item = &'a str> {
    let mut rest = body;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = split(rest, b"<key>")?;
            rest = after;
            let value = after
                .strip_prefix(key)
                .and_then(|after| after.strip_prefix(b"</key>"))
                .map(<[u8]>::trim_ascii_start)
                .and_then(|after| after.strip_prefix(b"<string>"))
                .and_then(|after| split(after, b"<"))
                .and_then(|(value, _)| std::str::from_utf8(value).ok())
                // An escaped character would need a reader.
                .filter(|value| !value.contains('&'));
            if value.is_some() {
                return value;
            }
        }
    })
}

/// What stands before and after the first `mark`.
fn split<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes
        .windows(mark.len())
        .position(|window| window == mark)?;
    Some((bytes.get(..at)?, bytes.get(at + mark.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROKEN: &[u8] = b"<plist><dict><key>CommandUUID</key>\n <string>c-1</string>\
        <key>QueryResponses</key><dict><key>Status</key><string>Managed</string></oops>\
        <key>Status</key><string>Acknowledged</string><key>UDID</key><string>D1</string>";

    #[test]
    fn a_broken_report_still_names_its_command() {
        let heading = heading(BROKEN).unwrap();
        assert_eq!(heading.command_uuid.as_deref(), Some("c-1"));
        assert_eq!(heading.status, Status::Acknowledged);
        assert_eq!(heading.enrollment, EnrollmentId::device("D1").unwrap());
    }

    #[test]
    fn a_report_without_a_legible_heading_is_not_guessed_at() {
        for bytes in [
            &b""[..],
            b"<key>",
            b"<key>CommandUUID</key>",
            b"<key>CommandUUID</key><string>c-1</string><key>UDID</key><string>D1</string>",
            b"<key>Status</key><string>Error</string><key>UDID</key><string>D1</string>",
            b"<key>Status</key><string>Error</string><key>CommandUUID</key><string>c</string>",
            b"bplist00",
        ] {
            assert!(heading(bytes).is_none());
        }
    }
}

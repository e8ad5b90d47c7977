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
    // A report that names a command is no `Idle`, which is also a status of other things.
    let answer = |text: &str| {
        let status = Status::from(text);
        status.is_known() && status != Status::Idle
    };
    let status = Status::from(outermost(body, b"Status", answer)?);
    let string = |key| outermost(body, key, |_| true);
    let command_uuid = string(b"CommandUUID")?.to_owned();
    let mut ids = Ids::default();
    ids.udid = string(b"UDID");
    ids.user_id = string(b"UserID");
    ids.user_short_name = string(b"UserShortName");
    ids.enrollment_id = string(b"EnrollmentID");
    ids.enrollment_user_id = string(b"EnrollmentUserID");
    Some(Heading {
        enrollment: EnrollmentId::resolve(&ids).ok()?,
        status,
        command_uuid: Some(command_uuid),
    })
}

/// The least nested of the key's strings that `accept` takes, and of these the last: what a result
/// holds may have keys of the same name.
fn outermost<'a>(body: &'a [u8], key: &[u8], accept: impl Fn(&str) -> bool) -> Option<&'a str> {
    strings(body, key)
        .filter(|(_, value)| accept(value))
        .reduce(|best, next| if next.0 <= best.0 { next } else { best })
        .map(|(_, value)| value)
}

/// The strings that follow `<key>key</key>`, in order, each with the number of open containers.
fn strings<'a>(body: &'a [u8], key: &[u8]) -> impl Iterator<Item = (usize, &'a str)> {
    let mut rest = body;
    let mut depth = 0_usize;
    std::iter::from_fn(move || {
        loop {
            let (_, tag) = split(rest, b"<")?;
            rest = tag;
            if tag.starts_with(b"dict>") || tag.starts_with(b"array>") {
                depth += 1;
            } else if tag.starts_with(b"/dict>") || tag.starts_with(b"/array>") {
                depth = depth.saturating_sub(1);
            }
            let value = tag
                .strip_prefix(b"key>")
                .and_then(|tag| tag.strip_prefix(key))
                .and_then(|after| after.strip_prefix(b"</key>"))
                .map(<[u8]>::trim_ascii_start)
                .and_then(|after| after.strip_prefix(b"<string>"))
                .and_then(|after| split(after, b"<"))
                .and_then(|(value, _)| std::str::from_utf8(value).ok())
                // An escaped character would need a reader.
                .filter(|value| !value.contains('&'));
            if let Some(value) = value {
                return Some((depth, value));
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
    fn what_a_broken_result_holds_is_not_taken_for_its_heading() {
        let inner =
            b"<key>Status</key><string>Idle</string><key>Status</key><string>Error</string>\
            <key>UDID</key><string>D2</string><key>CommandUUID</key><string>c-2</string>";
        let outer = b"<key>Status</key><string>NotNow</string><key>UDID</key><string>D1</string>\
            <key>CommandUUID</key><string>c-1</string>";
        let nested = [&b"<key>A</key><array><dict>"[..], inner, b"</dict></array>"].concat();
        for parts in [[&nested[..], outer], [outer, &nested[..]]] {
            let body = [b"<plist><dict>", parts[0], parts[1], b"\0</dict></plist>"].concat();
            let heading = heading(&body).unwrap();
            assert_eq!(heading.status, Status::NotNow);
            assert_eq!(heading.command_uuid.as_deref(), Some("c-1"));
            assert_eq!(heading.enrollment, EnrollmentId::device("D1").unwrap());
        }
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

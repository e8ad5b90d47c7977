//! What goes wrong at Apple: one of each kind that the fake service knows.

use std::{collections::HashSet, time::Duration};

use mdm_fake_apple::ade::{Fault, Outcome, SessionLoss};

use super::world::{Chance, World};

const HOUR: Duration = Duration::from_secs(3600);

/// Every kind, by the name under which it is told to have happened.
pub(super) const KINDS: [&str; 23] = [
    "Answer",
    "Busy",
    "DropSessions",
    "DuplicatePage",
    "EmptyBody",
    "ExhaustCursors",
    "ExpireCursors",
    "ExpireToken",
    "FailAssign",
    "ForgetCursors",
    "HangUp",
    "KeepDroppingSessions",
    "NewerToken",
    "NextDevices",
    "OverlapPages",
    "RepeatCursor",
    "RevokeToken",
    "Slow",
    "StaleRecords",
    "TermsNotSigned",
    "Throttle",
    "TruncateBody",
    "Unreachable",
];

/// Those that need no clock in common with the service.
pub(super) const TIMELESS: [usize; 12] = [0, 2, 3, 4, 5, 6, 9, 10, 14, 15, 21, 22];

/// A fault of this kind, of any strength.
pub(super) fn fault(kind: usize, world: &World, chance: &mut Chance) -> Fault {
    let times = 1 + chance.below(3) as u32;
    let records = 1 + chance.below(30);
    match KINDS[kind] {
        "Answer" => {
            let (status, body) = chance.one(&[
                (500, ""),
                (502, "<html>Bad Gateway</html>"),
                (503, "busy"),
                (429, "TOO_MANY_REQUESTS"),
                (400, "MALFORMED_REQUEST_BODY"),
                (403, "ACCESS_DENIED"),
                (401, ""),
                (200, "<html>200</html>"),
            ]);
            Fault::Answer {
                times,
                status,
                body: body.to_owned(),
                retry_after: None,
            }
        }
        "Busy" => Fault::Busy {
            times,
            status: chance.one(&[429, 503]),
            wait: Duration::from_secs(1 + chance.below(7200) as u64),
            as_date: chance.is(2),
        },
        "DropSessions" => {
            Fault::DropSessions(chance.one(&[SessionLoss::Unauthorized, SessionLoss::Forbidden]))
        }
        "DuplicatePage" => Fault::DuplicatePage,
        "EmptyBody" => Fault::EmptyBody,
        "ExhaustCursors" => Fault::ExhaustCursors,
        "ExpireCursors" => Fault::ExpireCursors,
        "ExpireToken" => Fault::ExpireToken,
        "FailAssign" => Fault::FailAssign(some(world, chance)),
        "ForgetCursors" => Fault::ForgetCursors,
        "HangUp" => Fault::HangUp { times },
        "KeepDroppingSessions" => Fault::KeepDroppingSessions,
        "NewerToken" => Fault::NewerToken,
        "NextDevices" => Fault::NextDevices {
            count: records,
            outcome: chance.one(&[
                Outcome::Failed,
                Outcome::NotAccessible,
                Outcome::LeftOut,
                Outcome::Throttled(2 * HOUR),
            ]),
        },
        "OverlapPages" => Fault::OverlapPages { records },
        "RepeatCursor" => Fault::RepeatCursor { times },
        "RevokeToken" => Fault::RevokeToken,
        "Slow" => Fault::Slow(Duration::from_secs(1 + chance.below(120) as u64)),
        "StaleRecords" => Fault::StaleRecords { records },
        "TermsNotSigned" => Fault::TermsNotSigned,
        "Throttle" => Fault::Throttle {
            serials: some(world, chance),
            retry_after: HOUR * (1 + chance.below(12) as u32),
        },
        "TruncateBody" => Fault::TruncateBody,
        "Unreachable" => Fault::Unreachable { times },
        other => unreachable!("{other}"),
    }
}

/// One in fifty devices.
fn some(world: &World, chance: &mut Chance) -> HashSet<String> {
    let mut serials = HashSet::new();
    world.apple.for_each_device(|device| {
        if chance.is(50) {
            serials.insert(device.serial_number.to_owned());
        }
    });
    serials
}

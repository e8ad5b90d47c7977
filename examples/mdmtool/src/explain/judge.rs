//! What a device makes of a subject.

use mdm_schema::{Key, Platform, Schema, Support, Target, availability::Availability};

use super::Subject;

/// On what terms a system takes the key at the end of a way.
fn along(schema: &'static Schema, way: &[&'static Key], platform: Platform) -> Support {
    let under = |outer, key: &&'static Key| key.support_under(outer);
    way.iter().fold(schema.support_on(platform), under)
}

/// On what terms a system takes a subject.
pub(super) fn support(subject: &Subject, platform: Platform) -> Support {
    let support = along(subject.schema, &subject.path, platform);
    match subject.choice {
        Some(choice) => choice.support_under(support),
        None => support,
    }
}

/// Whether a device takes a subject.
pub(super) fn whole(subject: &Subject, target: &Target) -> Availability {
    support(subject, target.platform).availability(target)
}

/// What a key adds to what is to be said about what holds it.
pub(super) fn added(subject: &Subject, target: &Target) -> Option<Availability> {
    let (key, above) = subject.path.split_last()?;
    let outer = along(subject.schema, above, target.platform);
    Some(key.availability(outer, target))
        .filter(|availability| !availability.objections().is_empty())
}

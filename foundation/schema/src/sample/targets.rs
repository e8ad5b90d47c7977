//! Targets that have a document, and ones that lack it.

use std::collections::BTreeSet;

use super::Random;
use crate::{
    model::{Schema, Support},
    target::{Channel, Enrollment, Platform, Target},
    version::{Bound, OsVersion},
};

/// A target that has the document: one that has nothing to say against it if there is such a one,
/// and with a version that knows most of its keys. `None` where no device takes it any more.
pub fn target_for(schema: &'static Schema, seed: u64) -> Option<Target> {
    let mut random = Random::new(seed);
    let mut silent = Vec::new();
    let mut others = Vec::new();
    for platform in Platform::ALL.iter().copied() {
        for version in versions(schema, platform) {
            let mut found = false;
            for target in conditions(platform, version) {
                let availability = schema.availability(&target);
                if availability.objections().is_empty() {
                    found = true;
                    silent.push(target);
                } else if availability.is_available() {
                    others.push(target);
                }
            }
            // An earlier version has fewer keys.
            if found {
                break;
            }
        }
    }
    let targets = if silent.is_empty() { others } else { silent };
    targets.get(random.below(targets.len())).cloned()
}

/// The versions in which something of the document came, last first.
fn versions(schema: &'static Schema, platform: Platform) -> Vec<OsVersion> {
    /// A version for documents that name none.
    const ANY: OsVersion = OsVersion::new(26, 0, 0);
    let introduced = |support: &Support| match support.introduced {
        Some(Bound::From(version)) if support.platform == platform => Some(version),
        _ => None,
    };
    let keys = schema.walk().flat_map(|at| {
        let values = at.key().allowed.iter().flat_map(|choice| choice.support);
        at.key().support.iter().chain(values)
    });
    let all: BTreeSet<_> = schema
        .support
        .iter()
        .chain(keys)
        .filter_map(introduced)
        .collect();
    let listed = all.into_iter().rev();
    match schema.support_on(platform).introduced {
        Some(Bound::Never) => Vec::new(),
        Some(Bound::From(_)) => listed.collect(),
        _ => listed.chain([ANY]).collect(),
    }
}

/// A device of this version on all sorts of terms.
pub(super) fn conditions(platform: Platform, version: OsVersion) -> Vec<Target> {
    let mut targets = Vec::new();
    let yes_or_no = [false, true];
    for enrollment in Enrollment::ALL.iter().copied() {
        for channel in Channel::ALL.iter().copied() {
            for (supervised, automated) in [(false, false), (true, false), (true, true)] {
                for shared_ipad in yes_or_no {
                    let sensible = (!shared_ipad || platform == Platform::Ios && supervised)
                        && (!supervised || enrollment == Enrollment::Device);
                    if sensible {
                        targets.push(Target::new(platform, version).with(|target| {
                            target.enrollment = enrollment;
                            target.channel = channel;
                            target.supervised = supervised;
                            target.automated = automated;
                            target.shared_ipad = shared_ipad;
                        }));
                    }
                }
            }
        }
    }
    targets
}

/// Targets that lack the document for a single reason, as far as there are such.
pub(super) fn lacking(schema: &'static Schema) -> Vec<Target> {
    let bounds = schema.support.iter().flat_map(|support| {
        [support.introduced, support.deprecated, support.removed]
            .into_iter()
            .flatten()
            .filter_map(|bound| match bound {
                Bound::From(version) => Some((support.platform, version)),
                _ => None,
            })
    });
    let first = Platform::ALL
        .iter()
        .map(|platform| (*platform, OsVersion::new(1, 0, 0)));
    let mut reasons = BTreeSet::new();
    let mut targets = Vec::new();
    for (platform, version) in first.chain(bounds) {
        let mut all = conditions(platform, version);
        all.push(Target::new(platform, version).with(|target| target.user_approved = false));
        for target in all {
            if let [objection] = schema.availability(&target).objections()
                && reasons.insert((platform, objection.to_string()))
            {
                targets.push(target);
            }
        }
    }
    targets
}

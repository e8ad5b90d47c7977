//! `supportedOS`, block by block as it is written: what a block leaves out is inherited at run time.

use super::fields::Fields;
use crate::failure::Outcome;
use crate::ir::{SharedIpad, Support};
use crate::yaml::{NodeId, Tree};

pub(crate) const PLATFORMS: &[&str] = &["iOS", "macOS", "tvOS", "visionOS", "watchOS"];
const MODES: &[&str] = &["allowed", "required", "forbidden", "ignored"];
const ENROLLMENTS: &[&str] = &["supervised", "device", "user", "local"];
const SCOPES: &[&str] = &["system", "user", "local"];

/// The blocks below a `supportedOS`, in the order of the file.
pub(super) fn supported(tree: &Tree, node: Option<NodeId>) -> Outcome<Vec<Support>> {
    let Some(node) = node else {
        return Ok(Vec::new());
    };
    let mut blocks = Vec::new();
    let mut systems = Fields::of(tree, node, "`supportedOS`")?;
    for (platform, node) in systems.take_rest() {
        if !PLATFORMS.contains(&platform) {
            return Err(systems.wrong(node, format!("has an unknown system `{platform}`")));
        }
        blocks.push(support(tree, platform, node)?);
    }
    Ok(blocks)
}

fn support(tree: &Tree, platform: &str, node: NodeId) -> Outcome<Support> {
    let mut fields = Fields::of(tree, node, format!("`supportedOS/{platform}`"))?;
    let support = Support {
        platform: platform.to_owned(),
        introduced: bound(&mut fields, "introduced", node)?,
        deprecated: bound(&mut fields, "deprecated", node)?,
        removed: bound(&mut fields, "removed", node)?,
        access_rights: fields.text("accessrights")?,
        multiple: fields.flag("multiple")?,
        device_channel: fields.flag("devicechannel")?,
        user_channel: fields.flag("userchannel")?,
        supervised: fields.flag("supervised")?,
        requires_dep: fields.flag("requiresdep")?,
        user_approved: fields.flag("userapprovedmdm")?,
        manual_install: fields.flag("allowmanualinstall")?,
        enrollments: fields.words("allowed-enrollments", ENROLLMENTS)?,
        scopes: fields.words("allowed-scopes", SCOPES)?,
        shared_ipad: match fields.take("sharedipad") {
            Some(node) => Some(shared_ipad(tree, node)?),
            None => None,
        },
        user_enrollment: match fields.take("userenrollment") {
            Some(node) => user_enrollment(tree, node)?,
            None => None,
        },
        always_skippable: fields.flag("always-skippable")?,
        beta: fields.flag("beta")?,
    };
    fields.finish()?;
    Ok(support)
}

/// `11.0`, `n/a`, `all`, `0`: quoted or not, it is a text.
fn bound(fields: &mut Fields<'_>, name: &str, node: NodeId) -> Outcome<Option<String>> {
    let text = fields.text(name)?;
    let numbers = |text: &str| {
        let is_number = |part: &str| part.parse::<u16>().is_ok();
        text.split('.').count() <= 3 && text.split('.').all(is_number)
    };
    match text {
        Some(text) if text != "n/a" && text != "all" && !numbers(&text) => {
            Err(fields.wrong(node, format!("has a `{name}` that is no version: `{text}`")))
        }
        text => Ok(text),
    }
}

fn shared_ipad(tree: &Tree, node: NodeId) -> Outcome<SharedIpad> {
    let mut fields = Fields::of(tree, node, "`sharedipad`")?;
    let shared = SharedIpad {
        mode: fields.word("mode", MODES)?,
        device_channel: fields.flag("devicechannel")?,
        user_channel: fields.flag("userchannel")?,
        scopes: fields.words("allowed-scopes", SCOPES)?,
    };
    fields.finish()?;
    Ok(shared)
}

/// The mode.
fn user_enrollment(tree: &Tree, node: NodeId) -> Outcome<Option<String>> {
    let mut fields = Fields::of(tree, node, "`userenrollment`")?;
    let mode = fields.word("mode", MODES)?;
    fields.finish()?;
    Ok(mode)
}

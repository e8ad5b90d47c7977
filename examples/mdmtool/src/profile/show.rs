//! `show`: what a profile says, for a person.

use clap::Args;
use mdm_profiles::{
    Profile,
    payload::{COMMON_KEYS, RawPayload},
    shown::redact,
};
use mdmtool::json;
use serde_json::json;

use super::{
    output,
    source::{Source, SourceFile},
    tree, verify,
};
use crate::{
    colour::Paint,
    console::Console,
    failure::Done,
    text::{count, printable},
};

#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    source: SourceFile,
    /// Show secrets as they are.
    #[arg(long)]
    secrets: bool,
    /// Show the names of the payloads, and no keys.
    #[arg(long)]
    short: bool,
}

impl Show {
    pub(super) fn run(self, console: &mut Console, paint: Paint) -> Done {
        let source = self.source.read()?;
        let profile = match self.secrets {
            true => source.profile.clone(),
            false => redact(&source.profile),
        };
        let document = json!({
            "file": source.name,
            "packing": output::form(&source.bytes),
            "signers": source.signers().map(verify::signer).collect::<Vec<_>>(),
            "encrypted": source.was_encrypted,
            "profile": json::dictionary(&profile.to_dictionary()),
        });
        console.answer(&document, || text(&source, &profile, self.short, paint))
    }
}

fn text(source: &Source, profile: &Profile, short: bool, paint: Paint) -> String {
    let mut text = String::new();
    let identifier = printable(profile.identifier().unwrap_or("no identifier"));
    match profile.display_name() {
        Some(name) => {
            let name = paint.title(&printable(name));
            text.push_str(&format!("{name} {}\n", paint.faint(&identifier)));
        }
        None => text.push_str(&format!("{}\n", paint.title(&identifier))),
    }
    for signer in source.signers() {
        let name = signer.signer.as_ref().map(|it| it.subject().to_string());
        let name = printable(&name.unwrap_or_else(|| "somebody unknown".to_owned()));
        let line = match &signer.signature {
            Ok(()) => paint.good(&format!("signed by {name}; trust is for verify to judge")),
            Err(_) => paint.bad(&format!(
                "signed by {name}, and the signature does not hold"
            )),
        };
        text.push_str(&format!("  {line}\n"));
    }
    if source.was_encrypted {
        let opened = match profile.is_encrypted() {
            true => "encrypted, give --key to look inside",
            false => "encrypted, and opened here",
        };
        text.push_str(&format!("  {}\n", paint.doubtful(opened)));
    }
    let hidden = [
        "EncryptedPayloadContent",
        "IsEncrypted",
        "PayloadDisplayName",
        "PayloadIdentifier",
        "PayloadVersion",
    ];
    let is_list = profile
        .keys()
        .get("PayloadContent")
        .is_some_and(|content| content.as_array().is_some());
    let content = is_list.then_some("PayloadContent");
    let leave_out: Vec<_> = hidden.into_iter().chain(content).collect();
    if !short {
        tree::write(&mut text, profile.keys(), &leave_out, 2, paint);
    }
    for (place, payload) in profile.payloads().enumerate() {
        text.push('\n');
        payload_text(&mut text, place, &payload, short, paint);
    }
    if is_list {
        let number = profile.payloads().count();
        text.push_str(&format!("\n{}", paint.faint(&count(number, "payload"))));
    }
    text
}

fn payload_text(
    text: &mut String,
    place: usize,
    payload: &RawPayload<'_>,
    short: bool,
    paint: Paint,
) {
    let payload_type = printable(payload.payload_type().unwrap_or("no PayloadType"));
    let title = payload
        .schema()
        .map_or("unknown here", |schema| schema.title);
    let title = match payload.display_name() {
        Some(name) => format!("{title}: {}", printable(name)),
        None => title.to_owned(),
    };
    let number = paint.faint(&format!("[{place}]"));
    let (title, payload_type) = (paint.title(&title), paint.name(&payload_type));
    text.push_str(&format!("{number} {title} {payload_type}\n"));
    let identifier = printable(payload.identifier().unwrap_or("no PayloadIdentifier"));
    let uuid = printable(payload.uuid().unwrap_or("no PayloadUUID"));
    text.push_str(&format!("    {}\n", paint.faint(&identifier)));
    text.push_str(&format!("    {}\n", paint.faint(&uuid)));
    if !short {
        tree::write(text, payload.keys(), COMMON_KEYS, 4, paint);
    }
}

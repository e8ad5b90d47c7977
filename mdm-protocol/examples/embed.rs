//! What a server makes of a device's poll, with nothing else of this family than `mdm-protocol`.
//!
//! `cargo run -p mdm-protocol --example embed` answers one made-up poll on standard output.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use mdm_protocol::{
    Command, Error,
    command::{DeviceInformation, Query},
    id::HasIds,
    response::{DeviceInformationResponse, Envelope, Status},
};

fn main() -> Result<(), Error> {
    let poll = br#"<plist version="1.0"><dict>
        <key>CommandUUID</key><string>C-1</string>
        <key>QueryResponses</key><dict><key>DeviceName</key><string>Anna's Mac</string></dict>
        <key>Status</key><string>Acknowledged</string>
        <key>UDID</key><string>564D9F4B-6B16-4CFB-9B1E-7F0B5A3C2D1E</string>
    </dict></plist>"#;

    let report = Envelope::decode(poll)?;
    println!("{} reports {}", report.enrollment_id()?, report.status);
    // The envelope settles the command, whatever the body holds.
    if let (Status::Acknowledged, Some(uuid)) = (&report.status, &report.command_uuid) {
        match report.body::<DeviceInformationResponse>() {
            Ok(body) => {
                let answers = body.query_responses.unwrap_or_default();
                println!("{uuid}: {:?}", answers.device_name);
            }
            Err(error) => println!("{uuid}: done, but its result is not readable: {error}"),
        }
    }

    let next = Command::new("C-2", &DeviceInformation::new([Query::OsVersion]));
    println!("{}", String::from_utf8_lossy(&next.to_xml()?));
    Ok(())
}

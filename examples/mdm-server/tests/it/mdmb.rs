//! Devices that others simulate: mdmb enrols 50 by SCEP, they answer `DeviceInformation` and take a profile.
//!
//! `cargo xtask peers` builds mdmb. It takes unsigned profiles alone, and speaks SCEP with DES and SHA-1, signed by a key of the moment.
#![allow(clippy::print_stderr)]

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::StatusCode;
use mdm_sdk::pki::cms::SignedData;
use serde_json::json;

use crate::world::World;

const DEVICES: usize = 50;

/// How long mdmb's file is made, in bytes; most of it is never written. mdmb looks at what it has read in its map of the file when
/// that has been mapped anew for growing, and dies of it: more than it needs from the start, the file never grows.
const ROOM: u64 = 64 << 20;

/// Seen from the package's folder.
const PROGRAM: &str = "../../.peers/go/mdmb";

const PROFILE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>PayloadContent</key><array><dict>
<key>FullName</key><string>Example</string>
<key>PayloadIdentifier</key><string>com.example.greeting.text</string>
<key>PayloadType</key><string>com.example.greeting</string>
<key>PayloadUUID</key><string>0D3F9B1A-1C55-4B0B-9C55-6E2D0B0E7A01</string>
<key>PayloadVersion</key><integer>1</integer>
</dict></array>
<key>PayloadDisplayName</key><string>Greeting</string>
<key>PayloadIdentifier</key><string>com.example.greeting</string>
<key>PayloadType</key><string>Configuration</string>
<key>PayloadUUID</key><string>0D3F9B1A-1C55-4B0B-9C55-6E2D0B0E7A02</string>
<key>PayloadVersion</key><integer>1</integer>
</dict></plist>
"#;

fn mdmb() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(PROGRAM);
    if program.exists() {
        return Some(program);
    }
    let required = env::var("REQUIRE_PEERS").as_deref() == Ok("1");
    assert!(!required, "mdmb is missing");
    eprintln!("skipped: mdmb is missing: `cargo xtask peers` builds it");
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_of_mdmb_enrol_tell_what_they_are_and_take_a_profile() {
    let Some(program) = mdmb() else { return };
    let mut world = World::new().await;
    world.more = "scep.legacy_des = true\nscep.throwaway_signer = true".to_owned();
    let server = world.start("data");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.arg("-db").arg(world.path("mdmb")).args(arguments);
        // Whom Go trusts.
        let output = command
            .env("SSL_CERT_FILE", world.path("root.pem"))
            .output();
        let output = output.unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(output.status.success(), "{said}");
        said
    };
    let created = run(&["devices-create", "-n", &DEVICES.to_string()]);
    let file = File::options().write(true).open(world.path("mdmb"));
    file.unwrap().set_len(ROOM).unwrap();
    let udids: Vec<_> = created.lines().skip(1).collect();
    assert_eq!(udids.len(), DEVICES, "{created}");
    for udid in &udids {
        let link = server.post("/v1/invitations", &json!({})).await;
        let (status, profile) = world.get(link["url"].as_str().unwrap()).await;
        assert_eq!(status, StatusCode::OK);
        let signed = SignedData::parse(&profile, &Default::default()).unwrap();
        let path = world.path("enrol.mobileconfig");
        fs::write(&path, signed.content().unwrap()).unwrap();
        let path = path.display().to_string();
        run(&["-uuids", udid, "devices-profiles-install", "-f", &path]);
    }

    let enrollments: Vec<_> = udids.iter().map(|udid| format!("device:{udid}")).collect();
    let install = json!({
        "enrollments": enrollments, "request_type": "InstallProfile", "command_uuid": "PROFILE",
        "keys": {"Payload": {"$data": STANDARD.encode(PROFILE)}},
    });
    server.post("/v1/commands", &install).await;
    // Who has just enrolled is asked by itself, but when is the server's affair.
    let inform = json!({
        "enrollments": enrollments, "request_type": "DeviceInformation", "command_uuid": "INFORMATION",
        "keys": {"Queries": ["DeviceName", "SerialNumber", "UDID"]},
    });
    server.post("/v1/commands", &inform).await;
    let said = run(&["-uuids", "all", "devices-connect", "-w", "4"]);
    assert!(
        said.contains("Errors                            0 (0%)"),
        "{said}"
    );

    for (udid, id) in udids.iter().zip(&enrollments) {
        let shown = server.get(&format!("/v1/enrollments/{id}")).await;
        assert_eq!(shown["status"], "enrolled");
        assert!(shown["reported"]["device_name"].is_string(), "{shown}");
        for command in ["PROFILE", "INFORMATION"] {
            let path = format!("/v1/enrollments/{id}/commands/{command}");
            let command = server.get(&path).await;
            assert_eq!(command["status"], "Acknowledged", "{command}");
        }
        let listed = run(&["-uuids", udid, "devices-profiles-list"]);
        assert!(listed.contains("com.example.greeting"), "{listed}");
    }
}

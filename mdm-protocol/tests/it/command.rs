use mdm_plist::{Dictionary, Value};
use mdm_protocol::{
    Command, Error,
    command::{
        AnyCommand, DeviceInformation, EraseDevice, InstallProfile, Query,
        erase_device::ReturnToService,
    },
};
use mdm_schema::{Finding, Rule};

use crate::plist;

fn paths(findings: &[Finding]) -> Vec<(&str, Rule)> {
    findings.iter().map(|f| (f.path.as_str(), f.rule)).collect()
}

fn read(keys: &str) -> (Command, Vec<Finding>) {
    let tree: Dictionary = mdm_plist::from_slice(&plist(keys)).unwrap();
    Command::from_dictionary(tree).unwrap()
}

#[test]
fn a_typed_command_reads_back_from_what_is_written() {
    let request = DeviceInformation::new([Query::OsVersion, Query::from("BrandNew")])
        .with(|r| r.device_attestation_nonce = Some(vec![1, 2]));
    let command = Command::new("C-1", &request);
    let back = Command::decode(&command.to_xml().unwrap()).unwrap();
    assert_eq!(back, command);
    assert_eq!(
        (back.command_uuid(), back.request_type()),
        ("C-1", "DeviceInformation")
    );
    assert_eq!(back.request::<DeviceInformation>().unwrap(), request);
    assert!(back.beside().is_empty());
}

#[test]
fn q18_a_profile_is_base64_once() {
    let profile = b"<?xml version=\"1.0\"?><plist/>";
    let command = Command::new("C-1", &InstallProfile::new(profile.to_vec()));
    let xml = command.to_xml().unwrap();
    let tree: Dictionary = mdm_plist::from_slice(&xml).unwrap();
    let inner = tree.get("Command").unwrap().as_dictionary().unwrap();
    assert_eq!(inner.get("Payload").unwrap().as_data(), Some(&profile[..]));
    // `PD94` is `<?x` in base64; twice encoded it would read `UEQ5NA`.
    let text = String::from_utf8(xml).unwrap();
    assert!(text.contains("PD94") && !text.contains("UEQ5NA"), "{text}");
    assert!(command.findings().is_empty());
}

#[test]
fn q18_a_profile_that_is_base64_twice_is_found() {
    for twice in [
        "PD94bWwgdmVyc2lvbj0i",
        "MIAGCSqGSIb3DQEHAqCA",
        "MIIK",
        "YnBsaXN0MDA",
        "LS0tLS1CRUdJTg",
    ] {
        let command = Command::new("C-1", &InstallProfile::new(twice.as_bytes().to_vec()));
        assert_eq!(
            paths(&command.findings()),
            [("Command.Payload", Rule::Format)]
        );
    }
}

#[test]
fn an_unknown_command_passes_through_untouched() {
    let keys = "<key>Command</key><dict><key>RequestType</key><string>BeamUp</string>
         <key>Whom</key><array><string>Scotty</string><date>2026-11-05T09:00:00Z</date></array></dict>
         <key>CommandUUID</key><string>C-1</string><key>Later</key><true/>";
    let (command, findings) = read(keys);
    assert!(findings.is_empty());
    assert_eq!(command.request_type(), "BeamUp");
    let sent: Dictionary = mdm_plist::from_slice(&command.to_xml().unwrap()).unwrap();
    let mut original: Dictionary = mdm_plist::from_slice(&plist(keys)).unwrap();
    original.sort_keys();
    let mut sent_sorted = sent;
    sent_sorted.sort_keys();
    assert_eq!(sent_sorted, original);
    assert!(command.findings().is_empty());
    assert!(matches!(
        command.request::<DeviceInformation>(),
        Err(Error::OtherType {
            wanted: "DeviceInformation",
            ..
        })
    ));

    let made = Command::from_keys("C-2", "BeamUp", Dictionary::new());
    assert_eq!(made.request_type(), "BeamUp");
}

#[test]
fn a_command_inside_a_command_is_read_with_findings() {
    let (command, findings) = read(
        "<key>Command</key><dict><key>CommandUUID</key><string>C-1</string>
         <key>Command</key><dict><key>RequestType</key><string>DeviceLock</string></dict></dict>",
    );
    assert_eq!(
        (command.command_uuid(), command.request_type()),
        ("C-1", "DeviceLock")
    );
    assert!(!command.keys().contains_key("Command"));
    assert_eq!(
        paths(&findings),
        [
            ("Command.Command", Rule::Misplaced),
            ("Command.CommandUUID", Rule::Misplaced)
        ]
    );
}

#[test]
fn a_command_uuid_beside_the_request_type_is_read_with_a_finding() {
    let (command, findings) = read(
        "<key>Command</key><dict><key>CommandUUID</key><string>C-1</string>
         <key>RequestType</key><string>DeviceLock</string></dict>",
    );
    assert_eq!(command.command_uuid(), "C-1");
    assert!(!command.keys().contains_key("CommandUUID"));
    assert_eq!(paths(&findings), [("Command.CommandUUID", Rule::Misplaced)]);
}

#[test]
fn what_a_command_lacks_is_found() {
    let (command, findings) = read(
        "<key>Command</key><dict><key>RequestList</key><array/></dict>
         <key>CommandUUID</key><string>C-1</string>",
    );
    assert_eq!(command.request_type(), "");
    assert_eq!(paths(&findings), [("Command.RequestType", Rule::Required)]);

    let (command, findings) = read("<key>RequestType</key><string>DeviceLock</string>");
    assert_eq!(
        (command.command_uuid(), command.request_type()),
        ("", "DeviceLock")
    );
    assert_eq!(
        paths(&findings),
        [("Command", Rule::Required), ("CommandUUID", Rule::Required)]
    );

    let (_, findings) = read(
        "<key>Command</key><dict><key>RequestType</key><integer>1</integer></dict>
         <key>CommandUUID</key><string>C-1</string>",
    );
    assert_eq!(paths(&findings), [("Command.RequestType", Rule::Type)]);
}

#[test]
fn what_is_no_command_is_refused() {
    for keys in [
        "",
        "<key>Command</key><string>x</string>",
        "<key>CommandUUID</key><string>C</string>",
    ] {
        let error = Command::decode(&plist(keys)).unwrap_err();
        assert!(
            matches!(error, Error::Missing(_) | Error::Invalid { .. }),
            "{error:?}"
        );
    }
    assert!(matches!(Command::decode(b"{}"), Err(Error::Plist(_))));
}

#[test]
fn odd_values_of_a_known_command_are_found() {
    let findings = |request: DeviceInformation| Command::new("C", &request).findings();
    let twice = DeviceInformation::new([Query::Udid, Query::Udid]);
    assert_eq!(
        paths(&findings(twice)),
        [("Command.Queries[1]", Rule::Duplicate)]
    );
    assert_eq!(
        paths(&findings(DeviceInformation::new(Vec::new()))),
        [("Command.Queries", Rule::Range)]
    );
    let nonce = |length, query| {
        DeviceInformation::new([query]).with(|r| r.device_attestation_nonce = Some(vec![0; length]))
    };
    let at = "Command.DeviceAttestationNonce";
    let attest = Query::DevicePropertiesAttestation;
    assert_eq!(
        paths(&findings(nonce(33, attest.clone()))),
        [(at, Rule::Range)]
    );
    assert_eq!(paths(&findings(nonce(32, attest))), []);
    assert_eq!(
        paths(&findings(nonce(32, Query::Udid))),
        [(at, Rule::Conflict)]
    );
}

#[test]
fn a_command_that_does_not_fit_its_type_is_read_as_far_as_it_does() {
    let (broken, _) = read(
        "<key>Command</key><dict><key>RequestType</key><string>DeviceInformation</string>
         <key>DeviceAttestationNonce</key><integer>1</integer></dict>
         <key>CommandUUID</key><string>C</string>",
    );
    let expected = [
        ("Command.Queries", Rule::Required),
        ("Command.DeviceAttestationNonce", Rule::Type),
    ];
    let Err(Error::Decode(error)) = broken.request::<DeviceInformation>() else {
        panic!("read strictly");
    };
    assert_eq!(paths(&error.findings), expected);
    let (request, findings) = broken.request_leniently::<DeviceInformation>().unwrap();
    assert_eq!(request, DeviceInformation::new(Vec::new()));
    assert_eq!(paths(&findings), expected);
    assert!(matches!(
        broken.request_leniently::<InstallProfile>(),
        Err(Error::OtherType { .. })
    ));
}

#[test]
fn an_edit_keeps_what_the_type_does_not_know() {
    let (mut command, _) = read(
        "<key>Command</key><dict><key>Novel</key><date>2026-11-05T09:00:00Z</date>
         <key>RequestType</key><string>DeviceInformation</string>
         <key>Queries</key><array><string>UDID</string></array>
         <key>DeviceAttestationNonce</key><integer>1</integer></dict>
         <key>CommandUUID</key><string>C</string>",
    );
    let before = command.keys().clone();
    command
        .edit(|request: &mut DeviceInformation| request.queries.push(Query::OsVersion))
        .unwrap();
    let keys = command.keys();
    assert!(keys.keys().eq(before.keys()));
    for key in ["Novel", "RequestType", "DeviceAttestationNonce"] {
        assert_eq!(keys[key], before[key]);
    }
    assert_eq!(keys["Queries"].as_array().unwrap().len(), 2);

    let before = command.clone();
    assert!(matches!(
        command.replace(&InstallProfile::new(Vec::new())),
        Err(Error::OtherType { .. })
    ));
    assert_eq!(command, before);
}

#[test]
fn every_query_is_told_by_its_own_name() {
    let queries = [
        "UDID",
        "WiFiMAC",
        "iTunesStoreAccountHash",
        "SupportsiOSAppInstalls",
        "EACSPreflight",
    ];
    for name in queries {
        assert!(Query::from(name).is_known(), "{name}");
        assert_eq!(Query::from(name).as_str(), name);
    }
}

#[test]
fn what_a_command_carries_never_reaches_debug_output() {
    let mut keys = Dictionary::new();
    keys.insert("PIN".into(), Value::from("123456"));
    let shown = format!("{:?}", Command::from_keys("C-1", "DeviceLock", keys));
    assert!(shown.contains("DeviceLock") && shown.contains("PIN") && !shown.contains("123456"));
    let shown = format!("{:?}", InstallProfile::new(b"secret".to_vec()));
    assert!(
        shown.contains("[redacted]") && !shown.contains("115"),
        "{shown}"
    );
}

#[test]
fn how_to_erase_an_ipad() {
    let request = EraseDevice::new().with(|erase| {
        erase.preserve_data_plan = Some(true);
        erase.return_to_service = Some(ReturnToService::new(true));
    });
    let command = Command::new("C-1", &request);
    assert_eq!(command.validate(None), []);
    let ipad = "ipados:18.2,supervised".parse().unwrap();
    assert_eq!(command.validate(Some(&ipad)), []);
    let old = "ipados:16.0,supervised".parse().unwrap();
    assert_eq!(
        paths(&command.validate(Some(&old))),
        [("Command.ReturnToService", Rule::NotAvailable)]
    );
    assert_eq!(
        command.any(),
        (AnyCommand::EraseDevice(Box::new(request)), Vec::new())
    );
}

#[test]
fn a_command_is_checked_against_its_schema() {
    let (command, _) = read(
        "<key>Command</key><dict><key>RequestType</key><string>DeviceInformation</string>
         <key>Quieries</key><array/>
         <key>Queries</key><array><string>UDID</string><string>UDID</string>
           <string>BrandNew</string></array></dict>
         <key>CommandUUID</key><string>C</string><key>Later</key><true/>",
    );
    assert_eq!(
        paths(&command.validate(None)),
        [
            ("Command.Queries[2]", Rule::Enum),
            ("Command.Quieries", Rule::UnknownKey),
            ("Command.Queries[1]", Rule::Duplicate),
            ("Later", Rule::UnknownKey),
        ]
    );
    let unknown = Command::from_keys("C", "BeamUp", Dictionary::new());
    assert_eq!(
        paths(&unknown.validate(None)),
        [("Command.RequestType", Rule::Enum)]
    );
    let (any, findings) = unknown.any();
    assert!(
        matches!(any, AnyCommand::Other(other) if other.name == "BeamUp" && other.keys.is_empty())
    );
    assert_eq!(findings, []);
}

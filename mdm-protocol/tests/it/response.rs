use mdm_plist::{Dictionary, Limits, Value};
use mdm_protocol::{
    Error,
    id::{Channel, HasIds},
    response::{
        AnyResponse, DeviceInformationResponse, Envelope, ErrorChainItem, NoBody,
        OsUpdateStatusResponse, SettingsResponse, Status, infer_request_type,
    },
};

use mdm_schema::{Finding, Item, Rule, Severity};

use crate::{UDID, plist};

fn envelope(keys: &str) -> Envelope {
    Envelope::decode(&plist(keys)).unwrap()
}

#[test]
fn an_idle_device_has_no_command_to_report_on() {
    let idle = envelope(&format!(
        "<key>Status</key><string>Idle</string><key>UDID</key><string>{UDID}</string>"
    ));
    assert_eq!((&idle.status, &idle.command_uuid), (&Status::Idle, &None));
    assert_eq!(idle.enrollment_id().unwrap().channel(), Channel::Device);
    assert!(idle.error_chain.is_empty());
}

#[test]
fn only_idle_and_not_now_leave_a_command_open() {
    for (status, is_final) in [
        ("Acknowledged", true),
        ("Error", true),
        ("CommandFormatError", true),
        ("Idle", false),
        ("NotNow", false),
        ("Exploded", true),
    ] {
        assert_eq!(Status::from(status).is_final(), is_final, "{status}");
    }
}

#[test]
fn q17_a_format_error_needs_no_error_chain() {
    let report = envelope(
        "<key>CommandUUID</key><string>C</string><key>Status</key><string>CommandFormatError</string>",
    );
    assert_eq!(report.status, Status::CommandFormatError);
    assert!(report.error_chain.is_empty());
}

#[test]
fn q17_error_chains_are_read_with_whatever_parts_they_have() {
    let report = envelope(
        "<key>CommandUUID</key><string>C</string><key>Status</key><string>Error</string>
         <key>ErrorChain</key><array>
           <dict><key>ErrorCode</key><integer>4001</integer>
             <key>ErrorDomain</key><string>MCInstallationErrorDomain</string>
             <key>LocalizedDescription</key><string>Profil</string>
             <key>USEnglishDescription</key><string>Profile</string></dict>
           <dict><key>ErrorCode</key><string>no number</string>
             <key>ErrorDomain</key><string>MCProfileErrorDomain</string></dict>
           <string>no dictionary</string>
           <dict/>
         </array>",
    );
    let full = ErrorChainItem::default().with(|item| {
        item.error_code = Some(4001);
        item.error_domain = Some("MCInstallationErrorDomain".into());
        item.localized_description = Some("Profil".into());
        item.us_english_description = Some("Profile".into());
    });
    let partial = ErrorChainItem::default()
        .with(|item| item.error_domain = Some("MCProfileErrorDomain".into()));
    assert_eq!(
        report.error_chain,
        [full, partial, ErrorChainItem::default()]
    );
    let single = envelope(
        "<key>Status</key><string>Error</string>
         <key>ErrorChain</key><dict><key>ErrorCode</key><integer>1</integer></dict>",
    );
    assert_eq!(single.error_chain[0].error_code, Some(1));
    let text = envelope(
        "<key>Status</key><string>Error</string><key>ErrorChain</key><string>bad</string>",
    );
    assert!(text.error_chain.is_empty());
}

#[test]
fn q17_request_type_may_be_there_or_not() {
    let keys =
        "<key>CommandUUID</key><string>C</string><key>Status</key><string>Acknowledged</string>";
    assert_eq!(envelope(keys).request_type, None);
    let named = envelope(&format!(
        "{keys}<key>RequestType</key><string>DeviceLock</string>
         <key>MessageResult</key><string>NoPasscodeSet</string>"
    ));
    assert_eq!(named.request_type.as_deref(), Some("DeviceLock"));
    assert!(named.body::<NoBody>().is_ok());
    assert!(matches!(
        named.body::<DeviceInformationResponse>(),
        Err(Error::OtherType {
            wanted: "DeviceInformation",
            ..
        })
    ));
}

/// What did not go into the typed body.
fn paths(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|f| f.path.as_str()).collect()
}

#[test]
fn a_body_of_which_nothing_fits_is_empty_and_leaves_the_envelope_whole() {
    let report = envelope(
        "<key>CommandUUID</key><string>C-7</string>
         <key>QueryResponses</key><string>none</string>
         <key>Status</key><string>Acknowledged</string>",
    );
    assert_eq!(report.command_uuid.as_deref(), Some("C-7"));
    let (body, findings) = report
        .body_and_findings::<DeviceInformationResponse>()
        .unwrap();
    assert_eq!(body, DeviceInformationResponse::new());
    assert_eq!(paths(&findings), ["QueryResponses"]);
    assert!(report.dictionary().unwrap().contains_key("QueryResponses"));
}

#[test]
fn values_of_a_wrong_type_do_not_lose_the_others() {
    let report = envelope(
        "<key>Status</key><string>Acknowledged</string><key>CommandUUID</key><string>C</string>
         <key>QueryResponses</key><dict>
           <key>DeviceCapacity</key><string>lots</string>
           <key>ActiveManagedUsers</key><array><string>a</string><integer>2</integer></array>
           <key>ServiceSubscriptions</key><array><dict/><dict>
             <key>IMEI</key><integer>35</integer><key>Slot</key><string>1</string></dict></array>
           <key>OSVersion</key><string>13.0</string><key>Novel</key><true/>
         </dict>",
    );
    let (body, findings) = report
        .body_and_findings::<DeviceInformationResponse>()
        .unwrap();
    assert_eq!(report.body::<DeviceInformationResponse>().unwrap(), body);
    let found = body.query_responses.unwrap();
    assert_eq!(found.os_version.as_deref(), Some("13.0"));
    assert_eq!(
        (found.device_capacity, found.active_managed_users),
        (None, None)
    );
    let sims = found.service_subscriptions.unwrap();
    assert_eq!((sims[1].slot.as_deref(), &sims[1].imei), (Some("1"), &None));
    let mut paths = paths(&findings);
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "QueryResponses.ActiveManagedUsers[1]",
            "QueryResponses.DeviceCapacity",
            "QueryResponses.ServiceSubscriptions[1].IMEI"
        ]
    );
    assert!(
        report.dictionary().unwrap()["QueryResponses"]
            .as_dictionary()
            .unwrap()
            .contains_key("DeviceCapacity")
    );
}

/// One scalar of each kind that says nothing valid.
const MALFORMED: [&str; 5] = [
    "<integer>abc</integer>",
    "<integer>99999999999999999999</integer>",
    "<real>much</real>",
    "<date>soon</date>",
    "<data>!!</data>",
];

#[test]
fn a_malformed_udid_counts_as_absent() {
    for value in MALFORMED {
        let report = envelope(&format!(
            "<key>UDID</key>{value}<key>CommandUUID</key><string>C</string>
             <key>Status</key><string>Acknowledged</string>"
        ));
        assert_eq!(report.udid, None);
        assert_eq!(report.command_uuid.as_deref(), Some("C"));
    }
}

#[test]
fn a_malformed_status_is_no_report() {
    for value in MALFORMED {
        let bytes = plist(&format!("<key>Status</key>{value}"));
        assert!(matches!(Envelope::decode(&bytes), Err(Error::Plist(_))));
    }
}

#[test]
fn a_malformed_part_of_an_error_chain_leaves_its_other_parts() {
    for value in MALFORMED {
        let report = envelope(&format!(
            "<key>Status</key><string>Error</string><key>ErrorChain</key><array><dict>
             <key>ErrorCode</key>{value}<key>ErrorDomain</key><string>D</string></dict></array>"
        ));
        assert_eq!(report.status, Status::Error);
        let domain = ErrorChainItem::default().with(|item| item.error_domain = Some("D".into()));
        assert_eq!(report.error_chain, [domain]);
        let whole = envelope(&format!(
            "<key>Status</key><string>Error</string><key>ErrorChain</key><array>{value}</array>"
        ));
        assert!(whole.error_chain.is_empty());
    }
}

#[test]
fn a_malformed_answer_does_not_lose_the_others() {
    for value in MALFORMED {
        let report = envelope(&format!(
            "<key>Status</key><string>Acknowledged</string><key>QueryResponses</key><dict>
             <key>OSVersion</key>{value}<key>DeviceName</key><string>n</string>
             <key>ActiveManagedUsers</key><array><string>a</string>{value}</array>
             <key>LastCloudBackupDate</key><date>2026-11-05T09:00:00Z</date></dict>"
        ));
        let (body, findings) = report
            .body_and_findings::<DeviceInformationResponse>()
            .unwrap();
        assert_eq!(report.body::<DeviceInformationResponse>().unwrap(), body);
        let answers = body.query_responses.unwrap();
        assert_eq!(answers.device_name.as_deref(), Some("n"));
        assert_eq!(
            (answers.os_version, answers.active_managed_users),
            (None, None)
        );
        let backup = answers.last_cloud_backup_date.unwrap();
        assert_eq!(backup.to_rfc3339(), "2026-11-05T09:00:00+00:00");
        assert_eq!(
            paths(&findings),
            [
                "QueryResponses.OSVersion",
                "QueryResponses.ActiveManagedUsers[1]"
            ]
        );
    }
}

#[test]
fn a_malformed_value_of_an_unknown_key_is_missing_in_the_dictionary_only() {
    for value in MALFORMED {
        let report = envelope(&format!(
            "<key>Status</key><string>Acknowledged</string><key>Novel</key>{value}
             <key>QueryResponses</key><dict><key>OSVersion</key><string>13.0</string></dict>"
        ));
        let (body, findings) = report
            .body_and_findings::<DeviceInformationResponse>()
            .unwrap();
        assert_eq!(report.body::<DeviceInformationResponse>().unwrap(), body);
        assert_eq!(
            body.query_responses.unwrap().os_version.as_deref(),
            Some("13.0")
        );
        assert_eq!(paths(&findings), ["Novel"]);
        let keys = report.dictionary().unwrap();
        assert!(keys.keys().eq(["Status", "QueryResponses"]));
    }
}

#[test]
fn findings_are_bounded_in_number_and_length_and_the_rest_is_read_all_the_same() {
    let report = |value: &str| {
        let sim = format!("<dict><key>IMEI</key>{value}<key>Slot</key><string>1</string></dict>");
        let long = "x".repeat(10_000);
        let report = envelope(&format!(
            "<key>Status</key><string>Acknowledged</string><key>{long}</key><data>!!</data>
             <key>QueryResponses</key><dict>
             <key>ServiceSubscriptions</key><array>{}</array></dict>",
            sim.repeat(1500)
        ));
        let (body, findings) = report
            .body_and_findings::<DeviceInformationResponse>()
            .unwrap();
        let sims = body.query_responses.unwrap().service_subscriptions.unwrap();
        assert_eq!(sims.len(), 1500);
        assert!(sims.iter().all(|sim| sim.slot.as_deref() == Some("1")));
        assert!(findings.iter().all(|finding| finding.path.len() < 200));
        findings.len()
    };
    assert_eq!(report("<data>!!</data>"), 1000);
    assert_eq!(report("<integer>35</integer>"), 1001);
}

#[test]
fn a_malformed_date_of_a_binary_report_counts_as_absent_and_hides_no_limit() {
    let text = "x".repeat(100);
    let report = Dictionary::from_iter([
        (
            "UDID",
            Value::Date(std::time::SystemTime::UNIX_EPOCH.into()),
        ),
        ("Status", "Idle".into()),
        ("Novel", text.into()),
    ]);
    let mut bytes = mdm_plist::to_binary(&report).unwrap();
    // The date: a marker and eight bytes, here made infinite.
    let at = bytes.iter().position(|b| *b == 0x33).unwrap();
    bytes[at + 1..at + 9].copy_from_slice(&f64::INFINITY.to_be_bytes());
    let read = Envelope::decode(&bytes).unwrap();
    assert_eq!((&read.status, &read.udid), (&Status::Idle, &None));
    assert!(read.dictionary().unwrap().keys().eq(["Status", "Novel"]));
    let few = Limits::default().with(|l| l.items = 3);
    assert!(matches!(
        Envelope::decode_with(&bytes, &few),
        Err(Error::Plist(error)) if error.is_limit()
    ));
}

#[test]
fn a_malformed_value_excuses_no_broken_document() {
    let bytes = plist(
        "<key>Status</key><string>Idle</string><key>UDID</key><integer>abc</integer>
         <key>Novel</key><array><string>x</array>",
    );
    assert!(matches!(Envelope::decode(&bytes), Err(Error::Plist(_))));
}

#[test]
fn a_forbidden_character_in_a_body_leaves_the_envelope_whole() {
    let mut bytes = plist(
        "<key>CommandUUID</key><string>C-7</string>
         <key>QueryResponses</key><dict><key>ServiceSubscriptions</key><array><dict>
           <key>Label</key><string>a#b</string></dict></array></dict>
         <key>Status</key><string>Acknowledged</string>",
    );
    let at = bytes.iter().position(|b| *b == b'#').unwrap();
    bytes[at] = 0;
    let report = Envelope::decode(&bytes).unwrap();
    assert_eq!(report.command_uuid.as_deref(), Some("C-7"));
    assert!(report.body::<DeviceInformationResponse>().is_ok());
}

#[test]
fn keys_of_the_envelope_with_unusable_values_count_as_absent() {
    let report = envelope(
        "<key>Status</key><string>Acknowledged</string><key>CommandUUID</key><integer>1</integer>
         <key>UDID</key><string></string><key>NotOnConsole</key><string>yes</string>
         <key>EnrollmentID</key><string>E</string>",
    );
    assert_eq!((&report.command_uuid, &report.udid), (&None, &None));
    assert_eq!(report.not_on_console, None);
    assert_eq!(
        report.enrollment_id().unwrap().channel(),
        Channel::UserEnrollmentDevice
    );
}

#[test]
fn a_report_without_a_status_is_none() {
    for bytes in [
        plist("<key>UDID</key><string>x</string>"),
        b"<plist/>".to_vec(),
        vec![],
    ] {
        assert!(matches!(Envelope::decode(&bytes), Err(Error::Plist(_))));
    }
}

#[test]
fn the_body_is_read_within_the_limits_of_the_envelope() {
    let keys = format!(
        "<key>Status</key><string>Acknowledged</string>
         <key>QueryResponses</key><dict><key>DeviceName</key><string>{}</string></dict>",
        "x".repeat(Limits::default().bytes)
    );
    assert!(Envelope::decode(&plist(&keys)).is_err());
    let limits = Limits::default().with(|l| l.bytes *= 2);
    let report = Envelope::decode_with(&plist(&keys), &limits).unwrap();
    assert!(report.body::<DeviceInformationResponse>().is_ok());
    assert!(report.dictionary().is_ok());
}

#[test]
fn answers_of_device_information_have_their_types() {
    let report = envelope(
        "<key>CommandUUID</key><string>C</string><key>Status</key><string>Acknowledged</string>
         <key>QueryResponses</key><dict>
           <key>BatteryLevel</key><real>-1.0</real>
           <key>DeviceCapacity</key><integer>256</integer>
           <key>DevicePropertiesAttestation</key><array><data>AQI=</data></array>
           <key>IsSupervised</key><true/>
           <key>LastCloudBackupDate</key><date>2026-11-05T09:00:00Z</date>
           <key>OrganizationInfo</key><dict><key>OrganizationName</key><string>O</string></dict>
           <key>OSUpdateSettings</key><dict>
             <key>AutomaticOSInstallationEnabled</key><true/></dict>
           <key>PushToken</key><data>AQID</data>
           <key>ServiceSubscriptions</key><array>
             <dict><key>IMEI</key><string>1</string><key>Novel</key><true/></dict></array>
           <key>TimeZoneOffset</key><integer>60</integer>
           <key>WiFiMAC</key><string>00:11:22:33:44:55</string>
         </dict>",
    );
    let (body, findings) = report
        .body_and_findings::<DeviceInformationResponse>()
        .unwrap();
    let answers = body.query_responses.unwrap();
    assert_eq!(answers.battery_level, Some(-1.0));
    assert_eq!(answers.device_capacity, Some(256.0));
    assert_eq!(answers.is_supervised, Some(true));
    assert_eq!(*answers.push_token.as_ref().unwrap().expose(), [1, 2, 3]);
    let backup = answers.last_cloud_backup_date.unwrap();
    assert_eq!(backup.to_rfc3339(), "2026-11-05T09:00:00+00:00");
    let certificates = answers.device_properties_attestation.unwrap();
    assert_eq!(certificates, [[1, 2]]);
    assert_eq!(answers.wifi_mac.as_deref(), Some("00:11:22:33:44:55"));
    let settings = answers.os_update_settings.unwrap();
    assert_eq!(settings.automatic_os_installation_enabled, Some(true));
    assert_eq!(
        answers.service_subscriptions.unwrap()[0].imei.as_deref(),
        Some("1")
    );
    assert_eq!(findings, []);
}

#[test]
fn what_a_report_carries_never_reaches_debug_output() {
    let report = envelope(
        "<key>Status</key><string>Acknowledged</string><key>UnlockToken</key><string>hunter2</string>",
    );
    assert!(!format!("{report:?}").contains("hunter2"));
}

#[test]
fn the_command_is_guessed_from_keys_that_only_one_answer_has() {
    let guess = |keys: &[&str]| {
        let report: Dictionary = keys
            .iter()
            .map(|key| ((*key).to_owned(), Value::from("x")))
            .collect();
        infer_request_type(&report)
    };
    for (keys, expected) in [
        (&["Status", "QueryResponses"][..], Some("DeviceInformation")),
        (&["SecurityInfo"], Some("SecurityInfo")),
        (
            &["InstalledApplicationList"],
            Some("InstalledApplicationList"),
        ),
        (&["Identifier", "State"], Some("InstallApplication")),
        (
            &["MediaType", "State", "RejectionReason"],
            Some("InstallMedia"),
        ),
        (&["ResponseData"], Some("LOMDeviceRequest")),
        (&["Latitude"], None),
        (&["Extensions"], None),
        (&["Status", "UDID", "CommandUUID"], None),
    ] {
        assert_eq!(guess(keys), expected, "{keys:?}");
    }
}

#[test]
fn a_list_of_extensions_is_told_by_a_key_that_only_one_of_two_has() {
    let guess = |item: &str| {
        let report = envelope(&format!(
            "<key>Status</key><string>Acknowledged</string><key>Extensions</key><array>{item}</array>"
        ));
        infer_request_type(&report.dictionary().unwrap())
    };
    for key in ["UserElection", "Path", "Version"] {
        let item = format!("<dict><key>{key}</key><string>x</string></dict>");
        assert_eq!(guess(&item), Some("ActiveNSExtensions"));
    }
    assert_eq!(
        guess("<dict><key>Identifier</key><string>x</string></dict>"),
        None
    );
    assert_eq!(guess("<true/>"), None);
}

#[test]
fn the_result_of_a_command_that_the_caller_names_is_read_as_its_own_type() {
    let report = envelope(
        "<key>CommandUUID</key><string>C</string><key>Status</key><string>Acknowledged</string>
         <key>UDID</key><string>U</string><key>MessageResult</key><string>NoPasscodeSet</string>",
    );
    let (any, findings) = report.any_body("DeviceLock").unwrap();
    let Some(AnyResponse::DeviceLockResponse(body)) = any else {
        panic!("{any:?}");
    };
    assert_eq!(
        body.message_result.map(|result| result.as_str().to_owned()),
        Some("NoPasscodeSet".to_owned())
    );
    assert_eq!(findings, []);
    // Answered by a status alone.
    assert_eq!(report.any_body("EraseDevice").unwrap(), (None, Vec::new()));
    let (any, _) = report.any_body("BeamUp").unwrap();
    assert!(
        matches!(any, Some(AnyResponse::Other(other)) if other.keys.keys().eq(["MessageResult"]))
    );
}

#[test]
fn a_report_is_checked_envelope_and_result() {
    let check = |keys: &str, request_type: Option<&str>| {
        let findings = envelope(keys).validate(request_type, None);
        let told = findings.into_iter().map(|f| (f.path, f.rule));
        told.collect::<Vec<_>>()
    };
    let found = |path: &str, rule| (path.to_owned(), rule);
    let sender = "<key>CommandUUID</key><string>C</string><key>UDID</key><string>U</string>";
    let done = format!("{sender}<key>Status</key><string>Acknowledged</string>");
    assert_eq!(check(&done, Some("EraseDevice")), []);
    assert_eq!(check(&done, None), []);
    assert_eq!(
        check("<key>Status</key><string>Exploded</string>", None),
        [
            found("Status", Rule::Enum),
            found("CommandUUID", Rule::Required),
            found("", Rule::Required)
        ]
    );
    let novel = format!("{done}<key>Novel</key><true/>");
    assert_eq!(
        check(&novel, Some("EraseDevice")),
        [found("Novel", Rule::UnknownKey)]
    );
    assert_eq!(check(&novel, None), []);
    assert_eq!(
        check(&done, Some("BeamUp")),
        [found("RequestType", Rule::Enum)]
    );
    let wrong = format!(
        "{done}<key>QueryResponses</key><dict><key>IsSupervised</key><string>x</string>
         <key>DeviceCapacity</key><real>much</real><key>Novel</key><true/></dict>"
    );
    assert_eq!(
        check(&wrong, Some("DeviceInformation")),
        [
            found("QueryResponses.DeviceCapacity", Rule::Type),
            found("QueryResponses.IsSupervised", Rule::Type),
            found("QueryResponses.Novel", Rule::UnknownKey)
        ]
    );
    // A failed command has no result, and nobody misses it; a device that waits has none at all.
    let failed = format!("{sender}<key>Status</key><string>Error</string>");
    assert_eq!(check(&failed, Some("DeviceInformation")), []);
    let waiting =
        format!("{sender}<key>Status</key><string>NotNow</string><key>Novel</key><true/>");
    assert_eq!(
        check(&waiting, Some("DeviceInformation")),
        [found("Novel", Rule::UnknownKey)]
    );
}

#[test]
fn each_setting_has_a_result() {
    let done = "<key>Item</key><string>DeviceName</string>\
        <key>Status</key><string>Acknowledged</string>";
    let failed = "<key>Status</key><string>Error</string><key>Identifier</key>\
        <string>com.example.app</string><key>ErrorChain</key><array><dict><key>ErrorCode</key>\
        <integer>7</integer></dict><true/></array>";
    let results = |settings: &str| {
        let report = envelope(&format!(
            "<key>Status</key><string>Acknowledged</string>{settings}"
        ));
        let (body, findings) = report.body_and_findings::<SettingsResponse>().unwrap();
        assert_eq!(findings, []);
        body.results()
    };
    let many = results(&format!(
        "<key>Settings</key><array><dict>{done}</dict><true/><dict>{failed}</dict></array>"
    ));
    assert_eq!(many.len(), 2);
    assert_eq!(many[0].item.as_deref(), Some("DeviceName"));
    assert_eq!(many[0].status, Some(Status::Acknowledged));
    assert_eq!(many[1].identifier.as_deref(), Some("com.example.app"));
    assert_eq!(many[1].error_chain[0].error_code, Some(7));
    assert_eq!(many[1].error_chain.len(), 1);
    let one = results(&format!("<key>Settings</key><dict>{done}</dict>"));
    assert_eq!(one, many[..1]);
    assert_eq!(results(""), []);
    assert_eq!(results("<key>Settings</key><true/>"), []);
}

/// iOS 11.3 writes `IsDownloaded` like this.
#[test]
fn booleans_that_are_written_as_numbers_are_read_and_written_back_as_they_came() {
    let report = envelope(
        "<key>CommandUUID</key><string>C</string><key>Status</key><string>Acknowledged</string>
         <key>OSUpdateStatus</key><array>
           <dict><key>IsDownloaded</key><integer>1</integer></dict>
           <dict><key>IsDownloaded</key><integer>0</integer></dict>
           <dict><key>IsDownloaded</key><integer>7</integer></dict></array>",
    );
    let (body, findings) = report
        .body_and_findings::<OsUpdateStatusResponse>()
        .unwrap();
    let downloaded: Vec<_> = body
        .os_update_status
        .iter()
        .flatten()
        .map(|update| update.is_downloaded)
        .collect();
    assert_eq!(downloaded, [Some(true), Some(false), None]);
    let severities: Vec<_> = findings.iter().map(|finding| finding.severity).collect();
    let number = Severity::Warning;
    assert_eq!(severities, [number, number, Severity::Error]);

    let mut keys = report.dictionary().unwrap();
    keys.retain(|key, _| key == "OSUpdateStatus");
    let written = body.write_over(keys.clone());
    assert_eq!(written, keys);
    let Some(Value::Array(updates)) = keys.get_mut("OSUpdateStatus") else {
        panic!("{keys:?}");
    };
    updates.pop();
    let strict = OsUpdateStatusResponse::from_dictionary(&keys);
    assert!(strict.is_ok(), "{strict:?}");
}

use mdm_protocol::{
    Error,
    enroll::{MAX_DEVICE_INFO_BYTES, MachineInfo, device_info},
};

use crate::{UDID, plist};

#[test]
fn machine_info_is_read_and_written_with_its_capital_keys() {
    let info = MachineInfo::decode(&plist(&format!(
        "<key>IMEI</key><string>1</string><key>LANGUAGE</key><string>en</string>
         <key>MDM_CAN_REQUEST_SOFTWARE_UPDATE</key><true/>
         <key>OS_VERSION</key><string>18.1</string><key>PRODUCT</key><string>iPhone14,2</string>
         <key>SERIAL</key><string>F4GXX</string>
         <key>SOFTWARE_UPDATE_DEVICE_ID</key><string>iPhone14,2</string>
         <key>PAIRING_TOKEN</key><data>AQI=</data>
         <key>UDID</key><string>{UDID}</string><key>VERSION</key><string>22B83</string>
         <key>NOVEL</key><array/>"
    )))
    .unwrap();
    assert_eq!(info.udid.as_ref().unwrap().as_str(), UDID);
    assert_eq!(info.os_version.as_deref(), Some("18.1"));
    assert_eq!(info.mdm_can_request_software_update, Some(true));
    assert_eq!(MachineInfo::decode(&info.to_xml().unwrap()).unwrap(), info);
}

#[test]
fn machine_info_is_read_for_what_it_says() {
    let info = MachineInfo::decode(&plist(
        "<key>PRODUCT</key><string>iPhone14,2</string><key>UDID</key><string></string>
         <key>SERIAL</key><string></string><key>IMEI</key><integer>351234567890123</integer>
         <key>OS_VERSION</key><real>17.4</real><key>LANGUAGE</key><array/>
         <key>MDM_CAN_REQUEST_SOFTWARE_UPDATE</key><integer>1</integer>
         <key>MDM_CAN_REQUEST_PSSO_CONFIG</key><integer>0</integer>",
    ))
    .unwrap();
    assert_eq!(
        (&info.udid, &info.serial, &info.language),
        (&None, &None, &None)
    );
    assert_eq!(info.imei.as_deref(), Some("351234567890123"));
    assert_eq!(info.os_version.as_deref(), Some("17.4"));
    assert_eq!(info.mdm_can_request_software_update, Some(true));
    assert_eq!(info.mdm_can_request_psso_config, Some(false));
}

#[test]
fn the_attributes_of_over_the_air_enrolment_are_known() {
    for challenge in ["<string>once</string>", "<data>b25jZQ==</data>"] {
        let document: mdm_plist::Dictionary = mdm_plist::from_slice(&plist(&format!(
            "<key>CHALLENGE</key>{challenge}<key>DEVICE_NAME</key><string>n</string>
             <key>ICCID</key><string>8901</string>
             <key>MAC_ADDRESS_EN0</key><string>00:11:22:33:44:55</string>
             <key>NotOnConsole</key><false/><key>UserID</key><string>U</string>
             <key>UserLongName</key><string>L</string><key>UserShortName</key><string>s</string>
             <key>PRODUCT</key><string>Mac14,2</string><key>SERIAL</key><string>S</string>
             <key>UDID</key><string>{UDID}</string><key>VERSION</key><string>22B83</string>"
        )))
        .unwrap();
        let kept = mdm_plist::Kept::<MachineInfo>::from_dictionary(document).unwrap();
        assert_eq!(kept.unknown(), []);
        let info = kept.value;
        assert_eq!(info.challenge.as_ref().unwrap().expose(), b"once");
        assert!(!format!("{info:?}").contains("once"));
        assert_eq!(MachineInfo::decode(&info.to_xml().unwrap()).unwrap(), info);
    }
}

#[test]
fn a_list_that_says_nothing_about_a_device_is_no_machine_info() {
    let error = MachineInfo::decode(&plist("<key>LANGUAGE</key><string>en</string>"));
    assert!(matches!(error, Err(Error::Missing("PRODUCT"))));
    let large = plist(&format!(
        "<key>PRODUCT</key><string>{}</string>",
        "x".repeat(MAX_DEVICE_INFO_BYTES)
    ));
    assert!(matches!(MachineInfo::decode(&large), Err(Error::Plist(_))));
}

#[test]
fn q05_device_info_is_read_in_every_form_of_base64() {
    let bytes = [0xFB, 0xEF, 0xFE, 0xFF, 0x00];
    for text in [
        "++/+/wA=",
        "++/+/wA",
        "--_-_wA=",
        "--_-_wA",
        " ++/+/wA=\r\n",
        "++/+\r\n\t/wA=",
        "%2B%2B%2F%2B%2FwA%3D",
        "%2b%2b/%2B/wA",
        // What form decoding makes of plus signs.
        "+ / /wA=",
    ] {
        assert_eq!(device_info(text).unwrap(), bytes, "{text:?}");
    }
}

#[test]
fn what_is_no_base64_is_refused_and_the_length_is_bounded() {
    for text in [
        "",
        "  ",
        "%",
        "%2",
        "%zz",
        "a%00b",
        "%FF%FE",
        "not base64!",
        "A",
    ] {
        assert!(
            matches!(device_info(text), Err(Error::Base64(_))),
            "{text:?}"
        );
    }
    let long = "A".repeat(MAX_DEVICE_INFO_BYTES + 4);
    assert!(matches!(device_info(&long), Err(Error::TooLarge { .. })));
    let escaped = "%41".repeat(MAX_DEVICE_INFO_BYTES + 4);
    assert!(matches!(device_info(&escaped), Err(Error::TooLarge { .. })));
}

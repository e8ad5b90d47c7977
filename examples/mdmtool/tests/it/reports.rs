//! Reports on commands.

use serde_json::json;

use crate::{decode, findings, fixtures::plist, found, kind_and_type, kinds::UDID, refusal};

#[test]
fn responses_are_told_and_their_command_guessed() {
    let report = |more: &str| {
        plist(&format!(
            "<key>CommandUUID</key><string>C</string><key>Status</key><string>Acknowledged</string>
             {UDID}{more}"
        ))
    };
    let told = decode(
        &[],
        &report(
            "<key>QueryResponses</key><dict><key>OSVersion</key><string>18.2</string>
             <key>Novel</key><true/></dict>",
        ),
    );
    assert_eq!(kind_and_type(&told), ("response", "DeviceInformation"));
    assert_eq!(told["unknown_keys"], json!(["QueryResponses.Novel"]));
    assert_eq!(findings(&told), []);
    for (key, name) in [
        ("SecurityInfo", "SecurityInfo"),
        ("InstalledApplicationList", "InstalledApplicationList"),
        ("ProfileList", "ProfileList"),
        ("AvailableOSUpdates", "AvailableOSUpdates"),
    ] {
        let told = decode(&[], &report(&format!("<key>{key}</key><array/>")));
        assert_eq!(kind_and_type(&told), ("response", name));
    }
    assert_eq!(
        kind_and_type(&decode(&[], &report(""))),
        ("response", "null")
    );
    let named = decode(&["--as", "response/RestartDevice"], &report(""));
    assert_eq!(kind_and_type(&named), ("response", "RestartDevice"));
    let own = report("<key>RequestType</key><string>UserList</string>");
    assert_eq!(kind_and_type(&decode(&[], &own)), ("response", "UserList"));
}

#[test]
fn a_response_that_cannot_be_settled_or_decoded_is_told_with_its_faults() {
    let told = |keys: &str| findings(&decode(&[], &plist(keys)));
    assert_eq!(
        told(&format!("<key>Status</key><string>Idle</string>{UDID}")),
        []
    );
    assert_eq!(
        told("<key>Status</key><string>Exploded</string>"),
        [
            found("Status", "enum"),
            found("CommandUUID", "required"),
            found("", "required")
        ]
    );
    let wrong = "<key>QueryResponses</key><dict><key>IsSupervised</key><string>x</string></dict>";
    let uuid = "<key>CommandUUID</key><string>C</string>";
    let faulty = format!("<key>Status</key><string>Acknowledged</string>{uuid}{UDID}{wrong}");
    assert_eq!(
        told(&faulty),
        [found("QueryResponses.IsSupervised", "type")]
    );
    let none = format!(
        "<key>Status</key><string>Acknowledged</string>{uuid}{UDID}
        <key>RequestType</key><string>DeviceInformation</string>"
    );
    assert_eq!(told(&none), []);
    assert_eq!(told(&none.replace("Acknowledged", "Error")), []);
    let idle = format!("<key>Status</key><string>Idle</string>{UDID}<key>Novel</key><true/>");
    assert_eq!(decode(&[], &plist(&idle))["unknown_keys"], json!(["Novel"]));
}

#[test]
fn misspelt_keys_in_the_answers_to_lom_requests_are_found() {
    let told = |list: &str, answers: &str| {
        decode(
            &[],
            &plist(&format!(
                "<key>Status</key><string>Acknowledged</string>
                 <key>CommandUUID</key><string>C</string>{UDID}
                 <key>{list}</key><array>{answers}</array>"
            )),
        )
    };
    let right = "<dict><key>DeviceRequestUUID</key><string>1</string>
        <key>DeviceRequestSuccess</key><false/>
        <key>DeviceRequestReturnError</key><string>e</string></dict>";
    assert_eq!(findings(&told("ResponseList", right)), []);
    let wrong = right.replace("RequestSuccess", "RequestSuces");
    let misspelt = told("ResponseData", &format!("{right}{wrong}<true/>"));
    assert_eq!(kind_and_type(&misspelt), ("response", "LOMDeviceRequest"));
    assert_eq!(
        findings(&misspelt),
        [
            found("ResponseData", "unknown-key"),
            found("ResponseData[1].DeviceRequestSuccess", "required"),
            found("ResponseData[1].DeviceRequestSuces", "unknown-key"),
            found("ResponseData[2]", "type"),
        ]
    );
    assert_eq!(
        misspelt["unknown_keys"],
        json!(["ResponseData", "ResponseData[1].DeviceRequestSuces"])
    );
}

#[test]
fn a_response_without_a_status_is_told_with_that_fault() {
    let told = decode(
        &[],
        &plist("<key>CommandUUID</key><string>C</string><key>SecurityInfo</key><dict/>"),
    );
    assert_eq!(kind_and_type(&told), ("response", "SecurityInfo"));
    assert_eq!(findings(&told), [found("Status", "required")]);
    let told = decode(
        &[],
        &plist("<key>CommandUUID</key><string>C</string><key>Status</key><integer>1</integer>"),
    );
    assert_eq!(kind_and_type(&told), ("response", "null"));
    assert_eq!(findings(&told), [found("Status", "type")]);
    let told = decode(
        &[],
        &plist(&format!(
            "{UDID}<key>CommandUUID</key><string>C</string>
             <key>RequestType</key><string>DeviceLock</string><key>ErrorChain</key><array/>"
        )),
    );
    assert_eq!(kind_and_type(&told), ("response", "DeviceLock"));
    assert_eq!(findings(&told), [found("Status", "required")]);
    refusal(
        &["decode", "-", "--as", "response"],
        &plist("<key>a</key><true/>"),
    );
}

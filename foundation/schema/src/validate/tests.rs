use super::*;
use crate::fixture::{COMBINED, COMMAND, PAYLOAD, SINGLE, STATUS};

/// A dictionary with the entries of this XML.
fn entries(xml: &str) -> Dictionary {
    mdm_plist::from_slice(format!("<dict>{xml}</dict>").as_bytes()).unwrap()
}

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

fn said(findings: Vec<Finding>) -> Vec<String> {
    findings.iter().map(Finding::to_string).collect()
}

/// What is said about a command that has the required key and these entries.
fn command(on: Option<&str>, xml: &str) -> Vec<String> {
    let keys = entries(&format!("<key>Name</key><string>x</string>{xml}"));
    said(validate(&COMMAND, &keys, on.map(target).as_ref()))
}

#[test]
fn a_document_within_its_schema_gives_no_finding() {
    let keys = "<key>Mode</key><string>Slow</string><key>Count</key><integer>10</integer>\
        <key>Ratio</key><real>1.5</real><key>Address</key><string>00:1b:63:84:45:E6</string>\
        <key>Link</key><string>https://example.com/a</string><key>Pin</key><string>0000</string>\
        <key>Quietly</key><true/><key>When</key><date>2026-01-01T00:00:00Z</date>\
        <key>Blob</key><data>AQID</data><key>Anything</key><array><true/></array>\
        <key>Free</key><dict><key>a</key><integer>1</integer></dict>\
        <key>Pair</key><array><string>a</string><string>b</string></array>\
        <key>Settings</key><array><dict><key>Item</key><string>Roaming</string><key>Enabled</key>\
        <false/></dict><dict><key>Item</key><string>Banner</string></dict></array>\
        <key>Apps</key><dict><key>com.example</key><dict><key>Version</key><integer>1</integer>\
        </dict></dict><key>Folder</key><dict><key>Folder</key><dict><key>Title</key><string>t\
        </string></dict></dict>";
    assert_eq!(command(None, keys), [""; 0]);
    assert_eq!(command(Some("ios:16.1,supervised"), keys), [""; 0]);
}

#[test]
fn values_of_another_type_are_named() {
    for (key, value, said) in [
        ("Name", "<true/>", "error: Name: is not a string (type)"),
        (
            "Quietly",
            "<integer>2</integer>",
            "error: Quietly: is not a boolean (type)",
        ),
        (
            "Quietly",
            "<integer>1</integer>",
            "warning: Quietly: is an integer, not a boolean (type)",
        ),
        (
            "Count",
            "<string>1</string>",
            "error: Count: is not an integer (type)",
        ),
        (
            "Count",
            "<real>1.5</real>",
            "error: Count: is not an integer (type)",
        ),
        (
            "Count",
            "<real>2.0</real>",
            "warning: Count: is a real, not an integer (type)",
        ),
        ("Ratio", "<true/>", "error: Ratio: is not a number (type)"),
        (
            "When",
            "<string>2026-01-01T00:00:00Z</string>",
            "error: When: is not a date (type)",
        ),
        (
            "Blob",
            "<string>AQID</string>",
            "error: Blob: is not data (type)",
        ),
        ("Pair", "<dict/>", "error: Pair: is not an array (type)"),
        (
            "Free",
            "<array/>",
            "error: Free: is not a dictionary (type)",
        ),
        (
            "Pair",
            "<array><string>a</string><true/></array>",
            "error: Pair[1]: is not a string (type)",
        ),
    ] {
        let found = command(None, &format!("<key>{key}</key>{value}"));
        assert_eq!(found, [said]);
    }
    assert_eq!(
        command(None, "<key>Ratio</key><integer>0</integer>"),
        [""; 0]
    );
}

#[test]
fn json_writes_data_and_dates_as_text() {
    let stamp = |text| entries(&format!("<key>Stamp</key><string>{text}</string>"));
    assert!(validate(&COMBINED, &stamp("2026-01-01T01:00:00+01:00"), None).is_empty());
    assert_eq!(
        said(validate(&COMBINED, &stamp("today"), None)),
        ["error: Stamp: is not a date (type)"]
    );
}

#[test]
fn values_have_to_be_allowed_in_range_and_in_format() {
    for (xml, said) in [
        (
            "<key>Mode</key><string>fast</string>",
            "error: Mode: \"fast\" is none of \"Fast\", \"Slow\", \"Silent\" (enum)",
        ),
        (
            "<key>Pin</key><string>1234</string>",
            "error: Pin: is none of the allowed values (enum)",
        ),
        (
            "<key>Ratio</key><real>1.4</real>",
            "error: Ratio: 1.4 is none of 0, 1.5 (enum)",
        ),
        (
            "<key>Count</key><integer>0</integer>",
            "error: Count: is not between 1 and 10 (range)",
        ),
        (
            "<key>Address</key><string>00:1b</string>",
            "error: Address: is not in its format (format)",
        ),
        (
            "<key>Link</key><string>example</string>",
            "warning: Link: is not a URL (format)",
        ),
        (
            "<key>Pair</key><array><string>a</string></array>",
            "error: Pair: has 1 elements, not 2 (range)",
        ),
    ] {
        assert_eq!(command(None, xml), [said]);
    }
    let long = format!("<key>Mode</key><string>{}</string>", "x".repeat(65));
    assert_eq!(
        command(None, &long),
        ["error: Mode: is none of \"Fast\", \"Slow\", \"Silent\" (enum)"]
    );
}

#[test]
fn a_required_key_is_asked_for_where_the_target_has_it() {
    let none = Dictionary::new();
    let missing = |on: Option<&str>| said(validate(&COMMAND, &none, on.map(target).as_ref()));
    let name = "error: Name: is missing (required)";
    assert_eq!(missing(None), [name]);
    assert_eq!(missing(Some("ios:17")), [name]);
    let mac_only = "error: MacOnly: is missing (required)";
    assert_eq!(missing(Some("macos:14")), [name, mac_only]);
}

#[test]
fn keys_that_nobody_knows_are_warnings() {
    assert_eq!(
        command(
            None,
            "<key>Nmae</key><string>x</string><key>Apps</key><dict><key>a</key><dict>\
            <key>Version</key><integer>1</integer><key>Beta</key><true/></dict></dict>"
        ),
        [
            "warning: Apps.a.Beta: is not known (unknown-key)",
            "warning: Nmae: is not known (unknown-key)",
        ]
    );
    assert_eq!(
        command(None, "<key>RequestType</key><string>DoTest</string>"),
        [""; 0]
    );
}

#[test]
fn alternatives_are_told_apart_by_their_item() {
    let setting = |xml: &str| {
        let xml = format!("<key>Settings</key><array><dict>{xml}</dict></array>");
        command(Some("ios:17"), &xml)
    };
    assert_eq!(
        setting(""),
        ["error: Settings[0].Item: is missing (required)"]
    );
    assert_eq!(
        setting("<key>Item</key><string>Wifi</string>"),
        ["error: Settings[0].Item: \"Wifi\" is none of the alternatives (enum)"]
    );
    assert_eq!(
        setting("<key>Item</key><string>Roaming</string>"),
        ["error: Settings[0].Enabled: is missing (required)"]
    );
    assert_eq!(
        setting("<key>Item</key><string>Banner</string>"),
        ["error: Settings[0]: needs supervision (supervision)"]
    );
    assert_eq!(
        command(None, "<key>Settings</key><array><true/></array>"),
        ["error: Settings[0]: is not a dictionary (type)"]
    );
}

#[test]
fn a_target_that_lacks_something_is_told_once() {
    let old = "<key>Old</key><dict><key>Inner</key><true/></dict>";
    for (on, found) in [
        ("ios:16.2,supervised", &[][..]),
        ("ios:16.2", &["error: Old: needs supervision (supervision)"]),
        (
            "ios:16.1,supervised",
            &["error: Old.Inner: needs iOS 16.2 (not-available)"],
        ),
        (
            "ios:17,supervised",
            &["warning: Old: deprecated since iOS 17.0 (deprecated)"],
        ),
        ("ios:26", &["error: Old: removed in iOS 26.0 (removed)"]),
        ("ios:12", &["error: needs iOS 16.0 (not-available)"]),
        ("tvos:18", &["error: not available on tvOS (not-available)"]),
    ] {
        assert_eq!(command(Some(on), old), found, "{on}");
    }
}

#[test]
fn values_are_checked_for_the_target_too() {
    let silent = "<key>Mode</key><string>Silent</string>";
    assert_eq!(
        command(Some("ios:17"), silent),
        ["error: Mode: needs iOS 18.0 (not-available)"]
    );
    assert_eq!(
        command(Some("ios:18"), silent),
        ["error: Mode: needs supervision (supervision)"]
    );
    assert_eq!(command(None, silent), [""; 0]);
}

#[test]
fn what_devices_leave_out_is_a_warning() {
    let list = entries(
        "<key>test.list</key><array><dict><key>identifier</key><string>a</string></dict></array>",
    );
    let found = said(validate_value(
        &STATUS,
        list.get("test.list").unwrap(),
        None,
    ));
    let missing = ["warning: test.list[0].state: is missing (required)"];
    assert_eq!(found, missing);
    assert_eq!(said(validate(&STATUS, &list, None)), missing);
}

#[test]
fn an_entry_that_is_removed_needs_its_identifier_only() {
    let removed = |xml: &str| {
        let list =
            format!("<key>test.list</key><array><dict><key>_removed</key>{xml}</dict></array>");
        said(validate(&STATUS, &entries(&list), None))
    };
    assert_eq!(
        removed("<true/><key>identifier</key><string>a</string>"),
        [""; 0]
    );
    assert_eq!(
        removed("<true/>"),
        ["warning: test.list[0].identifier: is missing (required)"]
    );
    assert_eq!(removed("<false/>").len(), 2);
}

#[test]
fn a_status_item_of_another_type_is_named() {
    assert_eq!(
        said(validate_value(&STATUS, &Value::Boolean(true), None)),
        ["error: test.list: is not an array (type)"]
    );
}

#[test]
fn a_second_document_of_its_type_may_be_one_too_many() {
    let none = Dictionary::new();
    let two = [(&PAYLOAD, &none), (&COMMAND, &none), (&PAYLOAD, &none)];
    let found = validate_together(&two, Some(&target("ios:18")));
    assert_eq!(
        said(found),
        [
            "error: [2]: is not the only one of its type, and only one may be there (single-instance)"
        ]
    );
    assert!(validate_together(&two, Some(&target("macos:14"))).is_empty());
    assert!(validate_together(&two, None).is_empty());
    let declarations = [(&SINGLE, &none), (&SINGLE, &none)];
    assert_eq!(
        validate_together(&declarations, None)[0].rule,
        Rule::SingleInstance
    );
}

#[test]
fn declarations_that_do_not_combine_are_named() {
    let first = entries(
        "<key>Force</key><true/><key>Page</key><string>a</string>\
        <key>Custom</key><dict><key>Regex</key><string>a</string></dict>",
    );
    let second = entries(
        "<key>Force</key><false/><key>Page</key><string>b</string>\
        <key>Custom</key><dict><key>Regex</key><string>b</string></dict>",
    );
    assert_eq!(
        said(validate_together(
            &[(&COMBINED, &first), (&COMBINED, &second)],
            None
        )),
        [
            "info: [1].Page: differs from another declaration, and one counts (combine-type)",
            "warning: [1].Custom.Regex: is set differently by another declaration (combine-type)",
        ]
    );
    assert!(validate_together(&[(&COMBINED, &first), (&COMBINED, &first)], None).is_empty());
}

#[test]
fn a_flood_of_mistakes_is_cut() {
    let keys = (0..5000).map(|index| (format!("Key{index}"), Value::Boolean(true)));
    let found = validate(&COMMAND, &keys.collect(), None);
    assert_eq!(found.len(), crate::record::MAX_FINDINGS);
}

#[test]
#[allow(unreachable_pub)] // The macro's types are public.
fn a_typed_document_is_checked_as_it_is_written() {
    crate::record! {
        /// A typed form of the command.
        pub struct DoTest {
            required { name: String = "Name", }
            optional { count: i64 = "Count", }
        }
    }
    crate::item!(DoTest = COMMAND);

    let typed = DoTest::new("x");
    assert!(validate_item(&typed, None).is_empty());
    let typed = typed.with(|typed| typed.count = Some(11));
    assert_eq!(
        said(validate_item(&typed, Some(&target("ios:17")))),
        ["error: Count: is not between 1 and 10 (range)"]
    );
}

#[test]
fn nesting_is_followed_to_a_limit() {
    let mut folder = Dictionary::new();
    for _ in 0..2 * MAX_DEPTH {
        let inner = Value::Dictionary(std::mem::take(&mut folder));
        folder.insert("Folder".into(), inner);
    }
    let found = validate(&COMMAND, &folder, Some(&target("ios:17")));
    assert_eq!(found.len(), 2);
    assert_eq!(
        (found[1].rule, found[1].message.as_ref()),
        (Rule::Range, "is nested too deep")
    );
}

#[test]
fn a_very_long_text_is_not_matched() {
    let key = crate::walk::named(COMMAND.keys, "Address").unwrap();
    let log = Log::default();
    format::check(key, &"0".repeat(1 << 20).into(), &Place::root(&log));
    assert_eq!(log.into_findings().len(), 1);
}

#[test]
fn secrets_are_never_quoted() {
    let secret = "hunter2-hunter2";
    let xml =
        format!("<key>Pin</key><string>{secret}</string><key>Link</key><string>{secret}</string>");
    let found = command(None, &xml);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|finding| !finding.contains(secret)));
}

#[test]
fn keys_that_apple_lists_elsewhere_are_known_and_checked() {
    let applayer = entries(
        "<key>VPNUUID</key><string>x</string><key>VPNType</key><string>VPN</string>\
         <key>VPNSubType</key><string>com.example.vpn</string><key>UserDefinedName</key><true/>\
         <key>VendorConfig</key><dict><key>Group</key><integer>1</integer><key>Own</key><true/>\
         </dict><key>Odd</key><true/>",
    );
    assert_eq!(
        said(validate(&payload::APP_LAYER_VPN, &applayer, None)),
        [
            "error: UserDefinedName: is not a string (type)",
            "error: VendorConfig.Group: is not a string (type)",
            "warning: Odd: is not known (unknown-key)",
        ]
    );
    let tunnel = entries(
        "<key>UserDefinedName</key><string>x</string><key>VPNType</key><string>AlwaysOn</string>\
         <key>AlwaysOn</key><dict>\
         <key>TunnelConfigurations</key><array><dict><key>ProtocolType</key><string>IKEv2</string>\
         <key>RemoteAddress</key><true/><key>LocalIdentifier</key><string>x</string>\
         <key>Odd</key><true/></dict></array></dict>",
    );
    assert_eq!(
        said(validate(&payload::VPN, &tunnel, None)),
        [
            "error: AlwaysOn.TunnelConfigurations[0].RemoteAddress: is not a string (type)",
            "error: AlwaysOn.TunnelConfigurations[0].RemoteIdentifier: is missing (required)",
            "error: AlwaysOn.TunnelConfigurations[0].AuthenticationMethod: is missing (required)",
            "warning: AlwaysOn.TunnelConfigurations[0].Odd: is not known (unknown-key)",
        ]
    );
}

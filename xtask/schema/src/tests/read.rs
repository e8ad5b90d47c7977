use super::{checkout, command, document, key, read_checkout, refused, schema};
use crate::ir::{Kind, Literal, ValueType};
use crate::stats::stats;

#[test]
fn a_list_that_leads_back_to_itself_is_one_list() {
    let schema = command(
        "- key: Icons
  type: <array>
  subkeys: &icons
  - key: Icon
    type: <dictionary>
    subkeys:
    - {key: Name, type: <string>}
    - {key: Folder, type: <array>, subkeys: *icons}
",
    );
    let icons = key(&schema, "Icons").keys;
    assert!(icons.is_some());
    assert_eq!(key(&schema, "Icons/Icon/Folder").keys, icons);
    // Icons, Icon, Name, Folder, and Icon once more where the list leads back.
    assert_eq!(stats(&schema).unwrap().1, 5);
}

#[test]
fn each_use_of_a_shared_list_counts() {
    let schema = command(
        "- {key: A, type: <dictionary>, subkeys: &a [{key: X, type: <any>}, {key: Y, type: <any>}]}
- {key: B, type: <dictionary>, subkeys: *a}
",
    );
    assert_eq!(key(&schema, "A").keys, key(&schema, "B").keys);
    assert_eq!(stats(&schema).unwrap().1, 6);
}

#[test]
fn lists_that_multiply_each_other_or_pile_up_are_refused() {
    let chain = |levels: usize, names: &[&str]| {
        let mut keys =
            "- {key: L0, type: <array>, subkeys: &l0 [{key: E, type: <any>}]}\n".to_owned();
        for level in 1..levels {
            let below = level - 1;
            let inner = |name: &&str| format!("{{key: {name}, type: <array>, subkeys: *l{below}}}");
            let inner = names.iter().map(inner).collect::<Vec<_>>().join(", ");
            keys +=
                &format!("- {{key: L{level}, type: <dictionary>, subkeys: &l{level} [{inner}]}}\n");
        }
        keys
    };
    assert_eq!(
        refused(&chain(30, &["A", "B"])),
        "there are more than 1000000 keys"
    );
    assert_eq!(
        refused(&chain(2_000, &["A"])),
        "the key `A` lies deeper than 128"
    );
    command(&chain(100, &["A"]));
}

#[test]
fn versions_are_kept_as_they_are_written() {
    let schema = command(
        "- key: A
  type: <any>
  supportedOS:
    iOS: {introduced: '0'}
    macOS: {introduced: n/a}
    tvOS: {introduced: all, deprecated: 4.2.6}
",
    );
    let said = key(&schema, "A").support.iter();
    let said = said.map(|s| {
        (
            s.platform.as_str(),
            s.introduced.as_deref(),
            s.deprecated.as_deref(),
        )
    });
    assert!(said.eq([
        ("iOS", Some("0"), None),
        ("macOS", Some("n/a"), None),
        ("tvOS", Some("all"), Some("4.2.6")),
    ]));
}

#[test]
fn alternatives_are_elements_of_one_array() {
    let schema = command(
        "- key: Settings
  type: <array>
  subkeys:
  - key: Wallpaper
    type: <dictionary>
    subkeys:
    - {key: Item, type: <string>, rangelist: [Wallpaper]}
  - {key: Other, type: <dictionary>}
",
    );
    let list = key(&schema, "Settings").keys.unwrap();
    assert_eq!(schema[list].len(), 2);
    assert_eq!(key(&schema, "Settings/Wallpaper/Item").allowed.len(), 1);
}

#[test]
fn keys_below_a_text_are_its_values_with_an_availability_of_their_own() {
    let schema = command(
        "- key: Queries
  type: <array>
  subkeys:
  - key: Query
    type: <string>
    subkeys:
    - {key: UDID, type: <string>, supportedOS: {iOS: {introduced: '4.0'}}}
    - {key: Model, type: <string>}
",
    );
    let query = key(&schema, "Queries/Query");
    assert!(query.allowed_are_keys && query.keys.is_none());
    let said = query
        .allowed
        .iter()
        .map(|choice| (choice.value.clone(), choice.support.len()));
    assert!(said.eq([
        (Literal::String("UDID".into()), 1),
        (Literal::String("Model".into()), 0),
    ]));
    assert_eq!(stats(&schema).unwrap().1, 4);
}

#[test]
fn a_key_that_says_nothing_of_its_presence_is_optional() {
    let schema =
        command("- {key: A, type: <string>}\n- {key: B, type: <real>, presence: required}\n");
    assert!(!key(&schema, "A").required);
    assert!(key(&schema, "B").required);
    assert_eq!(key(&schema, "B").value, ValueType::Real);
}

#[test]
fn odd_names_are_names() {
    let schema = command(
        "- {key: Allow Some (new).thing-2, type: <any>, subkeytype: Some Thing}
- {key: '5', type: <any>}
- {key: ANY app identifier, type: <any>}
- {key: ANYTHING, type: <any>}
",
    );
    let odd = key(&schema, "Allow Some (new).thing-2");
    assert_eq!(odd.structure, "Some Thing");
    assert!(key(&schema, "ANY app identifier").wildcard);
    assert!(!key(&schema, "ANYTHING").wildcard);
    assert!(!key(&schema, "5").wildcard);
}

#[test]
fn values_are_of_their_keys_type() {
    let schema = command(
        "- {key: A, type: <real>, rangelist: [1.5, 2]}
- {key: B, type: <string>, default: '1'}
- {key: C, type: <integer>, range: {min: -1}, repetition: {min: 0, max: 3}}
",
    );
    let values = key(&schema, "A")
        .allowed
        .iter()
        .map(|choice| choice.value.clone());
    assert!(values.eq([Literal::Real(1.5), Literal::Real(2.0)]));
    assert_eq!(key(&schema, "B").default, Some(Literal::String("1".into())));
    assert_eq!(key(&schema, "C").range, Some((Some(-1.0), None)));
    assert_eq!(key(&schema, "C").repetition, Some((0, 3)));
}

#[test]
fn whatever_is_unknown_is_refused_with_file_and_line_and_key() {
    for (keys, reason) in [
        (
            "{key: A, type: <any>, colour: red}",
            "the key `A` has an unknown attribute `colour`",
        ),
        (
            "{key: A, type: <text>}",
            "the key `A` has an unknown `type`: `<text>`",
        ),
        ("{key: A}", "the key `A` has no `type`"),
        ("{type: <any>}", "a key has no `key`"),
        ("[A]", "a key is not a map"),
        (
            "{key: A, type: <any>, presence: perhaps}",
            "the key `A` has an unknown `presence`: `perhaps`",
        ),
        (
            "{key: A, type: <integer>, default: '1'}",
            "the key `A` names a value that is not of its type",
        ),
        (
            "{key: A, type: <string>, rangelist: [true]}",
            "the key `A` names a value that is not of its type",
        ),
        (
            "{key: A, type: <any>, supportedOS: {BeOS: {}}}",
            "`supportedOS` has an unknown system `BeOS`",
        ),
        (
            "{key: A, type: <any>, supportedOS: {iOS: {introduced: soon}}}",
            "`supportedOS/iOS` has a `introduced` that is no version: `soon`",
        ),
        (
            "{key: A, type: <any>, supportedOS: {iOS: {removed: 1.2.3.4}}}",
            "`supportedOS/iOS` has a `removed` that is no version: `1.2.3.4`",
        ),
        (
            "{key: A, type: <any>, supportedOS: {iOS: {allowed-scopes: [all]}}}",
            "`supportedOS/iOS` has an unknown value in `allowed-scopes`: `all`",
        ),
        (
            "{key: A, type: <any>, supportedOS: {iOS: {userenrollment: {manner: odd}}}}",
            "`userenrollment` has an unknown attribute `manner`",
        ),
        (
            "{key: A, type: <integer>, subkeys: [{key: B, type: <any>}]}",
            "the key `A` has keys below a single value",
        ),
        (
            "{key: A, type: <string>, subkeys: [{key: B, type: <integer>}]}",
            "the value `B` is no text",
        ),
    ] {
        let reason = format!("mdm/commands/some.yaml:6: {reason}");
        assert_eq!(
            refused(&format!("- {{key: Z, type: <any>}}\n- {keys}\n")),
            reason
        );
    }
    let twice = refused("- {key: A, type: <any>}\n- {key: A, type: <any>}\n");
    assert_eq!(
        twice,
        "mdm/commands/some.yaml:6: the key `A` stands there twice"
    );
}

#[test]
fn prose_and_examples_are_read_over() {
    let schema = command(
        "- {key: A, type: <any>, content: Words.}
notes: [{title: A, content: B}]
examples: {a: 1}
",
    );
    assert_eq!(stats(&schema).unwrap().1, 1);
}

#[test]
fn files_that_share_a_name_are_told_apart_by_their_stem() {
    let payload = |title: &str| format!("title: {title}\npayload:\n  payloadtype: com.apple.MCX\n");
    let (one, two) = (payload("One"), payload("Two"));
    let schema = schema(&[
        ("mdm/profiles/com.apple.MCX(WiFi)", one.as_str()),
        ("mdm/profiles/com.apple.MCX", two.as_str()),
        (
            "mdm/profiles/unlike",
            "title: T\npayload:\n  payloadtype: com.apple.other\n",
        ),
    ]);
    let ids = schema
        .documents
        .iter()
        .map(|document| (document.id.as_str(), document.name.as_str()));
    assert!(ids.eq([
        ("com.apple.MCX", "com.apple.MCX"),
        ("com.apple.MCX(WiFi)", "com.apple.MCX"),
        ("com.apple.other", "com.apple.other"),
    ]));
}

#[test]
fn documents_without_a_type_have_a_name_all_the_same() {
    let schema = schema(&[
        (
            "mdm/errors/some",
            "title: Error Some\npayload: {}\npayloadkeys:\n- key: code\n  type: <string>\n  \
             rangelist:\n  - com.apple.some\n",
        ),
        (
            "declarative/declarations/declarationbase",
            "title: DeclarationBase\npayload:\n  declarationtype: any\n",
        ),
        (
            "declarative/status/statusreason",
            "title: Status Reason\npayload:\n  declarationtype: status-reason\n",
        ),
    ]);
    assert_eq!(
        document(&schema, Kind::ErrorBody, "com.apple.some").title,
        "Error Some"
    );
    document(&schema, Kind::Protocol, "DeclarationBase");
    document(&schema, Kind::Protocol, "status-reason");
    let folder = checkout(&[("mdm/errors/some", "title: Some\npayload: {}\n")]);
    assert!(read_checkout(folder.path()).is_err());
}

#[test]
fn every_command_is_answered_and_check_ins_where_they_say_so() {
    let check_in = "title: T\npayload:\n  requesttype: A\n";
    let answered = "title: T\npayload:\n  requesttype: B\nresponsekeys:\n- key: X\n  type: <any>\n";
    let schema = schema(&[
        ("mdm/checkin/a", check_in),
        ("mdm/checkin/b", answered),
        ("mdm/commands/a", check_in),
    ]);
    let kinds = schema
        .documents
        .iter()
        .map(|document| (document.kind, document.id.as_str()));
    assert!(kinds.eq([
        (Kind::CheckIn, "A"),
        (Kind::CheckIn, "B"),
        (Kind::CheckInResponse, "B"),
        (Kind::Command, "A"),
        (Kind::Response, "A"),
    ]));
    let folder = checkout(&[(
        "mdm/profiles/a",
        &answered.replace("requesttype", "payloadtype"),
    )]);
    assert!(read_checkout(folder.path()).is_err());
}

#[test]
fn a_file_that_no_folder_explains_is_refused() {
    let folder = checkout(&[("mdm/novelties/a", "title: T\n")]);
    let reason = read_checkout(folder.path()).unwrap_err().to_string();
    assert_eq!(
        reason,
        "mdm/novelties/a.yaml: lies in no folder that says what it is"
    );
    let folder = checkout(&[("mdm/commands/a", "title: T\n")]);
    let reason = read_checkout(folder.path()).unwrap_err().to_string();
    assert_eq!(
        reason,
        "mdm/commands/a.yaml:1: the document has no `payload`"
    );
}

#[test]
fn the_checkouts_own_texts_are_none_of_ours() {
    let folder = checkout(&[("docs/schema", "title: T\n"), ("examples/mdm/a", "a: 1\n")]);
    std::fs::write(folder.path().join("mdm/README.md"), "# T\n").unwrap();
    assert!(read_checkout(folder.path()).unwrap().documents.is_empty());
    let nothing = tempfile::tempdir().unwrap();
    assert!(read_checkout(nothing.path()).is_err());
}

#[test]
fn apples_page_is_called_like_the_title() {
    let page = crate::read::page("Wi-Fi (802.1X) Command");
    assert!(page.ends_with("/devicemanagement/wifi8021xcommand"));
}

use serde_json::{Value, json};

use super::{checkout, command_text};
use crate::compare::{Report, compare};
use crate::overlay::Written;

const KEYS: &str = "- key: A
  type: <string>
  presence: required
  rangelist: [one]
  supportedOS: {iOS: {introduced: '0', allowed-scopes: []}}
- key: L
  type: <array>
  subkeys: &l
  - {key: E, type: <array>, subkeys: *l}
- key: Q
  type: <string>
  subkeys:
  - {key: UDID, type: <string>}
";

fn tables() -> Value {
    let key = |name: &str, of: &str| {
        json!({
            "name": name, "type": of, "wildcard": false, "title": "", "required": false, "secret": true,
            "allowed": [], "assetTypes": [], "assetContentTypes": [], "support": [], "structure": "",
            "keys": [],
        })
    };
    let (mut a, mut l, mut e, mut q) = (
        key("A", "string"),
        key("L", "array"),
        key("E", "array"),
        key("Q", "string"),
    );
    a["required"] = true.into();
    a["allowed"] = json!([{"value": "one", "support": []}]);
    a["support"] = json!([{"platform": "iOS", "introduced": "0.0", "allowed-scopes": []}]);
    e["keys"] = json!({"recursive": true});
    l["keys"] = json!([e]);
    q["allowed"] = json!([{"value": "UDID", "support": []}]);
    q["allowedAreKeys"] = true.into();
    let document = |kind: &str, keys: Value| {
        json!({
            "kind": kind, "id": "Some", "name": "Some", "title": "Some Command", "page": "",
            "file": "mdm/commands/some", "support": [], "reasons": [], "relatedStatusItems": [],
            "keys": keys,
        })
    };
    json!([
        document("command", json!([a, l, q])),
        document("response", json!([]))
    ])
}

fn report(tables: &Value, overlay: &str) -> Report {
    let folder = checkout(&[("mdm/commands/some", &command_text(KEYS))]);
    compare(folder.path(), tables, &Written::parse(overlay).unwrap()).unwrap()
}

#[test]
fn tables_that_say_the_same_have_no_difference() {
    let report = report(&tables(), "");
    assert_eq!(report.differences, [""; 0]);
    assert_eq!((report.documents, report.written), (2, 5));
    // The element once more where its list leads back, and the value that is a key.
    assert_eq!(report.counted, 6);
}

#[test]
fn each_difference_is_told() {
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 9] = [
        (
            |t| t[0]["keys"][0]["type"] = "data".into(),
            "`type` is \"string\", in the tables \"data\"",
        ),
        (
            |t| t[0]["keys"][0]["required"] = false.into(),
            "`required` is true, in the tables nothing",
        ),
        (
            |t| t[0]["keys"][0]["allowed"] = json!([]),
            "in the tables nothing",
        ),
        (
            |t| t[0]["keys"][0]["format"] = ".".into(),
            "`format` is nothing, in the tables \".\"",
        ),
        (
            |t| t[0]["keys"][0]["support"][0]["introduced"] = "1.0".into(),
            "`support` is",
        ),
        (
            |t| t[0]["keys"][0]["name"] = "B".into(),
            "`name` is \"A\", in the tables \"B\"",
        ),
        (
            |t| t[0]["keys"][2]["allowed"][0]["value"] = "Udid".into(),
            "`allowed` is",
        ),
        (
            |t| t[0]["keys"][1]["keys"] = json!([]),
            "#L: has 1 keys, in the tables 0",
        ),
        (
            |t| t[0]["keys"][0]["keys"] = json!([{}]),
            "#A: has keys in the tables only",
        ),
    ];
    for (change, told) in changes {
        let mut tables = tables();
        change(&mut tables);
        let differences = report(&tables, "").differences;
        assert!(
            differences.iter().any(|line| line.contains(told)),
            "{told}: {differences:?}"
        );
    }
}

#[test]
fn documents_that_one_side_lacks_are_told() {
    let mut fewer = tables();
    fewer.as_array_mut().unwrap().truncate(1);
    assert_eq!(
        report(&fewer, "").differences,
        ["mdm/commands/some.yaml response: is not in the tables"]
    );
    let mut more = tables();
    more[1]["id"] = "Other".into();
    let differences = report(&more, "").differences;
    assert!(differences.contains(&"response Other: is in the tables only".to_owned()));
}

#[test]
fn a_correction_is_the_only_difference_that_is_accepted_and_has_to_be_one() {
    let overlay = "[[correct]]\nkey = \"mdm/commands/some#A\"\nset = { presence = \"optional\" }\n\
        reason = \"r\"\n";
    let mut tables = tables();
    let unneeded = report(&tables, overlay).differences;
    assert_eq!(
        unneeded,
        ["mdm/commands/some#A: the overlay's correction changes nothing"]
    );
    tables[0]["keys"][0]["required"] = false.into();
    let accepted = report(&tables, overlay);
    assert_eq!(accepted.differences, [""; 0]);
    assert_eq!(accepted.corrections, ["mdm/commands/some#A: r"]);
    tables[0]["keys"][0]["type"] = "data".into();
    assert_eq!(report(&tables, overlay).differences.len(), 1);
}

#[test]
fn added_keys_are_those_that_the_overlay_gives() {
    let overlay = "[[borrow]]\nto = \"mdm/commands/some\"\nfrom = \"mdm/commands/some#L\"\n\
                   reason = \"r\"\n[[open]]\nkey = \"mdm/commands/some#L/E\"\nreason = \"r\"\n";
    let open = overlay.replace("#L/E", "#L");
    let overlay = overlay.split("[[open]]").next().unwrap();
    let mut added = tables();
    let mut element = added[0]["keys"][1]["keys"][0].clone();
    element["added"] = true.into();
    element["keys"] = tables()[0]["keys"][1]["keys"].clone();
    added[0]["keys"].as_array_mut().unwrap().push(element);
    assert_eq!(report(&added, overlay).differences, [""; 0]);
    assert_eq!(report(&added, overlay).counted, 6);
    let told = |tables: &Value, overlay: &str, told: &str| {
        let differences = report(tables, overlay).differences;
        assert!(
            differences.iter().any(|line| line.contains(told)),
            "{told}: {differences:?}"
        );
    };
    told(&added, "", "added keys that the overlay does not give it");
    told(&tables(), overlay, "borrows 1 keys, in the tables 0");
    told(&tables(), &open, "is not open in the tables");
    added[0]["keys"][3]["type"] = "data".into();
    told(
        &added,
        overlay,
        "`type` is \"array\", in the tables \"data\"",
    );
}

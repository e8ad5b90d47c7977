use super::{command_text, schema};
use crate::diff::diff;

fn between(old: &str, new: &str) -> String {
    let files = |keys: &str| schema(&[("mdm/commands/some", &command_text(keys))]);
    diff(&files(old), &files(new)).to_string()
}

#[test]
fn equal_checkouts_have_no_difference() {
    let keys = "- key: A\n  type: <any>\n";
    assert_eq!(between(keys, keys), "No difference.\n");
}

#[test]
fn differences_are_told_by_group_document_and_key() {
    let old = "- key: Kept
  type: <string>
  rangelist: [one, two]
  supportedOS: {iOS: {introduced: '9.0'}, tvOS: {introduced: n/a}}
- {key: Gone, type: <array>, subkeys: [{key: Element, type: <string>}]}
";
    let new = "- key: Kept
  type: <string>
  presence: required
  default: two
  format: '[a-z]+'
  rangelist: [two, three]
  supportedOS: {iOS: {introduced: '9.0', deprecated: '27.0'}, tvOS: {introduced: '27.0'}}
- key: New
  type: <dictionary>
  supportedOS: {iOS: {introduced: '27.0'}}
  subkeys: [{key: X, type: <any>}]
";
    let expected = "\
Added
  command Some
    Kept: on tvOS from 27.0
    Kept: the value `three`
    New: dictionary, optional; iOS 27.0
    New/X: any, optional

Changed
  command Some
    Kept: presence required, was optional
    Kept: default `two`, was unsaid
    Kept: format `[a-z]+`, was unsaid

Deprecated
  command Some
    Kept: on iOS from 27.0

Removed
  command Some
    Kept: the value `one`
    Gone, with a key below it

";
    assert_eq!(between(old, new), expected);
}

#[test]
fn types_ranges_and_terms_are_compared() {
    let old =
        "- {key: A, type: <integer>, range: {min: 1}, supportedOS: {iOS: {supervised: true}}}\n";
    let new = "- key: A
  type: <real>
  range: {min: 1, max: 9}
  supportedOS: {iOS: {supervised: false}}
";
    let told = between(old, new);
    for line in [
        "    A: type real, was integer\n",
        "    A: range 1..9, was 1..\n",
        "    A: on iOS supervised false, was true\n",
    ] {
        assert!(told.contains(line), "{told}");
    }
}

#[test]
fn another_order_of_values_is_a_change() {
    let old = "- {key: A, type: <string>, rangelist: [x, y, z]}\n";
    let new = "- {key: A, type: <string>, rangelist: [y, x, w]}\n";
    let told = between(old, new);
    let line = "    A: the values stand in another order\n";
    assert!(told.contains(line), "{told}");
    assert!(
        !between(old, &old.replace("[x, ", "[v, x, ")).contains(line),
        "one more is not another order"
    );
}

#[test]
fn documents_come_and_go() {
    let payload = "title: T
payload: {payloadtype: com.apple.x, supportedOS: {macOS: {introduced: '27.0'}}}
payloadkeys:
- {key: A, type: <array>, subkeys: [{key: B, type: <string>, rangelist: [x, y]}]}
";
    let (none, one) = (schema(&[]), schema(&[("mdm/profiles/x", payload)]));
    assert_eq!(
        diff(&none, &one).to_string(),
        "Added
  payload com.apple.x
    new: macOS 27.0
    A: array, optional
    A/B: string, optional; one of `x`, `y`

"
    );
    assert_eq!(
        diff(&one, &none).to_string(),
        "Removed\n  payload com.apple.x\n    no longer described\n\n"
    );
}

#[test]
fn lists_that_lead_back_to_themselves_are_compared_once() {
    let keys = "- {key: A, type: <array>, subkeys: &a [{key: B, type: <array>, subkeys: *a}]}\n";
    let told = between(keys, &keys.replacen("<array>", "<dictionary>", 1));
    assert!(
        told.contains("    A: type dictionary, was array\n"),
        "{told}"
    );
}

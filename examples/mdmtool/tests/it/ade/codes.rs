//! Bypass codes, for which nothing is sent.

use serde_json::Value;

use crate::run;

const CODE: &str = "3UM43-PUYVY-QYD1-UVCC-HEHJ-FKA4";
const HASH: &str = "6AB40D5EABE7218EC04182F461005600C7E3426BDDD82CDB405BDE9A1E0014B5";

fn said(arguments: &[&str], input: &str) -> String {
    let output = run(
        &[&["ade", "bypass-code"], arguments].concat(),
        input.as_bytes(),
    );
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_code_is_read_as_people_type_it_and_hashed_as_apple_takes_it() {
    assert_eq!(said(&["hash", CODE], ""), format!("{HASH}\n"));
    assert_eq!(
        said(&["hash", "-"], &format!("{CODE}\n")),
        format!("{HASH}\n")
    );
    assert_eq!(
        said(&["parse", "3um43puyvyqyd1uvcchehjfka4"], ""),
        format!("{CODE}\n")
    );
    assert_eq!(
        said(
            &["parse", "3um43", "puyvy", "qyd1", "uvcc", "hehj", "fka4"],
            ""
        ),
        format!("{CODE}\n")
    );
    let json: Value = serde_json::from_str(&said(&["hash", CODE, "--json"], "")).unwrap();
    assert_eq!(json, serde_json::json!({"escrow_key": HASH}));
}

#[test]
fn a_new_code_comes_with_its_hash_and_is_another_each_time() {
    let new = || -> Value { serde_json::from_str(&said(&["new", "--json"], "")).unwrap() };
    let (one, other) = (new(), new());
    assert_ne!(one["code"], other["code"]);
    let code = one["code"].as_str().unwrap();
    assert_eq!(
        said(&["hash", code], "").trim(),
        one["escrow_key"].as_str().unwrap()
    );
    let text = said(&["new"], "");
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn what_is_no_code_is_refused_and_not_repeated() {
    for text in ["", "3UM43", "3UM43-PUYVY-QYD1-UVCC-HEHJ-FKAZ", "!!!!!"] {
        let output = run(&["ade", "bypass-code", "parse", "-"], text.as_bytes());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(
            line.contains("bypass code") && !line.contains("!!!"),
            "{line}"
        );
    }
    let output = run(&["ade", "bypass-code", "parse"], b"");
    assert_eq!(output.status.code(), Some(2));
}

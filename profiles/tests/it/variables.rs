//! Variables filled in: whatever a value holds, it stays text.

use mdm_plist::{Dictionary, Value};
use mdm_profiles::{
    Error, Profile, Variables,
    variables::{Syntax, VariableError},
};

use crate::given::{payload, profile, profile_with};

fn variables(values: &[(&str, &str)]) -> Variables {
    let mut variables = Variables::new();
    for (name, value) in values {
        variables.set(name, *value).unwrap();
    }
    variables
}

/// A profile with one text.
fn holding(text: &str) -> Profile {
    let mut profile = profile(&[]);
    profile
        .keys_mut()
        .insert("PayloadDescription".to_owned(), text.into());
    profile
}

fn filled(variables: &Variables, text: &str) -> Result<String, VariableError> {
    match variables.apply(&holding(text)) {
        Ok(profile) => Ok(profile.description().unwrap().to_owned()),
        Err(Error::Variable(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn references_are_filled_in_and_all_else_is_text() {
    let variables = variables(&[("USER", "anna"), ("USER_2", "bert"), ("EMPTY", "")]);
    for (text, expected) in [
        ("", ""),
        ("plain", "plain"),
        ("$USER", "anna"),
        ("$USER$USER", "annaanna"),
        ("a $USER b", "a anna b"),
        ("$USER_2.", "bert."),
        ("$USERé", "annaé"),
        ("$USER's", "anna's"),
        ("$EMPTY", ""),
        ("$5 and $user and $", "$5 and $user and $"),
        ("pa$$word", "pa$$word"),
        ("$$USER", "$USER"),
        ("$$NOBODY", "$NOBODY"),
        ("$$$USER", "$$USER"),
        ("%SerialNumber%", "%SerialNumber%"),
    ] {
        assert_eq!(filled(&variables, text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn other_syntaxes_have_their_own_marks() {
    let cases = [
        (
            Syntax::enclosed("${", "}").unwrap(),
            "${user} $user $${user}",
            "anna $user ${user}",
        ),
        (
            Syntax::enclosed("{{", "}}").unwrap(),
            "{{user}}{ {{{user}}",
            "anna{ {{user}}",
        ),
        (
            Syntax::enclosed("%", "%").unwrap(),
            "100% %user% %%user%",
            "100% anna %user%",
        ),
        (
            Syntax::enclosed("«", "»").unwrap(),
            "«user» ««user» «ä",
            "anna «user» «ä",
        ),
    ];
    for (syntax, text, expected) in cases {
        let mut variables = Variables::with_syntax(syntax);
        variables.set("user", "anna").unwrap();
        assert_eq!(filled(&variables, text).as_deref(), Ok(expected), "{text}");
    }
    let mut fleet = Variables::with_syntax(Syntax::prefix("$FLEET_VAR_").unwrap());
    fleet.set("HOST", "mac").unwrap();
    assert_eq!(
        filled(&fleet, "$HOST $FLEET_VAR_HOST").unwrap(),
        "$HOST mac"
    );
    for text in ["{{user}", "{{user name}}", "a {{"] {
        let braces = Variables::with_syntax(Syntax::enclosed("{{", "}}").unwrap());
        let path = "PayloadDescription".to_owned();
        assert_eq!(filled(&braces, text), Err(VariableError::Open { path }));
    }
    for (open, close) in [("", "}"), ("{", ""), ("{", "a")] {
        assert_eq!(Syntax::enclosed(open, close), Err(VariableError::Syntax));
    }
    assert_eq!(Syntax::prefix(""), Err(VariableError::Syntax));
}

#[test]
fn what_is_not_known_is_an_error_with_its_place() {
    let wifi = payload(
        "com.apple.wifi.managed",
        "a",
        1,
        "<key>L</key><array><string>$SSID</string></array>",
    );
    let error = variables(&[]).apply(&profile(&[wifi])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "PayloadContent[0].L[0] refers to SSID, which is not known"
    );
    let long = "A".repeat(1 << 20);
    assert_eq!(
        filled(&variables(&[]), &format!("${long}")).unwrap(),
        format!("${long}"),
        "no name"
    );
}

#[test]
fn neither_keys_nor_data_are_filled_in() {
    let variables = variables(&[("USER", "anna")]);
    let key = profile_with(
        "<key>ConsentText</key><dict><key>$USER</key><string>a</string></dict>",
        &[],
    );
    let error = variables.apply(&key).unwrap_err();
    let path = "ConsentText.$USER".to_owned();
    assert!(
        matches!(error, Error::Variable(VariableError::InKey { path: found }) if found == path)
    );
    let escaped = profile_with(
        "<key>ConsentText</key><dict><key>$$USER</key><string>a</string></dict>",
        &[],
    );
    assert_eq!(variables.apply(&escaped).unwrap(), escaped);

    let mut data = profile(&[]);
    data.keys_mut()
        .insert("Data".to_owned(), Value::Data(b"$USER".to_vec()));
    assert_eq!(variables.apply(&data).unwrap(), data);
}

#[test]
fn names_and_values_that_do_not_fit_are_refused_when_set() {
    let mut variables = Variables::new();
    for name in ["", "user", "USER NAME", "1USER", "USER\0", "$USER"] {
        assert_eq!(
            variables.set(name, "x").unwrap_err(),
            VariableError::Name,
            "{name}"
        );
    }
    for value in ["\0", "a\u{1}b", "\u{1B}[31m", "a\rb", "\u{FFFF}"] {
        let error = variables.set("USER", value).unwrap_err();
        assert_eq!(
            error,
            VariableError::Character {
                name: "USER".into()
            }
        );
    }
    variables.set("USER", "hunter2").unwrap();
    assert!(!format!("{variables:?}").contains("hunter2"));
}

#[test]
fn a_text_that_grows_without_end_is_refused() {
    let megabyte = "x".repeat(1 << 20);
    let variables = variables(&[("BIG", &megabyte)]);
    assert!(filled(&variables, &"$BIG".repeat(60)).is_ok());
    assert_eq!(
        filled(&variables, &"$BIG".repeat(100)),
        Err(VariableError::TooLarge)
    );
    let tight = variables.limit(1 << 20);
    assert!(filled(&tight, "$BIG").is_ok());
    assert_eq!(
        filled(&tight, "$BIG.").unwrap_err(),
        VariableError::TooLarge
    );
    let mut two = profile(&[]);
    for key in ["A", "B"] {
        two.keys_mut().insert(key.to_owned(), "$BIG".into());
    }
    assert!(tight.apply(&two).is_err(), "of all texts together");
}

/// The values that break templates of text.
fn evil() -> Vec<String> {
    let mut values: Vec<String> = [
        "<",
        ">",
        "&",
        "]]>",
        "&lt;",
        "&amp;amp;",
        "&#0;",
        "<![CDATA[",
        "-->",
        "<!--",
        "\"",
        "'",
        "\n\t",
        "</string><key>PayloadRemovalDisallowed</key><false/><string>",
        "]]></string></dict></plist>",
        "<?xml?>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]>&b;",
        "$USER",
        "$$USER",
        "${USER}",
        "%SerialNumber%",
        "\u{202E}",
        "é",
        "\u{1F600}",
        " ",
        "  a  ",
        "\u{85}",
        "\u{2028}",
        "bplist00",
        "",
        "\\0",
        "%00",
        "../../etc/passwd",
    ]
    .map(str::to_owned)
    .to_vec();
    values.push("<&]]>\n".repeat(1_000_000 / 6));
    // A generator of its own, so that each run tries the same.
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let pieces = [
        "<", ">", "&", "]]>", "$", "USER", "{", "}", "\"", "/", "key", "string", "é", "\n", "a",
    ];
    for _ in 0..500 {
        let length = next(12);
        values.push(
            (0..length)
                .map(|_| pieces[usize::try_from(next(15)).unwrap()])
                .collect(),
        );
    }
    values
}

#[test]
fn no_value_breaks_out_of_its_text() {
    let keys = "<key>SSID_STR</key><string>a$USER-b</string><key>Password</key><string>$USER</string>
        <key>List</key><array><string>$USER</string><dict><key>k</key><string>$USER$USER</string></dict></array>";
    let template = profile(&[payload("com.apple.wifi.managed", "a", 1, keys)]);
    for value in evil() {
        let shown: String = value.chars().take(40).collect();
        let filled = variables(&[("USER", &value)]).apply(&template).unwrap();
        for bytes in [
            filled.to_xml().unwrap(),
            mdm_plist::to_binary(&filled.to_dictionary()).unwrap(),
        ] {
            let read = Profile::decode(&bytes).unwrap();
            assert_eq!(read, filled, "{shown}");
            let wifi = read.payloads().next().unwrap();
            let text = |key: &str| wifi.keys()[key].as_string().unwrap();
            assert_eq!(text("SSID_STR"), format!("a{value}-b"), "{shown}");
            assert_eq!(text("Password"), value, "{shown}");
            assert_eq!(
                shape(&read.to_dictionary()),
                shape(&template.to_dictionary()),
                "{shown}"
            );
        }
    }
}

/// The keys and the types of the values, all the way down.
fn shape(keys: &Dictionary) -> Vec<String> {
    fn of(value: &Value) -> Vec<String> {
        match value {
            Value::Dictionary(keys) => shape(keys),
            Value::Array(values) => values.iter().flat_map(of).collect(),
            Value::String(_) => vec!["text".to_owned()],
            other => vec![format!("{other:?}")],
        }
    }
    keys.iter()
        .flat_map(|(key, value)| [vec![key.clone()], of(value)].concat())
        .collect()
}

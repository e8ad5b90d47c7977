use super::*;

const FILE: &str = r#"
    public_url = "https://mdm.example.com"
    data = "data"
    [scep]
    validity_days = 90
"#;

fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.toml");
    fs::write(&path, file).unwrap();
    let environment = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(Some(&path), environment).map_err(|error| told(&error))
}

#[test]
fn the_environment_stands_over_the_file() {
    let config = load(
        FILE,
        &[
            ("MDM_SERVER_SCEP__LEGACY_DES", "true"),
            ("MDM_SERVER_SCEP__VALIDITY_DAYS", "30"),
            ("MDM_SERVER_LISTEN__ADDRESS", "127.0.0.1:0"),
            (
                "MDM_SERVER_WEBHOOKS__AUDIT__URL",
                "https://audit.example.com",
            ),
            ("MDM_SERVER_PROXY__TRUSTED", "[\"10.0.0.0/8\"]"),
            ("OTHER", "1"),
        ],
    )
    .unwrap();
    assert!(config.scep.legacy_des);
    assert_eq!(config.scep.validity_days, 30);
    assert_eq!(config.listen.address.port(), 0);
    assert_eq!(config.webhooks["audit"].url, "https://audit.example.com");
    assert_eq!(config.proxy.unwrap().trusted, ["10.0.0.0/8"]);
}

#[test]
fn an_error_names_the_key() {
    for (file, variables, key) in [
        ("", &[][..], "public_url"),
        (
            FILE,
            &[("MDM_SERVER_SCEP__VALIDITY_DAYS", "soon")],
            "scep.validity_days: ",
        ),
        (
            FILE,
            &[("MDM_SERVER_SCEP__VALIDTY_DAYS", "1")],
            "validty_days",
        ),
        (
            FILE,
            &[("MDM_SERVER_LISTEN__ADDRESS", "here")],
            "listen.address: ",
        ),
        (
            FILE,
            &[("MDM_SERVER_ADMIN__ADDRESS", "0.0.0.0:1")],
            "admin.address: ",
        ),
        (
            FILE,
            &[("MDM_SERVER_PUBLIC_URL", "http://a")],
            "public_url: ",
        ),
        (
            FILE,
            &[("MDM_SERVER_PUBLIC_URL", "https://a/b")],
            "public_url: ",
        ),
        (FILE, &[("MDM_SERVER_DATA__X", "1")], "data: "),
    ] {
        let error = load(file, variables).unwrap_err();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn a_number_that_nothing_could_be_done_with_is_told_by_its_key() {
    for (variable, key, values, fit) in [
        (
            "SCEP__VALIDITY_DAYS",
            "scep.validity_days",
            ["0", "4000000000"],
            "1",
        ),
        (
            "SCEP__CHALLENGE_HOURS",
            "scep.challenge_hours",
            ["0", "4000000000"],
            "1",
        ),
        (
            "SCHEDULE__INVENTORY_HOURS",
            "schedule.inventory_hours",
            ["4294967295", "87601"],
            "0",
        ),
        (
            "SCHEDULE__KEEP_COMMANDS_DAYS",
            "schedule.keep_commands_days",
            ["4294967295", "36501"],
            "0",
        ),
        (
            "LISTEN__MAX_CONNECTIONS",
            "listen.max_connections",
            ["0", "4294967295"],
            "9",
        ),
        (
            "LIMITS__REQUESTS_PER_PEER",
            "limits.requests_per_peer",
            ["0", "-1"],
            "4294967295",
        ),
    ] {
        let variable = format!("MDM_SERVER_{variable}");
        for value in values {
            let error = load(FILE, &[(&variable, value)]).unwrap_err();
            assert!(error.contains(key), "{error}");
        }
        load(FILE, &[(&variable, fit)]).unwrap();
    }
}

#[test]
fn a_secret_is_text_and_in_no_error() {
    let variables = [
        ("MDM_SERVER_SEALING__KEY", "12345"),
        ("MDM_SERVER_LOG__FILTER", "5"),
    ];
    let config = load(FILE, &variables[..1]).unwrap();
    assert_eq!(config.sealing.key.unwrap().expose(), "12345");
    let error = load(FILE, &variables).unwrap_err();
    assert!(error.contains("log.filter"), "{error}");
    assert!(!error.contains("12345"), "{error}");
}

#[test]
fn the_example_can_be_used() {
    let example = include_str!("../../mdm-server.example.toml");
    let config = load(example, &[]).unwrap();
    assert_eq!(config.base(), "https://mdm.example.com");
    // What it shows as a comment as well.
    let whole: String = example
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.starts_with('[') || setting.contains(" = ") => setting,
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let config = load(&whole, &[]).unwrap();
    assert!(config.webhooks.contains_key("audit") && config.proxy.is_some());
}

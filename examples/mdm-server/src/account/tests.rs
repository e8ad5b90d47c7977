use super::*;

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn file(content: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.toml");
    fs::write(&path, content).unwrap();
    (folder, path)
}

#[tokio::test]
async fn a_user_is_found_by_name_and_password_and_by_nothing_else() {
    let anna = line(
        "Anna \"A\"",
        Some("anna@example.com"),
        &secret("correct horse"),
    )
    .unwrap();
    let (_folder, path) = file(&format!("{anna}\n"));
    let users = Users::open(&path).unwrap();
    let found = users.find(" anna \"a\" ", secret("correct horse")).await;
    let found = found.unwrap().unwrap();
    assert_eq!(found.owner, "Anna \"A\"");
    assert_eq!(
        found.managed_apple_account.as_deref(),
        Some("anna@example.com")
    );
    let long = "x".repeat(2_000);
    for (name, password) in [
        ("anna \"a\"", "Correct horse"),
        ("anna \"a\"", ""),
        ("anna \"a\"", &long),
        ("anna", "correct horse"),
        ("", ""),
    ] {
        assert_eq!(users.find(name, secret(password)).await.unwrap(), None);
    }
    // Who is taken out is out.
    fs::write(&path, "").unwrap();
    let found = users.find("anna \"a\"", secret("correct horse")).await;
    assert_eq!(found.unwrap(), None);
    // And without the file nobody gets in.
    fs::remove_file(&path).unwrap();
    assert!(
        users
            .find("anna \"a\"", secret("correct horse"))
            .await
            .is_err()
    );
}

#[test]
fn two_lines_of_one_password_differ() {
    let make = || line("anna", None, &secret("correct horse")).unwrap();
    assert_ne!(make(), make());
    assert!(!make().contains("correct horse"));
}

#[test]
fn what_cannot_be_a_user_is_not_written() {
    for (name, password) in [
        ("", "correct horse"),
        ("a\nb", "correct horse"),
        ("anna", "short"),
        (&"x".repeat(300), "correct horse"),
        ("anna", &"x".repeat(2_000)),
    ] {
        assert!(line(name, None, &secret(password)).is_err(), "{name}");
    }
}

#[test]
fn a_file_with_something_else_than_users_is_refused_and_no_password_shown() {
    let good = line("anna", None, &secret("correct horse")).unwrap();
    let cheap = good.replace("ln=14", "ln=4");
    let twice = format!("{good}\n{}", good.replace("anna", "ANNA"));
    for (content, told) in [
        (format!("{good}\nben = \"hunter22\""), "line 2"),
        ("ben = { password = \"hunter22\" }".to_owned(), "ben"),
        (cheap, "anna"),
        (good.replace("$scrypt$", "$argon2id$"), "anna"),
        (good.replace("password", "pasword"), "line 1"),
        (twice, "twice"),
    ] {
        let (_folder, path) = file(&content);
        let error = crate::error::told(&Users::open(&path).unwrap_err());
        assert!(error.contains(told) && error.contains(KEY), "{error}");
        assert!(!error.contains("hunter22"), "{error}");
    }
}

#[test]
fn a_password_is_held_against_a_hash_of_the_same_cost_whoever_asks() {
    let (_folder, path) = file("");
    let users = Users::open(&path).unwrap();
    assert!(parts(&users.nobody).is_some());
}

use crate::fixture::COMMAND;

#[test]
fn every_key_is_visited_once_before_what_it_holds() {
    let paths: Vec<_> = COMMAND.walk().map(|at| at.path()).collect();
    assert_eq!(paths.len(), 29);
    assert_eq!(paths[0], "Name");
    let at = |path: &str| paths.iter().position(|p| p == path).unwrap();
    assert!(at("Settings") < at("Settings/Roaming"));
    assert!(at("Settings/Roaming/Enabled") < at("Settings/Banner"));
    assert!(at("Apps/ANY app/Version") < at("Folder"));
}

#[test]
fn keys_that_lead_back_are_not_entered_again() {
    let folders: Vec<_> = COMMAND
        .walk()
        .filter(|at| at.path().starts_with("Folder"))
        .map(|at| (at.path(), at.is_recursive()))
        .collect();
    assert_eq!(
        folders,
        [
            ("Folder".into(), false),
            ("Folder/Title".into(), false),
            ("Folder/Folder".into(), true),
        ]
    );
}

#[test]
fn a_key_is_found_by_its_path() {
    for (path, found) in [
        ("Name", "Name"),
        ("Settings/Roaming/Enabled", "Settings/Roaming/Enabled"),
        ("Pair/PairItem", "Pair/PairItem"),
        ("Apps/com.example.app/Version", "Apps/ANY app/Version"),
        ("Apps/ANY app", "Apps/ANY app"),
        ("Folder/Folder/Folder/Title", "Folder/Folder/Folder/Title"),
    ] {
        assert_eq!(
            COMMAND.key(path).map(|at| at.path()).as_deref(),
            Some(found)
        );
    }
    for path in ["", "name", "Name/X", "Settings/Enabled", "/Name", "Pair/X"] {
        assert!(COMMAND.key(path).is_none(), "{path}");
    }
}

#[test]
fn the_only_element_of_an_array_may_be_left_out() {
    let state = crate::fixture::STATUS.key("test.list/state").unwrap();
    assert_eq!(state.path(), "test.list/ListItem/state");
    assert_eq!(state.holders().len(), 2);
}

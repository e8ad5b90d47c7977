//! The quirks of `docs/quirks.md`, and that each has a test which bears its number (`q17_...`).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::run::{self, Failure, Outcome};

/// Where a quirk must be tested: in one of these folders at least.
enum Place {
    In(&'static [&'static str]),
    /// What it concerns is not there yet.
    Waiting(&'static str),
}

use Place::{In, Waiting};

const ASSIGNMENT: &[&str] = &["ade-client"];
const CERTIFICATES: &[&str] = &["scep"];
const DOCUMENTS: &[&str] = &["foundation/plist", "profiles"];
const SERVICE: &[&str] = &["service", "mdm-protocol"];

const QUIRKS: &[(u8, Place)] = &[
    (1, In(ASSIGNMENT)),
    (2, In(SERVICE)),
    (3, In(SERVICE)),
    (4, In(SERVICE)),
    (5, In(SERVICE)),
    (6, In(CERTIFICATES)),
    (7, In(CERTIFICATES)),
    (8, In(SERVICE)),
    (9, In(SERVICE)),
    (10, In(SERVICE)),
    (11, In(SERVICE)),
    (12, In(SERVICE)),
    (13, In(SERVICE)),
    (14, In(SERVICE)),
    (15, In(SERVICE)),
    (16, In(SERVICE)),
    (17, In(SERVICE)),
    (18, In(DOCUMENTS)),
    (19, In(DOCUMENTS)),
    (20, In(ASSIGNMENT)),
    (21, In(ASSIGNMENT)),
    (22, Waiting("a client of Apple's newer business API")),
    (23, Waiting("the engine of declarations")),
    (24, In(&["apns"])),
];

/// Fails where a quirk has no test of its number; says which ones wait.
pub(crate) fn quirks() -> Outcome {
    check(QUIRKS, &run::root())
}

fn check(quirks: &[(u8, Place)], root: &Path) -> Outcome {
    let mut missing = Vec::new();
    for (number, place) in quirks {
        match place {
            Waiting(what) => println!("Q{number} waits for {what}"),
            In(folders) => {
                let mut tested = BTreeSet::new();
                for folder in *folders {
                    collect(&root.join(folder), &mut tested)?;
                }
                if !tested.contains(number) {
                    missing.push(format!("Q{number} in {}", folders.join(" or ")));
                }
            }
        }
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!("no test bears the number of: {}", missing.join(", ")).into()),
    }
}

/// Adds the numbers of the tests in a folder.
fn collect(folder: &Path, numbers: &mut BTreeSet<u8>) -> Outcome {
    let fail = |error| Failure::from(format!("{}: {error}", folder.display()));
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.is_dir() {
            collect(&path, numbers)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).map_err(fail)?;
            numbers.extend(text.split("fn q").skip(1).filter_map(number));
        }
    }
    Ok(())
}

/// The number of `17_not_now_waits_for_idle`: two digits, so that names sort.
fn number(name: &str) -> Option<u8> {
    let (number, _) = name.split_once('_')?;
    (number.len() == 2).then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quirk_of_the_document_is_in_the_list_and_no_other() {
        let document = fs::read_to_string(run::root().join("docs/quirks.md")).unwrap();
        let told = document.lines().filter_map(|line| {
            let (number, _) = line.strip_prefix("| Q")?.split_once(' ')?;
            number.parse::<u8>().ok()
        });
        let listed = QUIRKS.iter().map(|(number, _)| *number);
        assert_eq!(told.collect::<Vec<_>>(), listed.collect::<Vec<_>>());
    }

    #[test]
    fn a_quirk_without_a_test_is_named() {
        // This very file has a test of the first number and none of the other.
        let quirks = [(99, In(&["xtask/src"])), (98, In(&["xtask/src"]))];
        let failure = check(&quirks, &run::root()).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "no test bears the number of: Q98 in xtask/src"
        );
    }

    #[test]
    fn q99_the_number_has_two_digits() {
        assert_eq!(number("17_not_now"), Some(17));
        assert_eq!(number("7_short"), None);
        assert_eq!(number("uirks()"), None);
    }
}

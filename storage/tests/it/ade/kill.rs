//! A process that is killed between and within pages: devices and cursor agree.

use std::env;

use mdm_storage::SqliteStore;

use super::{stands, take_page};
use crate::{
    kill::{FILE, Victim, say, whole},
    scratch,
};

const DEVICES: usize = 200;

async fn take_pages_for_ever(path: std::ffi::OsString) {
    let store = SqliteStore::open(path).await.unwrap();
    for page in 0.. {
        take_page(&store, page, DEVICES, "x").await.unwrap();
        say(&page.to_string());
    }
}

/// Several times, so that the kill falls into different places.
#[tokio::test]
async fn every_page_that_was_answered_is_there_and_none_without_its_cursor() {
    if let Some(path) = env::var_os(FILE) {
        return take_pages_for_ever(path).await;
    }
    let test = "ade::kill::every_page_that_was_answered_is_there_and_none_without_its_cursor";
    for pages in [1, 7, 20] {
        let path = scratch::path();
        let (mut victim, mut said) = Victim::start(test, &path);
        let mut answered = said.by_ref().take(pages).count();
        assert_eq!(answered, pages);
        victim.kill();
        // What it said between the last line read and its end counts too.
        answered += said.count();

        let store = whole(&path).await;
        let (cursor, counted, found) = stands(&store).await;
        assert_eq!(counted, found);
        let taken = found as usize / DEVICES;
        assert_eq!(found as usize % DEVICES, 0);
        assert!(
            (answered..=answered + 1).contains(&taken),
            "{answered} {taken}"
        );
        assert_eq!(cursor, Some(format!("behind {}", taken - 1)));
        // It goes on where it stopped.
        take_page(&store, taken, DEVICES, "x").await.unwrap();
        let (cursor, ..) = stands(&store).await;
        assert_eq!(cursor, Some(format!("behind {taken}")));
    }
}

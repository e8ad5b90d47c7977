//! The roster of Apple School Manager.

use std::fmt::Debug;

use ade_client::{
    endpoint::{FetchRoster, SyncRoster},
    model::{
        Cursor, RosterClass, RosterCourse, RosterLocation, RosterPage, RosterPerson, RosterRecord,
    },
};

use super::*;

/// Fetches a page from `path` and syncs on behind its cursor.
async fn both<T: RosterRecord + Debug>(path: &str, page: &str) -> RosterPage<T> {
    let (server, client) = scene().await;
    in_session("POST", path)
        .and(body_json(json!({"limit": 1000})))
        .respond_with(answer(page))
        .expect(1)
        .mount(&server)
        .await;
    in_session("POST", &format!("{path}/sync"))
        .and(body_json(json!({"cursor": "c1", "limit": 1000})))
        .respond_with(answer(r#"{"cursor":"c2","more_to_follow":false}"#))
        .expect(1)
        .mount(&server)
        .await;
    let mut fetch = FetchRoster::<T>::first();
    path.clone_into(fetch.path.to_mut());
    let fetched = client.send(&fetch).await.unwrap();
    assert!(fetched.more_to_follow);
    let mut sync = SyncRoster::<T>::new(fetched.cursor.clone().unwrap());
    path.clone_into(sync.path.to_mut());
    let synced = client.send(&sync).await.unwrap();
    assert!(synced.records.is_empty() && !synced.more_to_follow);
    assert_eq!(synced.cursor, Some(Cursor::new("c2")));
    fetched
}

#[tokio::test]
async fn classes_name_their_course_their_place_and_their_people() {
    let page = both::<RosterClass>(
        RosterClass::PATH,
        r#"{"classes":[{"unique_identifier":"c-1","name":"Biology 1","room":null,
                "course":{"unique_identifier":"k-1","name":"Biology"},
                "location":{"unique_identifier":"l-1"},
                "instructor_unique_identifiers":["p-1"],"student_unique_identifiers":null,
                "op_date":"2026-01-02T03:04:05Z"},
            "odd"],
            "cursor":"c1","more_to_follow":true,"trace":"x"}"#,
    )
    .await;
    let [class] = page.records.as_slice() else {
        panic!("{page:?}")
    };
    assert_eq!(class.name.as_deref(), Some("Biology 1"));
    let course = class.course.as_ref().unwrap();
    assert_eq!(course.unique_identifier.as_deref(), Some("k-1"));
    assert_eq!(
        class.instructor_unique_identifiers.as_ref().unwrap(),
        &["p-1"]
    );
    assert_eq!(class.student_unique_identifiers, None);
    assert_eq!(page.unreadable, ["odd"]);
    assert_eq!(page.extra["trace"], "x");
}

#[tokio::test]
async fn people_courses_and_places_have_lists_of_their_own() {
    let people = both::<RosterPerson>(
        "/roster/class/person",
        r#"{"persons":[{"unique_identifier":"p-1","managed_apple_id":"ada@school.example",
                "is_federated_auth":true,"passcode_type":"six","shoe_size":42}],
            "cursor":"c1","more_to_follow":true}"#,
    )
    .await;
    let person = &people.records[0];
    assert_eq!(
        person.managed_apple_id.as_deref(),
        Some("ada@school.example")
    );
    assert_eq!(person.is_federated_auth, Some(true));
    assert_eq!(person.extra["shoe_size"], 42);

    let places = both::<RosterLocation>(
        "/roster/class/location",
        r#"{"locations":[{"name":"Main"}],"cursor":"c1","more_to_follow":true}"#,
    )
    .await;
    assert_eq!(places.records[0].name.as_deref(), Some("Main"));

    // Documented, and as the account of some lists it.
    for path in [RosterCourse::PATH, "/roster/course"] {
        let courses = both::<RosterCourse>(
            path,
            r#"{"courses":[{"course_number":"B1"}],"cursor":"c1","more_to_follow":true}"#,
        )
        .await;
        assert_eq!(courses.records[0].course_number.as_deref(), Some("B1"));
    }
}

#[tokio::test]
async fn a_roster_that_is_no_list_is_an_error_and_an_overlong_cursor_is_not_sent() {
    let (server, client) = scene().await;
    in_session("POST", RosterClass::PATH)
        .respond_with(answer(r#"{"classes":"none","cursor":"c1"}"#))
        .expect(1)
        .mount(&server)
        .await;
    let first = FetchRoster::<RosterClass>::first();
    let error = client.send(&first).await.unwrap_err();
    assert!(matches!(error, ade_client::Error::Decode { .. }), "{error}");
    let overlong = FetchRoster::<RosterClass>::after(Cursor::new("x".repeat(513)));
    let error = client.send(&overlong).await.unwrap_err();
    assert!(matches!(error, ade_client::Error::Build(_)), "{error}");
}

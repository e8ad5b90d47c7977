//! Profile download.

use mdm_service::{AdmitInvited, Claim, entry::Invite, store::EnrollmentStore};

use super::*;

fn invite() -> Invite {
    Invite::default().with(|invite| {
        invite.owner = Some("ben".into());
        invite.claims = vec![Claim::new("licences", 9)];
        invite.data = serde_json::json!({ "ROOM": "12" });
    })
}

#[tokio::test]
async fn a_link_is_one_devices_profile() {
    let world = world_of(AdmitInvited, |portal| portal);
    let link = world.portal.invite(invite()).await.unwrap();
    assert!(link.starts_with("https://mdm.example.com/enroll/profile?invitation="));
    let first = profile(&world.portal.handle(get(&link)).await);
    assert_eq!(first["variables"]["OWNER"], "ben");
    assert_eq!(first["variables"]["ROOM"], "12");
    // The download broke off: it is the same again.
    assert_eq!(profile(&world.portal.handle(get(&link)).await), first);
    let device = Device::new("D1");
    assert_eq!(
        authenticate_with(&world, &first, &device).await,
        StatusCode::OK
    );
    let found = world.store.enrollment(&device.id()).await.unwrap().unwrap();
    assert_eq!(found.owner.as_deref(), Some("ben"));
    assert_eq!(found.licences, ["licences"]);
    // Used.
    let answer = world.portal.handle(get(&link)).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let html = String::from_utf8(answer.body().to_vec()).unwrap();
    assert!(html.contains("has expired or was used already"), "{html}");
}

#[tokio::test]
async fn a_link_ends_and_nobody_guesses_one() {
    let world = world_of(AdmitInvited, |portal| portal);
    let link = world.portal.invite(invite()).await.unwrap();
    world
        .clock
        .advance(std::time::Duration::from_secs(8 * 86_400));
    let guessed = world.portal.urls().profile(Some("AAAAAAAAAAAAAAAAAAAAAA"));
    for url in [link, guessed, world.portal.urls().profile(None)] {
        let answer = world.portal.handle(get(&url)).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{url}");
    }
}

#[tokio::test]
async fn without_a_link_somebody_signs_in_first() {
    let world = world_with_pages(AdmitInvited);
    let url = world.portal.urls().profile(None);
    assert_eq!(world.portal.handle(get(&url)).await.body(), "sign in");
    let visit = world.pages.last();
    assert!(visit.machine_info.is_none());
    let profile = profile(&world.portal.signed_in(&visit.ticket, anna()).await);
    assert_eq!(profile["variables"]["OWNER"], "anna");
}

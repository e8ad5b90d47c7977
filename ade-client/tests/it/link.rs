use std::time::Duration;

use ade_client::{
    Error, Refusal, TokenError,
    model::Cursor,
    record::{Lease, Stage, Trouble, TroubleKind},
    service::Installing::{Force, SameServer},
};
use futures_util::FutureExt;
use mdm_core::Clock;
use mdm_fake_apple::ade::Fault;

use super::{
    office::{Office, Points},
    serials,
};

const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);
const HOUR: Duration = Duration::from_secs(3600);

fn refusal(error: Error) -> Refusal {
    match error {
        Error::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Begun syncs as an account has them after a while.
async fn synced(office: &Office) {
    office
        .edit(|record| {
            record.sync.stage = Stage::Sync;
            record.sync.cursor = Some(Cursor::new("c1"));
            record.sync.sweep = 4;
            record.sync.full_began = Some(office.clock.now());
            record.sync.not_before = Some(office.clock.now() + HOUR);
            record.trouble = Some(Trouble::new(
                TroubleKind::TokenSuperseded,
                "session: Apple answered 401 Unauthorized token_rejected",
                office.clock.now(),
            ));
        })
        .await;
}

#[tokio::test]
async fn a_key_pair_is_staged_until_its_token_opens() {
    let office = Office::new().await;
    let service = office.service();
    let pem = service.stage_key(&office.id, "mdm").await.unwrap();
    assert_eq!(service.stage_key(&office.id, "x").await.unwrap(), pem);
    let file = office.download(&pem);
    for bad in [&b"no token"[..], &file[..file.len() / 2]] {
        let error = service.install_token(&office.id, bad, SameServer).await;
        assert!(matches!(error, Err(Error::Token(_))), "{error:?}");
    }
    assert_eq!(service.stage_key(&office.id, "mdm").await.unwrap(), pem);

    let record = service
        .install_token(&office.id, &file, SameServer)
        .await
        .unwrap();
    let credentials = record.credentials.as_ref().unwrap();
    assert_eq!(credentials.certificate_pem.as_ref(), Some(&pem));
    assert!(credentials.private_key_pem.is_some());
    assert_eq!(record.staged, None);
    let known = record.known.as_ref().unwrap();
    assert_eq!(known.account.server_name.as_deref(), Some("Fake MDM"));
    assert_eq!(office.account().await, record);
    // The session that validated the token goes on.
    service.client(&office.id).await.unwrap();
    assert_eq!(office.apple.count("/session"), 1);
    assert_ne!(service.stage_key(&office.id, "mdm").await.unwrap(), pem);
}

#[tokio::test]
async fn a_new_key_pair_is_staged_only_when_asked_for() {
    let office = Office::new().await;
    let service = office.service();
    let first = service.stage_key(&office.id, "mdm").await.unwrap();
    let second = service.stage_new_key(&office.id, "mdm").await.unwrap();
    assert_ne!(first, second);
    assert_eq!(service.stage_key(&office.id, "mdm").await.unwrap(), second);
    let file = office.download(&first);
    let error = service.install_token(&office.id, &file, SameServer).await;
    assert!(matches!(error, Err(Error::Token(TokenError::WrongKey))));
}

#[tokio::test]
async fn a_token_downloaded_again_opens_with_the_key_in_use_and_leaves_the_staged_one() {
    let office = Office::new().await;
    let pem = office.link().await.credentials.unwrap().certificate_pem;
    let service = office.service();
    let staged = service.stage_key(&office.id, "mdm").await.unwrap();
    office.clock.advance(HOUR);
    let file = office.download(pem.as_ref().unwrap());
    let record = service
        .install_token(&office.id, &file, SameServer)
        .await
        .unwrap();
    assert_eq!(record.credentials.unwrap().certificate_pem, pem);
    assert_eq!(record.staged.unwrap().certificate_pem, staged);
}

#[tokio::test]
async fn a_token_counts_only_once_apple_has_answered_with_it() {
    let office = Office::new().await;
    let linked = office.link().await;
    let service = office.service();
    let pem = service.stage_key(&office.id, "mdm").await.unwrap();
    office.clock.advance(HOUR);
    let file = office.download(&pem);
    office.apple.fault(Fault::TermsNotSigned);
    let error = service
        .install_token(&office.id, &file, SameServer)
        .await
        .unwrap_err();
    assert!(error.is_terms_not_signed());
    let kept = office.account().await;
    assert_eq!(kept.credentials, linked.credentials);
    assert_eq!(kept.staged.unwrap().certificate_pem, pem);

    office.apple.clear_faults();
    office.clock.advance(HOUR);
    office.download(&pem);
    let error = service
        .install_token(&office.id, &file, SameServer)
        .await
        .unwrap_err();
    assert!(error.is_token_superseded());
    assert_eq!(office.account().await.credentials, linked.credentials);
}

#[tokio::test]
async fn a_token_that_has_ended_or_is_older_is_refused_without_asking_apple() {
    let office = Office::new().await;
    let service = office.service();
    let pem = service.stage_key(&office.id, "mdm").await.unwrap();
    let older = office.download(&pem);
    office.clock.advance(HOUR);
    let newer = office.download(&pem);
    let install = |file| {
        let (service, id) = (service.clone(), office.id.clone());
        async move { service.install_token(&id, file, Force).await }
    };
    install(&newer).await.unwrap();
    let asked = office.apple.traffic().total.requests;
    assert_eq!(
        refusal(install(&older).await.unwrap_err()),
        Refusal::OlderToken
    );
    // The one in use once more does no harm.
    install(&newer).await.unwrap();
    assert!(office.apple.traffic().total.requests > asked);
    office.clock.advance(YEAR);
    let asked = office.apple.traffic().total.requests;
    assert_eq!(
        refusal(install(&newer).await.unwrap_err()),
        Refusal::ExpiredToken
    );
    assert_eq!(office.apple.traffic().total.requests, asked);
}

#[tokio::test]
async fn a_renewal_ends_trouble_and_waiting_and_goes_on_where_the_sync_stands() {
    let office = Office::linked(2).await;
    synced(&office).await;
    let until = office.clock.now() + HOUR;
    office
        .edit(|record| record.lease = Some(Lease::new("node", 7, until)))
        .await;
    let before = office.account().await;
    office.clock.advance(HOUR);
    let record = office.link().await;
    assert_eq!((record.trouble, record.sync.not_before), (None, None));
    assert_eq!(record.sync.cursor, before.sync.cursor);
    assert_eq!((record.sync.stage, record.sync.sweep), (Stage::Sync, 4));
    // Whoever is at work with the former token has lost the account.
    let lease = record.lease.unwrap();
    assert!(lease.number > 7 && lease.until <= office.clock.now());
}

#[tokio::test]
async fn a_token_for_another_server_is_refused_unless_forced() {
    let office = Office::linked(2).await;
    synced(&office).await;
    let before = office.account().await;
    let other = Office {
        store: office.store.clone(),
        ..Office::elsewhere(|_| {})
    };
    let service = other.service();
    let file = other.download(&service.stage_key(&office.id, "mdm").await.unwrap());
    let error = service.install_token(&office.id, &file, SameServer).await;
    assert_eq!(refusal(error.unwrap_err()), Refusal::OtherServer);
    assert_eq!(office.account().await.credentials, before.credentials);

    let record = service
        .install_token(&office.id, &file, Force)
        .await
        .unwrap();
    assert_ne!(record.credentials, before.credentials);
    assert_eq!(
        (record.sync.stage, &record.sync.cursor),
        (Stage::Fetch, &None)
    );
    assert_eq!(record.sync.sweep, 4);
    assert_eq!(record.sync.full_began, None);
    assert_eq!(record.trouble, None);
    assert!(office.device(&serials(1)[0]).await.is_present());

    // Of the two devices the other server has one.
    other
        .apple
        .add_device(serde_json::json!({"serial_number": "C02TEST00001"}));
    let report = service.work(&office.id).await.unwrap();
    assert!(report.error.is_none(), "{report:?}");
    assert!(!office.device(&serials(2)[0]).await.is_present());
    assert!(office.device(&serials(2)[1]).await.is_present());
    assert_eq!(office.account().await.sync.sweep, 5);
}

#[tokio::test]
async fn another_consumer_key_of_the_same_server_is_refused_and_when_forced_keeps_the_cursor() {
    let office = Office::linked(1).await;
    synced(&office).await;
    office
        .edit(|record| {
            let credentials = record.credentials.as_mut().unwrap();
            credentials.token.consumer_key = "CK_before".to_owned();
        })
        .await;
    let service = office.service();
    let file = office.download(&service.stage_key(&office.id, "mdm").await.unwrap());
    let error = service.install_token(&office.id, &file, SameServer).await;
    assert_eq!(refusal(error.unwrap_err()), Refusal::OtherConsumerKey);
    let record = service
        .install_token(&office.id, &file, Force)
        .await
        .unwrap();
    assert_eq!(record.sync.cursor, Some(Cursor::new("c1")));
}

#[tokio::test]
async fn a_token_of_json_keeps_the_key_pair_of_its_server() {
    let office = Office::new().await;
    let service = office.service();
    let json = office.apple.new_server_token_json().to_string();
    let wrapped = format!("-----BEGIN MESSAGE-----\n{json}\n-----END MESSAGE-----\n");
    for text in [&json, &wrapped] {
        let record = service
            .install_token_json(&office.id, text.as_bytes(), SameServer)
            .await
            .unwrap();
        assert_eq!(record.credentials.unwrap().private_key_pem, None);
    }
    let key = office.link().await.credentials.unwrap().private_key_pem;
    assert!(key.is_some());
    let json = office.apple.new_server_token_json().to_string();
    let record = service
        .install_token_json(&office.id, json.as_bytes(), SameServer)
        .await
        .unwrap();
    assert_eq!(record.credentials.unwrap().private_key_pem, key);
}

#[tokio::test]
async fn a_cleared_token_leaves_everything_for_the_next_one() {
    let office = Office::linked(2).await;
    office.link().await;
    synced(&office).await;
    let service = office.service();
    let before = office.account().await;
    service.clear_token(&office.id).await.unwrap();
    service.clear_token(&office.id).await.unwrap();
    let cleared = office.account().await;
    assert_eq!(cleared.credentials, None);
    assert_eq!(cleared.sync.cursor, before.sync.cursor);
    assert_eq!(cleared.trouble, None);
    assert!(office.device(&serials(1)[0]).await.is_present());
    let error = service.client(&office.id).await.unwrap_err();
    assert_eq!(refusal(error), Refusal::NoToken);

    // The portal has the certificate still.
    let pem = before.credentials.unwrap().certificate_pem.unwrap();
    assert_eq!(service.stage_key(&office.id, "mdm").await.unwrap(), pem);
    let other = Office {
        store: office.store.clone(),
        ..Office::elsewhere(|_| {})
    };
    let error = other
        .service()
        .install_token(&office.id, &other.download(&pem), SameServer)
        .await
        .unwrap_err();
    assert_eq!(refusal(error), Refusal::OtherServer);
    let record = service
        .install_token(&office.id, &office.download(&pem), SameServer)
        .await
        .unwrap();
    assert_eq!(record.sync.cursor, before.sync.cursor);
}

#[tokio::test]
async fn an_account_is_removed_only_when_nothing_hangs_on_it() {
    let office = Office::linked(2).await;
    let service = office.service();
    let profile = service
        .define_profile(&office.id, super::assign::profile(), None)
        .await
        .unwrap();
    service
        .set_default_profile(&office.id, Some(&profile.uuid))
        .await
        .unwrap();
    let error = service.remove_account(&office.id).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the account still has 2 devices, 1 profiles and a default profile"
    );
    service.set_default_profile(&office.id, None).await.unwrap();
    service
        .remove_profile(&office.id, &profile.uuid)
        .await
        .unwrap();
    let still = Refusal::AccountInUse {
        devices: 2,
        profiles: 0,
        default_profile: false,
    };
    let error = service.remove_account(&office.id).await.unwrap_err();
    assert_eq!(refusal(error), still);
    service
        .forget_devices(&office.id, &serials(2))
        .await
        .unwrap();
    service.remove_account(&office.id).await.unwrap();
    let error = service.account(&office.id).await.unwrap_err();
    assert_eq!(refusal(error), Refusal::NoAccount(office.id.clone()));
}

#[tokio::test]
async fn an_account_is_made_once() {
    let office = Office::new().await;
    let error = office.service().add_account(&office.id).await.unwrap_err();
    assert_eq!(refusal(error), Refusal::AccountExists(office.id.clone()));
    let service = office.service();
    let error = service.install_token(&office.id, b"", SameServer).await;
    assert_eq!(refusal(error.unwrap_err()), Refusal::NoStagedKey);
}

#[tokio::test]
async fn a_token_is_installed_by_another_try_wherever_the_program_stopped() {
    let mut stops = 0;
    loop {
        let office = Office::new().await;
        let pem = office.service().stage_key(&office.id, "mdm").await.unwrap();
        let file = office.download(&pem);
        let install = office.service_at(Points::after(stops));
        let done = install
            .install_token(&office.id, &file, SameServer)
            .now_or_never();
        let record = office
            .service()
            .install_token(&office.id, &file, SameServer)
            .await
            .unwrap();
        assert_eq!(record.credentials.unwrap().certificate_pem, Some(pem));
        if done.is_some() {
            break;
        }
        stops += 1;
    }
    // Before and after the session, the account, and the step.
    assert_eq!(stops, 6);
}

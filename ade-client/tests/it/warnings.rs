use std::time::Duration;

use ade_client::{
    AdeService, Policy,
    record::{Trouble, TroubleKind},
    service::Warning,
};
use mdm_core::Clock;

use super::{
    assign::profile,
    office::{Office, Points},
    serials,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn names(service: &AdeService, office: &Office) -> Vec<String> {
    let warnings = service.new_warnings(&office.id).await.unwrap();
    warnings.iter().map(Warning::name).collect()
}

#[tokio::test]
async fn the_end_of_a_token_is_told_once_at_each_of_its_days_and_anew_for_the_next_one() {
    let office = Office::linked(0).await;
    let service = office.service();
    let mut told = Vec::new();
    for day in 0..=366 {
        for name in names(&service, &office).await {
            told.push((day, name));
        }
        office.clock.advance(DAY);
    }
    let expected = [
        (335, "token_expires_30"),
        (358, "token_expires_7"),
        (364, "token_expires_1"),
        (365, "token_expired"),
    ];
    let expected = expected.map(|(day, name)| (day, name.to_owned()));
    assert_eq!(told, expected);
    let holding = service.warnings(&office.id).await.unwrap();
    assert!(matches!(holding[..], [Warning::TokenExpired { .. }]));

    office.link().await;
    assert!(names(&service, &office).await.is_empty());
    office.clock.advance(360 * DAY);
    assert_eq!(names(&service, &office).await, ["token_expires_7"]);
    // Replaced within a warning's days: the next token's is another one.
    office.link().await;
    let expiry = office.clock.now() + 5 * DAY;
    office
        .edit(|record| {
            let token = &mut record.credentials.as_mut().unwrap().token;
            token.access_token_expiry = Some(expiry);
        })
        .await;
    assert_eq!(names(&service, &office).await, ["token_expires_7"]);
}

#[tokio::test]
async fn counts_are_told_when_reached_and_again_after_they_fell() {
    let office = Office::linked(3).await;
    let policy = Policy::default().with(|policy| {
        policy.warn_devices = 3;
        policy.warn_profiles = 1;
    });
    let service = office.service_of(Points::never(), policy);
    assert_eq!(names(&service, &office).await, ["devices"]);
    assert!(names(&service, &office).await.is_empty());
    let defined = service.define_profile(&office.id, profile(), None).await;
    assert_eq!(names(&service, &office).await, ["profiles"]);
    let holding = service.warnings(&office.id).await.unwrap();
    assert_eq!(
        holding,
        [
            Warning::Devices { count: 3 },
            Warning::Profiles { count: 1 }
        ]
    );
    service
        .remove_profile(&office.id, &defined.unwrap().uuid)
        .await
        .unwrap();
    service
        .forget_devices(&office.id, &serials(1))
        .await
        .unwrap();
    assert!(names(&service, &office).await.is_empty());
    office.add_devices(3).await;
    assert_eq!(names(&service, &office).await, ["devices"]);
}

#[tokio::test]
async fn trouble_is_told_once_for_a_token_with_what_helps() {
    let office = Office::linked(0).await;
    let service = office.service();
    let trouble = || {
        let now = office.clock.now();
        let detail = "session: Apple answered 401 Unauthorized token_rejected";
        Trouble::new(TroubleKind::TokenSuperseded, detail, now)
    };
    office.edit(|record| record.trouble = Some(trouble())).await;
    let told = service.new_warnings(&office.id).await.unwrap();
    assert_eq!(told, [Warning::Trouble(trouble())]);
    let text = told[0].to_string();
    assert!(text.starts_with("a newer server token was downloaded elsewhere"));
    assert!(text.ends_with("token_rejected)"), "{text}");
    assert!(names(&service, &office).await.is_empty());
    office.link().await;
    office.edit(|record| record.trouble = Some(trouble())).await;
    assert_eq!(names(&service, &office).await, ["trouble_token_superseded"]);
    let json = serde_json::to_value(service.warnings(&office.id).await.unwrap()).unwrap();
    assert_eq!(json[0]["warning"], "trouble");
    assert_eq!(json[0]["kind"], "token_superseded");
}

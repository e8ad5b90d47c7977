//! What a device does with an update.

#[cfg(feature = "crypto")]
mod signer;

use chrono::{DateTime, Utc};
use mdm_profiles::{
    Profile,
    predict::{ByUser, Delivery, Fate, Outcome, Prediction, Reason, Rule, Signer, predict},
};
use mdm_schema::Severity;

use crate::given::{decode, frame, payload, profile, profile_with};

const MDM: &str = "com.apple.mdm";
const TOPIC: &str = "<key>Topic</key><string>com.apple.mgmt.External.a</string>
    <key>ServerURL</key><string>https://mdm.example.com/mdm?t=1</string>
    <key>AccessRights</key><integer>3</integer>";

fn by_server(installed: &Profile, update: &Profile) -> Prediction {
    predict(installed, update, &Delivery::mdm())
}

/// What an update of the enrolment comes to: the rules that refuse it and where.
fn refused(old: &str, new: &str) -> Vec<(Rule, String)> {
    let made = |keys: &str| profile(&[payload(MDM, "mdm", 1, keys)]);
    let prediction = by_server(&made(old), &made(new));
    if !prediction.is_refused() {
        return Vec::new();
    }
    prediction
        .reasons
        .into_iter()
        .map(|r| (r.rule, r.path))
        .collect()
}

#[test]
fn the_identifier_of_the_profile_decides_between_replacing_and_adding() {
    let wifi = || [payload("com.apple.wifi.managed", "wifi", 1, "")];
    let same = by_server(&profile(&wifi()), &profile(&wifi()));
    assert_eq!(same.outcome, Outcome::Replaces);
    assert_eq!(same.reasons[0].rule, Rule::TopLevelIdentifier);
    assert_eq!(same.payloads[0].fate, Fate::Updates);

    let wifi = wifi().concat();
    let frame = frame("Configuration", "another", 0xFF);
    let other = decode(&format!(
        "<key>PayloadContent</key><array>{wifi}</array>{frame}"
    ));
    let added = by_server(&same_profile(), &other);
    assert_eq!(added.outcome, Outcome::Adds);
    assert_eq!(added.payloads[0].fate, Fate::Adds);
}

fn same_profile() -> Profile {
    profile(&[payload("com.apple.wifi.managed", "wifi", 1, "")])
}

#[test]
fn identifier_and_uuid_together_decide_what_becomes_of_a_payload() {
    let installed = profile(&[
        payload("a", "same", 0xA1, ""),
        payload("a", "uuid", 2, ""),
        payload("a", "gone", 3, ""),
        payload("a", "renamed", 4, ""),
    ]);
    let update = profile(&[
        payload("a", "same", 0xA1, "").replace("2DA1", "2da1"),
        payload("a", "uuid", 12, ""),
        payload("a", "renamed.since", 4, ""),
        payload("a", "new", 5, ""),
    ]);
    let told: Vec<_> = by_server(&installed, &update)
        .payloads
        .into_iter()
        .map(|p| (p.path, p.fate, p.rule))
        .collect();
    let at = |place: usize| format!("PayloadContent[{place}]");
    assert_eq!(
        told,
        [
            (at(0), Fate::Updates, Rule::IdentifierAndUuid),
            (at(1), Fate::Replaces, Rule::IdentifierAndUuid),
            (at(2), Fate::Adds, Rule::PayloadIdentifier),
            (at(3), Fate::Adds, Rule::PayloadIdentifier),
            (at(2), Fate::Removes, Rule::PayloadIdentifier),
            (at(3), Fate::Removes, Rule::PayloadIdentifier),
        ]
    );
}

#[test]
fn a_key_of_the_management_payload_that_never_changes_refuses_the_update() {
    let at = |key: &str| format!("PayloadContent[0].{key}");
    assert_eq!(refused(TOPIC, TOPIC), []);
    for (key, new) in [
        ("Topic", TOPIC.replace("External.a", "External.b")),
        ("ServerURL", TOPIC.replace("t=1", "t=2")),
        (
            "CheckInURL",
            format!("{TOPIC}<key>CheckInURL</key><string>https://mdm.example.com/mdm?t=2</string>"),
        ),
        (
            "AssignedManagedAppleID",
            format!("{TOPIC}<key>AssignedManagedAppleID</key><string>a@b.c</string>"),
        ),
        (
            "EnrollmentMode",
            format!("{TOPIC}<key>EnrollmentMode</key><string>ADDE</string>"),
        ),
        (
            "RequiredAppIDForMDM",
            format!("{TOPIC}<key>RequiredAppIDForMDM</key><integer>1</integer>"),
        ),
    ] {
        assert_eq!(refused(TOPIC, &new), [(Rule::FrozenKey, at(key))]);
        assert_eq!(refused(&new, TOPIC), [(Rule::FrozenKey, at(key))]);
    }
    // Everything else may change.
    let signs =
        format!("{TOPIC}<key>SignMessage</key><true/><key>CheckOutWhenRemoved</key><true/>");
    assert_eq!(refused(TOPIC, &signs), []);
}

#[test]
fn a_check_in_url_that_leads_where_it_led_is_noted_and_not_refused() {
    let url = "https://mdm.example.com/mdm?t=1";
    let written = format!("{TOPIC}<key>CheckInURL</key><string>{url}</string>");
    for (old, new) in [(TOPIC, written.as_str()), (&written, TOPIC)] {
        let [old, new] = [old, new].map(|keys| profile(&[payload(MDM, "mdm", 1, keys)]));
        let prediction = by_server(&old, &new);
        assert_eq!(prediction.outcome, Outcome::Replaces);
        let mut frozen = prediction.reasons.iter();
        let frozen = frozen
            .find(|reason| reason.rule == Rule::FrozenKey)
            .unwrap();
        assert_eq!(frozen.severity, Severity::Warning);
        assert_eq!(frozen.path, "PayloadContent[0].CheckInURL");
    }
}

#[test]
fn access_rights_only_ever_become_fewer() {
    let rights = |bits: u32| TOPIC.replace(">3<", &format!(">{bits}<"));
    let at = "PayloadContent[0].AccessRights".to_owned();
    assert_eq!(
        refused(TOPIC, &rights(7)),
        [(Rule::AddedAccessRight, at.clone())]
    );
    assert_eq!(refused(TOPIC, &rights(1)), []);
    assert_eq!(refused(TOPIC, &rights(4)), [(Rule::AddedAccessRight, at)]);
    let byod = |keys: &str| format!("{keys}<key>EnrollmentMode</key><string>BYOD</string>");
    assert_eq!(
        refused(&byod(TOPIC), &byod(&rights(7))),
        [],
        "User Enrolment ignores them"
    );
}

#[test]
fn connections_per_user_neither_come_nor_go() {
    let with = |list: &str| {
        let list: String = list
            .split_whitespace()
            .map(|c| format!("<string>com.apple.mdm.{c}</string>"))
            .collect();
        format!("{TOPIC}<key>ServerCapabilities</key><array>{list}</array>")
    };
    let at = "PayloadContent[0].ServerCapabilities".to_owned();
    let users = with("per-user-connections");
    assert_eq!(
        refused(TOPIC, &users),
        [(Rule::PerUserConnections, at.clone())]
    );
    assert_eq!(refused(&users, TOPIC), [(Rule::PerUserConnections, at)]);
    assert_eq!(
        refused(&users, &with("bootstraptoken per-user-connections")),
        []
    );
}

#[test]
fn a_second_management_payload_is_refused_and_a_lost_one_noted() {
    let mdm = payload(MDM, "mdm", 1, TOPIC);
    let frame = frame("Configuration", "another", 0xFE);
    let other = decode(&format!(
        "<key>PayloadContent</key><array>{mdm}</array>{frame}"
    ));
    let prediction = by_server(&profile(std::slice::from_ref(&mdm)), &other);
    assert!(prediction.is_refused());
    assert_eq!(prediction.reasons[0].rule, Rule::SecondMdm);

    let lost = by_server(&profile(&[mdm]), &profile(&[]));
    assert!(!lost.is_refused());
    assert!(
        lost.reasons
            .iter()
            .any(|reason| reason.rule == Rule::LostMdm)
    );
    assert_eq!(lost.payloads[0].fate, Fate::Removes);
}

#[test]
fn another_signer_is_refused_unless_the_server_installs() {
    let (old, new) = (same_profile(), same_profile());
    let outcome = |delivery: &Delivery| predict(&old, &new, delivery).outcome;
    for (signer, expected) in [
        (Signer::Same, Outcome::Replaces),
        (Signer::Renewed, Outcome::Replaces),
        (Signer::Other, Outcome::Refuses),
        (Signer::Lost, Outcome::Refuses),
    ] {
        assert_eq!(outcome(&Delivery::manual(signer)), expected);
        let by_server = Delivery::mdm().with(|delivery| delivery.signer = signer);
        assert_eq!(outcome(&by_server), Outcome::Replaces);
    }
    let renewed = predict(&old, &new, &Delivery::manual(Signer::Renewed));
    let doubt =
        |reason: &Reason| (reason.rule, reason.severity) == (Rule::Signer, Severity::Warning);
    assert!(renewed.reasons.iter().any(doubt));
    // Beside another profile there is nothing to compare with.
    let frame = frame("Configuration", "another", 0xFE);
    let other = decode(&format!("<key>PayloadContent</key><array/>{frame}"));
    let manual = Delivery::manual(Signer::Other);
    assert_eq!(predict(&old, &other, &manual).outcome, Outcome::Adds);
}

#[test]
fn what_does_not_install_at_all_is_refused() {
    let twice = profile(&[payload("a", "one", 1, ""), payload("a", "two", 1, "")]);
    let prediction = by_server(&same_profile(), &twice);
    assert_eq!(prediction.outcome, Outcome::Refuses);
    assert_eq!(prediction.reasons[0].rule, Rule::DuplicateUuid);
    assert_eq!(prediction.reasons[0].path, "PayloadContent[1].PayloadUUID");

    let named_twice = profile(&[payload("a", "one", 1, ""), payload("a", "one", 2, "")]);
    let prediction = by_server(&same_profile(), &named_twice);
    assert_eq!(prediction.outcome, Outcome::Replaces);
    assert!(
        prediction
            .reasons
            .iter()
            .any(|r| r.rule == Rule::DuplicateIdentifier)
    );

    let mut nameless = same_profile();
    nameless.keys_mut().remove("PayloadVersion");
    let prediction = by_server(&same_profile(), &nameless);
    assert_eq!(prediction.reasons[0].rule, Rule::NoProfile);
}

#[test]
fn other_content_under_the_same_uuid_is_noted() {
    let has = |prediction: &Prediction| prediction.reasons.iter().any(|r| r.rule == Rule::SameUuid);
    assert!(!has(&by_server(&same_profile(), &same_profile())));
    let wifi = payload("com.apple.wifi.managed", "wifi", 1, "<key>A</key><true/>");
    assert!(has(&by_server(&same_profile(), &profile(&[wifi]))));
}

#[test]
fn who_may_remove_a_profile_depends_on_the_device_and_on_who_installed_it() {
    let keys = "<key>PayloadRemovalDisallowed</key><true/>";
    let locked = profile_with(keys, &[]);
    let password = payload("com.apple.profileRemovalPassword", "p", 1, "");
    let password = profile_with(keys, &[password]);
    let free = profile(&[]);
    let told = |profile: &Profile, delivery: Delivery, target: &str| {
        let delivery = delivery.with(|d| d.target = Some(target.parse().unwrap()));
        predict(profile, profile, &delivery).removal.by_user
    };
    let manual = || Delivery::manual(Signer::Same);
    for (profile, delivery, target, expected) in [
        (&free, manual(), "ios:18.0", ByUser::Free),
        (&free, Delivery::mdm(), "macos:10.15", ByUser::Never),
        (&free, Delivery::mdm(), "macos:10.14", ByUser::Free),
        (&free, manual(), "macos:15.0", ByUser::Free),
        (&locked, manual(), "ios:18.0", ByUser::Free),
        (&locked, manual(), "ios:18.0,supervised", ByUser::Never),
        (&locked, manual(), "macos:15.0", ByUser::Administrator),
        (&locked, Delivery::mdm(), "macos:10.14", ByUser::Never),
        (&password, manual(), "macos:15.0", ByUser::Password),
        (&password, manual(), "ios:18.0,supervised", ByUser::Password),
    ] {
        assert_eq!(
            told(profile, delivery, target),
            expected,
            "{target} {profile:?}"
        );
    }
}

#[test]
fn the_earlier_of_date_and_duration_removes_the_profile() {
    let now: DateTime<Utc> = "2026-11-05T09:00:00Z".parse().unwrap();
    let delivery = Delivery::mdm().with(|delivery| delivery.at = Some(now));
    let told = |keys: &str| predict(&profile(&[]), &profile_with(keys, &[]), &delivery);
    let date = "<key>RemovalDate</key><date>2026-11-05T11:00:00Z</date>";
    let hours = |hours: u32| {
        format!(
            "<key>DurationUntilRemoval</key><real>{}</real>",
            hours * 3600
        )
    };
    let at = |keys: &str| told(keys).removal.at.map(|at| at.format("%H").to_string());
    assert_eq!(at(""), None);
    assert_eq!(at(date).unwrap(), "11");
    assert_eq!(at(&hours(1)).unwrap(), "10");
    assert_eq!(at(&format!("{date}{}", hours(1))).unwrap(), "10");
    assert_eq!(at(&format!("{date}{}", hours(5))).unwrap(), "11");
    assert_eq!(
        at("<key>PayloadExpirationDate</key><date>2026-01-01T00:00:00Z</date>"),
        None
    );
    for odd in ["-1", "1e300", "nan", "inf"] {
        assert_eq!(
            at(&format!(
                "<key>DurationUntilRemoval</key><real>{odd}</real>"
            )),
            None
        );
    }
    let past = told("<key>RemovalDate</key><date>2026-11-05T08:00:00Z</date>");
    assert!(
        past.reasons
            .iter()
            .any(|reason| reason.rule == Rule::RemovalDate)
    );
    let json = serde_json::to_value(&past).unwrap();
    assert_eq!(json["removal"]["at"], "2026-11-05T08:00:00Z");
    assert_eq!(json["outcome"], "replaces");
    assert_eq!(
        json["reasons"][0]["rule"],
        Rule::TopLevelIdentifier.as_str()
    );
}

//! What the vendor puts into the queue, and what results leave behind.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::TimeDelta;
use http::StatusCode;
use mdm_core::ManualClock;
use mdm_pki::{
    Certificate, CertificateBuilder, Decrypter, KeyError, KeySpec, KeyTransport, Name, PrivateKey,
    PublicKey,
    cms::{ContentCipher, EnvelopedDataBuilder},
};
use mdm_protocol::{
    Command,
    command::{DeviceLock, EnableLostMode},
};
use mdm_service::{
    EnqueueError, EnqueueOptions, EscrowKind, MdmSignature, Service,
    queue::{CommandFilter, CommandState, Enqueued, ReportPace, Sequence},
    store::{EscrowStore, PushStore},
};
use zeroize::Zeroizing;

use crate::{device::*, faulty::Faulty};

const IPAD: &str = "<key>ProductName</key><string>iPad13,4</string>\
                    <key>OSVersion</key><string>18.2</string>";

fn lost_mode(uuid: &str) -> Command {
    let lost = EnableLostMode::new().with(|lost| lost.message = Some("Bring it back.".to_owned()));
    Command::new(uuid, &lost)
}

async fn ipad() -> (Service, Shared, Device) {
    let (service, store) = service();
    let device = Device::new("D1");
    device.check_in(&service, &(authenticate() + IPAD)).await;
    device.check_in(&service, &token_update("")).await;
    (service, store, device)
}

/// The answer to a command, with what it tells.
async fn answer(device: &Device, service: &Service, uuid: &str, keys: &str) {
    enqueue(service, &device.id(), uuid).await;
    let keys = result(uuid, "Acknowledged") + keys;
    assert_eq!(offered(&device.report(service, &keys).await), None);
}

#[tokio::test]
async fn a_command_that_the_device_would_refuse_is_not_queued_until_it_would_take_it() {
    let (service, _, device) = ipad().await;
    let refused = service.enqueue(&device.id(), &lost_mode("L-1")).await;
    let Err(EnqueueError::Unsuitable(unsuitable)) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        unsuitable.to_string().contains("supervision"),
        "{unsuitable}"
    );
    assert_eq!(device.idle(&service).await, None);

    let supervised = "<key>QueryResponses</key><dict><key>IsSupervised</key><true/></dict>";
    answer(&device, &service, "C-1", supervised).await;
    let queued = service.enqueue(&device.id(), &lost_mode("L-1")).await;
    assert!(matches!(queued.unwrap(), Enqueued::Queued(_)));
}

#[tokio::test]
async fn supervision_that_is_told_as_a_number_counts() {
    for (told, expected) in [
        ("<integer>1</integer>", Some(true)),
        ("<integer>0</integer>", Some(false)),
        ("<integer>7</integer>", None),
        ("<string>true</string>", None),
    ] {
        let (service, store, device) = ipad().await;
        let keys = format!("<key>QueryResponses</key><dict><key>IsSupervised</key>{told}</dict>");
        answer(&device, &service, "C-1", &keys).await;
        let reported = state(&store, &device.id()).await.reported.unwrap();
        assert_eq!(reported.is_supervised, expected, "{told}");
    }
}

#[tokio::test]
async fn the_override_and_a_type_that_nobody_knows_pass_through() {
    let (service, _, device) = ipad().await;
    let ids = [device.id()];
    let anyway = EnqueueOptions::default().with(|options| options.is_unchecked = true);
    let answers = service.enqueue_each(&ids, &lost_mode("L-1"), &anyway).await;
    assert!(matches!(answers.unwrap()[..], [Ok(Enqueued::Queued(_))]));
    let mut keys = mdm_plist::Dictionary::new();
    keys.insert("Colour".to_owned(), "green".into());
    let unknown = Command::from_keys("X-1", "PaintDevice", keys);
    let queued = service.enqueue(&device.id(), &unknown).await.unwrap();
    assert!(matches!(queued, Enqueued::Queued(_)));
}

#[tokio::test]
async fn of_many_devices_each_has_an_answer_of_its_own() {
    let (service, _, ipad) = ipad().await;
    let mac = Device::new("D2");
    let told = "<key>ProductName</key><string>Mac14,2</string>\
                <key>OSVersion</key><string>15.1</string>";
    mac.check_in(&service, &(authenticate() + told)).await;
    mac.check_in(&service, &token_update("")).await;
    let ids = [ipad.id(), Device::new("D9").id(), mac.id()];
    let lock = DeviceLock::new().with(|lock| lock.pin = Some("123456".to_owned().into()));
    let options = EnqueueOptions::default().with(|options| options.key = Some("lock".to_owned()));
    let command = Command::new("L-1", &lock);
    let answers = service.enqueue_each(&ids, &command, &options).await;
    let answers = answers.unwrap();
    assert!(matches!(
        answers[..],
        [_, Ok(Enqueued::NotEnrolled), Ok(Enqueued::Queued(_))]
    ));
    let again = Command::new("L-2", &lock);
    let answers = service
        .enqueue_each(&ids[2..], &again, &options)
        .await
        .unwrap();
    assert!(
        matches!(&answers[0], Ok(Enqueued::Merged { command_uuid, .. }) if command_uuid == "L-1")
    );
}

#[tokio::test]
async fn a_large_command_for_many_devices_is_queued_in_steps() {
    let (service, store) = service();
    let devices = [Device::new("D1"), Device::new("D2"), Device::new("D3")];
    for device in &devices {
        device.enroll(&service).await;
    }
    let ids = devices.each_ref().map(Device::id);
    let mut keys = mdm_plist::Dictionary::new();
    let half = "x".repeat(Service::ENQUEUE_BYTES / 2);
    keys.insert("Picture".to_owned(), half.into());
    let large = Command::from_keys("P-1", "PaintDevice", keys);
    let options = EnqueueOptions::default().with(|options| options.is_unchecked = true);
    // Two would be over the bound, so the first step holds one.
    let faulty = Faulty::new(&store);
    faulty.fail_after(1);
    let failed = faulty.service().enqueue_each(&ids, &large, &options).await;
    assert!(matches!(failed, Err(EnqueueError::Store(_))), "{failed:?}");
    faulty.fail_after(usize::MAX);
    let again = faulty.service().enqueue_each(&ids, &large, &options).await;
    let again = again.unwrap();
    assert!(
        matches!(
            again[..],
            [
                Ok(Enqueued::Duplicate),
                Ok(Enqueued::Queued(_)),
                Ok(Enqueued::Queued(_))
            ]
        ),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_pin_is_in_escrow_before_the_mac_is_locked_with_it() {
    let (service, store) = service();
    let mac = Device::new("D1");
    mac.enroll(&service).await;
    let lock = DeviceLock::new().with(|lock| lock.pin = Some("123456".to_owned().into()));
    let lock = Command::new("L-1", &lock);
    service.enqueue(&mac.id(), &lock).await.unwrap();
    let kept = store.escrowed(&mac.id(), None, 9).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].kind, EscrowKind::DeviceLockPin);
    assert_eq!(kept[0].value.expose(), b"123456");
    assert_eq!(kept[0].source.as_deref(), Some("L-1"));
}

/// The newest entry is the one that is tried.
#[tokio::test]
async fn a_pin_that_no_device_is_told_is_in_no_escrow() {
    let (service, store) = service();
    let (mac, gone, unknown) = (Device::new("D1"), Device::new("D2"), Device::new("D3"));
    mac.enroll(&service).await;
    gone.enroll(&service).await;
    service.retire(&gone.id()).await.unwrap();
    let options = EnqueueOptions::default().with(|it| it.key = Some("lock".to_owned()));
    for (uuid, pin) in [("L-1", "111111"), ("L-2", "222222"), ("L-1", "333333")] {
        let lock = DeviceLock::new().with(|lock| lock.pin = Some(pin.to_owned().into()));
        let ids = [mac.id(), gone.id(), unknown.id()];
        let lock = Command::new(uuid, &lock);
        service.enqueue_each(&ids, &lock, &options).await.unwrap();
    }
    let kept = store.escrow_page(Sequence::START, 9).await.unwrap();
    let [(_, entry)] = kept.as_slice() else {
        panic!("{kept:?}");
    };
    assert_eq!(
        (&entry.device, entry.value.expose().as_slice()),
        (&mac.id(), &b"111111"[..])
    );
}

#[tokio::test]
async fn commands_are_cancelled_one_by_one_and_all_together() {
    let (service, store) = service();
    let mac = Device::new("D1");
    mac.enroll(&service).await;
    for uuid in ["C-1", "C-2", "C-3"] {
        enqueue(&service, &mac.id(), uuid).await;
    }
    assert!(service.cancel(&mac.id(), "C-1").await.unwrap());
    assert!(!service.cancel(&mac.id(), "C-1").await.unwrap());
    assert_eq!(mac.idle(&service).await.as_deref(), Some("C-2"));
    assert_eq!(service.clear(&[mac.id()]).await.unwrap(), 2);
    assert_eq!(mac.idle(&service).await, None);
    let all = CommandFilter::default();
    let all = service.commands(&mac.id(), &all, Sequence::START, 9).await;
    let all = all.unwrap();
    assert!(
        all.iter()
            .all(|record| matches!(record.state, CommandState::Cancelled { .. }))
    );
    assert_eq!(all.len(), 3);
    drop(store);
}

/// A key for FileVault's escrow payload, and its certificate.
fn escrow_key() -> (PrivateKey, Certificate) {
    let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
    let certificate = CertificateBuilder::new(Name::from_common_name("Escrow"), key.public_key())
        .validity(now(), now() + TimeDelta::days(365))
        .self_signed(&key)
        .unwrap();
    (key, certificate)
}

fn security_info(certificate: &Certificate, recovery_key: &[u8]) -> String {
    let cms = EnvelopedDataBuilder::new(recovery_key)
        .cipher(ContentCipher::Aes256Cbc)
        .recipient(certificate)
        .encrypt()
        .unwrap();
    // Base64 as the header of a signed message has it.
    let cms = mdm_protocol::signature::encode_header(&cms);
    format!(
        "<key>SecurityInfo</key><dict><key>FDE_PersonalRecoveryKeyCMS</key>\
         <data>{cms}</data></dict>"
    )
}

#[tokio::test]
async fn a_filevault_key_is_opened_and_kept_and_the_former_one_too() {
    let (key, certificate) = escrow_key();
    let store = Shared::default();
    let service = builder(&store).filevault(key).build();
    let mac = Device::new("D1");
    mac.enroll(&service).await;
    let deposits = [
        ("C-1", "AAAA-BBBB"),
        ("C-2", "AAAA-BBBB"),
        ("C-3", "CCCC-DDDD"),
    ];
    for (uuid, recovery_key) in deposits {
        let told = security_info(&certificate, recovery_key.as_bytes());
        answer(&mac, &service, uuid, &told).await;
    }
    let kind = EscrowKind::FileVaultRecoveryKey;
    let kept = store.escrowed(&mac.id(), Some(&kind), 9).await.unwrap();
    let kept: Vec<_> = kept
        .iter()
        .map(|entry| {
            (
                entry.source.as_deref().unwrap(),
                entry.value.expose().as_slice(),
            )
        })
        .collect();
    // Deposited again unchanged, it is not kept twice.
    assert_eq!(kept, [("C-3", &b"CCCC-DDDD"[..]), ("C-1", b"AAAA-BBBB")]);
}

#[tokio::test]
async fn a_filevault_key_that_cannot_be_opened_is_kept_as_it_came() {
    let (_, certificate) = escrow_key();
    let (key, _) = escrow_key();
    let store = Shared::default();
    let identity = MdmSignature::new(vec![AUTHORITY.certificate.clone()]).unwrap();
    let service = Service::builder(store.clone(), ManualClock::new(now()), identity)
        .filevault(key)
        .build();
    let mac = Device::new("D1");
    mac.enroll(&service).await;
    let told = security_info(&certificate, b"AAAA-BBBB");
    answer(&mac, &service, "C-1", &told).await;
    let kept = store.escrowed(&mac.id(), None, 9).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].kind, EscrowKind::EncryptedFileVaultRecoveryKey);
    assert!(kept[0].value.expose().len() > 256);
}

#[tokio::test]
async fn a_filevault_key_that_names_a_former_certificate_is_opened_with_its_key() {
    let (key, certificate) = escrow_key();
    let (former_key, former) = escrow_key();
    let (_, strange) = escrow_key();
    let store = Shared::default();
    let service = builder(&store)
        .filevault(key)
        .former_filevault(former.clone(), former_key)
        .build();
    let mac = Device::new("D1");
    mac.enroll(&service).await;
    for (uuid, certificate) in [("C-1", &former), ("C-2", &certificate), ("C-3", &strange)] {
        let told = security_info(certificate, uuid.as_bytes());
        answer(&mac, &service, uuid, &told).await;
    }
    let kind = EscrowKind::FileVaultRecoveryKey;
    let kept = store.escrowed(&mac.id(), Some(&kind), 9).await.unwrap();
    let kept: Vec<_> = kept.iter().map(|it| it.value.expose().as_slice()).collect();
    assert_eq!(kept, [&b"C-2"[..], b"C-1"]);
}

/// Tells how often it was asked.
#[derive(Debug, Clone)]
struct Counted(Arc<(PrivateKey, AtomicUsize)>);

#[async_trait]
impl Decrypter for Counted {
    fn public_key(&self) -> &PublicKey {
        self.0.0.public_key()
    }

    async fn unwrap_key(
        &self,
        algorithm: KeyTransport,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.0.1.fetch_add(1, Ordering::SeqCst);
        self.0.0.unwrap_key(algorithm, wrapped).await
    }
}

#[tokio::test]
async fn nothing_is_decrypted_for_a_sender_who_is_refused() {
    let (key, certificate) = escrow_key();
    let store = Shared::default();
    let key = Counted(Arc::new((key, AtomicUsize::new(0))));
    let service = builder(&store).filevault(key.clone()).build();
    let mac = Device::new("D1");
    mac.enroll(&service).await;
    enqueue(&service, &mac.id(), "C-1").await;
    let told = format!(
        "{}{}",
        result("C-1", "Acknowledged"),
        security_info(&certificate, b"AAAA-BBBB")
    );
    let stranger = mac.renewed("D2", None);
    let response = stranger.report(&service, &told).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(key.0.1.load(Ordering::SeqCst), 0);
    assert_eq!(store.escrowed(&mac.id(), None, 9).await.unwrap(), []);
    assert_eq!(mac.report(&service, &told).await.status(), StatusCode::OK);
    assert_eq!(key.0.1.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_device_that_does_not_call_is_pushed_to_at_the_pace_that_is_set() {
    let store = Shared::default();
    let pace = ReportPace::default().with(|pace| {
        pace.delivered = Duration::from_secs(120);
        pace.set_aside = Duration::from_secs(3600);
    });
    let service = builder(&store).report_pace(pace).build();
    let mac = Device::new("D1");
    mac.enroll(&service).await;
    enqueue(&service, &mac.id(), "C-1").await;
    let due = async |seconds| {
        let at = now() + TimeDelta::seconds(seconds);
        store.due_pushes(at, at, 9).await.unwrap().len()
    };
    assert_eq!(mac.idle(&service).await.as_deref(), Some("C-1"));
    assert_eq!((due(119).await, due(120).await), (0, 1));
    mac.answer(&service, "C-1", "NotNow").await;
    assert_eq!((due(3599).await, due(3600).await), (0, 1));
}

#[tokio::test]
async fn a_bypass_code_is_kept() {
    let (service, store, ipad) = ipad().await;
    let code = "<key>ActivationLockBypassCode</key><string>00000-11111</string>";
    answer(&ipad, &service, "C-1", code).await;
    let kept = store.escrowed(&ipad.id(), None, 9).await.unwrap();
    assert_eq!(kept[0].kind, EscrowKind::ActivationLockBypassCode);
    assert_eq!(kept[0].value.expose(), b"00000-11111");
}

#[tokio::test]
async fn the_answer_to_request_unlock_token_is_kept() {
    let (service, store, ipad) = ipad().await;
    let token = "<key>UnlockToken</key><data>aHVudGVyMg==</data>";
    answer(&ipad, &service, "C-1", token).await;
    answer(
        &ipad,
        &service,
        "C-2",
        "<key>UnlockToken</key><data></data>",
    )
    .await;
    let kept = store.escrowed(&ipad.id(), None, 9).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].kind, EscrowKind::UnlockToken);
    assert_eq!(kept[0].value.expose(), b"hunter2");
    assert_eq!(kept[0].source.as_deref(), Some("C-1"));
}

#[tokio::test]
async fn a_secret_in_a_result_that_is_far_too_large_is_in_the_result_alone() {
    let (service, store, ipad) = ipad().await;
    // Base64: four letters are three bytes.
    let token = |bytes: usize| format!("<data>{}</data>", "AAAA".repeat(bytes.div_ceil(3)));
    let recovery_key = "<key>FDE_PersonalRecoveryKeyCMS</key>";
    for (uuid, told) in [
        ("C-1", format!("<key>UnlockToken</key>{}", token(16 << 10))),
        ("C-2", format!("<key>UnlockToken</key>{}", token(16_000))),
        (
            "C-3",
            format!(
                "<key>SecurityInfo</key><dict>{recovery_key}{}</dict>",
                token(64 << 10)
            ),
        ),
        (
            "C-4",
            format!(
                "<key>SecurityInfo</key><dict>{recovery_key}{}</dict>",
                token(65_000)
            ),
        ),
    ] {
        answer(&ipad, &service, uuid, &told).await;
    }
    let kept = store.escrowed(&ipad.id(), None, 9).await.unwrap();
    let sources: Vec<_> = kept.iter().map(|it| it.source.as_deref()).collect();
    assert_eq!(sources, [Some("C-4"), Some("C-2")]);
}

/// One scalar that says nothing valid costs what it says, and no secret beside it.
#[tokio::test]
async fn a_malformed_scalar_in_a_result_costs_nothing_else() {
    let malformed = [
        "<key>Battery</key><date>yesterday</date>",
        "<key>Battery</key><integer>many</integer>",
        "<key>Battery</key><integer>99999999999999999999</integer>",
        "<key>Battery</key><data>!</data>",
        "<key>Battery</key><array><real>half</real></array>",
    ];
    for (n, malformed) in malformed.into_iter().enumerate() {
        let (service, store, ipad) = ipad().await;
        let told = format!(
            "<key>ActivationLockBypassCode</key><string>00000-11111</string>\
             <key>QueryResponses</key><dict>{malformed}\
             <key>OSVersion</key><string>18.{n}</string></dict>"
        );
        answer(&ipad, &service, "C-1", &told).await;
        let kept = store.escrowed(&ipad.id(), None, 9).await.unwrap();
        assert_eq!(kept.len(), 1, "{malformed}");
        let reported = state(&store, &ipad.id()).await.reported.unwrap();
        assert_eq!(reported.os_version, Some(format!("18.{n}")), "{malformed}");
    }
}

//! The story: thirteen steps from a server token to a managed Mac, and back out again.

use std::{sync::Arc, time::Duration};

use mdm_sdk::{
    ade::{
        self, Client,
        endpoint::{DefineProfile, FetchDevices, GetAccount, SyncDevices},
        model::{DerCertificate, Profile},
    },
    core::{SerialNumber, SystemClock},
    protocol::{
        Command, EnrollmentId,
        command::{DeviceInformation, InstallProfile, Query},
        response::{DeviceInformationResponse, Envelope, Status},
    },
    service::{EnrollmentStatus, PushOutcome, queue::CommandState},
};
use mdm_simulator::Activation;

use crate::{
    step::{Failed, Reason, Step, Story},
    world::{SERIAL, World, signed, transport},
};

/// The longest wait for a push.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn play(
    world: &mut World,
    story: &mut Story,
    broken: Option<Step>,
) -> Result<(), Failed> {
    macro_rules! step {
        ($step:ident, $work:expr) => {
            story
                .tell(Step::$step, async {
                    if broken == Some(Step::$step) {
                        world.sabotage(Step::$step).await?;
                    }
                    $work.await
                })
                .await?
        };
    }
    let apple = step!(Token, open_token(world));
    step!(Session, open_session(&apple));
    step!(Sync, sync_devices(&apple));
    let activation = step!(Assign, assign_profile(world, &apple));
    step!(Ask, ask_for_profile(world, &activation));
    step!(Profile, install_enrollment_profile(world, &activation));
    step!(Scep, obtain_identity(world));
    step!(Authenticate, authenticate(world));
    step!(TokenUpdate, update_token(world));
    step!(Push, push(world));
    step!(DeviceInformation, device_information(world));
    step!(InstallProfile, install_profile(world));
    step!(CheckOut, check_out(world));
    Ok(())
}

type Told<T> = Result<(T, String), Reason>;

async fn open_token(world: &World) -> Told<Client> {
    let token = world.keys.open(&world.token_file)?;
    let until = token.access_token_expiry.map_or_else(String::new, |end| {
        format!(", good until {}", end.format("%Y-%m-%d"))
    });
    let said = format!(
        "{} bytes of S/MIME decrypted{until}",
        world.token_file.len()
    );
    let client = Client::builder(
        transport(world.apple.root_certificate())?,
        Arc::new(SystemClock),
        token,
        "quickstart/0.1",
    )
    .base_url(&world.apple.url())
    .build()?;
    Ok((client, said))
}

async fn open_session(apple: &Client) -> Told<()> {
    let account = apple.send(&GetAccount::new()).await?;
    let name = |name: Option<String>| name.unwrap_or_default();
    let said = format!(
        "signed in as “{}” of “{}”",
        name(account.server_name),
        name(account.org_name)
    );
    Ok(((), said))
}

async fn sync_devices(apple: &Client) -> Told<()> {
    let mut serials = Vec::new();
    let mut page = apple.send(&FetchDevices::first()).await?;
    loop {
        serials.extend(
            page.devices
                .iter()
                .filter_map(|device| device.serial_number.clone()),
        );
        if !page.more_to_follow {
            break;
        }
        let cursor = page.cursor.ok_or("the page has no cursor")?;
        page = apple.send(&FetchDevices::after(cursor)).await?;
    }
    let cursor = page.cursor.ok_or("the last page has no cursor")?;
    let changes = apple.send(&SyncDevices::new(cursor)).await?.devices.len();
    let serials: Vec<&str> = serials.iter().map(|serial| serial.as_str()).collect();
    Ok((
        (),
        format!("devices: {}; {changes} changes since", serials.join(", ")),
    ))
}

async fn assign_profile(world: &World, apple: &Client) -> Told<Activation> {
    let profile = Profile::new("Example", world.vendor.enrollment_url()).with(|profile| {
        profile.anchor_certs = Some(vec![DerCertificate::new(world.web.root().to_der())]);
        profile.is_supervised = Some(true);
        profile.is_mandatory = Some(true);
        profile.is_mdm_removable = Some(false);
    });
    let profile_uuid = apple.send(&DefineProfile::new(profile)).await?.profile_uuid;
    let report = apple
        .assign(&profile_uuid, &[SerialNumber::new(SERIAL)?])
        .await;
    for device in &report.devices {
        match &device.outcome {
            ade::model::Outcome::Answered(_) if device.is_success() => {}
            ade::model::Outcome::Answered(status) => {
                return Err(format!("Apple says {status} of {}", device.serial_number).into());
            }
            other => return Err(format!("{}: {other:?}", device.serial_number).into()),
        }
    }
    let told = world
        .apple
        .device_profile(SERIAL)
        .ok_or("Apple tells the device nothing")?;
    let activation = Activation::from_json(&told)?;
    Ok((
        activation,
        format!("profile {profile_uuid} given to {SERIAL}"),
    ))
}

async fn ask_for_profile(world: &mut World, activation: &Activation) -> Told<()> {
    world.offered = world.mac.ask_for_profile(activation).await?.into();
    Ok((
        (),
        format!(
            "signed MachineInfo taken, {} bytes of profile",
            world.offered.len()
        ),
    ))
}

async fn install_enrollment_profile(world: &mut World, activation: &Activation) -> Told<()> {
    let settings = world
        .mac
        .install_enrollment_profile(&world.offered, activation)?;
    let said = format!("signature verified, {} installed", settings.identifier);
    Ok(((), said))
}

async fn obtain_identity(world: &mut World) -> Told<()> {
    let identity = world.mac.obtain_identity().await?;
    let certificate = &identity.certificate;
    let said = format!(
        "{} issued by {}",
        certificate.subject(),
        certificate.issuer()
    );
    Ok(((), said))
}

async fn authenticate(world: &World) -> Told<()> {
    world.mac.authenticate().await?;
    expect(world, EnrollmentStatus::Authenticated).await?;
    Ok((
        (),
        format!("{} known by its certificate", world.mac.hardware().udid),
    ))
}

async fn update_token(world: &mut World) -> Told<()> {
    world.mac.update_token().await?;
    expect(world, EnrollmentStatus::Enrolled).await?;
    let token = world.mac.push_token().ok_or("the Mac has no push token")?;
    world.apns.accept_token(token.expose());
    Ok(((), "push token and magic stored".to_owned()))
}

async fn push(world: &World) -> Told<()> {
    let id = enrollment_id(world)?;
    let outcome = world.vendor.service.push(&[id]).await?.pop();
    let Some(PushOutcome::Sent { apns_id, .. }) = outcome else {
        return Err(format!("the push was not sent: {outcome:?}").into());
    };
    wake(world).await?;
    Ok((
        (),
        format!("the Mac woke, apns-id {}", apns_id.unwrap_or_default()),
    ))
}

async fn device_information(world: &mut World) -> Told<()> {
    let request = DeviceInformation::new([
        Query::SerialNumber,
        Query::ModelName,
        Query::OsVersion,
        Query::BuildVersion,
    ]);
    let report = run_command(world, &Command::new("quickstart-1", &request)).await?;
    let body = report.body::<DeviceInformationResponse>()?;
    let found = body.query_responses.unwrap_or_default();
    let said = format!(
        "{} {} runs {} ({})",
        found.model_name.unwrap_or_default(),
        found.serial_number.unwrap_or_default(),
        found.os_version.unwrap_or_default(),
        found.build_version.unwrap_or_default(),
    );
    Ok(((), said))
}

async fn install_profile(world: &mut World) -> Told<()> {
    const DOCK: &str = r#"<plist version="1.0"><dict>
        <key>PayloadContent</key><array><dict>
            <key>PayloadIdentifier</key><string>example.quickstart.dock.1</string>
            <key>PayloadType</key><string>com.apple.dock</string>
            <key>PayloadUUID</key><string>5D0A1E2C-53B2-4C2E-9B0C-1F0E4D1B7A11</string>
            <key>PayloadVersion</key><integer>1</integer>
            <key>tilesize</key><integer>48</integer>
        </dict></array>
        <key>PayloadDisplayName</key><string>Dock</string>
        <key>PayloadIdentifier</key><string>example.quickstart.dock</string>
        <key>PayloadType</key><string>Configuration</string>
        <key>PayloadUUID</key><string>0D7E5C3A-9F42-4E0E-8A61-6B3D1C9E2F22</string>
        <key>PayloadVersion</key><integer>1</integer>
    </dict></plist>"#;
    let request = InstallProfile::new(signed(DOCK.as_bytes(), &world.profile_signer)?);
    run_command(world, &Command::new("quickstart-2", &request)).await?;
    let installed: Vec<&str> = world.mac.profile_identifiers().collect();
    Ok((
        (),
        format!("acknowledged; on the Mac: {}", installed.join(", ")),
    ))
}

async fn check_out(world: &mut World) -> Told<()> {
    let id = enrollment_id(world)?;
    world.mac.check_out().await?;
    let enrollment = world.vendor.service.store().enrollment(&id).await?;
    match enrollment.map(|enrollment| enrollment.status) {
        Some(EnrollmentStatus::Disabled) => Ok(((), "the server let the Mac go".to_owned())),
        other => Err(format!("the server still holds the Mac as {other:?}").into()),
    }
}

/// Queues a command, wakes the Mac for it, and reads what it answered.
async fn run_command(world: &mut World, command: &Command) -> Result<Envelope, Reason> {
    let id = enrollment_id(world)?;
    world.vendor.service.enqueue(&id, command).await?;
    world.vendor.service.push(std::slice::from_ref(&id)).await?;
    wake(world).await?;
    world.mac.poll().await?;
    let record = world
        .vendor
        .service
        .command(&id, command.command_uuid())
        .await?;
    let Some(CommandState::Settled { body, .. }) = record.map(|record| record.state) else {
        return Err("the Mac did not answer".into());
    };
    let report = Envelope::decode(body.as_ref())?;
    if report.status == Status::Acknowledged {
        return Ok(report);
    }
    let texts = report
        .error_chain
        .iter()
        .filter_map(|item| item.us_english_description.as_deref());
    let texts = texts.collect::<Vec<_>>().join("; ");
    Err(format!("the Mac answered {}: {texts}", report.status).into())
}

/// Waits for the push at the Mac's side and lets the Mac judge it.
async fn wake(world: &World) -> Result<(), Reason> {
    let token = world.mac.push_token().ok_or("the Mac has no push token")?;
    let magic = tokio::time::timeout(PATIENCE, world.apns.next_push(token.expose()));
    let magic = magic.await.map_err(|_| "no push reached the Mac")?;
    Ok(world.mac.wake(&magic)?)
}

fn enrollment_id(world: &World) -> Result<EnrollmentId, Reason> {
    Ok(EnrollmentId::device(world.mac.hardware().udid.as_str())?)
}

async fn expect(world: &World, status: EnrollmentStatus) -> Result<(), Reason> {
    let store = world.vendor.service.store();
    match store.enrollment(&enrollment_id(world)?).await? {
        Some(enrollment) if enrollment.status == status => Ok(()),
        other => Err(format!("the store holds {:?}", other.map(|found| found.status)).into()),
    }
}

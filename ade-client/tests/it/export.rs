use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use ade_client::{
    Error,
    record::{DeviceState, Presence},
    service::ExportFormat::{Csv, Json},
};
use mdm_core::Clock;
use serde_json::{Value, json};

use super::{assign::profile, office::Office, serials};

async fn export(office: &Office, format: ade_client::service::ExportFormat) -> (u64, String) {
    let mut out = Vec::new();
    let service = office.service();
    let count = service.export(&office.id, format, &mut out).await.unwrap();
    (count, String::from_utf8(out).unwrap())
}

/// Three devices: one with everything, one with nothing, one that was released.
async fn office() -> (Office, String) {
    let office = Office::linked(3).await;
    let all = serials(3);
    let named = profile().with(|profile| profile.profile_name = Some("Staff, \"new\"".into()));
    let service = office.service();
    let defined = service.define_profile(&office.id, named, None).await;
    let uuid = defined.unwrap().uuid;
    let now = office.clock.now();
    office
        .edit_device(&all[0], |device| {
            device.device.model = Some("iPad, 10. Gen".into());
            device.device.profile_uuid = Some(uuid.clone());
            device.state = DeviceState::Pushed;
            device.times.assigned = Some(now);
            device.times.pushed = Some(now);
            device.wanted_profile = Some(uuid.clone());
            device.tags = BTreeSet::from(["=lab".into(), "floor 3".into()]);
            device.user = Some("kim\nlee".into());
        })
        .await;
    office
        .edit_device(&all[1], |device| device.device.model = None)
        .await;
    office
        .edit_device(&all[2], |device| {
            device.presence = Presence::Released { at: now }
        })
        .await;
    (office, uuid)
}

#[tokio::test]
async fn csv_has_a_line_for_each_assigned_device() {
    let (office, uuid) = office().await;
    let (count, text) = export(&office, Csv).await;
    assert_eq!(count, 2);
    let expected = format!(
        "serial_number,model,profile_status,profile_uuid,profile_name,wanted_profile,tags,user,\
         profile_assign_time,profile_push_time\r\n\
         C02TEST00000,\"iPad, 10. Gen\",pushed,{uuid},\"Staff, \"\"new\"\"\",{uuid},'=lab;floor 3,\
         \"kim\nlee\",2026-03-01T08:00:00Z,2026-03-01T08:00:00Z\r\n\
         C02TEST00001,,empty,,,,,,,\r\n"
    );
    assert_eq!(text, expected);
}

#[tokio::test]
async fn json_has_an_object_for_each_with_its_values_as_they_are() {
    let (office, uuid) = office().await;
    let (count, text) = export(&office, Json).await;
    assert_eq!(count, 2);
    assert_eq!(text.lines().count(), 4);
    let devices: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(
        devices[0],
        json!({
            "serial_number": "C02TEST00000",
            "model": "iPad, 10. Gen",
            "profile_status": "pushed",
            "profile_uuid": uuid,
            "profile_name": "Staff, \"new\"",
            "wanted_profile": uuid,
            "tags": ["=lab", "floor 3"],
            "user": "kim\nlee",
            "profile_assign_time": "2026-03-01T08:00:00Z",
            "profile_push_time": "2026-03-01T08:00:00Z",
        })
    );
    assert_eq!(devices[1]["model"], Value::Null);
    assert_eq!(devices[1]["tags"], json!([]));
}

#[tokio::test]
async fn an_export_goes_over_all_pages_in_order() {
    for (count, format) in [(0, Json), (0, Csv), (500, Json), (1203, Json), (1203, Csv)] {
        let office = Office::linked(count).await;
        let (written, text) = export(&office, format).await;
        assert_eq!(written, count as u64);
        let found: Vec<String> = match format {
            Json => {
                let devices: Vec<Value> = serde_json::from_str(&text).unwrap();
                let serial = |d: Value| d["serial_number"].as_str().unwrap().to_owned();
                devices.into_iter().map(serial).collect()
            }
            _ => {
                let serial = |line: &str| line.split(',').next().unwrap().to_owned();
                text.lines().skip(1).map(serial).collect()
            }
        };
        let expected: Vec<_> = serials(count).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_disk_that_is_full_is_told() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let office = Office::linked(1).await;
    let service = office.service();
    for format in [Csv, Json] {
        let result = service.export(&office.id, format, &mut Full).await;
        assert!(matches!(result, Err(Error::Export(_))), "{result:?}");
    }
}

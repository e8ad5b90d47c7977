use ade_client::{
    endpoint::{FetchDevices, SyncDevices},
    model::{Cursor, DevicePage, OpType},
};
use mdm_fake_apple::ade::Fault;

use super::*;

async fn fetch_all(client: &Client, limit: u32) -> (Vec<DevicePage>, Cursor) {
    let mut pages = Vec::new();
    let mut request = FetchDevices::first();
    loop {
        request.limit = Some(limit);
        let page = client.send(&request).await.unwrap();
        let cursor = page.cursor.clone().unwrap();
        let more = page.more_to_follow;
        pages.push(page);
        if !more {
            return (pages, cursor);
        }
        request = FetchDevices::after(cursor);
    }
}

#[tokio::test]
async fn all_devices_come_page_by_page_each_once() {
    let scene = Scene::with_devices(25).await;
    let (pages, _) = fetch_all(&scene.client, 10).await;
    assert_eq!(
        pages
            .iter()
            .map(|page| page.devices.len())
            .collect::<Vec<_>>(),
        [10, 10, 5]
    );
    let seen: Vec<_> = pages
        .iter()
        .flat_map(|page| &page.devices)
        .map(|device| device.serial_number.clone().unwrap())
        .collect();
    assert_eq!(seen, serials(25));
    let device = &pages[0].devices[0];
    assert_eq!(device.device_family.as_ref().unwrap().as_str(), "Mac");
    assert!(device.op_type.is_none());
    assert!(pages[0].fetched_until.as_ref().unwrap().instant().is_some());
}

#[tokio::test]
async fn a_sync_goes_on_where_the_fetch_ended_and_tells_what_changed() {
    let scene = Scene::with_devices(3).await;
    let (_, cursor) = fetch_all(&scene.client, 2).await;
    let nothing = scene.client.send(&SyncDevices::new(cursor)).await.unwrap();
    assert!(nothing.devices.is_empty() && !nothing.more_to_follow);
    let cursor = nothing.cursor.unwrap();

    let all = serials(4);
    scene
        .apple
        .add_device(json!({"serial_number": all[3].as_str()}));
    assert!(
        scene
            .apple
            .modify_device(all[0].as_str(), json!({"color": "SILVER"}))
    );
    assert!(scene.apple.remove_device(all[1].as_str()));
    let mut request = SyncDevices::new(cursor);
    request.limit = Some(2);
    let first = scene.client.send(&request).await.unwrap();
    assert!(first.more_to_follow);
    let second = scene
        .client
        .send(&SyncDevices::new(first.cursor.clone().unwrap()))
        .await
        .unwrap();
    assert!(!second.more_to_follow);
    let changes: Vec<_> = first
        .devices
        .iter()
        .chain(&second.devices)
        .map(|device| {
            (
                device.serial_number.clone().unwrap(),
                device.op_type.clone().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        changes,
        [
            (all[3].clone(), OpType::Added),
            (all[0].clone(), OpType::Modified),
            (all[1].clone(), OpType::Deleted),
        ]
    );
    // A cursor may be used again, as after an answer that got lost.
    let again = scene.client.send(&request).await.unwrap();
    assert_eq!(again.devices, first.devices);
}

#[tokio::test]
async fn q20_each_wrong_cursor_has_its_error() {
    let scene = Scene::with_devices(2).await;
    let (_, cursor) = fetch_all(&scene.client, 1).await;
    let fetch = FetchDevices::after(cursor.clone());
    let error = scene.client.send(&fetch).await.unwrap_err();
    assert!(error.is_cursor_exhausted(), "{error}");
    let unknown = SyncDevices::new(Cursor::new("MDowOjE6MTp0cnVlOjE="));
    let error = scene.client.send(&unknown).await.unwrap_err();
    assert!(error.is_cursor_invalid(), "{error}");
    scene.apple.fault(Fault::ExpireCursors);
    let sync = SyncDevices::new(cursor);
    let error = scene.client.send(&sync).await.unwrap_err();
    assert!(error.is_cursor_expired(), "{error}");
    scene.apple.fault(Fault::ForgetCursors);
    let error = scene.client.send(&sync).await.unwrap_err();
    assert!(error.is_cursor_invalid(), "{error}");
}

#[tokio::test]
async fn q21_an_old_protocol_version_hides_what_it_did_not_know() {
    let scene = Scene::new(Config::default()).await;
    scene.apple.add_device(json!({
        "serial_number": "DMPX", "device_family": "iPad", "os": "iPadOS", "eid": "8904",
    }));
    let first = FetchDevices::first();
    let page = scene.client.send(&first).await.unwrap();
    assert_eq!(page.devices[0].eid.as_deref(), Some("8904"));
    assert_eq!(page.devices[0].os.as_ref().unwrap().as_str(), "iPadOS");

    let token = new_token(&scene.apple, &scene.pair);
    let transport = ReqwestTransport::builder()
        .no_proxy()
        .root(scene.apple.root_certificate().to_der())
        .build()
        .unwrap();
    let clock = Arc::new(ManualClock::new(Utc::now()));
    let old = Client::builder(transport, clock, token, USER_AGENT)
        .base_url(&scene.apple.url())
        .protocol_version(2)
        .build()
        .unwrap();
    let page = old.send(&first).await.unwrap();
    assert_eq!(page.devices[0].eid, None);
    assert_eq!(page.devices[0].os.as_ref().unwrap().as_str(), "iOS");
}

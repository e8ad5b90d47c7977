//! `cargo xtask bench plist`: the typed reader, as shipped, with default limits and every check on,
//! against the `plist` crate's typed reader and against bare events of `quick-xml`, which know
//! neither types nor property lists.

use std::process::ExitCode;

use mdm_benches::{Case, Comparison, documents};
use quick_xml::events::Event;
use serde::{Deserialize, de::DeserializeOwned};

/// How many times as fast as the `plist` crate: small documents, large ones.
const BARS: [f64; 2] = [3.5, 4.0];

/// Bare events are not to be missed by more than a tenth.
const EVENTS_BAR: f64 = 1.0 / 1.1;

fn main() -> ExitCode {
    let small = documents::device_information();
    let large = documents::application_list();
    Comparison::new("plist", || {
        agree::<Response<DeviceInformation>>("device information", &small)?;
        agree::<Response<ApplicationList>>("application list", &large)
    })
    .rounds(11)
    .case(case::<Response<DeviceInformation>>("4 KB", &small, BARS[0]))
    .case(case::<Response<ApplicationList>>("200 KB", &large, BARS[1]))
    .run()
}

fn case<'a, T: DeserializeOwned>(name: &str, xml: &'a str, bar: f64) -> Case<'a> {
    Case::timed(name, || mdm_plist::from_slice::<T>(xml.as_bytes()))
        .peer("plist crate", bar, || {
            plist::from_reader_xml::<_, T>(xml.as_bytes())
        })
        .peer("quick-xml slice events", EVENTS_BAR, || events(xml))
}

/// Both readers decode the same values, and the events can be read to the end.
fn agree<T: DeserializeOwned + PartialEq>(name: &str, xml: &str) -> Result<(), String> {
    let ours: T =
        mdm_plist::from_slice(xml.as_bytes()).map_err(|e| format!("{name}, ours: {e}"))?;
    let theirs: T = plist::from_reader_xml(xml.as_bytes()).map_err(|e| format!("{name}: {e}"))?;
    if ours != theirs {
        return Err(format!("{name}: the decoded values differ"));
    }
    match events(xml) {
        Ok(elements) if elements > 0 => Ok(()),
        Ok(_) => Err(format!("{name}: no events")),
        Err(error) => Err(format!("{name}, events: {error}")),
    }
}

/// Counts the elements, so that every event is looked at.
fn events(xml: &str) -> Result<usize, quick_xml::Error> {
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut elements = 0;
    loop {
        match reader.read_event()? {
            Event::Start(_) | Event::Empty(_) => elements += 1,
            Event::Eof => return Ok(elements),
            _ => {}
        }
    }
}

/// A command's result: the envelope and one answer.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response<T> {
    #[serde(rename = "UDID")]
    udid: String,
    #[serde(rename = "CommandUUID")]
    command_uuid: String,
    status: String,
    #[serde(alias = "QueryResponses", alias = "InstalledApplicationList")]
    answer: T,
}

type ApplicationList = Vec<Application>;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Application {
    identifier: String,
    name: Option<String>,
    version: Option<String>,
    short_version: Option<String>,
    bundle_size: Option<u64>,
    dynamic_size: Option<u64>,
    is_validated: Option<bool>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeviceInformation {
    #[serde(rename = "UDID")]
    udid: Option<String>,
    #[serde(rename = "ProvisioningUDID")]
    provisioning_udid: Option<String>,
    #[serde(rename = "DeviceID")]
    device_id: Option<String>,
    device_name: Option<String>,
    host_name: Option<String>,
    local_host_name: Option<String>,
    model: Option<String>,
    model_name: Option<String>,
    model_number: Option<String>,
    product_name: Option<String>,
    serial_number: Option<String>,
    #[serde(rename = "OSVersion")]
    os_version: Option<String>,
    build_version: Option<String>,
    supplemental_build_version: Option<String>,
    #[serde(rename = "SoftwareUpdateDeviceID")]
    software_update_device_id: Option<String>,
    time_zone: Option<String>,
    #[serde(rename = "BluetoothMAC")]
    bluetooth_mac: Option<String>,
    #[serde(rename = "EthernetMAC")]
    ethernet_mac: Option<String>,
    #[serde(rename = "WiFiMAC")]
    wifi_mac: Option<String>,
    #[serde(rename = "iTunesStoreAccountHash")]
    itunes_store_account_hash: Option<String>,
    #[serde(rename = "iTunesStoreAccountIsActive")]
    itunes_store_account_is_active: Option<bool>,
    app_analytics_enabled: Option<bool>,
    awaiting_configuration: Option<bool>,
    diagnostic_submission_enabled: Option<bool>,
    has_battery: Option<bool>,
    is_activation_lock_enabled: Option<bool>,
    is_activation_lock_supported: Option<bool>,
    is_apple_silicon: Option<bool>,
    is_cloud_backup_enabled: Option<bool>,
    is_device_locator_service_enabled: Option<bool>,
    is_do_not_disturb_in_effect: Option<bool>,
    #[serde(rename = "IsMDMLostModeEnabled")]
    is_mdm_lost_mode_enabled: Option<bool>,
    is_multi_user: Option<bool>,
    is_supervised: Option<bool>,
    #[serde(rename = "PINRequiredForDeviceLock")]
    pin_required_for_device_lock: Option<bool>,
    #[serde(rename = "PINRequiredForEraseDevice")]
    pin_required_for_erase_device: Option<bool>,
    #[serde(rename = "SupportsLOMDevice")]
    supports_lom_device: Option<bool>,
    #[serde(rename = "SupportsiOSAppInstalls")]
    supports_ios_app_installs: Option<bool>,
    system_integrity_protection_enabled: Option<bool>,
    xsan_configuration: Option<bool>,
    available_device_capacity: Option<f64>,
    battery_level: Option<f64>,
    device_capacity: Option<f64>,
    cellular_technology: Option<u8>,
    last_cloud_backup_date: Option<plist::Date>,
    push_token: Option<plist::Data>,
    organization_info: Option<OrganizationInfo>,
    #[serde(rename = "OSUpdateSettings")]
    os_update_settings: Option<OsUpdateSettings>,
    accessibility_settings: Option<AccessibilitySettings>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OrganizationInfo {
    organization_name: String,
    organization_address: Option<String>,
    organization_email: Option<String>,
    organization_magic: Option<String>,
    organization_phone: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OsUpdateSettings {
    #[serde(rename = "CatalogURL")]
    catalog_url: Option<String>,
    default_catalog: Option<String>,
    previous_scan_result: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AccessibilitySettings {
    text_size: Option<String>,
    voice_over_enabled: Option<String>,
    zoom_enabled: Option<String>,
}

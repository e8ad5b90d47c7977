//! Rust names for Apple's: the words of a key, a title or a value, joined as Rust joins them.
//!
//! The rules are few and blind to meaning; what they get wrong the overlay names.

use crate::{
    ir::{Document, Kind, Schema},
    overlay::Overlay,
};

/// Spellings that the rules for capitals would tear apart: as Apple writes it, its words in
/// `snake_case`, its `PascalCase`.
///
/// The Pascal spelling has to split into the same words again: constants are named after types.
const SPELLINGS: &[(&str, &str, &str)] = &[
    ("AirDrop", "airdrop", "AirDrop"),
    ("AirPlay", "airplay", "AirPlay"),
    ("AirPort", "airport", "AirPort"),
    ("AirPrint", "airprint", "AirPrint"),
    ("CCPMPPE", "ccp_mppe", "CcpMppe"),
    ("CRAMMD5", "cram_md5", "CramMd5"),
    ("CalDAV", "caldav", "CalDav"),
    ("CalDav", "caldav", "CalDav"),
    ("CardDAV", "carddav", "CardDav"),
    ("CardDav", "carddav", "CardDav"),
    ("EAPFAST", "eap_fast", "EapFast"),
    ("EAPSIM", "eap_sim", "EapSim"),
    ("FaceTime", "facetime", "FaceTime"),
    ("FileVault", "filevault", "FileVault"),
    ("HTTPMD5", "http_md5", "HttpMd5"),
    ("IKEV2", "ikev2", "Ikev2"),
    ("IKEv2", "ikev2", "Ikev2"),
    ("IPSec", "ipsec", "IpSec"),
    ("IPsec", "ipsec", "IpSec"),
    ("IPv4", "ipv4", "Ipv4"),
    ("IPv6", "ipv6", "Ipv6"),
    ("ITunes", "itunes", "Itunes"),
    ("IpSec", "ipsec", "IpSec"),
    ("IrDA", "irda", "Irda"),
    ("JavaScript", "javascript", "JavaScript"),
    ("L2TP", "l2tp", "L2tp"),
    ("LOWSPACE", "low_space", "LowSpace"),
    ("MSCHAPv2", "mschapv2", "MschapV2"),
    ("MacOS", "macos", "MacOs"),
    ("MacOs", "macos", "MacOs"),
    ("MschapV2", "mschapv2", "MschapV2"),
    ("OAuth", "oauth", "OAuth"),
    ("OpenID", "openid", "OpenId"),
    ("OpenId", "openid", "OpenId"),
    ("PACURL", "pac_url", "PacUrl"),
    ("PPDURL", "ppd_url", "PpdUrl"),
    ("PPPoE", "pppoe", "Pppoe"),
    ("PowerOFF", "power_off", "PowerOff"),
    ("PowerON", "power_on", "PowerOn"),
    ("QoS", "qos", "QoS"),
    ("SHOWFULLNAME", "show_full_name", "ShowFullName"),
    ("SHOWOTHERUSERS", "show_other_users", "ShowOtherUsers"),
    ("SIMMCC", "sim_mcc", "SimMcc"),
    ("SIMMNC", "sim_mnc", "SimMnc"),
    ("SSOTGT", "sso_tgt", "SsoTgt"),
    ("TestFlight", "testflight", "TestFlight"),
    ("TvOs", "tvos", "TvOs"),
    ("VPNPIN", "vpn_pin", "VpnPin"),
    ("VPNUUID", "vpn_uuid", "VpnUuid"),
    ("VisionOs", "visionos", "VisionOs"),
    ("WatchOs", "watchos", "WatchOs"),
    ("WiFi", "wifi", "WiFi"),
    ("XAuth", "xauth", "XAuth"),
    ("XProtect", "xprotect", "XProtect"),
    ("appstore", "app_store", "AppStore"),
    ("autologout", "auto_logout", "AutoLogout"),
    ("blankbd", "blank_bd", "BlankBd"),
    ("blankcd", "blank_cd", "BlankCd"),
    ("blankdvd", "blank_dvd", "BlankDvd"),
    ("bootstraptoken", "bootstrap_token", "BootstrapToken"),
    ("cachedaccounts", "cached_accounts", "CachedAccounts"),
    ("cloudvpp", "cloud_vpp", "CloudVpp"),
    (
        "configurationprofiles",
        "configuration_profiles",
        "ConfigurationProfiles",
    ),
    ("dNSName", "dns_name", "DnsName"),
    ("dblclickbehavior", "dbl_click_behavior", "DblClickBehavior"),
    (
        "desktopscreeneffect",
        "desktop_screen_effect",
        "DesktopScreenEffect",
    ),
    ("diskmanagement", "disk_management", "DiskManagement"),
    ("dvdram", "dvd_ram", "DvdRam"),
    ("eSIM", "esim", "Esim"),
    ("energysaver", "energy_saver", "EnergySaver"),
    ("eventtype", "event_type", "EventType"),
    ("fibrechannel", "fibre_channel", "FibreChannel"),
    ("fsnameservers", "fs_name_servers", "FsNameServers"),
    ("harddisk", "hard_disk", "HardDisk"),
    ("iBooks", "ibooks", "Ibooks"),
    ("iBookstore", "ibookstore", "Ibookstore"),
    ("iChat", "ichat", "Ichat"),
    ("iCloud", "icloud", "Icloud"),
    ("iMessage", "imessage", "Imessage"),
    ("iOS", "ios", "Ios"),
    ("iPad", "ipad", "Ipad"),
    ("iPhone", "iphone", "Iphone"),
    ("iTunes", "itunes", "Itunes"),
    ("internetaccounts", "internet_accounts", "InternetAccounts"),
    ("largesize", "large_size", "LargeSize"),
    ("launchanim", "launch_anim", "LaunchAnim"),
    ("loginscripts", "login_scripts", "LoginScripts"),
    ("logoutscripts", "logout_scripts", "LogoutScripts"),
    ("macOS", "macos", "MacOs"),
    ("magsize", "mag_size", "MagSize"),
    ("mineffect", "min_effect", "MinEffect"),
    ("minintoapp", "min_into_app", "MinIntoApp"),
    ("networkdisk", "network_disk", "NetworkDisk"),
    ("osxserver", "osx_server", "OsxServer"),
    ("parentalcontrols", "parental_controls", "ParentalControls"),
    ("poweron", "power_on", "PowerOn"),
    ("printfax", "print_fax", "PrintFax"),
    ("screensharing", "screen_sharing", "ScreenSharing"),
    ("screentime", "screen_time", "ScreenTime"),
    ("showindicators", "show_indicators", "ShowIndicators"),
    ("showrecents", "show_recents", "ShowRecents"),
    ("softwareupdate", "software_update", "SoftwareUpdate"),
    ("startupdisk", "startup_disk", "StartupDisk"),
    (
        "systempreferences",
        "system_preferences",
        "SystemPreferences",
    ),
    ("tilesize", "tile_size", "TileSize"),
    ("tvOS", "tvos", "TvOs"),
    ("universalaccess", "universal_access", "UniversalAccess"),
    ("visionOS", "visionos", "VisionOs"),
    ("wakepoweron", "wake_power_on", "WakePowerOn"),
    ("watchOS", "watchos", "WatchOs"),
    ("windowtabbing", "window_tabbing", "WindowTabbing"),
];

/// What Rust reserves, in edition 2024.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Names that say nothing without the name of what holds them.
const VAGUE: &[&str] = &[
    "action",
    "attributes",
    "class_name",
    "configuration",
    "description",
    "details",
    "grade",
    "item",
    "kind",
    "level",
    "method",
    "mode",
    "name",
    "options",
    "parameters",
    "policy",
    "protocol",
    "reason",
    "scope",
    "state",
    "status",
    "type",
    "valid",
    "value",
];

/// The Rust type of a document: `EraseDevice`, and `EraseDeviceResponse` for what is answered.
pub(crate) fn document(_: &Schema, overlay: &Overlay, document: &Document) -> String {
    let named = |file: &str| overlay.types.get(file).cloned();
    if document.kind.is_answer()
        && let Some(name) = named(&format!("{}!", document.file))
    {
        return name;
    }
    let name = named(&document.file).unwrap_or_else(|| own(document));
    if document.kind.is_answer() {
        return name + "Response";
    }
    name
}

/// Named by the wire where that has word breaks, otherwise by Apple's title.
fn own(document: &Document) -> String {
    let title = document.title.as_str();
    match document.kind {
        Kind::CheckIn
        | Kind::CheckInResponse
        | Kind::Command
        | Kind::Response
        | Kind::StatusItem
        | Kind::Protocol
        | Kind::Document => pascal(&document.name),
        Kind::Payload
        | Kind::Configuration
        | Kind::Asset
        | Kind::Management
        | Kind::Activation
        | Kind::Credential => pascal(title),
        Kind::ErrorBody => pascal(
            title
                .trim_start_matches("Error ")
                .trim_start_matches("Code "),
        ),
    }
}

/// The words of a name, in small letters.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    for chunk in name.split(|c: char| !c.is_ascii_alphanumeric()) {
        split_capitals(chunk, &mut words);
    }
    words
}

/// `SomeName`: a type. Empty where the text has no letter or digit.
pub(crate) fn pascal(name: &str) -> String {
    join_pascal(&words(name))
}

/// `some_name`: a field or a module, without Apple's domain; a keyword has an underscore behind it.
pub(crate) fn snake(name: &str) -> String {
    let name = words(without_domain(name)).join("_");
    if KEYWORDS.contains(&name.as_str()) {
        return format!("{name}_");
    }
    name
}

/// `SOME_NAME`: a static.
pub(crate) fn screaming(name: &str) -> String {
    words(name).join("_").to_ascii_uppercase()
}

/// A variant for a text on the wire, given the name of its enum: without the enum's own name and
/// without Apple's domain in front, and with a `V` before a digit.
pub(crate) fn variant(of: &str, text: &str) -> String {
    let all = words(without_domain(text));
    let own = words(of);
    let rest = match all.strip_prefix(own.as_slice()) {
        Some(rest) if rest.first().is_some_and(|word| !starts_with_digit(word)) => rest,
        _ => all.as_slice(),
    };
    match join_pascal(rest) {
        name if name.is_empty() => "Empty".to_owned(),
        name if name == "Self" => "SelfValue".to_owned(),
        name if starts_with_digit(&name) => format!("V{name}"),
        name => name,
    }
}

/// A variant for a number without a name of its own.
pub(crate) fn number_variant(number: &str) -> String {
    let number = number.strip_suffix(".0").unwrap_or(number);
    match number.strip_prefix('-') {
        Some(number) => format!("ValueMinus{}", number.replace('.', "_")),
        None => format!("Value{}", number.replace('.', "_")),
    }
}

/// The type of an array's elements, from the array's key and the name that the schema gives the
/// element, which often is a placeholder: `QueriesItem`, `_Errors`, `RulesElement`.
pub(crate) fn element(array: &str, element: &str) -> String {
    let array = words(array);
    let whole = words(element);
    let mut stem = whole.clone();
    while stem.len() > 1 && stem.last().is_some_and(|word| is_filler(word)) {
        stem.pop();
    }
    let single = singular(&stem);
    if single != stem || stem == singular(&array) && stem != array {
        return join_pascal(&single);
    }
    // A `LoginItem` is no login; an element's name is always better without the word.
    let bare = whole.last().is_some_and(|word| word == "element");
    let name = if bare { stem } else { singular(&whole) };
    join_pascal(&without_dictionary(name))
}

/// The type of a dictionary that the schema names: `RulesElement` is a `Rule`, `AppDictionary` an
/// `App`, but `PowerSettings` stay.
pub(crate) fn structure(name: &str) -> String {
    let whole = words(name);
    if whole.last().is_some_and(|word| is_filler(word)) {
        return element("", name);
    }
    join_pascal(&without_dictionary(whole))
}

/// The singular of a Pascal name.
pub(crate) fn singular_of(name: &str) -> String {
    join_pascal(&singular(&words(name)))
}

/// Whether a name says nothing without the name of what holds it: `Type`, `State`.
pub(crate) fn is_vague(name: &str) -> bool {
    VAGUE.contains(&words(name).join("_").as_str())
}

fn without_domain(name: &str) -> &str {
    name.strip_prefix("com.apple.").unwrap_or(name)
}

fn join_pascal(words: &[String]) -> String {
    let mut joined = String::new();
    for word in words {
        // 1.0 and 10 are two versions.
        if starts_with_digit(word) && joined.ends_with(|c: char| c.is_ascii_digit()) {
            joined.push('_');
        }
        match SPELLINGS.iter().find(|(_, snake, _)| snake == word) {
            Some((_, _, spelling)) => joined.push_str(spelling),
            None => joined.push_str(&capitalised(word)),
        }
    }
    joined
}

fn is_filler(word: &str) -> bool {
    matches!(word, "item" | "items" | "element" | "elements")
}

fn without_dictionary(mut words: Vec<String>) -> Vec<String> {
    if words.len() > 1
        && words
            .last()
            .is_some_and(|w| w == "dictionary" || w == "dict")
    {
        words.pop();
    }
    words
}

fn singular(words: &[String]) -> Vec<String> {
    const NO_PLURAL: [&str; 5] = ["ss", "us", "is", "os", "as"];
    let mut words = words.to_vec();
    if let Some(last) = words.last_mut() {
        let length = last.len();
        if let Some(stem) = last.strip_suffix("ies").filter(|_| length > 4) {
            *last = format!("{stem}y");
        } else if last.ends_with("sses") || last.ends_with("xes") {
            last.truncate(length - 2);
        } else if length > 2
            && last.ends_with('s')
            && !NO_PLURAL.iter().any(|end| last.ends_with(end))
        {
            last.truncate(length - 1);
        }
    }
    words
}

fn split_capitals(chunk: &str, words: &mut Vec<String>) {
    let mut rest = chunk;
    let mut word = String::new();
    let flush = |word: &mut String, words: &mut Vec<String>| {
        if !word.is_empty() {
            words.push(std::mem::take(word).to_ascii_lowercase());
        }
    };
    while let Some(first) = rest.chars().next() {
        if let Some((spelling, own)) = spelled(rest, &word) {
            flush(&mut word, words);
            words.extend(own.split('_').map(str::to_owned));
            rest = &rest[spelling.len()..];
            // Digits belong to what stands before them.
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            if let Some(last) = words.last_mut() {
                last.push_str(&rest[..digits]);
            }
            rest = &rest[digits..];
            continue;
        }
        if let Some(length) = plural_capitals(rest, &word) {
            flush(&mut word, words);
            words.push(rest[..length].to_ascii_lowercase());
            rest = &rest[length..];
            continue;
        }
        let after = &rest[first.len_utf8()..];
        let begins = first.is_ascii_uppercase()
            && word.chars().next_back().is_some_and(|before| {
                !before.is_ascii_uppercase()
                    || after.starts_with(|next: char| next.is_ascii_lowercase())
            });
        if begins {
            flush(&mut word, words);
        }
        word.push(first);
        rest = after;
    }
    flush(&mut word, words);
}

/// A spelling that `rest` begins with, where a word may begin, and that ends where one may end.
fn spelled(rest: &str, before: &str) -> Option<(&'static str, &'static str)> {
    let begins = |spelling: &str| {
        before.is_empty()
            || !before.ends_with(|c: char| c.is_ascii_uppercase())
                && (spelling.starts_with(|c: char| c.is_ascii_uppercase()) || may_end(before))
    };
    let ends = |spelling: &str| {
        rest.strip_prefix(spelling)
            .is_some_and(|follows| !follows.starts_with(|c: char| c.is_ascii_lowercase()))
    };
    SPELLINGS
        .iter()
        .filter(|(spelling, ..)| ends(spelling) && begins(spelling))
        .max_by_key(|(spelling, ..)| spelling.len())
        .map(|(spelling, snake, _)| (*spelling, *snake))
}

/// The words behind which Apple writes `iOS` and its like without a break.
fn may_end(word: &str) -> bool {
    matches!(word, "For" | "Supports" | "supports")
}

/// The length of capitals with a small plural `s` behind them, as in `URLs`.
fn plural_capitals(rest: &str, before: &str) -> Option<usize> {
    if before.ends_with(|c: char| c.is_ascii_uppercase()) {
        return None;
    }
    let length = rest.find(|c: char| !c.is_ascii_uppercase())?;
    let tail = rest[length..].strip_prefix('s')?;
    let over = !tail.starts_with(|c: char| c.is_ascii_lowercase());
    (length >= 2 && over).then_some(length + 1)
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + letters.as_str(),
        None => String::new(),
    }
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests;

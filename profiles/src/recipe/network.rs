//! Networks: Wi-Fi and VPN.

use mdm_core::Secret;
use mdm_schema::Switch;

use crate::{
    builder::PayloadRef,
    payload::{
        Vpn, WiFi,
        vpn::{
            DiffieHellmanGroup, EncryptionAlgorithm, Ikev2, Ikev2AuthenticationMethod,
            IntegrityAlgorithm, SecurityAssociationParameters, VpnType,
        },
        wifi::{EapClientConfiguration, EapType, EncryptionType, TlsMinimumVersion},
    },
};

/// A network with one password for all, WPA2 or WPA3.
pub fn wifi_password(ssid: impl Into<String>, password: impl Into<Secret<String>>) -> WiFi {
    WiFi::new().with(|wifi| {
        wifi.ssid_str = Some(ssid.into());
        wifi.encryption_type = Some(EncryptionType::Wpa2);
        wifi.password = Some(password.into());
    })
}

/// A network that devices join by certificate (EAP-TLS): this identity, and a server that has one of
/// these names and chains to one of these authorities.
pub fn wifi_certificate(
    ssid: impl Into<String>,
    identity: &PayloadRef,
    authorities: &[PayloadRef],
    servers: &[&str],
) -> WiFi {
    enterprise(ssid, EapType::Tls, authorities, servers)
        .with(|wifi| wifi.payload_certificate_uuid = Some(identity.into()))
}

/// A network that users join by name and password (PEAP), which the device asks for where `user` is
/// `None`, and always for the password; the server as with [`wifi_certificate`].
pub fn wifi_login(
    ssid: impl Into<String>,
    user: Option<&str>,
    authorities: &[PayloadRef],
    servers: &[&str],
) -> WiFi {
    enterprise(ssid, EapType::Peap, authorities, servers).with(|wifi| {
        if let Some(eap) = &mut wifi.eap_client_configuration {
            eap.user_name = user.map(str::to_owned);
        }
    })
}

fn enterprise(
    ssid: impl Into<String>,
    eap_type: EapType,
    authorities: &[PayloadRef],
    servers: &[&str],
) -> WiFi {
    let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
    let eap = EapClientConfiguration::new(vec![eap_type]).with(|eap| {
        let authorities = authorities.iter().map(String::from);
        eap.payload_certificate_anchor_uuid = some(authorities.collect());
        eap.tls_trusted_server_names = some(servers.iter().map(ToString::to_string).collect());
        eap.tls_minimum_version = Some(TlsMinimumVersion::V1_2);
    });
    WiFi::new().with(|wifi| {
        wifi.ssid_str = Some(ssid.into());
        wifi.encryption_type = Some(EncryptionType::Wpa2);
        wifi.eap_client_configuration = Some(eap);
    })
}

/// A VPN by IKEv2 with a certificate: AES-256-GCM, SHA2-256, group 19.
///
/// `server` is its address and the name in its certificate, `local` the name in the device's own.
pub fn vpn_certificate(
    name: impl Into<String>,
    server: &str,
    local: impl Into<String>,
    identity: &PayloadRef,
) -> Vpn {
    let method = Ikev2AuthenticationMethod::Certificate;
    ikev2(name, server, local, method, |ikev2| {
        ikev2.payload_certificate_uuid = Some(identity.into());
    })
}

/// A VPN by IKEv2 that users enter by name and password (EAP), which the device asks for where `user`
/// is `None`, and always for the password; the rest as with [`vpn_certificate`].
pub fn vpn_login(
    name: impl Into<String>,
    server: &str,
    local: impl Into<String>,
    user: Option<&str>,
) -> Vpn {
    let method = Ikev2AuthenticationMethod::None;
    ikev2(name, server, local, method, |ikev2| {
        ikev2.extended_auth_enabled = Some(Switch::On);
        ikev2.auth_name = user.map(str::to_owned);
    })
}

fn ikev2(
    name: impl Into<String>,
    server: &str,
    local: impl Into<String>,
    method: Ikev2AuthenticationMethod,
    set: impl FnOnce(&mut Ikev2),
) -> Vpn {
    let strong = || {
        SecurityAssociationParameters::new().with(|parameters| {
            parameters.encryption_algorithm = Some(EncryptionAlgorithm::Aes256Gcm);
            parameters.integrity_algorithm = Some(IntegrityAlgorithm::Sha2_256);
            parameters.diffie_hellman_group = Some(DiffieHellmanGroup::Ecp256);
        })
    };
    let ikev2 = Ikev2::new(server, local, server, method).with(|ikev2| {
        ikev2.ike_security_association_parameters = Some(strong());
        ikev2.child_security_association_parameters = Some(strong());
        set(ikev2);
    });
    Vpn::new(VpnType::Ikev2, name).with(|vpn| vpn.ikev2 = Some(ikev2))
}

//! Gets a certificate by the `instant-acme` crate, as `mdm-peer-instant-acme ROOT DIRECTORY KIND NAME`, where KIND is
//! `http-01` or `device-attest-01`, and gives it back as superseded.
//!
//! It writes a line with what the challenge needs, and waits for a line. For `http-01` the line is the token and the key
//! authorization, for `device-attest-01` the token and the key to be attested (SubjectPublicKeyInfo); the line that it waits for
//! has the attestation. What is binary stands in hexadecimal digits. Then come the lines of the chain, and last a
//! word for each of what else it can: `renewal-info`, `key-change`, `revoked`.

use std::{error::Error, fmt::Write as _, io};

use instant_acme::{
    Account, CertificateIdentifier, ChallengeStatus, ChallengeType, DeviceAttestation, Identifier,
    NewAccount, NewOrder, OrderStatus, RetryPolicy, RevocationReason, RevocationRequest,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PublicKeyData as _};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [root, directory, kind, name] = arguments.as_slice() else {
        return Err("usage: mdm-peer-instant-acme ROOT DIRECTORY KIND NAME".into());
    };
    let account = NewAccount {
        contact: &[],
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let builder = Account::builder_with_root(root)?;
    let (mut account, _) = builder.create(&account, directory.clone(), None).await?;
    let key = KeyPair::generate()?;
    let chain = match kind.as_str() {
        "http-01" => by_http(&account, name, &key).await?,
        "device-attest-01" => by_attestation(&account, name, &key).await?,
        other => return Err(format!("{other} is not known").into()),
    };
    print!("{chain}");

    let leaf = CertificateDer::from_pem_slice(chain.as_bytes())?;
    let (info, _) = account
        .renewal_info(&CertificateIdentifier::try_from(&leaf)?)
        .await?;
    if info.suggested_window.start < info.suggested_window.end {
        println!("renewal-info");
    }
    let _new_credentials = account.update_key().await?;
    println!("key-change");
    let request = RevocationRequest {
        certificate: &leaf,
        reason: Some(RevocationReason::Superseded),
    };
    account.revoke(&request).await?;
    println!("revoked");
    Ok(())
}

async fn by_http(account: &Account, host: &str, key: &KeyPair) -> Outcome<String> {
    let identifiers = [Identifier::Dns(host.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    let mut authorizations = order.authorizations();
    let mut authorization = authorizations.next().await.ok_or("no authorization")??;
    let challenge = authorization.challenge(ChallengeType::Http01);
    let mut challenge = challenge.ok_or("no challenge of this kind")?;
    let proof = challenge.key_authorization();
    println!("{} {}", challenge.token, proof.as_str());
    line()?;
    challenge.set_ready().await?;
    let ready = order.poll_ready(&RetryPolicy::default()).await?;
    if ready != OrderStatus::Ready {
        return Err(format!("the order is {ready:?}").into());
    }
    let mut csr = CertificateParams::new([host.to_owned()])?;
    csr.distinguished_name = DistinguishedName::new();
    order
        .finalize_csr(csr.serialize_request(key)?.der())
        .await?;
    Ok(order.poll_certificate(&RetryPolicy::default()).await?)
}

async fn by_attestation(account: &Account, identifier: &str, key: &KeyPair) -> Outcome<String> {
    let identifiers = [Identifier::PermanentIdentifier(identifier.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    let mut authorizations = order.authorizations();
    let mut authorization = authorizations.next().await.ok_or("no authorization")??;
    let challenge = authorization.challenge(ChallengeType::DeviceAttest01);
    let mut challenge = challenge.ok_or("no challenge of this kind")?;
    println!(
        "{} {}",
        challenge.token,
        hex(&key.subject_public_key_info())
    );
    let att_obj = unhex(line()?.trim())?;
    let attestation = DeviceAttestation {
        att_obj: att_obj.into(),
    };
    let status = challenge.send_device_attestation(&attestation).await?;
    if status != ChallengeStatus::Valid {
        return Err(format!("the challenge is {status:?}").into());
    }
    let ready = order.poll_ready(&RetryPolicy::default()).await?;
    if ready != OrderStatus::Ready {
        return Err(format!("the order is {ready:?}").into());
    }
    let mut csr = CertificateParams::default();
    csr.distinguished_name = DistinguishedName::new();
    order
        .finalize_csr(csr.serialize_request(key)?.der())
        .await?;
    Ok(order.poll_certificate(&RetryPolicy::default()).await?)
}

fn line() -> Outcome<String> {
    let mut line = String::new();
    match io::stdin().read_line(&mut line)? {
        0 => Err("nobody answered".into()),
        _ => Ok(line),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Outcome<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
        .collect()
}

//! What client and server contexts have in common, and the way from `mdm_pki` types to OpenSSL's.

use mdm_pki::{Certificate, Identity};
use openssl::{
    pkey::{PKey, Private},
    ssl::{SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslVersion},
    x509::X509,
};

use crate::error::{Error, ErrorKind, Setup};

/// TLS 1.2 suites with forward secrecy and an AEAD: what HTTP/2 allows (RFC 9113 §9.2.2). TLS 1.3
/// has no others.
const TLS12_CIPHERS: &str = "ECDHE+AESGCM:ECDHE+CHACHA20";

pub(crate) fn builder(method: SslMethod) -> Result<SslContextBuilder, Error> {
    let mut context = SslContext::builder(method).setup()?;
    context
        .set_min_proto_version(Some(SslVersion::TLS1_2))
        .setup()?;
    context.set_cipher_list(TLS12_CIPHERS).setup()?;
    context.set_options(
        SslOptions::NO_COMPRESSION
            | SslOptions::NO_RENEGOTIATION
            | SslOptions::CIPHER_SERVER_PREFERENCE,
    );
    // A write may be retried from another buffer and may take only a part: tokio does both.
    context.set_mode(
        SslMode::ENABLE_PARTIAL_WRITE
            | SslMode::ACCEPT_MOVING_WRITE_BUFFER
            | SslMode::RELEASE_BUFFERS,
    );
    // A record is read with one call, not its header by itself.
    context.set_read_ahead(true);
    Ok(context)
}

pub(crate) fn set_identity(
    context: &mut SslContextBuilder,
    identity: &Identity,
) -> Result<(), Error> {
    let key = private_key(identity)?;
    let refused = |error: openssl::error::ErrorStack| {
        Error::new(
            ErrorKind::Configuration,
            format!("the identity is not usable: {error}"),
        )
    };
    context
        .set_certificate(&*x509(&identity.certificate)?)
        .map_err(refused)?;
    for certificate in &identity.chain {
        context
            .add_extra_chain_cert(x509(certificate)?)
            .map_err(refused)?;
    }
    context.set_private_key(&key).map_err(refused)?;
    context.check_private_key().map_err(refused)
}

pub(crate) fn x509(certificate: &Certificate) -> Result<X509, Error> {
    X509::from_der(certificate.to_der()).map_err(|error| {
        Error::new(
            ErrorKind::Configuration,
            format!("OpenSSL cannot read the certificate: {error}"),
        )
    })
}

fn private_key(identity: &Identity) -> Result<PKey<Private>, Error> {
    let unusable = |error: &dyn std::fmt::Display| {
        Error::new(
            ErrorKind::Configuration,
            format!("the private key is not usable: {error}"),
        )
    };
    let der = identity
        .key
        .to_pkcs8_der()
        .map_err(|error| unusable(&error))?;
    PKey::private_key_from_pkcs8(&der).map_err(|error| unusable(&error))
}

/// The protocols in the wire form of RFC 7301 §3.1: each preceded by its length.
pub(crate) fn alpn_wire(protocols: &[String]) -> Result<Vec<u8>, Error> {
    let mut wire = Vec::new();
    for protocol in protocols {
        match u8::try_from(protocol.len()) {
            Ok(length) if length > 0 => wire.push(length),
            _ => {
                return Err(Error::new(
                    ErrorKind::Configuration,
                    "an ALPN protocol must hold 1 to 255 bytes".to_owned(),
                ));
            }
        }
        wire.extend_from_slice(protocol.as_bytes());
    }
    Ok(wire)
}

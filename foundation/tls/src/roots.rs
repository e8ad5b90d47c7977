//! Whom a client trusts: the system's roots, given ones, or both.

use mdm_pki::Certificate;
use openssl::{
    ssl::SslFiletype,
    x509::{
        X509,
        store::{X509Lookup, X509Store, X509StoreBuilder},
        verify::X509VerifyFlags,
    },
};

use crate::{context::x509, error::Error};

/// The certificates that a chain must end in.
///
/// A given certificate is trusted as it stands, self-signed or not: an intermediate or the server's
/// own certificate may be given too.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Roots {
    /// The roots of the operating system.
    ///
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured; otherwise they are looked for where the
    /// known systems keep them, since an OpenSSL built from source does not know the place.
    #[default]
    System,
    /// These and no others.
    Only(Vec<Certificate>),
    /// The system's and these.
    SystemAnd(Vec<Certificate>),
}

impl Roots {
    pub(crate) fn store(&self) -> Result<X509Store, Error> {
        let mut store = X509StoreBuilder::new()?;
        let given = match self {
            Self::System => &[][..],
            Self::Only(given) | Self::SystemAnd(given) => given,
        };
        if !matches!(self, Self::Only(_)) {
            add_system(&mut store)?;
        }
        add_given(&mut store, given)?;
        Ok(store.build())
    }
}

/// A store of `roots` alone.
pub(crate) fn store_of(roots: &[Certificate]) -> Result<X509Store, Error> {
    let mut store = X509StoreBuilder::new()?;
    add_given(&mut store, roots)?;
    Ok(store.build())
}

fn add_given(store: &mut X509StoreBuilder, given: &[Certificate]) -> Result<(), Error> {
    if given.is_empty() {
        return Ok(());
    }
    for certificate in given {
        store.add_cert(x509(certificate)?)?;
    }
    store.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    Ok(())
}

fn add_system(store: &mut X509StoreBuilder) -> Result<(), Error> {
    let found = openssl_probe::probe();
    // One bundle is enough; a directory is read certificate by certificate when asked.
    let mut known = false;
    if let Some(pem) = found.cert_file.and_then(|path| std::fs::read(path).ok()) {
        for certificate in X509::stack_from_pem(&pem)? {
            store.add_cert(certificate)?;
            known = true;
        }
    }
    if !known {
        let lookup = store.add_lookup(X509Lookup::hash_dir())?;
        for directory in found.cert_dir.iter().filter_map(|path| path.to_str()) {
            lookup.add_dir(directory, SslFiletype::PEM)?;
            known = true;
        }
    }
    if !known {
        store.set_default_paths()?;
    }
    Ok(())
}

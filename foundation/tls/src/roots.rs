//! Whom a client trusts: the system's roots, given ones, or both.

use std::sync::OnceLock;

use mdm_pki::Certificate;
use openssl::{
    ssl::SslFiletype,
    x509::{
        X509,
        store::{X509Lookup, X509Store, X509StoreBuilder},
        verify::X509VerifyFlags,
    },
};

use crate::{
    context::x509,
    error::{Error, Setup},
};

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
    /// known systems keep them, since an OpenSSL built from source does not know the place. They are
    /// read once a process: a root installed later counts after a restart.
    #[default]
    System,
    /// These and no others.
    Only(Vec<Certificate>),
    /// The system's and these.
    SystemAnd(Vec<Certificate>),
}

impl Roots {
    pub(crate) fn store(&self) -> Result<X509Store, Error> {
        let mut store = X509StoreBuilder::new().setup()?;
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
    let mut store = X509StoreBuilder::new().setup()?;
    add_given(&mut store, roots)?;
    Ok(store.build())
}

fn add_given(store: &mut X509StoreBuilder, given: &[Certificate]) -> Result<(), Error> {
    if given.is_empty() {
        return Ok(());
    }
    for certificate in given {
        store.add_cert(x509(certificate)?).setup()?;
    }
    store.set_flags(X509VerifyFlags::PARTIAL_CHAIN).setup()?;
    Ok(())
}

fn add_system(store: &mut X509StoreBuilder) -> Result<(), Error> {
    let bundle = system_bundle();
    for certificate in bundle {
        store.add_cert(certificate.clone()).setup()?;
    }
    if !bundle.is_empty() {
        return Ok(());
    }
    // Without a bundle: directories, read certificate by certificate when asked.
    let directories = openssl_probe::probe().cert_dir;
    if directories.is_empty() {
        store.set_default_paths().setup()?;
        return Ok(());
    }
    let lookup = store.add_lookup(X509Lookup::hash_dir()).setup()?;
    for directory in directories.iter().filter_map(|path| path.to_str()) {
        lookup.add_dir(directory, SslFiletype::PEM).setup()?;
    }
    Ok(())
}

/// The certificates of the system's one file of them. To parse it takes some 50 ms, too long for
/// every new connection, so it is done once a process.
fn system_bundle() -> &'static [X509] {
    static BUNDLE: OnceLock<Vec<X509>> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        openssl_probe::probe()
            .cert_file
            .and_then(|path| std::fs::read(path).ok())
            .and_then(|pem| X509::stack_from_pem(&pem).ok())
            .unwrap_or_default()
    })
}

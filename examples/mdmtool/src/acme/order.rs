//! The order while it has no certificate: a file that the same command goes on with.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mdm_scep::acme::identifier::Identifier;
use mdmtool::input;
use serde::{Deserialize, Serialize};

use crate::{failure::Failure, files};

/// An order that was placed, and where. The URL of a directory may be a secret, and the file is its owner's alone.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Placed {
    directory: String,
    identifiers: Vec<Identifier>,
    order: String,
}

/// Where it is kept: beside the certificate.
#[derive(Debug)]
pub(super) struct OrderFile {
    file: PathBuf,
    directory: String,
    identifiers: Vec<Identifier>,
}

impl OrderFile {
    pub(super) fn beside(certificate: &Path, directory: &str, identifiers: &[Identifier]) -> Self {
        let mut file = certificate.to_owned().into_os_string();
        file.push(".order");
        Self {
            file: file.into(),
            directory: directory.to_owned(),
            identifiers: identifiers.to_vec(),
        }
    }

    /// The URL of the order that was begun, if it is this one.
    pub(super) fn begun(&self) -> Option<String> {
        let bytes = files::read(&self.file).ok()?;
        let placed: Placed = serde_json::from_slice(&bytes).ok()?;
        let same = placed.directory == self.directory && placed.identifiers == self.identifiers;
        same.then_some(placed.order)
    }

    pub(super) fn keep(&self, order: &str) -> Result<(), Failure> {
        let placed = Placed {
            directory: self.directory.clone(),
            identifiers: self.identifiers.clone(),
            order: order.to_owned(),
        };
        let json = serde_json::to_vec(&placed).map_err(mdmtool::Error::from)?;
        self.forget();
        input::write_new(&self.file, &json)?;
        Ok(())
    }

    /// Forgets the order: it has come to its end.
    pub(super) fn forget(&self) {
        // Where it stays, the next order takes its place.
        let _ = fs::remove_file(&self.file);
    }
}

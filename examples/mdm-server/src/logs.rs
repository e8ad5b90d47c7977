//! Logs: lines of text or of JSON, on standard error.

use std::io;

use tracing_subscriber::{EnvFilter, fmt};

use crate::{
    config::{Log, LogFormat},
    error::Error,
};

/// Begins to log.
pub(crate) fn begin(settings: &Log) -> Result<(), Error> {
    let filter = filter(settings)?;
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
    let begun = match settings.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    begun.map_err(Error::part("the log"))
}

/// What is logged.
pub(crate) fn filter(settings: &Log) -> Result<EnvFilter, Error> {
    EnvFilter::builder()
        .parse(&settings.filter)
        .map_err(Error::in_setting("log.filter"))
}

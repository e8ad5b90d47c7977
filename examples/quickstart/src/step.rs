//! The steps of the story, and how each is told.

use std::{error::Error, fmt, future::Future, time::Instant};

/// Why a step failed.
pub(crate) type Reason = Box<dyn Error + Send + Sync>;

/// One step from a server token to a managed Mac; `--break` takes the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Step {
    Token,
    Session,
    Sync,
    Assign,
    Ask,
    Profile,
    Scep,
    Authenticate,
    TokenUpdate,
    Push,
    DeviceInformation,
    InstallProfile,
    CheckOut,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Token => "token",
            Self::Session => "session",
            Self::Sync => "sync",
            Self::Assign => "assign",
            Self::Ask => "ask",
            Self::Profile => "profile",
            Self::Scep => "scep",
            Self::Authenticate => "authenticate",
            Self::TokenUpdate => "token-update",
            Self::Push => "push",
            Self::DeviceInformation => "device-information",
            Self::InstallProfile => "install-profile",
            Self::CheckOut => "check-out",
        })
    }
}

/// The step that ended the story, and why.
#[derive(Debug)]
pub(crate) struct Failed {
    step: Step,
    reason: Reason,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.reason)?;
        let mut cause = self.reason.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Tells each step in one line as it ends: its name, what happened, how long it took.
#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) steps: usize,
}

impl Story {
    /// Waits for a step; what it returns goes on, what it says is printed.
    pub(crate) async fn tell<T>(
        &mut self,
        step: Step,
        work: impl Future<Output = Result<(T, String), Reason>>,
    ) -> Result<T, Failed> {
        let begun = Instant::now();
        let (value, said) = work.await.map_err(|reason| Failed { step, reason })?;
        let took = begun.elapsed().as_secs_f64() * 1000.0;
        println!("{step:<19} {said} ({took:.1} ms)");
        self.steps += 1;
        Ok(value)
    }
}

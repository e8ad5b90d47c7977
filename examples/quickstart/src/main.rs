//! From Apple's server token to a managed Mac, on one machine, over real sockets, TLS and CMS.
//!
//! `world` sets the scene (Apple, the vendor's server, one Mac), `story` plays the steps in order,
//! `vendor` is the server that a vendor would write with `mdm-sdk`. `--break STEP` sabotages the
//! world before that step, to show that a failure names its step and its reason.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command-line program"
)]

mod step;
mod story;
mod vendor;
mod world;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use clap::Parser;

use crate::step::{Reason, Step, Story};

/// Watch a device go from an Apple server token to a managed Mac.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The SQLite file that holds the server's state [default: a new file in the temporary folder]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Sabotage one step, to see how its failure is told
    #[arg(long = "break", value_name = "STEP")]
    broken: Option<Step>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let begun = Instant::now();
    match run(arguments).await {
        Ok(done) => {
            println!("done: {done} in {:.1} s", begun.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("failed: {reason}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<String, Reason> {
    let state = match arguments.state {
        Some(file) => file,
        None => tempfile::Builder::new()
            .prefix("quickstart-")
            .tempdir()?
            .keep()
            .join("state.sqlite"),
    };
    println!("state lies in {}", state.display());
    let mut world = world::World::new(&state).await?;
    let mut story = Story::default();
    story::play(&mut world, &mut story, arguments.broken)
        .await
        .map_err(|failed| failed.to_string())?;
    Ok(format!(
        "{} steps, one Mac enrolled, managed and let go",
        story.steps
    ))
}

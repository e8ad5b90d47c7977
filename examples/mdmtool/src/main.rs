//! `mdmtool`: tells what an Apple-MDM document is and says, and minds the keys of server tokens.

mod cli;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match cli.run() {
        Ok(output) => {
            let mut stdout = io::stdout().lock();
            match writeln!(stdout, "{output}").and_then(|()| stdout.flush()) {
                Ok(()) => ExitCode::SUCCESS,
                // Whoever reads has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
                Err(error) => fail(&error.to_string()),
            }
        }
        Err(error) => fail(&mdmtool::one_line(&error)),
    }
}

fn fail(line: &str) -> ExitCode {
    // Where standard error is gone as well, the exit code still tells.
    let _ = writeln!(io::stderr(), "mdmtool: {line}");
    ExitCode::FAILURE
}

//! `mdmtool`: tells what an Apple-MDM document is and says, checks it, explains the vocabulary, and
//! minds the keys of server tokens.

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
            match writeln!(stdout, "{}", output.text).and_then(|()| stdout.flush()) {
                Ok(()) => output.code.into(),
                // Whoever reads has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => output.code.into(),
                Err(error) => fail(&error.to_string(), 1),
            }
        }
        Err(failure) => fail(&mdmtool::one_line(&failure.error), failure.code),
    }
}

fn fail(line: &str, code: u8) -> ExitCode {
    // Where standard error is gone as well, the exit code still tells.
    let _ = writeln!(io::stderr(), "mdmtool: {line}");
    code.into()
}

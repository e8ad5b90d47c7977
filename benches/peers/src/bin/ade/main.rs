//! `cargo xtask bench ade`: a first sync of 200,000 devices over TLS, by our client and by nanodep's
//! syncer, against the fake service in a process of its own, which has rendered its pages before.
//!
//! What is compared is the CPU time of the client's process, start included, per device; nothing is
//! stored. Decoding and committing to SQLite, time, requests and memory of a first sync with
//! assignment are stated beside it, and memory has to be flat in the number of devices.

mod apple;
mod client;
mod process;
mod scale;

use std::{
    error::Error,
    process::{Command, ExitCode},
};

use mdm_benches::{Case, Comparison, Unit, report::Better};

use self::{apple::Apple, process::Side};

type Failure = Box<dyn Error + Send + Sync>;

/// How many times less CPU time ours has to take.
const BAR: f64 = 3.0;

const DEVICES: usize = 200_000;
const PAGE: u32 = 1000;

/// CPU time of one device's share.
const EACH: Unit = Unit::Other("µs/device", Better::Lower);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [] => whole(),
        ["serve", devices] => apple::serve(devices),
        ["sync", url, token, version, rest @ ..] => client::sync(url, token, version, rest),
        ["service", url, token, store, what] => scale::service(url, token, store, what),
        ["scale"] => scale::scale(),
        ["compare"] => compare(),
        _ => Err("usage: ade [compare | scale]".into()),
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("ade: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn whole() -> Result<ExitCode, Failure> {
    let compared = compare()?;
    let scaled = scale::scale()?;
    Ok(match compared == ExitCode::SUCCESS {
        true => scaled,
        false => compared,
    })
}

fn compare() -> Result<ExitCode, Failure> {
    let apple = Apple::start(DEVICES)?;
    let cases = [
        ("protocol version 10, ours by default", "10"),
        ("protocol version 7, nanodep's by default", "7"),
    ];
    let agree = || {
        for (_, version) in cases {
            let ours = ours(&apple, version).check().map_err(text)?;
            let theirs = nanodep(&apple, version).check().map_err(text)?;
            if ours != theirs {
                return Err(format!("version {version}: {ours}, nanodep {theirs}"));
            }
            if !ours.starts_with(&format!("{DEVICES} devices")) {
                return Err(format!("{ours} instead of {DEVICES}"));
            }
        }
        Ok(())
    };
    let mut comparison = Comparison::new("ade", agree).rounds(7);
    for (name, version) in cases {
        let (ours, theirs) = (ours(&apple, version), nanodep(&apple, version));
        let case = Case::measured(name, EACH, move || ours.each(DEVICES));
        comparison =
            comparison.case(case.measured_peer("nanodep", BAR, move || theirs.each(DEVICES)));
    }
    Ok(comparison.run())
}

fn ours(apple: &Apple, version: &str) -> Side {
    let program = std::env::current_exe().unwrap_or_default();
    let token = apple.token.path().to_path_buf();
    let (url, version) = (apple.url.clone(), version.to_owned());
    Side::new(apple, move || {
        let mut command = Command::new(&program);
        command.args(["sync", &url]).arg(&token).arg(&version);
        command
    })
}

fn nanodep(apple: &Apple, version: &str) -> Side {
    let token = apple.token.path().to_path_buf();
    let (url, version) = (apple.url.clone(), version.to_owned());
    Side::new(apple, move || {
        let mut command = Command::new(process::NANODEP);
        command.arg(&url).arg(&token).arg(PAGE.to_string());
        command.env("PROTOCOL_VERSION", &version);
        command
    })
}

fn text(failure: Failure) -> String {
    failure.to_string()
}

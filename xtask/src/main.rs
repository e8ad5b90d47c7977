//! Project automation: `cargo xtask COMMAND`. One module a command.
//!
//! This package depends on nothing of the house and links no OpenSSL, so that it builds on a bare
//! machine and can say what is missing there.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A program: this is how it talks.

mod a2;
mod bench;
mod ci;
mod conformance;
mod cost;
mod deep;
mod demo;
mod fuzz;
mod metadata;
mod openssl;
mod peers;
mod quirks;
mod rules;
mod run;
mod schema;
mod test;

use std::process::ExitCode;

use run::Outcome;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo [--vendored] [-- ARGS]  from a server token to a managed Mac, on this machine
  test [-- FILTER]             the whole test suite; lists what it skipped for want of a peer
  ci                           everything that has to hold before a change lands
  rules                        the dependency rules alone
  quirks                       whether each line of docs/quirks.md has a test of its number
  bench NAME                   one comparison with its peers
  fuzz [NAME]                  each fuzz target for 20 s, or one
  deep ade [--run NUMBER]      the sync under faults at full length, in release; or one of its runs
  deep apns                    what pushes are lost under faults, at full length
  deep service                 500 devices at two servers on one PostgreSQL that are killed at random
  deep fuzz [NAME]             each fuzz target for ten minutes, or one
  cost                         what the generated types cost to compile
  peers                        builds and lists the peers of tests and comparisons
  conformance [--from PATH]    the tables against PATH/schema, the tool against PATH/vectors (../shared)
  schema [--from PATH] [--check | --stats | --accept-api]
                               writes tables and types from a checkout of Apple's schema
                               (../shared/schema); --check fails where they would change,
                               --accept-api lets published fields change
  schema diff OLD NEW          what a newer checkout adds, changes, deprecates and removes
  schema compare PATH DUMP     compares a checkout with what `mdmtool schema dump` wrote

REQUIRE_PEERS=1 makes a skipped test a failure.
--vendored builds OpenSSL from source; it is chosen by itself where OpenSSL's headers are missing.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[&str]) -> Outcome {
    match arguments {
        ["demo", rest @ ..] => demo::demo(rest),
        ["test", rest @ ..] => test::test(rest),
        ["ci"] => ci::ci(),
        ["quirks"] => quirks::quirks(),
        ["rules"] => rules::rules(),
        ["bench", name, rest @ ..] => bench::bench(name, rest),
        ["bench"] => Err(format!("which comparison? {}", bench::offered()).into()),
        ["fuzz"] => fuzz::fuzz(fuzz::Plan::SHORT, None),
        ["fuzz", name] => fuzz::fuzz(fuzz::Plan::SHORT, Some(name)),
        ["deep", rest @ ..] => deep::deep(rest),
        ["cost"] => cost::cost(),
        ["peers"] => peers::peers(),
        ["schema", rest @ ..] => schema::schema(rest),
        ["conformance"] => conformance::conformance(None),
        ["conformance", "--from", path] => conformance::conformance(Some(path.as_ref())),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(format!("unknown arguments: {}\n\n{USAGE}", arguments.join(" ")).into()),
    }
}

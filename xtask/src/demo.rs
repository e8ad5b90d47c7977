//! `cargo xtask demo`: builds and runs `examples/quickstart`.

use crate::openssl;
use crate::run::{self, Outcome};

/// Arguments behind `--` go to the program.
pub(crate) fn demo(arguments: &[&str]) -> Outcome {
    let (own, passed) = split(arguments);
    let forced = match own {
        [] => false,
        ["--vendored"] => true,
        _ => return Err(format!("demo: unknown arguments: {}", own.join(" ")).into()),
    };
    let vendored = openssl::vendored(forced)?;
    let mut command = run::cargo(&["run", "--quiet", "--release", "--package", "quickstart"]);
    if vendored {
        command.args(["--features", "vendored"]);
    }
    println!("demo: building (the first time takes a few minutes)");
    run::succeed(command.arg("--").args(passed))
}

/// What stands before and behind `--`.
pub(crate) fn split<'a>(arguments: &'a [&'a str]) -> (&'a [&'a str], &'a [&'a str]) {
    match arguments.iter().position(|argument| *argument == "--") {
        Some(at) => (&arguments[..at], &arguments[at + 1..]),
        None => (arguments, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_behind_the_dashes_are_passed_on() {
        assert_eq!(
            split(&["a", "--", "b", "--"]),
            (&["a"][..], &["b", "--"][..])
        );
        assert_eq!(split(&["a"]), (&["a"][..], &[][..]));
    }

    #[test]
    fn an_unknown_argument_is_refused_before_anything_is_built() {
        let failure = demo(&["--vendor"]).unwrap_err();
        assert_eq!(failure.to_string(), "demo: unknown arguments: --vendor");
    }
}

//! `cargo xtask ci`: everything that has to hold before a change lands, cheapest first.

use std::time::{Duration, Instant};

use crate::conformance;
use crate::demo;
use crate::fuzz::{self, Plan};
use crate::metadata::{Metadata, Package, VENDORED};
use crate::openssl;
use crate::peers;
use crate::quirks;
use crate::rules;
use crate::run::{self, Outcome};
use crate::schema;
use crate::test::{self, Tally};

/// Packages outside the workspace: checked, never tested.
const OUTSIDE: &[&str] = &[
    "benches/peers/Cargo.toml",
    "benches/peers/a2/Cargo.toml",
    "benches/peers/instant-acme/Cargo.toml",
    "fuzz/Cargo.toml",
];

/// What the steps know and add to.
struct Run {
    metadata: Metadata,
    /// The `--features` value: everything but `vendored`.
    features: String,
    /// OpenSSL is built from source.
    vendored: bool,
    tally: Tally,
}

type Step = (&'static str, fn(&mut Run) -> Outcome);

const STEPS: &[Step] = &[
    ("format", format),
    ("dependency rules", |_| rules::rules()),
    ("quirks", |_| quirks::quirks()),
    ("schema", |_| schema::check()),
    ("clippy", clippy),
    ("packages outside the workspace", outside),
    ("each crate by its features", single_features),
    ("peers of the tests", |_| peers::for_tests()),
    ("test", |run| {
        test::suite(&run.features, &[], &mut run.tally)
    }),
    ("test the plist reader in release", release),
    ("fuzz, 20 s a target", |_| fuzz::fuzz(Plan::SHORT, None)),
    ("rustdoc", rustdoc),
    ("package", package),
    ("conformance", |_| conformance::conformance(None)),
    ("demo", |_| demo::demo(&[])),
];

/// Runs the steps; stops at the first that fails and names it. The last line is the tests' count.
pub(crate) fn ci() -> Outcome {
    let metadata =
        Metadata::load(true).map_err(|failure| format!("step `lock file` failed: {failure}"))?;
    let vendored = openssl::vendored(false)?;
    let features = metadata.full(vendored);
    let mut run = Run {
        metadata,
        features,
        vendored,
        tally: Tally::default(),
    };
    let mut durations = Vec::new();
    for (name, step) in STEPS {
        println!("\n== {name}");
        let start = Instant::now();
        let outcome = step(&mut run);
        durations.push((*name, start.elapsed()));
        println!("== {name}: {}", seconds(start.elapsed()));
        if let Err(failure) = outcome {
            return Err(format!("step `{name}` failed: {failure}").into());
        }
    }
    println!();
    for (name, duration) in &durations {
        println!("{:>9}  {name}", seconds(*duration));
    }
    let total = durations.iter().map(|(_, duration)| *duration).sum();
    println!("{:>9}  in all", seconds(total));
    println!("{}", run.tally);
    Ok(())
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn outside_manifests() -> impl Iterator<Item = &'static str> {
    OUTSIDE
        .iter()
        .copied()
        .filter(|path| run::root().join(path).exists())
}

fn format(_: &mut Run) -> Outcome {
    run::succeed(&mut run::cargo(&["fmt", "--all", "--check"]))?;
    for manifest in outside_manifests() {
        run::succeed(&mut run::cargo(&[
            "fmt",
            "--check",
            "--manifest-path",
            manifest,
        ]))?;
    }
    Ok(())
}

fn clippy(run: &mut Run) -> Outcome {
    let arguments = [
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--features",
    ];
    let mut command = run::cargo(&arguments);
    run::succeed(command.args([&run.features, "--", "--deny", "warnings"]))
}

/// The comparisons and the fuzz targets build, by lock files of their own; in the workspace's
/// target folder, so that what they share with it is built once.
fn outside(run: &mut Run) -> Outcome {
    for manifest in outside_manifests() {
        let arguments = ["clippy", "--quiet", "--locked", "--all-targets"];
        let mut command = run::cargo(&arguments);
        command.args(["--manifest-path", manifest]);
        command.args(["--target-dir", &run.metadata.target_directory]);
        if run.vendored {
            command.args(["--features", VENDORED]);
        }
        run::succeed(command.args(["--", "--deny", "warnings"])).map_err(|failure| {
            let mend = format!("cargo update --workspace --manifest-path {manifest}");
            format!("{failure}; where its lock file is stale: {mend}")
        })?;
    }
    Ok(())
}

/// Every library with no feature and with each single one, so that no feature leans on another.
fn single_features(run: &mut Run) -> Outcome {
    let libraries: Vec<&Package> = run
        .metadata
        .members()
        .into_iter()
        .filter(|member| member.is_library())
        .collect();
    for library in libraries {
        check(&library.name, None)?;
        for feature in library.single_features() {
            check(&library.name, Some(feature))?;
        }
    }
    Ok(())
}

fn check(package: &str, feature: Option<&str>) -> Outcome {
    let start = Instant::now();
    let arguments = [
        "clippy",
        "--quiet",
        "--package",
        package,
        "--no-default-features",
    ];
    let mut command = run::cargo(&arguments);
    if let Some(feature) = feature {
        command.args(["--features", feature]);
    }
    run::succeed(command.args(["--", "--deny", "warnings"]))?;
    let feature = feature.unwrap_or("no feature");
    println!("{package}, {feature}: {}", seconds(start.elapsed()));
    Ok(())
}

/// The plist reader's depth tests have to hold with the optimiser's stack frames too.
fn release(run: &mut Run) -> Outcome {
    let arguments = [
        "test",
        "--release",
        "--package",
        "mdm-plist",
        "--",
        "--show-output",
    ];
    test::counted(&mut run::cargo(&arguments), &mut run.tally)
}

fn rustdoc(run: &mut Run) -> Outcome {
    let arguments = ["doc", "--quiet", "--workspace", "--no-deps", "--features"];
    let mut command = run::cargo(&arguments);
    run::succeed(
        command
            .arg(&run.features)
            .env("RUSTDOCFLAGS", "--deny warnings"),
    )
}

/// Every published crate can be packed: its manifest is complete and its files are there.
fn package(run: &mut Run) -> Outcome {
    let mut command = run::cargo(&["package", "--quiet", "--no-verify", "--allow-dirty"]);
    for member in run
        .metadata
        .members()
        .iter()
        .filter(|member| member.is_published())
    {
        command.args(["--package", &member.name]);
    }
    run::succeed(&mut command)
}

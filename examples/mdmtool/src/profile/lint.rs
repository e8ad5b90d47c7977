//! `lint`: what is wrong, weak or worn out, for a person, a program, or a code host.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, ValueEnum};
use mdm_profiles::{
    lint::{LintOptions, Report, Rule, lint, rules, sarif::Sarif},
    predict::Installer,
};
use mdm_schema::{Severity, Target};
use serde_json::{Value, json};

use super::{
    Told, Verdict,
    source::{self, Opener},
};
use crate::{
    colour::Paint,
    console::Console,
    failure::Failure,
    interval::Interval,
    text::{count, printable},
};

#[derive(Debug, Args)]
pub(super) struct Lint {
    /// The profiles, or - for standard input: plain, signed or encrypted.
    #[arg(required_unless_present = "rules")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    opener: Opener,
    /// A device that they are for, several times for several: system and version first, as in
    /// ios:18.2,supervised; then as needed automated, not-user-approved, user-enrollment or local,
    /// user-channel, shared-ipad.
    #[arg(long = "target", value_name = "TARGET")]
    targets: Vec<Target>,
    /// A person installs them, not the server.
    #[arg(long)]
    manual: bool,
    /// They will be encrypted to the device, so that secrets are not in clear.
    #[arg(long)]
    encrypted: bool,
    /// Judge certificates and dates as of this time, such as 2026-01-31T12:00:00Z, instead of now.
    #[arg(long, value_name = "TIME")]
    at: Option<DateTime<Utc>>,
    /// How long before its end a certificate is worth a word.
    #[arg(long, value_name = "TIME", default_value = "30d")]
    expires_within: Interval,
    /// Leave a rule out, by its name.
    #[arg(long, value_name = "RULE")]
    without: Vec<String>,
    /// Leave out what is not as bad as this.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    level: Level,
    /// End with exit code 1 from this on.
    #[arg(long, value_name = "LEVEL", default_value = "error")]
    fail_on: FailOn,
    /// Answer in SARIF 2.1.0, for code hosts and editors.
    #[arg(long)]
    sarif: bool,
    /// List the rules, each with its reason, its fix and where it comes from.
    #[arg(long, conflicts_with_all = ["files", "sarif"])]
    rules: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    Info,
    Warning,
    Error,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Info,
    Warning,
    Error,
    Never,
}

impl Level {
    fn severity(self) -> Severity {
        match self {
            Self::Info => Severity::Info,
            Self::Warning => Severity::Warning,
            Self::Error => Severity::Error,
        }
    }
}

impl FailOn {
    fn severity(self) -> Option<Severity> {
        match self {
            Self::Info => Some(Severity::Info),
            Self::Warning => Some(Severity::Warning),
            Self::Error => Some(Severity::Error),
            Self::Never => None,
        }
    }
}

impl Lint {
    pub(super) fn run(self, console: &mut Console, paint: Paint) -> Told {
        if self.rules {
            console.answer(&rules_document(), || rules_text(paint))?;
            return Ok(Verdict::Fine);
        }
        let options = self.options()?;
        let files: Vec<_> = self.files.iter().map(PathBuf::as_path).collect();
        let key = self.opener.key(&files)?;
        let mut reports = Vec::new();
        for file in files {
            let source = source::read(file, key.as_ref())?;
            if source.profile.is_encrypted() {
                console.note(&format!(
                    "{}: the payloads are encrypted, and were not looked at; give --key",
                    printable(&source.name)
                ));
            }
            let mut report = lint(&source.profile, &options);
            let level = self.level.severity();
            report.findings.retain(|finding| finding.severity >= level);
            reports.push((source.name, report));
        }
        if self.sarif {
            let reports = reports.iter().map(|(name, report)| (name.as_str(), report));
            console.document(&Sarif::new(reports))?;
        } else {
            console.answer(&document(&reports), || text(&reports, paint))?;
        }
        let worst = reports
            .iter()
            .filter_map(|(_, report)| report.worst())
            .max();
        let fails = self.fail_on.severity();
        Ok(Verdict::of(fails.is_none_or(|fails| worst < Some(fails))))
    }

    fn options(&self) -> Result<LintOptions, Failure> {
        let unknown = |id: &&String| !rules().iter().any(|rule| rule.id == id.as_str());
        if let Some(id) = self.without.iter().find(unknown) {
            return Err(Failure::input(
                format!("{id:?} is no rule"),
                "take a name from `mdmtool profile lint --rules`",
            ));
        }
        let soon = TimeDelta::from_std(self.expires_within.0);
        let soon = soon.unwrap_or(TimeDelta::MAX);
        let now = self.at.unwrap_or_else(Utc::now);
        Ok(LintOptions::new(now).with(|options| {
            options.targets.clone_from(&self.targets);
            if self.manual {
                options.delivery = Installer::Manual;
            }
            options.encrypted = self.encrypted;
            options.expires_within = soon;
            options.without.clone_from(&self.without);
        }))
    }
}

type Reports = [(String, Report)];

fn counted(reports: &Reports, severity: Severity) -> usize {
    let all = reports.iter().flat_map(|(_, report)| &report.findings);
    all.filter(|finding| finding.severity == severity).count()
}

fn document(reports: &Reports) -> Value {
    let files = reports
        .iter()
        .map(|(name, report)| json!({"file": name, "findings": report.findings}));
    json!({
        "files": files.collect::<Vec<_>>(),
        "errors": counted(reports, Severity::Error),
        "warnings": counted(reports, Severity::Warning),
        "infos": counted(reports, Severity::Info),
    })
}

fn text(reports: &Reports, paint: Paint) -> String {
    let mut text = String::new();
    for (name, report) in reports.iter().filter(|(_, report)| !report.is_clean()) {
        text.push_str(&format!("{}\n", paint.title(&printable(name))));
        for finding in &report.findings {
            let path = printable(&finding.path);
            let path = match path.is_empty() {
                true => "the profile".to_owned(),
                false => path,
            };
            let severity = format!("{:<7}", finding.severity.as_str());
            text.push_str(&format!(
                "  {} {} {} {}\n",
                paint.severity(finding.severity, &severity),
                paint.title(&path),
                printable(&finding.message),
                paint.faint(&format!("({})", finding.rule.id)),
            ));
            let why = format!("          why: {}", finding.rule.reason);
            text.push_str(&format!("{}\n", paint.faint(&why)));
            text.push_str(&format!("          fix: {}\n", printable(&finding.fix)));
            if !finding.targets.is_empty() {
                let devices = finding.targets.join(", ");
                let devices = format!("          for: {}", printable(&devices));
                text.push_str(&format!("{}\n", paint.faint(&devices)));
            }
        }
    }
    let number = |severity, one: &str| match counted(reports, severity) {
        0 => None,
        number => Some(paint.severity(severity, &count(number, one))),
    };
    let numbers = [
        number(Severity::Error, "error"),
        number(Severity::Warning, "warning"),
        number(Severity::Info, "remark"),
    ];
    let numbers: Vec<_> = numbers.into_iter().flatten().collect();
    match numbers.is_empty() {
        true => paint.good(&format!(
            "nothing found in {}",
            count(reports.len(), "profile")
        )),
        false => format!("{text}{}", numbers.join(", ")),
    }
}

fn rules_document() -> Value {
    let rules = rules().iter().map(|rule| {
        let Rule {
            id,
            reason,
            fix,
            source,
            ..
        } = rule;
        json!({"rule": id, "reason": reason, "fix": fix, "source": source})
    });
    rules.collect()
}

fn rules_text(paint: Paint) -> String {
    let rules = rules().iter().map(|rule| {
        format!(
            "{}\n  why: {}\n  fix: {}\n  {}\n",
            paint.title(rule.id),
            rule.reason,
            rule.fix,
            paint.faint(rule.source)
        )
    });
    rules.collect()
}

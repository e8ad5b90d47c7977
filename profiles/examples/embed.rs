//! An enrolment profile on standard output, with nothing else of this family than `mdm-profiles`.
//!
//! `cargo run -p mdm-profiles --features crypto --example embed > enrol.mobileconfig`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use mdm_profiles::{EnrollmentProfile, MdmSettings, Namespace, payload::scep::ScepContent};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mdm = MdmSettings::new(
        "https://mdm.example.com/mdm",
        "com.apple.mgmt.External.0123456789".parse()?,
    )
    .with(|mdm| mdm.check_in_url = Some("https://mdm.example.com/checkin".into()));
    let scep = ScepContent::rsa_2048("https://mdm.example.com/scep").common_name("%SerialNumber%");
    let namespace = Namespace::new("mdm.example.com");
    let profile = EnrollmentProfile::new("com.example.mdm", namespace, mdm, scep)
        .with(|profile| profile.display_name = Some("Example Enrolment".into()))
        .build()?;
    print!("{}", String::from_utf8(profile.to_xml()?)?);
    Ok(())
}

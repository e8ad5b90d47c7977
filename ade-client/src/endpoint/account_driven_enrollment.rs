//! `/account-driven-enrollment/profile`: where devices ask for their server if the domain of the user's
//! address does not tell; one request to set it, one to see it, one to take it back.

mod assign;
mod fetch;
mod remove;

pub use assign::AssignAccountDrivenEnrollmentProfile;
pub use fetch::FetchAccountDrivenEnrollmentProfile;
pub use remove::RemoveAccountDrivenEnrollmentProfile;

const PATH: &str = "/account-driven-enrollment/profile";

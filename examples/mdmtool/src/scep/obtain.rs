//! Asking for a certificate, and where a person has to decide first, asking again.

use clap::Args;
use mdm_scep::{Client, Enrolled, Enrolment, Polling};
use mdm_transport_reqwest::ReqwestTransport;

use super::advice;
use crate::{
    failure::Failure, interval::Interval, issue::own::Outcome, kind::Kind, runtime::interrupted,
};

/// What to do with a request that waits for a person.
#[derive(Debug, Args)]
pub(super) struct Patience {
    /// While a person has to decide, ask again instead of ending with exit code 1.
    #[arg(long)]
    poll: bool,
    /// How often to ask again after the first time: Retries of the payload.
    #[arg(long, value_name = "N", requires = "poll", default_value_t = Polling::default().retries)]
    retries: u32,
    /// How long to wait before that: RetryDelay of the payload.
    #[arg(long, value_name = "TIME", requires = "poll", default_value_t = Interval(Polling::default().retry_delay))]
    retry_delay: Interval,
}

impl Patience {
    /// The certificate. Whoever is interrupted, or hears nothing, may ask with the same request again.
    pub(super) async fn obtain(
        &self,
        client: &Client<ReqwestTransport>,
        enrolment: &Enrolment,
        files: &Outcome,
    ) -> Result<Enrolled, Failure> {
        let asked = async {
            match self.poll {
                false => client.enrol(enrolment).await,
                true => {
                    let polling = Polling::new(self.retries, self.retry_delay.0);
                    client.enrol_patiently(enrolment, polling).await
                }
            }
        };
        let answer = tokio::select! {
            answer = asked => answer,
            () = interrupted() => {
                let next = "the key stays; the same command goes on from there";
                return Err(Failure::told(Kind::Interrupted, "interrupted", next));
            }
        };
        answer.map_err(|error| {
            if error.is_refused() {
                files.forget();
            }
            advice::of_server(&error)
        })
    }
}

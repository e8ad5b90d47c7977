//! The certificate of an order with one of its chains (RFC 8555 sections 7.4.2 and 9.1).

use chrono::{DateTime, Utc};
use http::StatusCode;
use mdm_pki::Certificate;

use super::{
    Server,
    reply::{Reply, Stop},
    request::Signed,
    route::Route,
};
use crate::acme::{PEM_CERTIFICATE_CHAIN, store::OrderId};

impl Server {
    /// The certificate with the chain of this number: 0 for the authority's own, then its alternates.
    pub(super) async fn certificate(
        &self,
        signed: &Signed,
        id: &OrderId,
        number: usize,
    ) -> Result<Reply, Stop> {
        let caller = signed.caller()?;
        signed.only_gets()?;
        let kept = self.own_order(caller, id).await?;
        let Some(serial) = kept.record.serial() else {
            return Err(Stop::not_yours());
        };
        let chains = self.chains(self.clock.now());
        let chain = chains.iter().find(|(found, _)| *found == number);
        let (_, chain) = chain.ok_or_else(Stop::not_yours)?;
        let found = self.authority.find(serial).await?;
        let found = found.ok_or_else(Stop::not_yours)?;
        let mut pem = found.certificate.to_pem();
        for above in *chain {
            pem.push_str(&above.to_pem());
        }
        let reply = Reply::body(StatusCode::OK, PEM_CERTIFICATE_CHAIN, pem);
        let others = chains.iter().filter(|(found, _)| *found != number);
        Ok(others.fold(reply, |reply, (other, _)| {
            let url = self.base.url(&Route::Certificate(*id, *other));
            reply.link(url, "alternate")
        }))
    }

    /// The chains by number. An alternate that has ended in any part helps nobody and is left out.
    fn chains(&self, now: DateTime<Utc>) -> Vec<(usize, &[Certificate])> {
        let alternates = self.authority.alternate_chains().iter().map(Vec::as_slice);
        let own = std::iter::once(self.authority.chain());
        own.chain(alternates)
            .enumerate()
            .filter(|(number, chain)| *number == 0 || chain.iter().all(|it| it.is_valid_at(now)))
            .collect()
    }
}

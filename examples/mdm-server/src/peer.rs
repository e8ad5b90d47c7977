//! Who asks, where a proxy stands between.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderName};
use mdm_sdk::{scep::limit, service::identity::Network};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Proxies that add the address they serve to `X-Forwarded-For`; none believes nobody.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies(pub(crate) Vec<Network>);

impl Proxies {
    /// The client, as limits tell it from others: its address, or of IPv6 the network that one client has.
    pub(crate) fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> limit::Peer {
        limit::Peer(match self.address(peer.ip().to_canonical(), headers) {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                format!("{}/64", Ipv6Addr::from(network))
            }
        })
    }

    /// The last address that a proxy of ours wrote down and that is none of ours. What stands before it, anybody may have written.
    fn address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut address = peer;
        let values = headers.get_all(FORWARDED_FOR).iter().rev();
        let mut told = values.flat_map(|value| value.to_str().unwrap_or("?").rsplit(','));
        while self.0.iter().any(|network| network.contains(address)) {
            // A proxy that writes none, or none that can be read, is taken for the client: its clients share a limit.
            let Some(next) = told
                .next()
                .and_then(|text| text.trim().parse::<IpAddr>().ok())
            else {
                return address;
            };
            address = next.to_canonical();
        }
        address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_whom_the_outermost_proxy_of_ours_saw() {
        let proxies = Proxies(vec!["10.0.0.0/8".parse().unwrap()]);
        for (peer, told, client) in [
            ("192.0.2.1", &["198.51.100.1"][..], "192.0.2.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            (
                "10.0.0.1",
                &["203.0.113.9, 198.51.100.1 , 10.0.0.2"],
                "198.51.100.1",
            ),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, nonsense"], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["2001:db8:1:2:3::4"], "2001:db8:1:2::/64"),
        ] {
            let mut headers = HeaderMap::new();
            for told in told {
                headers.append(FORWARDED_FOR, told.parse().unwrap());
            }
            let peer = SocketAddr::new(peer.parse().unwrap(), 443);
            assert_eq!(proxies.client(peer, &headers).0, client, "{told:?}");
        }
        let peer = "10.0.0.1:443".parse().unwrap();
        let headers = HeaderMap::from_iter([(FORWARDED_FOR, "198.51.100.1".parse().unwrap())]);
        assert_eq!(Proxies::default().client(peer, &headers).0, "10.0.0.1");
    }
}

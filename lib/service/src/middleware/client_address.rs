//! Whose request it is, as far as the network tells: the address that the nearest trusted party saw. What a client
//! writes into its headers itself never counts.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use axum::{extract::Request, http::HeaderMap};

/// The header in which each proxy adds the address that it was called from.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Put into a request's extensions by whoever took the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The other end of the connection: the client, or the last of the proxies before this service.
    Connected(IpAddr),
    /// The client, as a gateway saw it that we are told about by AWS.
    Behind(IpAddr),
}

/// A client, as it is counted: an IPv4 address, or the network of an IPv6 address. One client has as many addresses
/// as it likes in a /64 (RFC 6177, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientAddress {
    /// IPv4, also when it was written as IPv6.
    V4(std::net::Ipv4Addr),
    /// The first 64 bits; the others are zero.
    V6Network(Ipv6Addr),
    /// Nobody knows. All such clients count as one.
    Unknown,
}

impl ClientAddress {
    /// Who sent `request`, where as many proxies as `trusted_proxies` stand before this service.
    pub(crate) fn of(request: &Request, trusted_proxies: usize) -> Self {
        match request.extensions().get::<Caller>() {
            Some(Caller::Behind(address)) => (*address).into(),
            Some(Caller::Connected(address)) => {
                forwarded(request.headers(), trusted_proxies).unwrap_or(*address).into()
            }
            None => Self::Unknown,
        }
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6Network(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => write!(f, "{address}"),
            Self::V6Network(address) => write!(f, "{address}/64"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// The entry that the outermost trusted proxy added: each adds one at the right end, so it is the one at this place
/// from there. When there are fewer, the request did not come through all of them, and nothing in it is believed.
fn forwarded(headers: &HeaderMap, trusted_proxies: usize) -> Option<IpAddr> {
    let place = trusted_proxies.checked_sub(1)?;
    let lines = headers.get_all(FORWARDED_FOR).into_iter().rev();
    let mut entries = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    parse(entries.nth(place)?.trim())
}

/// Some proxies add the port.
fn parse(entry: &str) -> Option<IpAddr> {
    let with_port = || entry.parse().ok().map(|address: std::net::SocketAddr| address.ip());
    let bracketed = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    bracketed.unwrap_or(entry).parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn client(caller: Caller, forwarded: &[&str], trusted_proxies: usize) -> String {
        let mut request = Request::get("/");
        for line in forwarded {
            request = request.header(FORWARDED_FOR, *line);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(caller);
        ClientAddress::of(&request, trusted_proxies).to_string()
    }

    fn connected() -> Caller {
        Caller::Connected([192, 0, 2, 1].into())
    }

    #[test]
    fn a_client_cannot_choose_its_address() {
        for forged in [&["203.0.113.7"][..], &["203.0.113.7, 203.0.113.8"], &["garbage"], &[]] {
            assert_eq!(client(connected(), forged, 0), "192.0.2.1");
            let behind = Caller::Behind([198, 51, 100, 4].into());
            assert_eq!(client(behind, forged, 2), "198.51.100.4");
        }
    }

    #[test]
    fn each_trusted_proxy_adds_one_at_the_right() {
        let lines = ["203.0.113.7, 203.0.113.8", "203.0.113.9"];
        assert_eq!(client(connected(), &lines, 1), "203.0.113.9");
        assert_eq!(client(connected(), &lines, 2), "203.0.113.8");
        assert_eq!(client(connected(), &["forged, 203.0.113.9"], 1), "203.0.113.9");
        assert_eq!(client(connected(), &["203.0.113.9:4711"], 1), "203.0.113.9");
        assert_eq!(client(connected(), &["[2001:db8:1:2:3::4]:4711"], 1), "2001:db8:1:2::/64");
        assert_eq!(client(connected(), &["[2001:db8:1:2:3::4]"], 1), "2001:db8:1:2::/64");
    }

    #[test]
    fn who_did_not_come_through_all_proxies_is_not_believed() {
        assert_eq!(client(connected(), &["203.0.113.9"], 2), "192.0.2.1");
        assert_eq!(client(connected(), &[], 1), "192.0.2.1");
        assert_eq!(client(connected(), &["203.0.113.9, unknown"], 1), "192.0.2.1");
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let of = |address: &str| ClientAddress::from(address.parse::<IpAddr>().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:aaaa::1"), of("2001:db8:1:2:bbbb::2"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}

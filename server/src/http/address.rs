//! Where a request comes from, for limits. Never from a header that a client could have set.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{Extensions, HeaderMap};
use serde_json::Value;

use super::front::Viewer;

/// The other end of the connection, in the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// JSON of the event's request context; the Lambda Web Adapter sets it on every request, whatever a client sent
/// (<https://github.com/awslabs/aws-lambda-web-adapter>, "Request Context").
const CONTEXT: &str = "x-amzn-request-context";

/// The address. On Lambda the connection is the adapter's, so it is the event's `http.sourceIp` there, and only there;
/// behind a proxy of our own it is what that says.
#[must_use]
pub fn of(lambda: bool, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
    let found = if let Some(Viewer(ip)) = extensions.get::<Viewer>() {
        *ip
    } else if lambda {
        let context: Value = serde_json::from_slice(headers.get(CONTEXT)?.as_bytes()).ok()?;
        context.get("http")?.get("sourceIp")?.as_str()?.parse().ok()?
    } else {
        extensions.get::<Peer>()?.0.ip()
    };
    Some(network(found))
}

/// As one household has it: of IPv6 the network, since each has as many addresses as it likes.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_trusted_source_counts() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "203.0.113.9".parse().unwrap());
        headers.insert(CONTEXT, r#"{"http":{"sourceIp":"192.0.2.1","method":"GET"}}"#.parse().unwrap());
        let mut extensions = Extensions::new();
        extensions.insert(Peer("198.51.100.7:4000".parse().unwrap()));
        assert_eq!(of(true, &headers, &extensions), Some([192, 0, 2, 1].into()));
        assert_eq!(of(false, &headers, &extensions), Some([198, 51, 100, 7].into()));
        let mut behind = extensions.clone();
        behind.insert(Viewer([203, 0, 113, 5].into()));
        assert_eq!(of(true, &headers, &behind), Some([203, 0, 113, 5].into()));
        for bad in ["null", "{}", r#"{"http":{"sourceIp":"x"}}"#, "no json"] {
            headers.insert(CONTEXT, bad.parse().unwrap());
            assert_eq!(of(true, &headers, &extensions), None, "{bad}");
        }
        assert_eq!(of(true, &HeaderMap::new(), &extensions), None, "the adapter's own is nobody's");
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}

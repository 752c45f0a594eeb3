//! Proxies in front: whose word counts about who the visitor is and how they came, and what of such words a guest
//! gets to see, which is nothing.
//!
//! Only a peer in a trusted network is believed, and only in the form of fields that the operator named: a proxy that
//! sets one form passes the other on as the visitor wrote it. From everybody else the fields are nothing. Either
//! way they are taken out before anything else reads the request: a page that depends on a field that is in no
//! cache key is a page that one visitor makes for all others.

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Uri};
use rowhouse_base::Network;
use std::net::IpAddr;

/// Fields by which proxies tell where a request came from, and names under which some programs look for them.
const FIELDS: [&str; 19] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded",
    "x-host",
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "x-cluster-client-ip",
    "front-end-https",
];
/// Addresses that are looked at in a list: more proxies than anybody has in a row.
const CHAIN: usize = 32;

/// In which form a proxy tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedForm {
    /// `X-Forwarded-For`, `-Proto` and `-Host`: nginx, HAProxy, most balancers.
    #[default]
    Separate,
    /// `Forwarded` (RFC 7239).
    Standard,
}

/// Whose word counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Networks of the proxies.
    pub networks: Vec<Network>,
    /// The fields that they set.
    pub form: ForwardedForm,
}

/// How a request came, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) client: IpAddr,
    /// `http` or `https`, where a proxy said so.
    pub(crate) scheme: Option<&'static str>,
    /// Host and port, where a proxy said so.
    pub(crate) authority: Option<String>,
}

impl TrustedProxies {
    /// True where this peer is believed.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(peer))
    }

    /// Reads what a trusted peer says, and takes all such fields out of the request.
    pub(crate) fn receive<B>(&self, request: &mut Request<B>, peer: IpAddr) -> Arrival {
        let mut arrival = Arrival { client: peer.to_canonical(), scheme: None, authority: None };
        if self.trusts(peer) {
            match self.form {
                ForwardedForm::Separate => self.separate(request.headers(), &mut arrival),
                ForwardedForm::Standard => self.standard(request.headers(), &mut arrival),
            }
        }
        take_out(request.headers_mut());
        arrival
    }

    fn separate(&self, headers: &HeaderMap, arrival: &mut Arrival) {
        for text in last_first(headers, "x-forwarded-for").take(CHAIN) {
            // What can't be read ends what can be believed.
            let Some(address) = address(&text) else { break };
            arrival.client = address;
            if !self.trusts(address) {
                break;
            }
        }
        arrival.scheme = last_first(headers, "x-forwarded-proto").next().and_then(|text| scheme(&text));
        arrival.authority = last_first(headers, "x-forwarded-host").next().filter(|text| !text.is_empty());
    }

    /// Each element is what one proxy saw. Those of trusted proxies are gone through from the nearest one outwards;
    /// the last of them is where the visitor came in.
    fn standard(&self, headers: &HeaderMap, arrival: &mut Arrival) {
        for element in last_first(headers, "forwarded").take(CHAIN) {
            let mut seen = None;
            for pair in element.split(';') {
                let Some((name, value)) = pair.split_once('=') else { continue };
                let value = value.trim().trim_matches('"');
                match name.trim().to_ascii_lowercase().as_str() {
                    "for" => seen = address(value),
                    "proto" => arrival.scheme = scheme(value),
                    "host" if !value.is_empty() => arrival.authority = Some(value.to_owned()),
                    _ => {}
                }
            }
            let Some(address) = seen else { break };
            arrival.client = address;
            if !self.trusts(address) {
                break;
            }
        }
    }
}

/// Takes away what is nobody's to say any more. Most requests that come straight from a visitor have none of it.
fn take_out(headers: &mut HeaderMap) {
    let told: Vec<HeaderName> =
        headers.keys().filter(|name| FIELDS.contains(&name.as_str())).cloned().collect();
    for name in told {
        headers.remove(name);
    }
}

/// Makes the host that the visitor asked the proxy for the request's own, so that a guest sees that one alone.
pub(crate) fn adopt<B>(request: &mut Request<B>, authority: &str) {
    let is_said = request.headers().get(header::HOST).is_some_and(|host| host == authority);
    if !is_said && let Ok(value) = HeaderValue::from_str(authority) {
        request.headers_mut().insert(header::HOST, value);
    }
    if request.uri().authority().is_some_and(|said| said.as_str() != authority)
        && let Ok(authority) = authority.parse()
    {
        let mut parts = request.uri().clone().into_parts();
        parts.authority = Some(authority);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
}

/// The elements of a list that may be in several fields, the last one first. Nothing where a field is no text.
fn last_first(headers: &HeaderMap, name: &'static str) -> impl Iterator<Item = String> + use<> {
    let fields: Vec<&str> =
        headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default()).collect();
    let elements: Vec<String> = fields.join(",").split(',').map(|part| part.trim().to_owned()).collect();
    elements.into_iter().rev()
}

fn scheme(text: &str) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme))
}

/// An address with or without a port, IPv6 with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Some((inner, _port)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return inner.parse::<IpAddr>().ok().map(|address| address.to_canonical());
    }
    text.rsplit_once(':').and_then(|(host, _port)| host.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(form: ForwardedForm) -> TrustedProxies {
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().unwrap()).into();
        TrustedProxies { networks, form }
    }

    fn receive(proxies: &TrustedProxies, peer: &str, fields: &[(&str, &str)]) -> (Arrival, Request<()>) {
        let mut request = Request::builder().uri("/");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        let arrival = proxies.receive(&mut request, peer.parse().unwrap());
        (arrival, request)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_stranger_is_not_believed_and_a_guest_sees_nothing() {
        for form in [ForwardedForm::Separate, ForwardedForm::Standard] {
            let fields: Vec<(&str, &str)> = FIELDS.iter().map(|name| (*name, "203.0.113.9")).collect();
            for peer in ["198.51.100.1", "10.0.0.1"] {
                let (arrival, request) = receive(&proxies(form), peer, &fields);
                assert!(request.headers().is_empty(), "{:?}", request.headers());
                if peer == "198.51.100.1" {
                    assert_eq!(arrival, Arrival { client: ip(peer), scheme: None, authority: None });
                }
            }
        }
    }

    #[test]
    fn separate_fields_are_read_from_the_nearest_proxy_outwards() {
        let proxies = proxies(ForwardedForm::Separate);
        for (list, client) in [
            ("203.0.113.9", "203.0.113.9"),
            ("1.1.1.1, 203.0.113.9", "203.0.113.9"),
            ("1.1.1.1, 203.0.113.9, 10.1.1.1", "203.0.113.9"),
            ("10.3.3.3, 10.2.2.2", "10.3.3.3"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("1.1.1.1, nonsense, 10.2.2.2", "10.2.2.2"),
            ("unknown", "10.0.0.1"),
            ("", "10.0.0.1"),
        ] {
            let (arrival, _) = receive(&proxies, "10.0.0.1", &[("x-forwarded-for", list)]);
            assert_eq!(arrival.client, ip(client), "{list}");
        }
        let (arrival, _) = receive(
            &proxies,
            "::ffff:10.0.0.1",
            &[
                ("x-forwarded-for", "1.1.1.1"),
                ("x-forwarded-for", "203.0.113.9"),
                ("x-forwarded-proto", "http, HTTPS"),
                ("x-forwarded-host", "evil.example, club.example:8443"),
                // A proxy of this kind passes it on as the visitor wrote it.
                ("forwarded", "for=1.2.3.4;host=evil.example;proto=http"),
            ],
        );
        let authority = Some("club.example:8443".to_owned());
        assert_eq!(arrival, Arrival { client: ip("203.0.113.9"), scheme: Some("https"), authority });
    }

    #[test]
    fn the_host_that_was_asked_for_is_the_requests_own() {
        for uri in ["/page?a=1", "http://inner.example/page?a=1"] {
            let mut request = Request::builder().uri(uri).header("host", "inner.example").body(()).unwrap();
            adopt(&mut request, "club.example:8443");
            assert_eq!(request.headers().get(header::HOST).unwrap(), "club.example:8443");
            assert!(request.uri().authority().is_none_or(|authority| authority == "club.example:8443"));
            assert_eq!(request.uri().path_and_query().unwrap(), "/page?a=1");
        }
    }

    #[test]
    fn the_standard_field_is_read_element_by_element() {
        let proxies = proxies(ForwardedForm::Standard);
        let list = "for=1.1.1.1;host=evil.example, for=\"[2001:db8::1]:4711\";proto=https;host=club.example, \
                    For=10.2.2.2;proto=http;host=inner.example";
        let (arrival, _) = receive(
            &proxies,
            "10.0.0.1",
            &[("forwarded", list), ("x-forwarded-for", "4.4.4.4"), ("x-forwarded-host", "evil.example")],
        );
        let authority = Some("club.example".to_owned());
        assert_eq!(arrival, Arrival { client: ip("2001:db8::1"), scheme: Some("https"), authority });
        for list in ["", ";;;", "for", "for=_hidden", "proto=gopher", "for=\"", "=,=;="] {
            let (arrival, _) = receive(&proxies, "10.0.0.1", &[("forwarded", list)]);
            assert_eq!((arrival.client, arrival.scheme), (ip("10.0.0.1"), None), "{list}");
        }
    }
}

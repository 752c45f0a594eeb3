//! Networks, and which addresses belong to the public internet.
//!
//! What is not known to be public is not: new special ranges are refused until this file learns of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses: `10.1.0.0/16`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

/// The text is not a network.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not a network: an address and a length, such as `10.1.0.0/16`, with no bits set past the length"
)]
pub struct InvalidNetwork(String);

impl Network {
    /// True where the address is in the network. An IPv4 address inside an IPv6 one counts as what it is.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.prefix) == Some(self.first)
            && address.to_canonical().is_ipv4() == self.first.is_ipv4()
    }
}

/// The address with everything past the prefix set to zero; none where the prefix is longer than the address.
fn masked(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => {
            let host_bits = 32_u32.checked_sub(prefix.into())?;
            let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
            Some(Ipv4Addr::from_bits(v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let host_bits = 128_u32.checked_sub(prefix.into())?;
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            Some(Ipv6Addr::from_bits(v6.to_bits() & mask).into())
        }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork(text.chars().take(80).collect());
        let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
        let first: IpAddr = address.parse().map_err(|_malformed| invalid())?;
        let prefix = match prefix {
            "" if !text.contains('/') => Ok(if first.is_ipv4() { 32 } else { 128 }),
            digits => digits.parse::<u8>().map_err(|_malformed| invalid()),
        }?;
        if masked(first, prefix) == Some(first) && first.to_canonical() == first {
            Ok(Self { first, prefix })
        } else {
            Err(invalid())
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

/// IPv4 ranges that are not on the public internet (IANA's registry of special-purpose addresses).
const SPECIAL_V4: &[([u8; 4], u8)] = &[
    // This network, unspecified.
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    // Shared between a provider and its customers.
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    // Link-local; also where clouds keep their credentials.
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    // Relays to IPv6, given up.
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    // Multicast, then reserved and broadcast.
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Parts of 2000::/3, the only range of global unicast, that lead elsewhere.
const SPECIAL_V6: &[([u16; 2], u8)] = &[
    // Protocol assignments, Teredo among them.
    ([0x2001, 0], 23),
    // Documentation.
    ([0x2001, 0x0db8], 32),
    // 6to4: an IPv4 address inside.
    ([0x2002, 0], 16),
    // Documentation.
    ([0x3fff, 0], 20),
];

/// True where an address is on the public internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !SPECIAL_V4.iter().any(|(first, prefix)| {
            masked(v4.into(), *prefix) == Some(IpAddr::V4(Ipv4Addr::from_octets(*first)))
        }),
        IpAddr::V6(v6) => {
            let global = masked(v6.into(), 3) == Some(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0).into());
            global
                && !SPECIAL_V6.iter().any(|([a, b], prefix)| {
                    masked(v6.into(), *prefix) == Some(Ipv6Addr::new(*a, *b, 0, 0, 0, 0, 0, 0).into())
                })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_hold_what_they_say() {
        let network: Network = "10.1.0.0/16".parse().unwrap();
        assert!(network.contains(ip("10.1.255.255")) && network.contains(ip("::ffff:10.1.0.1")));
        assert!(!network.contains(ip("10.2.0.0")) && !network.contains(ip("::10.1.0.1")));
        assert_eq!("127.0.0.1".parse::<Network>().unwrap().to_string(), "127.0.0.1/32");
        assert!("0.0.0.0/0".parse::<Network>().unwrap().contains(ip("9.9.9.9")));
        assert!("fd00::/8".parse::<Network>().unwrap().contains(ip("fd12::1")));
        assert!(!"::/0".parse::<Network>().unwrap().contains(ip("9.9.9.9")));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in
            ["", "10.1.0.1/16", "10.0.0.0/33", "::/129", "10.0.0.0/", "a/8", "10.0.0.0/-1", "::ffff:1.2.3.4"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_internet_is_public() {
        for text in ["9.9.9.9", "1.1.1.1", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "2a00::1"] {
            assert!(is_public(ip(text)), "{text}");
        }
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "5f00::1",
        ] {
            assert!(!is_public(ip(text)), "{text}");
        }
    }
}

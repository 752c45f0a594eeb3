//! The PROXY protocol, versions 1 and 2: a balancer that passes bytes on says first whose they are.
//!
//! Read from trusted peers only, who then have to speak it; nothing is guessed, because whoever may leave the
//! header out may also forge one (section 5 of the specification). Read to its last byte and no further, within
//! the time that a visitor has for header fields.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, its end included.
const LINE: usize = 107;
/// The most bytes of addresses and further facts in version 2. HAProxy sends a few hundred with a client certificate.
const FACTS: usize = 4096;

/// What came instead of a header.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyHeaderError {
    /// The connection broke off.
    #[error("read the PROXY header")]
    Io(#[from] std::io::Error),
    /// Something else.
    #[error("a trusted peer sent no valid PROXY header")]
    Invalid,
}

/// Reads the header. Gives the visitor's address; none where the balancer speaks for itself, as in a health check.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<IpAddr>, ProxyHeaderError> {
    // Both versions have at least so many bytes.
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).await?;
    if begin == SIGNATURE {
        return binary(stream).await;
    }
    if !begin.starts_with(b"PROXY ") {
        return Err(ProxyHeaderError::Invalid);
    }
    let mut line = begin.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= LINE {
            return Err(ProxyHeaderError::Invalid);
        }
        line.push(stream.read_u8().await?);
    }
    text(&line).ok_or(ProxyHeaderError::Invalid)
}

/// `PROXY TCP4 SOURCE DESTINATION PORT PORT`, or `PROXY UNKNOWN` with anything behind.
fn text(line: &[u8]) -> Option<Option<IpAddr>> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let mut words = line.split(' ').skip(1);
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let (source, destination) = (words.next()?, words.next()?);
    for port in [words.next()?, words.next()?] {
        port.parse::<u16>().ok()?;
    }
    if words.next().is_some() {
        return None;
    }
    match family {
        "TCP4" => {
            destination.parse::<Ipv4Addr>().ok()?;
            Some(Some(source.parse::<Ipv4Addr>().ok()?.into()))
        }
        "TCP6" => {
            destination.parse::<Ipv6Addr>().ok()?;
            Some(Some(IpAddr::from(source.parse::<Ipv6Addr>().ok()?).to_canonical()))
        }
        _ => None,
    }
}

async fn binary(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<IpAddr>, ProxyHeaderError> {
    let (what, family) = (stream.read_u8().await?, stream.read_u8().await?);
    let length = usize::from(stream.read_u16().await?);
    if what >> 4 != 2 || length > FACTS {
        return Err(ProxyHeaderError::Invalid);
    }
    let mut facts = vec![0; length];
    stream.read_exact(&mut facts).await?;
    let source = |bytes: usize| facts.get(..bytes).filter(|_| facts.len() >= 2 * bytes + 4);
    match (what & 0x0f, family >> 4) {
        // The balancer itself, or a family that has no address of this kind.
        (0, _) | (1, 0 | 3) => Ok(None),
        (1, 1) => {
            let octets: [u8; 4] =
                source(4).and_then(|own| own.try_into().ok()).ok_or(ProxyHeaderError::Invalid)?;
            Ok(Some(octets.into()))
        }
        (1, 2) => {
            let octets: [u8; 16] =
                source(16).and_then(|own| own.try_into().ok()).ok_or(ProxyHeaderError::Invalid)?;
            Ok(Some(IpAddr::from(octets).to_canonical()))
        }
        _ => Err(ProxyHeaderError::Invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(header: &[u8]) -> Result<Option<String>, ProxyHeaderError> {
        let whole = [header, b"GET / HTTP/1.1\r\n"].concat();
        let mut rest: &[u8] = &whole;
        let found = read(&mut rest).await?;
        assert_eq!(rest, b"GET / HTTP/1.1\r\n", "what follows is left alone");
        Ok(found.map(|address| address.to_string()))
    }

    fn binary_header(what: u8, family: u8, facts: &[u8]) -> Vec<u8> {
        let mut header = SIGNATURE.to_vec();
        header.extend([what, family]);
        header.extend(u16::try_from(facts.len()).unwrap().to_be_bytes());
        header.extend(facts);
        header
    }

    #[tokio::test]
    async fn lines_are_read() {
        for (line, expected) in [
            ("PROXY TCP4 203.0.113.9 10.0.0.1 56324 443\r\n", Some("203.0.113.9")),
            ("PROXY TCP6 2001:db8::1 fd00::1 56324 443\r\n", Some("2001:db8::1")),
            ("PROXY TCP6 ::ffff:203.0.113.9 fd00::1 1 2\r\n", Some("203.0.113.9")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
        ] {
            assert_eq!(told(line.as_bytes()).await.unwrap().as_deref(), expected, "{line}");
        }
        for line in [
            "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
            "PROXY TCP4 203.0.113.9 10.0.0.1 56324\r\n",
            "PROXY TCP4 203.0.113.9 10.0.0.1 56324 70000\r\n",
            "PROXY TCP4 2001:db8::1 10.0.0.1 1 2\r\n",
            "PROXY TCP4 203.0.113.9 10.0.0.1 1 2 3\r\n",
            "PROXY TCP5 203.0.113.9 10.0.0.1 1 2\r\n",
            "PROXY  TCP4 203.0.113.9 10.0.0.1 1 2\r\n",
        ] {
            assert!(told(line.as_bytes()).await.is_err(), "{line}");
        }
        let endless = format!("PROXY UNKNOWN {}\r\n", "x".repeat(200));
        assert!(matches!(told(endless.as_bytes()).await, Err(ProxyHeaderError::Invalid)));
    }

    #[tokio::test]
    async fn binary_headers_are_read() {
        let four = [203, 0, 113, 9, 10, 0, 0, 1, 1, 2, 3, 4];
        let mut six = vec![0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        six.extend([0; 20]);
        let with_facts = [&four[..], &[4, 0, 1, 7]].concat();
        for (header, expected) in [
            (binary_header(0x21, 0x11, &four), Some("203.0.113.9")),
            (binary_header(0x21, 0x11, &with_facts), Some("203.0.113.9")),
            (binary_header(0x21, 0x21, &six), Some("2001:db8::1")),
            (binary_header(0x20, 0x11, &four), None),
            (binary_header(0x20, 0, &[]), None),
            (binary_header(0x21, 0, &[]), None),
            (binary_header(0x21, 0x31, &[0; 216]), None),
        ] {
            assert_eq!(told(&header).await.unwrap().as_deref(), expected, "{header:?}");
        }
        for header in [
            binary_header(0x11, 0x11, &four),
            binary_header(0x22, 0x11, &four),
            binary_header(0x21, 0x41, &four),
            binary_header(0x21, 0x11, &four[..8]),
            binary_header(0x21, 0x21, &four),
            binary_header(0x21, 0x11, &[0; FACTS + 1]),
        ] {
            assert!(told(&header).await.is_err(), "{header:?}");
        }
    }

    #[tokio::test]
    async fn a_header_that_breaks_off_is_none() {
        let line = b"PROXY TCP4 203.0.113.9 10.0.0.1 56324 443\r\n";
        let binary = binary_header(0x21, 0x11, &[203, 0, 113, 9, 10, 0, 0, 1, 1, 2, 3, 4]);
        for header in [&line[..], &binary] {
            for cut in 0..header.len() {
                let mut part = &header[..cut];
                assert!(matches!(read(&mut part).await, Err(ProxyHeaderError::Io(_))), "{cut}");
            }
        }
    }
}

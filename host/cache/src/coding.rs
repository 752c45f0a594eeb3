//! Content codings: which one a visitor wants, and making it.
//!
//! Pages are coded once, at the first hit that accepts it, on a thread for blocking work; `cache` bounds
//! how many at a time. Called by `page`, `view` and `cache`.

use crate::directives::{members, text};
use crate::vary::weight;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, HeaderValue};
use std::io::{self, Write as _};

/// A coding that this server makes, best first where a visitor likes them equally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Brotli,
    Zstd,
    Gzip,
}

/// Each of them.
pub(crate) const CODINGS: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];

/// A body shorter than this is not coded: with its headers it fits in one packet of 1,460 bytes anyway.
pub(crate) const WORTHWHILE: usize = 1024;

/// Window of brotli, 2^20: pages are smaller, and it bounds the encoder's memory to a few MB.
const BROTLI_WINDOW: i32 = 20;
/// Above 5 brotli takes several times as long for a few per cent.
const BROTLI_QUALITY: i32 = 5;
/// The level at which zstd codes HTML as fast as it arrives.
const ZSTD_LEVEL: i32 = 3;

impl Coding {
    /// Its name, in `Content-Encoding` and in entity tags.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// Its place in [`CODINGS`].
    pub(crate) fn place(self) -> usize {
        match self {
            Self::Brotli => 0,
            Self::Zstd => 1,
            Self::Gzip => 2,
        }
    }

    /// For `Content-Encoding`.
    pub(crate) fn value(self) -> HeaderValue {
        HeaderValue::from_static(self.as_str())
    }

    /// The coded body. Blocking.
    pub(crate) fn encode(self, body: &[u8]) -> io::Result<Bytes> {
        let coded = match self {
            Self::Brotli => {
                let mut coded = Vec::new();
                let params = brotli::enc::BrotliEncoderParams {
                    quality: BROTLI_QUALITY,
                    lgwin: BROTLI_WINDOW,
                    size_hint: body.len(),
                    ..Default::default()
                };
                brotli::BrotliCompress(&mut &*body, &mut coded, &params)?;
                coded
            }
            Self::Zstd => zstd::bulk::compress(body, ZSTD_LEVEL)?,
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(body)?;
                encoder.finish()?
            }
        };
        Ok(coded.into())
    }
}

/// The codings that the visitor prefers to none, best first.
pub(crate) fn wanted(asked: &HeaderMap) -> [Option<Coding>; 3] {
    let mut wanted = [None; 3];
    if !asked.contains_key(ACCEPT_ENCODING) {
        return wanted;
    }
    let (mut weights, mut any, mut plain) = ([None; 3], None, None);
    for line in asked.get_all(ACCEPT_ENCODING) {
        for member in members(&text(line)) {
            let (name, weight) = weight(member);
            if name == "*" {
                any = Some(weight);
            } else if name.eq_ignore_ascii_case("identity") {
                plain = Some(weight);
            }
            for (coding, known) in CODINGS.iter().zip(&mut weights) {
                if name.eq_ignore_ascii_case(coding.as_str()) {
                    *known = Some(weight);
                }
            }
        }
    }
    let plain = plain.unwrap_or(0);
    let mut ranked: Vec<(u16, Coding)> = CODINGS
        .iter()
        .zip(weights)
        .map(|(coding, weight)| (weight.or(any).unwrap_or(0), *coding))
        .filter(|(weight, _)| *weight > 0 && *weight >= plain)
        .collect();
    ranked.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    for (place, (_, coding)) in wanted.iter_mut().zip(ranked) {
        *place = Some(coding);
    }
    wanted
}

/// True for types that shrink: text and what is written like it.
pub(crate) fn shrinks(content_type: Option<&HeaderValue>) -> bool {
    let Some(kind) = content_type.and_then(|value| value.to_str().ok()) else { return false };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || matches!(
            kind.as_str(),
            "application/json"
                | "application/javascript"
                | "application/xml"
                | "application/wasm"
                | "application/x-javascript"
                | "application/vnd.ms-fontobject"
                | "font/ttf"
                | "font/otf"
                | "image/bmp"
                | "image/x-icon"
                | "image/vnd.microsoft.icon"
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read as _;

    fn names(line: &str) -> Vec<&'static str> {
        let asked = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_str(line).unwrap())]);
        wanted(&asked).into_iter().flatten().map(Coding::as_str).collect()
    }

    #[test]
    fn weights_decide_and_then_our_order() {
        for (line, expected) in [
            ("gzip, deflate, br, zstd", &["br", "zstd", "gzip"][..]),
            ("gzip;q=1.0, br;q=0.5", &["gzip", "br"]),
            ("GZIP", &["gzip"]),
            ("br;q=0, *", &["zstd", "gzip"]),
            ("*;q=0", &[]),
            ("identity, br;q=0.9", &[]),
            ("identity;q=0.5, br;q=0.9, gzip;q=0.1", &["br"]),
            ("", &[]),
            ("x-gzip", &[]),
            ("br;q=x", &["br"]),
        ] {
            assert_eq!(names(line), expected, "{line}");
        }
        assert_eq!(wanted(&HeaderMap::new()), [None; 3]);
    }

    fn decode(coding: Coding, coded: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        match coding {
            Coding::Brotli => {
                brotli::Decompressor::new(coded, 4096).read_to_end(&mut plain).unwrap();
            }
            Coding::Zstd => plain = zstd::stream::decode_all(coded).unwrap(),
            Coding::Gzip => {
                flate2::read::GzDecoder::new(coded).read_to_end(&mut plain).unwrap();
            }
        }
        plain
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn coded_bodies_decode_to_the_page(body in proptest::collection::vec(any::<u8>(), 0..5000)) {
            for coding in CODINGS {
                prop_assert_eq!(&decode(coding, &coding.encode(&body).unwrap()), &body);
            }
        }
    }
}

//! Style sheets, served from the module itself.
//!
//! Their addresses carry a hash of their content, so they may be kept for ever and still change with the
//! module. Invariant: a page never asks for anything that is not here. Called by `public` and `manage`.

use rowhouse_sdk::prelude::*;

const SITE: &str = include_str!("../assets/site.css");
const MANAGE: &str = include_str!("../assets/manage.css");

/// Changes whenever one of the style sheets does.
pub(crate) const VERSION: u64 = hash(MANAGE.as_bytes(), hash(SITE.as_bytes(), 0xcbf2_9ce4_8422_2325));

/// FNV-1a, at compile time.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks it")]
const fn hash(bytes: &[u8], start: u64) -> u64 {
    let mut hash = start;
    let mut place = 0;
    while place < bytes.len() {
        hash = (hash ^ bytes[place] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        place += 1;
    }
    hash
}

/// The address of a style sheet.
pub(crate) fn link(urls: &Urls, file: &str) -> String {
    urls.item("/assets", file).query("v", format_args!("{VERSION:x}")).into()
}

/// Serves a style sheet.
pub(crate) fn serve(_request: &Request, file: String) -> Result {
    let text = match file.as_str() {
        "site.css" => SITE,
        "manage.css" => MANAGE,
        _ => return Err(Error::NotFound),
    };
    let response = Response::bytes("text/css; charset=utf-8", text).cache(Cache::Immutable);
    Ok(response.header("x-content-type-options", "nosniff"))
}

//! The last part of an address, made from a title.
//!
//! Letters of the Latin script lose their accents; what can't be written in ASCII is left out. Words that
//! the site's own routes use are refused for pages. Invariant: a slug is `[a-z0-9-]`, never empty, never
//! longer than [`MAX`]. Called by `manage`.

/// Longest slug in bytes; the column holds 120, which leaves room for a number at the end.
pub(crate) const MAX: usize = 80;

/// First segments that belong to the site or the host.
const RESERVED: &[&str] =
    &["-", "x", "assets", "contact", "events", "feed", "manage", "news", "robots", "sitemap", "files"];

/// A slug made from a text, or none where nothing is left of it.
pub(crate) fn from_text(text: &str) -> Option<String> {
    let mut slug = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        match plain(c) {
            Some(letters) => slug.push_str(letters),
            None if c.is_ascii_alphanumeric() => slug.push(c),
            None if "'’".contains(c) => {}
            None if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            None => {}
        }
        if slug.len() >= MAX {
            break;
        }
    }
    let slug = slug.trim_matches('-');
    (!slug.is_empty()).then(|| slug.to_owned())
}

/// Whether a text is a slug already.
pub(crate) fn is_slug(text: &str) -> bool {
    from_text(text).as_deref() == Some(text)
}

/// Whether a page of this slug would hide one of the site's own routes.
pub(crate) fn is_reserved(slug: &str) -> bool {
    RESERVED.contains(&slug)
}

fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'ä' | 'æ' => "ae",
        'ö' | 'œ' => "oe",
        'ü' => "ue",
        'ß' => "ss",
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'ç' | 'ć' | 'č' => "c",
        'ď' | 'đ' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' => "e",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'ı' => "i",
        'ł' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ø' | 'ō' | 'ő' => "o",
        'ř' => "r",
        'ś' | 'š' | 'ş' => "s",
        'ť' | 'ţ' => "t",
        'ù' | 'ú' | 'û' | 'ū' | 'ů' | 'ű' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_become_plain_addresses() {
        assert_eq!(from_text("  Über uns & more! ").as_deref(), Some("ueber-uns-more"));
        assert_eq!(from_text("Members’ night — 2026").as_deref(), Some("members-night-2026"));
        assert_eq!(from_text("日本"), None);
        assert!(
            from_text(&"word ".repeat(60)).is_some_and(|slug| slug.len() <= MAX + 1 && !slug.ends_with('-'))
        );
        for slug in ["a", "about-us", "2026"] {
            assert!(is_slug(slug), "{slug}");
        }
        for text in ["", "-a", "a--b", "A", "a/b", "a b"] {
            assert!(!is_slug(text), "{text}");
        }
    }
}

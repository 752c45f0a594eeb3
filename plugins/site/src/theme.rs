//! Colours and type: from one accent colour to a style that can be read.
//!
//! The owner picks one colour; everything else follows from it, so no choice can make text unreadable.
//! The result is computed when the theme is saved, not when a page is shown. Invariant: the CSS made here
//! consists of checked hexadecimal colours and fixed text only, so it may stand in a page unescaped.
//! Called by `manage`, `starter` and `upgrade`.

use std::str::FromStr;

/// Contrast that WCAG 2.2 AA asks for in text, with a little to spare for tinted grounds.
const TEXT_CONTRAST: f64 = 4.8;
/// The ground of pages; the style sheet tints it by a few per cent of the accent.
const LIGHT_GROUND: Colour = Colour { red: 0xf4, green: 0xf3, blue: 0xf0 };
const DARK_GROUND: Colour = Colour { red: 0x20, green: 0x22, blue: 0x26 };
const WHITE: Colour = Colour { red: 255, green: 255, blue: 255 };
/// True black: with it one of the two inks always has 4.58 to 1 or more (the root of 21); a softer one has not.
const BLACK: Colour = Colour { red: 0, green: 0, blue: 0 };

/// A colour in sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour {
    red: u8,
    green: u8,
    blue: u8,
}

impl Colour {
    fn channels(self) -> [u8; 3] {
        [self.red, self.green, self.blue]
    }

    /// `#rrggbb`.
    pub(crate) fn hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }

    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let part = f64::from(channel) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }

    /// The ratio of WCAG, 1 to 21.
    pub(crate) fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance() + 0.05, other.luminance() + 0.05);
        if a > b { a / b } else { b / a }
    }

    /// `percent` of the way to another colour.
    fn towards(self, other: Self, percent: i32) -> Self {
        let mix = |from: u8, to: u8| {
            let (from, to) = (i32::from(from), i32::from(to));
            u8::try_from(from + (to - from) * percent / 100).unwrap_or(u8::MAX)
        };
        let [red, green, blue] = self.channels();
        Self { red: mix(red, other.red), green: mix(green, other.green), blue: mix(blue, other.blue) }
    }

    /// Black or white, whichever reads better on this colour.
    pub(crate) fn ink(self) -> Self {
        if self.contrast(WHITE) >= self.contrast(BLACK) { WHITE } else { BLACK }
    }

    /// This colour, moved towards `end` until it reads on `ground`.
    fn readable_on(self, ground: Self, end: Self) -> Self {
        let steps = (0..=100).step_by(4).map(|percent| self.towards(end, percent));
        steps.into_iter().find(|colour| colour.contrast(ground) >= TEXT_CONTRAST).unwrap_or(end)
    }
}

impl FromStr for Colour {
    type Err = NotAColour;

    fn from_str(text: &str) -> Result<Self, NotAColour> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(NotAColour)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotAColour);
        }
        let part =
            |range| digits.get(range).and_then(|part| u8::from_str_radix(part, 16).ok()).ok_or(NotAColour);
        Ok(Self { red: part(0..2)?, green: part(2..4)?, blue: part(4..6)? })
    }
}

/// The text is not `#rrggbb`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotAColour;

/// The letters of headings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Letters {
    /// The system's own sans serif.
    #[default]
    Modern,
    /// An old-style serif.
    Classic,
    /// Round and soft.
    Friendly,
}

impl Letters {
    /// All choices: name in settings, label for people.
    pub(crate) const ALL: [(&'static str, &'static str); 3] = [
        ("modern", "Modern, without serifs"),
        ("classic", "Classic, with serifs"),
        ("friendly", "Friendly and round"),
    ];

    /// The choice of a setting; anything unknown is the first.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "classic" => Self::Classic,
            "friendly" => Self::Friendly,
            _ => Self::Modern,
        }
    }

    fn stack(self) -> &'static str {
        match self {
            Self::Modern => {
                "ui-sans-serif,system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",sans-serif"
            }
            Self::Classic => {
                "\"Iowan Old Style\",\"Palatino Linotype\",\"URW Palladio L\",P052,Georgia,serif"
            }
            Self::Friendly => {
                "ui-rounded,\"Hiragino Maru Gothic ProN\",Quicksand,Comfortaa,Manjari,\"Arial Rounded MT Bold\",Calibri,sans-serif"
            }
        }
    }
}

/// The custom properties of a theme, ready to stand in a `<style>` element.
pub(crate) fn css(accent: Colour, letters: Letters) -> String {
    let ink = accent.ink();
    // Away from the ink, so that text on the shade reads at least as well as on the accent.
    let shade = accent.towards(if ink == WHITE { BLACK } else { WHITE }, 22);
    let light = accent.readable_on(LIGHT_GROUND, BLACK);
    let dark = accent.readable_on(DARK_GROUND, WHITE);
    format!(
        ":root{{--accent:{};--on-accent:{};--accent-shade:{};--accent-text:{};--heads:{}}}\
         @media(prefers-color-scheme:dark){{:root{{--accent-text:{}}}}}",
        accent.hex(),
        ink.hex(),
        shade.hex(),
        light.hex(),
        letters.stack(),
        dark.hex(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_strictly() {
        assert_eq!("#0B5d7a".parse::<Colour>().unwrap().hex(), "#0b5d7a");
        for text in ["", "#fff", "0b5d7a", "#0b5d7g", "#0b5d7a;", "#+b5d7a", "red"] {
            assert_eq!(text.parse::<Colour>(), Err(NotAColour), "{text}");
        }
    }

    #[test]
    fn any_accent_gives_readable_text() {
        for number in 0..512_u32 {
            let level = |shift: u32| u8::try_from((number >> shift & 7) * 36).unwrap();
            let accent = Colour { red: level(0), green: level(3), blue: level(6) };
            assert!(accent.contrast(accent.ink()) >= 4.5, "ink on {}", accent.hex());
            assert!(accent.readable_on(LIGHT_GROUND, BLACK).contrast(LIGHT_GROUND) >= 4.5);
            assert!(accent.readable_on(DARK_GROUND, WHITE).contrast(DARK_GROUND) >= 4.5);
            let ink = accent.ink();
            let shade = accent.towards(if ink == WHITE { BLACK } else { WHITE }, 22);
            assert!(shade.contrast(ink) >= 4.5, "ink on the shade of {}", accent.hex());
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((WHITE.contrast(BLACK) - 21.0).abs() < 0.01);
        assert!((WHITE.contrast("#767676".parse().unwrap()) - 4.54).abs() < 0.01);
    }
}

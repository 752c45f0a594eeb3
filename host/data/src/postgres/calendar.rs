//! Dates, times of day and moments, between the engine's numbers and their usual text.
//!
//! The engine counts from 2000-01-01. What lies outside the years 1 to 9999, and the two infinities, has no
//! text here: such a value is refused rather than changed.

use std::fmt::Write as _;
use time::{Date, Month};

/// Microseconds from 1970-01-01 to 2000-01-01.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The engine's day 0 as a Julian day.
const EPOCH_DAY: i32 = 2_451_545;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A moment as microseconds since 1970; none for the infinities.
pub(super) fn since_1970(engine: i64) -> Option<i64> {
    if engine == i64::MAX || engine == i64::MIN { None } else { engine.checked_add(EPOCH_MICROS) }
}

/// A moment in the engine's count.
pub(super) fn since_2000(micros: i64) -> Option<i64> {
    micros.checked_sub(EPOCH_MICROS).filter(|engine| *engine != i64::MIN)
}

/// `2026-11-21`.
pub(super) fn date_text(engine: i32) -> Option<String> {
    let date = Date::from_julian_day(engine.checked_add(EPOCH_DAY)?).ok()?;
    let year = date.year();
    (1..=9999).contains(&year).then(|| format!("{year:04}-{:02}-{:02}", u8::from(date.month()), date.day()))
}

/// `2026-11-21` in the engine's count.
pub(super) fn date_number(text: &str) -> Option<i32> {
    let [year, month, day] = fields(text, '-')?;
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()?;
    date.to_julian_day().checked_sub(EPOCH_DAY)
}

/// `23:59:59` or `23:59:59.000001`.
pub(super) fn time_text(micros: i64) -> String {
    let (hours, minutes, seconds) = (micros / HOUR, micros % HOUR / MINUTE, micros % MINUTE / SECOND);
    let mut text = format!("{hours:02}:{minutes:02}:{seconds:02}");
    if micros % SECOND != 0 {
        let _infallible = write!(text, ".{:06}", micros % SECOND);
    }
    text
}

/// A time of day as microseconds since midnight.
pub(super) fn time_number(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let [hours, minutes, seconds] = fields(whole, ':')?;
    if hours > 23 || minutes > 59 || seconds > 59 || fraction.is_empty() || fraction.len() > 6 {
        return None;
    }
    let micros = digits(fraction)? * 10_i64.pow(u32::try_from(6 - fraction.len()).ok()?);
    Some(hours * HOUR + minutes * MINUTE + seconds * SECOND + micros)
}

/// `2026-11-21T22:59:48.5Z`, also with a space, with `+01:00`, or without zone, as microseconds since 1970.
pub(super) fn moment(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let zone_at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at_checked(zone_at)?;
    let day = i64::from(date_number(date)?).checked_mul(DAY)?;
    day.checked_add(time_number(time)?)?.checked_sub(offset(zone)?)?.checked_add(EPOCH_MICROS)
}

fn offset(zone: &str) -> Option<i64> {
    if zone.is_empty() || zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let [hours, minutes] = fields(zone.get(1..)?, ':')?;
    (hours < 16 && minutes < 60).then(|| sign * (hours * HOUR + minutes * MINUTE))
}

fn fields<const N: usize>(text: &str, between: char) -> Option<[i64; N]> {
    let found: Vec<i64> = text.split(between).map(digits).collect::<Option<_>>()?;
    found.try_into().ok()
}

fn digits(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > 9 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_moments() {
        assert_eq!(since_1970(0), Some(EPOCH_MICROS));
        assert_eq!(since_1970(i64::MAX), None);
        assert_eq!(date_text(0).as_deref(), Some("2000-01-01"));
        assert_eq!(date_number("1999-12-31"), Some(-1));
        assert_eq!(moment("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(moment("1970-01-01 01:00:00.5+01:00"), Some(500_000));
        assert_eq!(time_text(86_399_000_001), "23:59:59.000001");
        for wrong in ["", "2026-13-01", "2026-02-30", "2026-1", "x", "-1-1-1", "2026-01-01x"] {
            assert_eq!(date_number(wrong), None, "{wrong}");
            assert_eq!(moment(wrong), None, "{wrong}");
        }
        assert_eq!(time_number("24:00:00"), None);
    }

    proptest! {
        #[test]
        fn texts_read_back(day in -700_000..2_900_000_i32, micros in 0..DAY, any: String) {
            if let Some(text) = date_text(day) {
                prop_assert_eq!(date_number(&text), Some(day));
            }
            prop_assert_eq!(time_number(&time_text(micros)), Some(micros));
            let _no_panic = (date_number(&any), time_number(&any), moment(&any));
        }

        #[test]
        fn moments_read_back(micros: i64) {
            if let Some(engine) = since_2000(micros) {
                prop_assert_eq!(since_1970(engine), Some(micros));
            }
        }
    }
}

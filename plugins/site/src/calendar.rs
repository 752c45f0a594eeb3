//! Days and local times, without a time zone database.
//!
//! An event takes place at the time on the poster: `2026-05-03T19:00` where the group is. Nothing here
//! converts between zones; "today" is the day in UTC, so a list may turn over some hours early or late.
//! Invariant: what is parsed exists (no 30 February). Called by `store`, `public`, `manage`, `starter`.

use std::{fmt, str::FromStr};

use rowhouse_sdk::sql::Timestamp;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A day of the Gregorian calendar, in the years 1 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day {
    year: i64,
    month: i64,
    day: i64,
}

/// A day and a time of day, to the minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) day: Day,
    minutes: i64,
}

/// The text is not a day or time that exists.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoSuchTime;

impl Day {
    /// The day of the present moment, in UTC.
    pub(crate) fn today() -> Self {
        Self::of(Timestamp::now())
    }

    /// The day of a moment, in UTC.
    pub(crate) fn of(moment: Timestamp) -> Self {
        Self::from_number(moment.seconds().div_euclid(86_400))
    }

    /// The moment at which the day is over, in UTC.
    pub(crate) fn end(self) -> Timestamp {
        Timestamp((self.number() + 1) * 86_400 * 1_000_000)
    }

    /// This many days later, or earlier.
    pub(crate) fn plus(self, days: i64) -> Self {
        Self::from_number(self.number() + days)
    }

    /// Days since 1970-01-01. Years begin in March here, so that the leap day is a year's last.
    fn number(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let month = (self.month + 9) % 12;
        let day_of_year = (153 * month + 2) / 5 + self.day - 1;
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
    }

    fn from_number(number: i64) -> Self {
        let days = number + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year, month, day }
    }

    /// 0 for Monday to 6 for Sunday.
    pub(crate) fn weekday_number(self) -> i64 {
        (self.number() + 3).rem_euclid(7)
    }

    /// `Sunday`.
    pub(crate) fn weekday(self) -> &'static str {
        name(&WEEKDAYS, self.weekday_number())
    }

    /// `May`.
    pub(crate) fn month_name(self) -> &'static str {
        name(&MONTHS, self.month - 1)
    }

    /// `Sun`, `May`: the first three letters.
    pub(crate) fn short(text: &str) -> &str {
        text.get(..3).unwrap_or(text)
    }

    /// `Sun`.
    pub(crate) fn weekday_short(self) -> &'static str {
        Self::short(self.weekday())
    }

    /// `May`.
    pub(crate) fn month_short(self) -> &'static str {
        Self::short(self.month_name())
    }

    /// The day of the month.
    pub(crate) fn number_in_month(self) -> i64 {
        self.day
    }

    /// `May 2026`.
    pub(crate) fn month_and_year(self) -> String {
        format!("{} {}", self.month_name(), self.year)
    }

    /// `3 May 2026`.
    pub(crate) fn long(self) -> String {
        format!("{} {} {}", self.day, self.month_name(), self.year)
    }

    /// `Sunday, 3 May 2026`.
    pub(crate) fn full(self) -> String {
        format!("{}, {}", self.weekday(), self.long())
    }

    /// `Sun, 03 May 2026 12:00:00 GMT`, for feeds: noon, so that it is that day nearly everywhere.
    pub(crate) fn rfc822(self) -> String {
        let (weekday, month) = (self.weekday_short(), self.month_short());
        format!("{weekday}, {:02} {month} {:04} 12:00:00 GMT", self.day, self.year)
    }
}

fn name(names: &[&'static str], place: i64) -> &'static str {
    usize::try_from(place).ok().and_then(|place| names.get(place)).copied().unwrap_or_default()
}

impl fmt::Display for Day {
    /// `2026-05-03`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for Day {
    type Err = NoSuchTime;

    fn from_str(text: &str) -> Result<Self, NoSuchTime> {
        let mut parts = text.split('-');
        let mut next = |length: usize| {
            let part = parts.next().filter(|part| part.len() == length).ok_or(NoSuchTime)?;
            digits(part)
        };
        let day = Self { year: next(4)?, month: next(2)?, day: next(2)? };
        let whole = parts.next().is_none() && (1..=12).contains(&day.month) && day.year >= 1;
        if whole && Self::from_number(day.number()) == day { Ok(day) } else { Err(NoSuchTime) }
    }
}

fn digits(text: &str) -> Result<i64, NoSuchTime> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_err(|_| NoSuchTime)
    } else {
        Err(NoSuchTime)
    }
}

impl Moment {
    /// A time of day in minutes after midnight, on a day.
    pub(crate) fn at(day: Day, hour: i64, minute: i64) -> Self {
        Self { day, minutes: (hour * 60 + minute).clamp(0, 24 * 60 - 1) }
    }

    /// `19:00`.
    pub(crate) fn time(self) -> String {
        format!("{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }

    /// `20260503T190000`: local time without a zone, as iCalendar has it.
    pub(crate) fn ical(self) -> String {
        let Day { year, month, day } = self.day;
        format!("{year:04}{month:02}{day:02}T{:02}{:02}00", self.minutes / 60, self.minutes % 60)
    }
}

impl fmt::Display for Moment {
    /// `2026-05-03T19:00`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}T{}", self.day, self.time())
    }
}

impl FromStr for Moment {
    type Err = NoSuchTime;

    /// Seconds, which some browsers send, are left out.
    fn from_str(text: &str) -> Result<Self, NoSuchTime> {
        let (day, time) = text.split_once(['T', ' ']).ok_or(NoSuchTime)?;
        let mut parts = time.split(':');
        let mut next = || parts.next().filter(|part| part.len() == 2).ok_or(NoSuchTime).and_then(digits);
        let (hour, minute) = (next()?, next()?);
        if hour > 23 || minute > 59 {
            return Err(NoSuchTime);
        }
        Ok(Self::at(day.parse()?, hour, minute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_through_leap_years_and_centuries() {
        let mut day: Day = "1899-12-25".parse().unwrap();
        let mut number = day.number();
        while day < "2101-03-05".parse().unwrap() {
            let next = day.plus(1);
            assert!(next > day, "{next} after {day}");
            assert_eq!(next.number(), number + 1);
            assert_eq!(next.weekday_number(), (day.weekday_number() + 1) % 7);
            assert_eq!(next.to_string().parse(), Ok(next));
            (day, number) = (next, number + 1);
        }
    }

    #[test]
    fn known_days_have_their_names() {
        let day: Day = "2026-05-03".parse().unwrap();
        assert_eq!(day.full(), "Sunday, 3 May 2026");
        assert_eq!(day.rfc822(), "Sun, 03 May 2026 12:00:00 GMT");
        assert_eq!(Day::of(Timestamp(0)).full(), "Thursday, 1 January 1970");
        assert_eq!(Day::of(Timestamp(951_782_400_000_000)).to_string(), "2000-02-29");
        assert_eq!(Day::of(Timestamp(-1)).to_string(), "1969-12-31");
    }

    #[test]
    fn what_does_not_exist_is_refused() {
        for text in [
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-04-31",
            "26-1-1",
            "2026-5-3",
            "",
            "2026-05-03-1",
            "+026-05-03",
        ] {
            assert_eq!(text.parse::<Day>(), Err(NoSuchTime), "{text}");
        }
        for text in
            ["2026-05-03", "2026-05-03T24:00", "2026-05-03T19:60", "2026-02-30T10:00", "2026-05-03T9:00"]
        {
            assert_eq!(text.parse::<Moment>(), Err(NoSuchTime), "{text}");
        }
    }

    #[test]
    fn moments_show_as_they_are_stored() {
        let moment: Moment = "2026-05-03T19:05:30".parse().unwrap();
        assert_eq!(moment.to_string(), "2026-05-03T19:05");
        assert_eq!(moment.ical(), "20260503T190500");
    }
}

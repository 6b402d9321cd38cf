//! Schedules of jobs: cron expressions of five fields, in UTC.

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

/// Days ahead that a next time is looked for: the 29th of February comes within eight years.
const DAYS_MAX: usize = 366 * 8 + 2;

/// A parsed expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// The field is `*`: with both given, a day that fits either will do.
    any_day: bool,
    any_weekday: bool,
}

impl Cron {
    /// Reads `MINUTE HOUR DAY MONTH WEEKDAY` with lists, ranges, steps and English names; `None` for anything else.
    pub fn parse(text: &str) -> Option<Cron> {
        const MONTHS: [&str; 12] =
            ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else { return None };
        let weekdays = field(weekday, 0, 7, &WEEKDAYS, 0)?;
        let cron = Cron {
            minutes: field(minute, 0, 59, &[], 0)?,
            hours: field(hour, 0, 23, &[], 0)?,
            days: field(day, 1, 31, &[], 0)?,
            months: field(month, 1, 12, &MONTHS, 1)?,
            // 7 is Sunday too.
            weekdays: weekdays & 0x7f | weekdays >> 7,
            any_day: day.starts_with('*'),
            any_weekday: weekday.starts_with('*'),
        };
        Some(cron)
    }

    /// The first time after `after`; `None` when there is none (the 31st of February).
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let start = after.to_zoned(TimeZone::UTC).datetime();
        let (mut date, mut from) = (start.date(), (start.hour(), start.minute() + 1));
        for _ in 0..DAYS_MAX {
            if self.fits(date) {
                for hour in from.0..24 {
                    let first = if hour == from.0 { from.1 } else { 0 };
                    if bit(self.hours, hour)
                        && let Some(minute) = (first..60).find(|minute| bit(self.minutes, *minute))
                    {
                        let at = date.at(hour, minute, 0, 0).to_zoned(TimeZone::UTC).ok()?;
                        return Some(at.timestamp());
                    }
                }
            }
            date = date.tomorrow().ok()?;
            from = (0, 0);
        }
        None
    }

    fn fits(&self, date: Date) -> bool {
        if !bit(self.months, date.month()) {
            return false;
        }
        let day = bit(self.days, date.day());
        let weekday = bit(self.weekdays, Weekday::to_sunday_zero_offset(date.weekday()));
        match (self.any_day, self.any_weekday) {
            (true, _) | (_, true) => day && weekday,
            (false, false) => day || weekday,
        }
    }
}

fn bit(bits: u64, at: i8) -> bool {
    u32::try_from(at).is_ok_and(|at| bits >> at & 1 == 1)
}

/// One field as a set of bits.
fn field(text: &str, least: u32, most: u32, names: &[&str], base: u32) -> Option<u64> {
    let number = |word: &str| -> Option<u32> {
        let named = names.iter().position(|name| word.eq_ignore_ascii_case(name));
        let value = match named {
            Some(at) => u32::try_from(at).ok()? + base,
            None if !word.is_empty() && word.bytes().all(|sign| sign.is_ascii_digit()) => {
                word.parse().ok()?
            }
            None => return None,
        };
        (least..=most).contains(&value).then_some(value)
    };
    let mut bits = 0u64;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u32>().ok().filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (least, most),
            Some((from, to)) => (number(from)?, number(to)?),
            // `5/10` goes on from 5.
            None => (number(range)?, if step.is_some() { most } else { number(range)? }),
        };
        if from > to {
            return None;
        }
        (from..=to).step_by(usize::try_from(step.unwrap_or(1)).ok()?).for_each(|value| bits |= 1 << value);
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(expression: &str, after: &str) -> Option<String> {
        Cron::parse(expression).unwrap().next(after.parse().unwrap()).map(|at| at.to_string())
    }

    #[test]
    fn schedules_have_a_next_time_in_utc() {
        for (expression, after, expected) in [
            ("* * * * *", "2026-11-21T12:00:00Z", "2026-11-21T12:01:00Z"),
            ("*/5 * * * *", "2026-11-21T12:00:00Z", "2026-11-21T12:05:00Z"),
            ("0 2 * * *", "2026-11-21T02:00:00Z", "2026-11-22T02:00:00Z"),
            ("20 0,1,2 * * *", "2026-11-21T00:30:00Z", "2026-11-21T01:20:00Z"),
            ("20 0-2 * * *", "2026-11-21T02:20:59Z", "2026-11-22T00:20:00Z"),
            ("0 6 * * 1", "2026-11-21T12:00:00Z", "2026-11-23T06:00:00Z"),
            ("0 6 * * MON-FRI", "2026-11-21T12:00:00Z", "2026-11-23T06:00:00Z"),
            ("0 0 * * 7", "2026-11-21T12:00:00Z", "2026-11-22T00:00:00Z"),
            ("0 0 1 1 *", "2026-11-21T12:00:00Z", "2027-01-01T00:00:00Z"),
            ("0 0 29 FEB *", "2026-11-21T12:00:00Z", "2028-02-29T00:00:00Z"),
            // With both days given, either will do.
            ("5 0 29 2 1", "2027-01-15T00:00:00Z", "2027-02-01T00:05:00Z"),
            ("10/20 * * * *", "2026-11-21T12:31:00Z", "2026-11-21T12:50:00Z"),
        ] {
            assert_eq!(next(expression, after).as_deref(), Some(expected), "{expression} after {after}");
        }
        assert_eq!(next("0 0 31 2 *", "2026-11-21T12:00:00Z"), None);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for bad in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "*/0 * * * *",
            "5-1 * * * *",
            "a * * * *",
            "@daily",
            "+5 * * * *",
            "1,,2 * * * *",
            "-1 * * * *",
        ] {
            assert_eq!(Cron::parse(bad), None, "{bad}");
        }
    }
}

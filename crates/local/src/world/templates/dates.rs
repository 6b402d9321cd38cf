//! Times in the template language: ISO 8601 in, .NET's format strings out.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

/// How times are shown when nobody says otherwise, by `dateTimeAdd`.
const GENERAL: &str = "M/d/yyyy h:mm:ss tt";

/// Reads a time; without an offset it is UTC.
fn read(text: &str) -> Result<Timestamp, String> {
    let whole = text.trim();
    if let Ok(at) = whole.parse::<Timestamp>() {
        return Ok(at);
    }
    let bare = whole.trim_end_matches(['Z', 'z']);
    let forms =
        ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y%m%dT%H%M%S", "%Y-%m-%d", "%m/%d/%Y %I:%M:%S %p"];
    let civil = bare.parse::<DateTime>().ok().or_else(|| {
        forms.iter().find_map(|form| {
            DateTime::strptime(form, bare)
                .ok()
                .or_else(|| jiff::civil::Date::strptime(form, bare).ok().map(|date| date.at(0, 0, 0, 0)))
        })
    });
    civil
        .and_then(|civil| civil.to_zoned(TimeZone::UTC).ok())
        .map(|zoned| zoned.timestamp())
        .ok_or_else(|| format!("The date time string '{text}' is not a valid ISO 8601 date and time."))
}

/// `dateTimeAdd(base, duration[, format])`.
///
/// # Errors
/// What cannot be read.
pub fn add(base: &str, duration: &str, format: Option<&str>) -> Result<Value, String> {
    let at = read(base)?;
    let wrong = || {
        format!(
            "The template language function 'dateTimeAdd' expects its second parameter to be an ISO 8601 duration. The \
             provided value is '{duration}'."
        )
    };
    let span: Span = duration.parse().map_err(|_| wrong())?;
    let sum = at.to_zoned(TimeZone::UTC).checked_add(span).map_err(|_| wrong())?;
    Ok(json!(write(sum.timestamp(), format.unwrap_or(GENERAL))))
}

/// `dateTimeFromEpoch(seconds)`.
///
/// # Errors
/// A number that is no time.
pub fn from_epoch(seconds: i64) -> Result<Value, String> {
    let at = Timestamp::from_second(seconds)
        .map_err(|_| format!("The number '{seconds}' is no Unix epoch time."))?;
    Ok(json!(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()))
}

/// `dateTimeToEpoch(text)`.
///
/// # Errors
/// What cannot be read.
pub fn to_epoch(text: &str) -> Result<Value, String> {
    Ok(json!(read(text)?.as_second()))
}

/// A time by a .NET format string, a standard one (one letter) or a custom one.
pub fn write(at: Timestamp, format: &str) -> String {
    let custom = match format {
        "d" => "M/d/yyyy",
        "D" => "dddd, MMMM d, yyyy",
        "t" => "h:mm tt",
        "T" => "h:mm:ss tt",
        "f" => "dddd, MMMM d, yyyy h:mm tt",
        "F" | "U" => "dddd, MMMM d, yyyy h:mm:ss tt",
        "g" => "M/d/yyyy h:mm tt",
        "G" | "" => GENERAL,
        "M" | "m" => "MMMM d",
        "Y" | "y" => "MMMM yyyy",
        "o" | "O" => "yyyy-MM-ddTHH:mm:ss.fffffffZ",
        "r" | "R" => "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
        "s" => "yyyy-MM-ddTHH:mm:ss",
        "u" => "yyyy-MM-dd HH:mm:ssZ",
        custom => custom,
    };
    let civil = at.to_zoned(TimeZone::UTC).datetime();
    let signs: Vec<char> = custom.chars().collect();
    let mut out = String::new();
    let mut next = 0;
    while next < signs.len() {
        let sign = signs[next];
        let run = signs[next..].iter().take_while(|it| **it == sign).count();
        let part = |form: &str| civil.strftime(form).to_string();
        match sign {
            'y' if run <= 2 => out.push_str(&part("%y")),
            'y' => out.push_str(&format!("{:0run$}", civil.year())),
            'M' => out.push_str(&match run {
                1 => civil.month().to_string(),
                2 => part("%m"),
                3 => part("%b"),
                _ => part("%B"),
            }),
            'd' => out.push_str(&match run {
                1 => civil.day().to_string(),
                2 => part("%d"),
                3 => part("%a"),
                _ => part("%A"),
            }),
            'H' => out.push_str(&format!("{:0run$}", civil.hour())),
            'h' => out.push_str(&format!("{:0run$}", (civil.hour() + 11) % 12 + 1)),
            'm' => out.push_str(&format!("{:0run$}", civil.minute())),
            's' => out.push_str(&format!("{:0run$}", civil.second())),
            'f' | 'F' => {
                let digits = format!("{:09}", civil.subsec_nanosecond());
                out.push_str(&digits[..run.min(7)]);
            }
            't' => out.push_str(&part("%p")[..run.min(2)]),
            'K' => out.push('Z'),
            'z' => out.push_str(if run == 1 {
                "+0"
            } else if run == 2 {
                "+00"
            } else {
                "+00:00"
            }),
            '\'' | '"' => {
                let end = signs[next + 1..].iter().position(|it| *it == sign);
                let end = end.map_or(signs.len(), |end| next + 1 + end);
                out.extend(&signs[(next + 1).min(end)..end]);
                next = end + 1;
                continue;
            }
            '\\' => {
                out.extend(signs.get(next + 1));
                next += 2;
                continue;
            }
            other => (0..run).for_each(|_| out.push(other)),
        }
        next += run;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_the_reference_prints_them() {
        // the examples of the public reference's date functions
        assert_eq!(add("2020-04-07 14:53:14Z", "P3Y", None).unwrap(), "4/7/2023 2:53:14 PM");
        assert_eq!(add("2020-04-07 14:53:14Z", "-P9D", None).unwrap(), "3/29/2020 2:53:14 PM");
        assert_eq!(add("2020-04-07 14:53:14Z", "PT1H", None).unwrap(), "4/7/2020 3:53:14 PM");
        assert_eq!(
            add("20200407T145314Z", "PT1H", Some("yyyy-MM-ddTHH:mm:ssZ")).unwrap(),
            "2020-04-07T15:53:14Z"
        );
        assert_eq!(from_epoch(1_683_040_573).unwrap(), "2023-05-02T15:16:13Z");
        assert_eq!(to_epoch("2023-05-02T15:16:13Z").unwrap(), 1_683_040_573);
        let at = "2019-06-03T09:05:01.25Z".parse().unwrap();
        assert_eq!(write(at, "yyyyMMddTHHmmssZ"), "20190603T090501Z");
        assert_eq!(write(at, "M d ddd MMM 'at' hh tt fff"), "6 3 Mon Jun at 09 AM 250");
        assert_eq!(write(at, "u"), "2019-06-03 09:05:01Z");
        assert!(add("today", "P1D", None).is_err());
        assert!(add("2020-04-07", "1 day or so", None).is_err());
    }
}

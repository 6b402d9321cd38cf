//! systemd's units: their sections, and calendars as cron writes them.

use crate::File;

/// A unit's file.
pub(crate) struct Unit<'a> {
    pub path: &'a str,
    /// Its name without the suffix and without what follows an `@`.
    pub name: &'a str,
    pub is_timer: bool,
    settings: Vec<Setting>,
    /// Lines that are neither a section, a setting nor a comment.
    pub odd: Vec<usize>,
}

/// `key=value`.
pub(crate) struct Setting {
    pub key: String,
    pub value: String,
    pub line: usize,
}

impl<'a> Unit<'a> {
    /// Reads a file; everything in it that is a setting.
    pub fn read(file: &'a File) -> Unit<'a> {
        let full = crate::path::name(&file.path);
        let (stem, suffix) = full.rsplit_once('.').unwrap_or((full, "service"));
        let name = stem.split('@').next().unwrap_or(stem);
        let mut unit = Unit {
            path: &file.path,
            name,
            is_timer: suffix == "timer",
            settings: Vec::new(),
            odd: Vec::new(),
        };
        let mut lines = file.text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            // No key of interest stands in two sections with two meanings.
            if line.starts_with('[') && line.ends_with(']') {
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                unit.odd.push(at + 1);
                continue;
            };
            let mut value = value.trim().to_owned();
            while let Some(begun) = value.strip_suffix('\\') {
                let begun = begun.trim_end().to_owned();
                // Comments may stand between continued lines.
                let next =
                    lines.by_ref().map(|(_, next)| next.trim()).find(|next| !next.starts_with(['#', ';']));
                value = format!("{begun} {}", next.unwrap_or_default()).trim_end().to_owned();
                if next.is_none() {
                    break;
                }
            }
            unit.settings.push(Setting { key: key.trim().to_owned(), value, line: at + 1 });
        }
        unit
    }

    /// All settings.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// What holds of a setting that may stand several times: an empty one forgets those before it.
    pub fn all(&self, key: &str) -> Vec<&Setting> {
        let mut found = Vec::new();
        for setting in self.settings.iter().filter(|setting| setting.key == key) {
            match setting.value.is_empty() {
                true => found.clear(),
                false => found.push(setting),
            }
        }
        found
    }

    /// The last of a setting.
    pub fn last(&self, key: &str) -> Option<&Setting> {
        self.all(key).pop()
    }

    /// The variables of `Environment=`, each with its line.
    pub fn environment(&self) -> Vec<(String, String, usize)> {
        let mut found = Vec::new();
        for setting in self.all("Environment") {
            for word in shlex::split(&setting.value).unwrap_or_default() {
                if let Some((name, value)) = word.split_once('=') {
                    found.push((name.to_owned(), value.to_owned(), setting.line));
                }
            }
        }
        found
    }
}

/// `ExecStart` without the signs that tell systemd how to start it.
pub(crate) fn without_signs(command: &str) -> &str {
    command.trim_start_matches(['@', '-', ':', '+', '!', '|'])
}

/// `OnCalendar=` as the five fields of cron; `None` when cron cannot say it.
pub(crate) fn cron(calendar: &str) -> Option<String> {
    let text = calendar.trim();
    let short = match text {
        "minutely" => "* * * * *",
        "hourly" => "0 * * * *",
        "daily" => "0 0 * * *",
        "weekly" => "0 0 * * 1",
        "monthly" => "0 0 1 * *",
        "quarterly" => "0 0 1 1,4,7,10 *",
        "semiannually" => "0 0 1 1,7 *",
        "yearly" | "annually" => "0 0 1 1 *",
        _ => "",
    };
    if !short.is_empty() {
        return Some(short.to_owned());
    }
    let (mut week, mut date, mut time) = (None, None, None);
    for part in text.split_whitespace() {
        if part == "UTC" {
            continue;
        } else if part.contains(':') && time.is_none() {
            time = Some(part);
        } else if part.contains('-') && date.is_none() {
            date = Some(part);
        } else if part.starts_with(|c: char| c.is_ascii_alphabetic()) && week.is_none() {
            week = Some(part);
        } else {
            return None;
        }
    }
    if week.is_none() && date.is_none() && time.is_none() {
        return None;
    }
    let (hour, minute) = match time {
        None => ("0".to_owned(), "0".to_owned()),
        Some(time) => {
            let mut parts = time.split(':');
            let (hour, minute) = (field(parts.next()?, 0, 23)?, field(parts.next()?, 0, 59)?);
            if !matches!(parts.next(), None | Some("0" | "00")) || parts.next().is_some() {
                return None;
            }
            (hour, minute)
        }
    };
    let (month, day) = match date {
        None => ("*".to_owned(), "*".to_owned()),
        Some(date) => {
            let parts: Vec<&str> = date.split('-').collect();
            let (month, day) = match parts.as_slice() {
                ["*", month, day] | [month, day] => (*month, *day),
                _ => return None,
            };
            (field(month, 1, 12)?, field(day, 1, 31)?)
        }
    };
    let week = week.map_or(Some("*".to_owned()), weekdays)?;
    Some(format!("{minute} {hour} {day} {month} {week}"))
}

/// One of a calendar's numbers, lists, ranges (`1..5`) and steps (`0/15`).
fn field(text: &str, min: u32, max: u32) -> Option<String> {
    if text == "*" {
        return Some("*".to_owned());
    }
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| (min..=max).contains(number));
    let parts: Option<Vec<String>> = text
        .split(',')
        .map(|part| {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => {
                    (range, Some(step.parse::<u32>().ok().filter(|step| (1..=max).contains(step))?))
                }
                None => (part, None),
            };
            let range = match range.split_once("..") {
                Some((from, to)) => format!("{}-{}", number(from)?, number(to)?),
                // `0/15` begins at 0 and has no end.
                None if range == "*" || step.is_some() && number(range) == Some(min) => "*".to_owned(),
                None if step.is_some() => format!("{}-{max}", number(range)?),
                None => number(range)?.to_string(),
            };
            Some(step.map_or(range.clone(), |step| format!("{range}/{step}")))
        })
        .collect();
    parts.map(|parts| parts.join(","))
}

fn weekdays(text: &str) -> Option<String> {
    let day = |name: &str| {
        let known = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
        let lower = name.to_ascii_lowercase();
        known.iter().position(|day| lower.starts_with(day))
    };
    let parts: Option<Vec<String>> = text
        .split(',')
        .map(|part| match part.split_once("..") {
            // Cron's week may end with Sunday as 7.
            Some((from, to)) => Some(match (day(from)?, day(to)?) {
                (from, 0) => format!("{from}-7"),
                (from, to) if from <= to => format!("{from}-{to}"),
                _ => return None,
            }),
            None => Some(day(part)?.to_string()),
        })
        .collect();
    parts.map(|parts| parts.join(","))
}

/// `OnUnitActiveSec=` as cron, where the time divides an hour or a day.
pub(crate) fn every(span: &str) -> Option<String> {
    let end = span.find(|c: char| !c.is_ascii_digit()).unwrap_or(span.len());
    let number: u32 = span[..end].parse().ok()?;
    let minutes = match span[end..].trim() {
        "" | "s" | "sec" | "second" | "seconds" => number.is_multiple_of(60).then_some(number / 60)?,
        "m" | "min" | "minute" | "minutes" => number,
        "h" | "hr" | "hour" | "hours" => number.checked_mul(60)?,
        "d" | "day" | "days" => number.checked_mul(24 * 60)?,
        "w" | "week" | "weeks" => number.checked_mul(7 * 24 * 60)?,
        _ => return None,
    };
    match minutes {
        0 => None,
        1 => Some("* * * * *".to_owned()),
        60 => Some("0 * * * *".to_owned()),
        minutes if minutes < 60 && 60_u32.is_multiple_of(minutes) => Some(format!("*/{minutes} * * * *")),
        1440 => Some("0 0 * * *".to_owned()),
        10_080 => Some("0 0 * * 1".to_owned()),
        minutes if minutes.is_multiple_of(60) && minutes < 1440 && 24_u32.is_multiple_of(minutes / 60) => {
            Some(format!("0 */{} * * *", minutes / 60))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendars_become_cron() {
        for (calendar, expected) in [
            ("daily", Some("0 0 * * *")),
            ("*-*-* 03:30:00", Some("30 3 * * *")),
            ("*:0/15", Some("*/15 * * * *")),
            ("Mon..Fri 09:00", Some("0 9 * * 1-5")),
            ("Sat,Sun *-*-* 02:00 UTC", Some("0 2 * * 6,0")),
            ("*-*-01 04:00", Some("0 4 1 * *")),
            ("*-1,7-1", Some("0 0 1 1,7 *")),
            ("03:05/20", Some("5-59/20 3 * * *")),
            ("2025-01-01 00:00", None),
            ("*-*-* 03:30:15", None),
            ("*-*-* 25:00", None),
            ("03:00 Europe/Amsterdam", None),
            ("", None),
        ] {
            assert_eq!(cron(calendar).as_deref(), expected, "{calendar}");
        }
        assert_eq!(every("15min").as_deref(), Some("*/15 * * * *"));
        assert_eq!(every("900").as_deref(), Some("*/15 * * * *"));
        assert_eq!(every("6h").as_deref(), Some("0 */6 * * *"));
        assert_eq!(every("7min"), None);
    }

    #[test]
    fn units_have_continued_lines_and_resets() {
        let text = "[Service]\nExecStart=\nExecStart=/usr/bin/a \\\n  # not this\n  --b c\nEnvironment=\"A=1 2\" B=3\nodd\n";
        let file = File { path: "etc/app@.service".into(), text: text.into() };
        let unit = Unit::read(&file);
        assert_eq!(unit.name, "app");
        assert_eq!(unit.last("ExecStart").map(|s| (s.value.as_str(), s.line)), Some(("/usr/bin/a --b c", 3)));
        assert_eq!(unit.environment(), [("A".into(), "1 2".into(), 6), ("B".into(), "3".into(), 6)]);
        assert_eq!(unit.odd, [7]);
    }
}

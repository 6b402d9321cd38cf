//! How long Azure asks to wait.

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use std::time::Duration;

/// Longer waits are taken as this: a header in milliseconds read as seconds must not stop a run for a year.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads `retry-after-ms`, `x-ms-retry-after-ms` and `Retry-After` (seconds, or a date).
///
/// A date is compared with the answer's own `Date` where it has one, so that a clock set wrong does no harm.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    for name in ["retry-after-ms", "x-ms-retry-after-ms"] {
        if let Some(ms) = text(headers, name).and_then(|text| text.parse::<u64>().ok()) {
            return Some(Duration::from_millis(ms).min(LONGEST));
        }
    }
    let said = text(headers, "retry-after")?;
    if let Ok(seconds) = said.parse::<f64>() {
        return seconds
            .is_finite()
            .then(|| Duration::from_secs_f64(seconds.clamp(0.0, LONGEST.as_secs_f64())));
    }
    let at = date(said)?;
    let now = text(headers, "date").and_then(date).unwrap_or(now);
    let wait = at.duration_since(now);
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO).min(LONGEST))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|at| at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        retry_after(&headers, "2026-11-21T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn every_form() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[("retry-after", "17")]), seconds(17));
        assert_eq!(read(&[("retry-after", " 0 ")]), seconds(0));
        assert_eq!(read(&[("retry-after", "-5")]), seconds(0));
        assert_eq!(read(&[("retry-after", "0.25")]), Some(Duration::from_millis(250)));
        assert_eq!(read(&[("retry-after", "soon")]), None);
        assert_eq!(read(&[("retry-after", "99999999999")]), Some(LONGEST));
        assert_eq!(read(&[("retry-after", "NaN")]), None);
        assert_eq!(
            read(&[("retry-after", "30"), ("x-ms-retry-after-ms", "50")]),
            Some(Duration::from_millis(50))
        );
        assert_eq!(read(&[("retry-after", "Sat, 21 Nov 2026 10:00:30 GMT")]), seconds(30));
        assert_eq!(read(&[("retry-after", "Sat, 21 Nov 2026 09:00:00 GMT")]), seconds(0));
        let both =
            [("retry-after", "Sat, 21 Nov 2026 12:00:09 GMT"), ("date", "Sat, 21 Nov 2026 12:00:02 GMT")];
        assert_eq!(read(&both), seconds(7));
    }
}

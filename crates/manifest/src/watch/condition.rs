//! Conditions: `METRIC ["NAME"] OP VALUE [over DURATION] [for DURATION]`.
//!
//! - `error_rate > 5% for 5m`: it held all the time for five minutes;
//! - `requests_failed > 10 in 5m`: counted over five minutes (`over` says the same);
//! - `error_rate > 5% over 5m for 15m`: looked at over five minutes, and so three times in a row;
//! - `metric "ticket_success_rate" < 98%`: a measurement of the application's own.
//!
//! The same language says when an alert rings and when a release is given up.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::metric::{self, Metric, Naming, Nature};
use crate::codes;
use crate::rules::{Fault, short};
use crate::suggest;
use crate::units::Duration;

/// Something that is or is not so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What is measured.
    pub metric: Metric,
    /// Of which one: a dependency, a queue, a measurement of the application's own.
    pub name: Option<String>,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub value: Quantity,
    /// The time that one look covers.
    pub over: Option<Duration>,
    /// Whether what happens within that time is added up: `in`, and always so for what is counted.
    pub sum: bool,
    /// The time for which it has to be so.
    pub lasting: Option<Duration>,
}

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
}

/// A number with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// In thousandths, so that `99.95%` is exact.
    pub thousandths: u64,
    /// Its unit.
    pub unit: Unit,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    None,
    /// `%`
    Percent,
    /// `ms`
    Milliseconds,
    /// `s`
    Seconds,
    /// `m`
    Minutes,
    /// `h`
    Hours,
    /// `d`
    Days,
}

const UNITS: &[(&str, Unit)] = &[
    ("", Unit::None),
    ("%", Unit::Percent),
    ("ms", Unit::Milliseconds),
    ("s", Unit::Seconds),
    ("m", Unit::Minutes),
    ("h", Unit::Hours),
    ("d", Unit::Days),
];

const COMPARISONS: &[(&str, Comparison)] = &[
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    (">", Comparison::Above),
    ("<", Comparison::Below),
];

/// The greatest number that a condition can have: Azure takes thresholds as doubles, and this one is exact there.
const VALUE_MAX: u64 = 1_000_000_000_000;

/// The longest time that a condition can be about: nothing that watches looks back further than two days.
const WINDOW_MAX: u64 = 2 * 86_400;

/// How a condition looks, for those who have not written one yet.
pub(crate) const FORM: &str = "such as `error_rate > 5% for 5m`";

impl Comparison {
    /// The sign.
    pub fn as_str(self) -> &'static str {
        COMPARISONS.iter().find(|(_, comparison)| *comparison == self).map_or(">", |(sign, _)| sign)
    }

    /// Whether it is too much that is complained of, and not too little.
    pub fn is_above(self) -> bool {
        matches!(self, Comparison::Above | Comparison::AtLeast)
    }
}

impl Quantity {
    /// The number as it is written, without its unit.
    pub fn number(self) -> f64 {
        // Exact for all that `VALUE_MAX` lets through.
        self.thousandths as f64 / 1000.0
    }

    /// The number in its smallest unit: a time in milliseconds, anything else as it is written.
    pub fn base(self) -> f64 {
        let factor = match self.unit {
            Unit::None | Unit::Percent | Unit::Milliseconds => 1.0,
            Unit::Seconds => 1e3,
            Unit::Minutes => 60e3,
            Unit::Hours => 3_600e3,
            Unit::Days => 86_400e3,
        };
        self.number() * factor
    }
}

/// The condition that a text says, or what is wrong with it and where.
pub(crate) fn parse(text: &str) -> Result<Condition, Vec<(Range<usize>, Fault)>> {
    let mut reader = Reader { text, at: 0, faults: Vec::new() };
    let condition = reader.condition();
    match (condition, reader.faults.is_empty()) {
        (Some(condition), true) => Ok(condition),
        _ => Err(reader.faults),
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    faults: Vec<(Range<usize>, Fault)>,
}

impl<'t> Reader<'t> {
    fn fault(&mut self, at: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let fault = Fault { code: codes::CONDITION, message: message.into(), help: Some(help.into()) };
        self.faults.push((at, fault));
    }

    fn skip(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    /// What stands next, up to the first character that does not belong to it.
    fn take(&mut self, belongs: impl Fn(char) -> bool) -> (&'t str, Range<usize>) {
        self.skip();
        let rest = &self.text[self.at..];
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let span = self.at..self.at + end;
        self.at = span.end;
        (&self.text[span.clone()], span)
    }

    /// The rest of the text, or where the text ends when there is none.
    fn rest(&self) -> Range<usize> {
        let rest = self.text[self.at..].trim();
        if rest.is_empty() { 0..self.text.len() } else { self.at..self.text.len() }
    }

    fn condition(&mut self) -> Option<Condition> {
        let (word, span) = self.take(|c| c.is_alphanumeric() || c == '_');
        let metric = Metric::from_word(word);
        if metric.is_none() {
            self.no_metric(word, span.clone());
        }
        let name = self.name(metric, word, span);
        let comparison = self.comparison()?;
        let value = self.value(metric)?;
        let (over, within, lasting) = self.windows()?;
        let sum = within || metric.is_some_and(|metric| metric.nature() == Nature::Count);
        Some(Condition { metric: metric?, name: name?, comparison, value, over, sum, lasting })
    }

    fn no_metric(&mut self, word: &str, span: Range<usize>) {
        if word.is_empty() {
            let rest = self.rest();
            return self.fault(rest, "a condition begins with what is measured", FORM);
        }
        let help = match metric::meant(word) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => {
                let all: Vec<String> = metric::WORDS.iter().map(|word| format!("`{}`", word.name)).collect();
                format!("there are {}; one of your own is `metric \"NAME\"`", suggest::enumerate(&all, "and"))
            }
        };
        self.fault(span, format!("nothing is measured that is called `{}`", short(word)), help);
    }

    /// The name in quotes, when there is one; `None` when something is wrong with it.
    fn name(&mut self, metric: Option<Metric>, word: &str, span: Range<usize>) -> Option<Option<String>> {
        self.skip();
        let naming = metric.map(|metric| metric.word().naming);
        let start = self.at;
        let quote = self.text[start..].chars().next().filter(|c| matches!(c, '"' | '\''));
        let Some(quote) = quote else {
            if naming == Some(Naming::Required) {
                self.fault(
                    span,
                    format!("`{word}` needs a name"),
                    format!("write it in quotes: `{word} \"NAME\" > 5`"),
                );
                return None;
            }
            return Some(None);
        };
        let Some(end) = self.text[start + 1..].find(quote) else {
            self.fault(
                start..self.text.len(),
                "a quote has no partner",
                "names stand in quotes: `metric \"NAME\"`",
            );
            self.at = self.text.len();
            return None;
        };
        let name = &self.text[start + 1..start + 1 + end];
        let span = start..start + end + 2;
        self.at = span.end;
        if naming == Some(Naming::None) {
            self.fault(span, format!("`{word}` takes no name"), "leave it out");
            return None;
        }
        // What is named becomes part of a query, where it stands in quotes of its own.
        let plain = name.chars().all(|c| !c.is_control() && !matches!(c, '"' | '\'' | '\\'));
        if name.trim().is_empty() || name.chars().count() > 100 || !plain {
            self.fault(
                span,
                "a name has 1 to 100 characters, none of them a quote or a backslash",
                "shorten it",
            );
            return None;
        }
        Some(Some(name.to_owned()))
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let (sign, span) = self.take(|c| "<>=!≥≤".contains(c));
        if let Some((_, comparison)) = COMPARISONS.iter().find(|(known, _)| *known == sign) {
            return Some(*comparison);
        }
        let help = match sign {
            "=" | "==" | "!=" => "what is measured is hardly ever exactly that: write `>`, `>=`, `<` or `<=`",
            "=>" | "≥" => "write `>=`",
            "=<" | "≤" => "write `<=`",
            _ => "write `>`, `>=`, `<` or `<=`",
        };
        let at = if span.is_empty() { self.rest() } else { span };
        self.fault(at, "a condition compares", format!("{help}, {FORM}"));
        None
    }

    fn value(&mut self, metric: Option<Metric>) -> Option<Quantity> {
        let (number, span) = self.take(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '+'));
        let (unit, unit_span) = match self.text[self.at..].trim_start().chars().next() {
            Some('%') => self.take(|c| c == '%'),
            // A unit stands right behind its number; a word apart is the beginning of the window.
            _ => {
                let rest = &self.text[self.at..];
                let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
                let span = self.at..self.at + end;
                self.at = span.end;
                (&self.text[span.clone()], span)
            }
        };
        let span = span.start..unit_span.end.max(span.end);
        let form = metric.map_or(Nature::Any, Metric::nature).form();
        let at = if span.is_empty() { self.rest() } else { span.clone() };
        let Some(thousandths) = thousandths(number) else {
            self.fault(
                at,
                "what it is compared with is not a number that can be read",
                format!("write {form}"),
            );
            return None;
        };
        let Some((_, unit)) = UNITS.iter().find(|(known, _)| *known == unit) else {
            self.fault(at, format!("`{}` is no unit of this language", short(unit)), format!("write {form}"));
            return None;
        };
        let quantity = Quantity { thousandths, unit: *unit };
        let nature = metric.map(Metric::nature);
        if let (Some(metric), Some(nature)) = (metric, nature)
            && !nature.takes(*unit)
        {
            self.fault(
                at,
                format!("`{metric}` is compared with {form}"),
                format!("write `{}`", fitting(nature, number)),
            );
            return None;
        }
        if *unit == Unit::Percent && thousandths > 100_000 && nature != Some(Nature::Any) {
            self.fault(at, "a share is at most 100%", "write `5%` for five of a hundred");
            return None;
        }
        Some(quantity)
    }

    fn windows(&mut self) -> Option<(Option<Duration>, bool, Option<Duration>)> {
        let (mut over, mut within, mut lasting) = (None, false, None);
        loop {
            let (word, span) = self.take(|c| !c.is_whitespace());
            let place = match word {
                "" => return Some((over, within, lasting)),
                "over" | "in" | "within" => &mut over,
                "for" => &mut lasting,
                word => {
                    let help = match suggest::nearest(word, ["over", "for"]) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => {
                            "behind the value stand `for` and `over` with a time, such as `for 5m`".to_owned()
                        }
                    };
                    self.fault(span, format!("`{}` says nothing here", short(word)), help);
                    return None;
                }
            };
            if place.is_some() {
                self.fault(span, format!("`{word}` stands here twice"), "keep one of them");
                return None;
            }
            within |= matches!(word, "in" | "within");
            let (time, time_span) = self.take(|c| !c.is_whitespace());
            let at = if time.is_empty() { span } else { time_span };
            match Duration::parse(time) {
                Ok(duration) if duration.seconds < 60 => {
                    self.fault(at, "it is looked at once a minute at most", "write `1m`, or longer");
                    return None;
                }
                Ok(duration) if duration.seconds > WINDOW_MAX => {
                    self.fault(at, "it is looked back at two days at most", "write `2d`, or shorter");
                    return None;
                }
                Ok(duration) => *place = Some(duration),
                Err(help) => {
                    self.fault(at, format!("`{word}` is followed by a time"), help);
                    return None;
                }
            }
            if let (Some(one), Some(all)) = (over, lasting)
                && !all.seconds.is_multiple_of(one.seconds)
            {
                let help = format!(
                    "write `for {}`",
                    Duration { seconds: one.seconds * (all.seconds / one.seconds).max(1) }
                );
                self.fault(at_of(self.text), "`for` is a multiple of `over`: so many looks in a row", help);
                return None;
            }
        }
    }
}

fn at_of(text: &str) -> Range<usize> {
    text.find(" for ").or_else(|| text.find(" over ")).map_or(0, |at| at + 1)..text.len()
}

/// What was probably meant, in the right unit.
fn fitting(nature: Nature, number: &str) -> String {
    match nature {
        Nature::Share => format!("{number}%"),
        Nature::Time => format!("{number}s"),
        Nature::Days => format!("{number}d"),
        _ => number.to_owned(),
    }
}

/// `99.95` as 99950: exact, since decimals are not what a computer's fractions are.
fn thousandths(number: &str) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty()
        || !digits(whole)
        || !digits(part)
        || part.len() > 3
        || (part.is_empty() && number.contains('.'))
    {
        return None;
    }
    let part = format!("{part:0<3}").parse::<u64>().ok()?;
    let whole = whole.parse::<u64>().ok().filter(|whole| *whole <= VALUE_MAX)?;
    Some(whole * 1000 + part)
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, unit)| *unit == self.unit).map_or("", |(word, _)| word);
        let (whole, part) = (self.thousandths / 1000, self.thousandths % 1000);
        match part {
            0 => write!(f, "{whole}{unit}"),
            part => write!(f, "{whole}.{}{unit}", format!("{part:03}").trim_end_matches('0')),
        }
    }
}

impl fmt::Display for Condition {
    /// As it would be written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.metric)?;
        if let Some(name) = &self.name {
            write!(f, " \"{name}\"")?;
        }
        write!(f, " {} {}", self.comparison.as_str(), self.value)?;
        if let Some(over) = self.over {
            let word = if self.sum { "in" } else { "over" };
            write!(f, " {word} {over}")?;
        }
        match self.lasting {
            Some(lasting) => write!(f, " for {lasting}"),
            None => Ok(()),
        }
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Condition, D::Error> {
        parse(&String::deserialize(deserializer)?).map_err(|faults| {
            let first = faults.into_iter().next().map(|(_, fault)| fault.message);
            de::Error::custom(first.unwrap_or_else(|| "not a condition".to_owned()))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_condition() -> impl Strategy<Value = Condition> {
        let metrics: Vec<Metric> = Metric::all().collect();
        let parts = (
            prop::sample::select(metrics),
            prop::option::of("[a-zA-Z0-9_. -]{0,20}[a-zA-Z]"),
            prop::sample::select(COMPARISONS.to_vec()),
            0..=100_000u64,
            prop::sample::select(UNITS.to_vec()),
            prop::option::of(1..60u64),
            prop::option::of(1..20u64),
            any::<bool>(),
        );
        parts.prop_filter_map(
            "what the metric takes",
            |(metric, name, (_, comparison), thousandths, (_, unit), over, times, within)| {
                let naming = metric.word().naming;
                let name = name.filter(|_| naming != Naming::None);
                if (naming == Naming::Required && name.is_none()) || !metric.nature().takes(unit) {
                    return None;
                }
                let minutes = |minutes: u64| Duration { seconds: minutes * 60 };
                let lasting = times.map(|times| minutes(times * over.unwrap_or(1)));
                Some(Condition {
                    metric,
                    name,
                    comparison,
                    value: Quantity { thousandths, unit },
                    over: over.map(minutes),
                    sum: metric.nature() == Nature::Count || (over.is_some() && within),
                    lasting,
                })
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_printed_is_what_was_read(condition in any_condition()) {
            let text = condition.to_string();
            match parse(&text) {
                Ok(read) => prop_assert_eq!(read, condition),
                Err(faults) => prop_assert!(false, "{text}: {}", faults[0].1.message),
            }
        }

        #[test]
        fn any_text_is_read_or_explained(text in "\\PC{0,60}|(error_rate|metric|for|over|in|>|<=|\"| |5|%|s|m){0,12}") {
            match parse(&text) {
                Ok(condition) => prop_assert_eq!(parse(&condition.to_string()).ok(), Some(condition)),
                Err(faults) => {
                    prop_assert!(!faults.is_empty(), "{text:?} is refused without a word");
                    for (span, fault) in faults {
                        prop_assert!(text.get(span.clone()).is_some(), "{text:?} {span:?}");
                        prop_assert!(!fault.message.ends_with('.'));
                    }
                }
            }
        }
    }

    #[test]
    fn the_documents_conditions_are_read() {
        for text in [
            "error_rate > 5% for 5m",
            "latency_p95 > 3s for 10m",
            "latency > 10s",
            "cpu > 80% for 15m",
            "requests_failed > 10 in 5m",
            "replicas < 2",
            "queue_length \"jobs\" > 100",
            "secret_expiry < 30d",
            "dependency_failures \"OpenAI\" > 5 in 1h",
            "availability < 99.9%",
            "metric \"ticket_success_rate\" < 98%",
            "restarts > 3 in 5m",
            "connections > 80%",
            "error_rate > 5% over 5m for 15m",
        ] {
            let read = parse(text).unwrap_or_else(|faults| panic!("{text}: {}", faults[0].1.message));
            assert_eq!(read.to_string(), text);
        }
        assert_eq!(
            parse("requests_failed>10 over 5m").map(|c| c.to_string()).ok().as_deref(),
            Some("requests_failed > 10 in 5m")
        );
        assert_eq!(parse("latency_p95 >= 1.5s").map(|c| c.value.base()).ok(), Some(1500.0));
    }

    #[test]
    fn every_metric_has_one_word() {
        let mut names: Vec<&str> = metric::WORDS.iter().map(|word| word.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), metric::WORDS.len());
        for metric in Metric::all() {
            assert_eq!(Metric::from_word(metric.as_str()), Some(metric));
        }
    }

    #[test]
    fn mistakes_are_explained_at_their_place() {
        let says = |text: &str| {
            let faults = parse(text).expect_err(text);
            let (span, fault) = &faults[0];
            (text[span.clone()].to_owned(), fault.help.clone().unwrap_or_default())
        };
        assert_eq!(says("eror_rate > 5%"), ("eror_rate".to_owned(), "did you mean `error_rate`?".to_owned()));
        assert_eq!(says("response_time > 5s").1, "did you mean `latency`?");
        assert_eq!(says("error_rate > 5").1, "write `5%`");
        assert_eq!(says("latency_p95 > 3").1, "write `3s`");
        assert_eq!(
            says("error_rate > 5% for 5"),
            ("5".to_owned(), "a unit is missing: \"5s\", \"5m\" or \"5h\"".to_owned())
        );
        assert_eq!(says("error_rate > 5% four 5m").1, "did you mean `for`?");
        assert_eq!(says("metric > 5").0, "metric");
        assert_eq!(says("cpu \"x\" > 5%").0, "\"x\"");
        assert_eq!(says("replicas == 2").0, "==");
        assert_eq!(says("error_rate > 500%").0, "500%");
    }
}

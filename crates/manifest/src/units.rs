//! Quantities with their units.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A share of processors, in thousandths of a vCPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpu {
    /// 500 is half a vCPU.
    pub millicores: u32,
}

impl Cpu {
    /// The cpu that Azure pairs with `memory`.
    pub(crate) fn for_memory(memory: Memory) -> Cpu {
        Cpu { millicores: memory.mebibytes * 1000 / 2048 }
    }

    /// Of a number of vCPUs; `None` when it is not a whole number of thousandths.
    pub(crate) fn from_vcpus(vcpus: f64) -> Option<Cpu> {
        let millicores = (vcpus * 1000.0).round();
        let is_exact = (vcpus * 1000.0 - millicores).abs() < 1e-6;
        // The cast is exact: the bounds are those of whole numbers that f64 holds.
        (is_exact && (1.0..=1_000_000.0).contains(&millicores))
            .then_some(Cpu { millicores: millicores as u32 })
    }

    /// Whether a replica of Azure Container Apps can have it: 0.25 to 4 in steps of 0.25.
    pub(crate) fn is_offered(self) -> bool {
        (250..=4000).contains(&self.millicores) && self.millicores.is_multiple_of(250)
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.millicores) / 1000.0)
    }
}

impl<'de> Deserialize<'de> for Cpu {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cpu, D::Error> {
        let vcpus = f64::deserialize(deserializer)?;
        Cpu::from_vcpus(vcpus).ok_or_else(|| de::Error::custom("not a number of vCPUs"))
    }
}

impl Serialize for Cpu {
    /// As a number of vCPUs, the way Azure and the manifest write it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.millicores) / 1000.0)
    }
}

/// An amount of memory, in mebibytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Memory {
    /// 1024 is one gibibyte.
    pub mebibytes: u32,
}

impl Memory {
    /// The memory that Azure pairs with `cpu`: two gibibytes per vCPU.
    pub(crate) fn for_cpu(cpu: Cpu) -> Memory {
        Memory { mebibytes: cpu.millicores * 2048 / 1000 }
    }

    /// Of `2Gi`, `0.5Gi` or `512Mi`; what is wrong with it otherwise.
    pub(crate) fn parse(text: &str) -> Result<Memory, String> {
        let (number, unit) = split_unit(text);
        let per_unit = match unit {
            "Gi" | "GiB" => 1024.0,
            "Mi" | "MiB" => 1.0,
            "" => return Err(format!("a unit is missing: \"{number}Gi\"")),
            "G" | "GB" | "g" | "gb" | "gi" => return Err(format!("write \"{number}Gi\", in gibibytes")),
            "M" | "MB" | "m" | "mb" | "mi" => return Err(format!("write \"{number}Mi\", in mebibytes")),
            _ => return Err("the units are `Gi` and `Mi`, such as \"2Gi\"".to_owned()),
        };
        let mebibytes = number.parse::<f64>().ok().map(|number| number * per_unit);
        match mebibytes.filter(|m| m.fract() == 0.0 && (1.0..=1_048_576.0).contains(m)) {
            // The cast is exact: a whole number within the bounds above.
            Some(mebibytes) => Ok(Memory { mebibytes: mebibytes as u32 }),
            None => Err("a number and its unit, such as \"2Gi\" or \"512Mi\"".to_owned()),
        }
    }
}

/// The number in front and what is behind it.
fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

impl fmt::Display for Memory {
    /// In gibibytes with the unit, as Azure and the manifest write it: `0.5Gi`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Gi", f64::from(self.mebibytes) / 1024.0)
    }
}

/// A time in whole days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Days(pub u32);

impl Days {
    /// Of `7d`, `2w` or `48h`; what is wrong with it otherwise.
    pub(crate) fn parse(text: &str) -> Result<Days, String> {
        const FORM: &str = "a whole number and its unit, such as \"7d\" or \"2w\"";
        let (number, unit) = split_unit(text);
        let Ok(count) = number.parse::<u32>() else { return Err(FORM.to_owned()) };
        let days = match unit {
            "d" => Some(count),
            "w" => count.checked_mul(7),
            "h" if count.is_multiple_of(24) => Some(count / 24),
            "h" => return Err("Azure counts whole days here".to_owned()),
            "" => return Err(format!("a unit is missing: \"{count}d\"")),
            "day" | "days" => return Err(format!("write \"{count}d\"")),
            "week" | "weeks" => return Err(format!("write \"{count}w\"")),
            _ => None,
        };
        days.map(Days).ok_or_else(|| FORM.to_owned())
    }
}

impl fmt::Display for Days {
    /// With the unit: `7d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}d", self.0)
    }
}

/// A span of time, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    /// 300 is five minutes.
    pub seconds: u64,
}

/// Units of time with their seconds, the longest first.
const TIMES: &[(&str, u64)] = &[("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

impl Duration {
    /// Of `30s`, `5m`, `1h`, `7d` or `2w`; what is wrong with it otherwise.
    pub(crate) fn parse(text: &str) -> Result<Duration, String> {
        const FORM: &str = "a whole number and its unit, such as \"30s\", \"5m\", \"1h\" or \"7d\"";
        let (number, unit) = split_unit(text);
        let Ok(count) = number.parse::<u64>() else { return Err(FORM.to_owned()) };
        let seconds = match unit {
            "w" => count.checked_mul(7 * 86_400),
            "" => return Err(format!("a unit is missing: \"{count}s\", \"{count}m\" or \"{count}h\"")),
            "min" | "mins" | "minutes" => return Err(format!("write \"{count}m\"")),
            unit => match TIMES.iter().find(|(known, _)| *known == unit) {
                Some((_, seconds)) => count.checked_mul(*seconds),
                None => None,
            },
        };
        // Azure's longest span of time anywhere is ten years.
        let seconds = seconds.filter(|seconds| *seconds <= 10 * 366 * 86_400);
        seconds.map(|seconds| Duration { seconds }).ok_or_else(|| FORM.to_owned())
    }

    /// As ISO 8601 writes it, and Azure: `PT5M`, `P1D`.
    pub fn iso(self) -> String {
        let (days, rest) = (self.seconds / 86_400, self.seconds % 86_400);
        let parts = [(rest / 3_600, 'H'), (rest % 3_600 / 60, 'M'), (rest % 60, 'S')];
        let time: String =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
        match (days, time.as_str()) {
            (0, "") => "PT0S".to_owned(),
            (0, time) => format!("PT{time}"),
            (days, "") => format!("P{days}D"),
            (days, time) => format!("P{days}DT{time}"),
        }
    }
}

impl fmt::Display for Duration {
    /// In the longest unit that is whole: `5m`, `90s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = TIMES
            .iter()
            .find(|(_, seconds)| self.seconds >= *seconds && self.seconds.is_multiple_of(*seconds));
        let (unit, seconds) = whole.unwrap_or(&("s", 1));
        write!(f, "{}{unit}", self.seconds / seconds)
    }
}

/// An amount of storage, in mebibytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size {
    /// 1024 is one gibibyte.
    pub mebibytes: u64,
}

/// Units of storage with their mebibytes, the greatest first.
const SIZES: &[(&str, u64)] = &[("Ti", 1 << 20), ("Gi", 1 << 10), ("Mi", 1)];

impl Size {
    /// Of `512Mi`, `256Gi` or `1Ti`; what is wrong with it otherwise.
    pub(crate) fn parse(text: &str) -> Result<Size, String> {
        const FORM: &str = "a whole number and its unit, such as \"256Gi\" or \"1Ti\"";
        let (number, unit) = split_unit(text);
        let Ok(count) = number.parse::<u64>() else { return Err(FORM.to_owned()) };
        let unit = match unit {
            "" => return Err(format!("a unit is missing: \"{count}Gi\"")),
            "G" | "GB" | "g" | "gb" | "gi" => return Err(format!("write \"{count}Gi\", in gibibytes")),
            "T" | "TB" | "t" | "tb" | "ti" => return Err(format!("write \"{count}Ti\", in tebibytes")),
            unit => SIZES.iter().find(|(known, _)| *known == unit),
        };
        let mebibytes = unit.and_then(|(_, mebibytes)| count.checked_mul(*mebibytes));
        mebibytes.filter(|m| *m > 0).map(|mebibytes| Size { mebibytes }).ok_or_else(|| FORM.to_owned())
    }

    /// In whole gibibytes, rounded up.
    pub fn gibibytes(self) -> u64 {
        self.mebibytes.div_ceil(1 << 10)
    }
}

impl fmt::Display for Size {
    /// In the greatest unit that is whole: `1Ti`, `256Gi`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = SIZES.iter().find(|(_, unit)| self.mebibytes.is_multiple_of(*unit));
        let (unit, mebibytes) = whole.unwrap_or(&("Mi", 1));
        write!(f, "{}{unit}", self.mebibytes / mebibytes)
    }
}

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money {
    /// In hundredths of the currency.
    pub cents: u64,
    /// ISO 4217: `USD`, `EUR`, `AUD`.
    pub currency: String,
}

impl Money {
    /// Of `2000 USD` or `99.50 EUR`; what is wrong with it otherwise.
    pub(crate) fn parse(text: &str) -> Result<Money, String> {
        const FORM: &str = "an amount and its currency, such as \"2000 USD\"";
        let (number, currency) = split_unit(text);
        if currency.is_empty() && !number.is_empty() {
            return Err(format!("a currency is missing: \"{number} USD\""));
        }
        let is_currency = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let part = match part.len() {
            1 => part.parse::<u64>().ok().map(|tenths| tenths * 10),
            2 => part.parse::<u64>().ok(),
            _ => None,
        };
        let cents = whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(100)?.checked_add(part?));
        match cents.filter(|_| is_currency) {
            Some(cents) => Ok(Money { cents, currency: currency.to_owned() }),
            None => Err(FORM.to_owned()),
        }
    }
}

impl fmt::Display for Money {
    /// With the currency behind it: `2000 USD`, `99.50 EUR`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cents % 100 {
            0 => write!(f, "{} {}", self.cents / 100, self.currency),
            part => write!(f, "{}.{part:02} {}", self.cents / 100, self.currency),
        }
    }
}

/// How often something happens: a number in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Load {
    /// How many.
    pub count: u64,
    /// In which time.
    pub per: Per,
}

/// The time of a [`Load`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Per {
    /// `/second`
    Second,
    /// `/minute`
    Minute,
    /// `/hour`
    Hour,
    /// `/day`
    Day,
    /// `/month`
    Month,
}

const PERS: &[(&str, Per)] = &[
    ("second", Per::Second),
    ("minute", Per::Minute),
    ("hour", Per::Hour),
    ("day", Per::Day),
    ("month", Per::Month),
];

impl Load {
    /// Of `10k/month`, `2M/day` or `50/second`; what is wrong with it otherwise.
    pub(crate) fn parse(text: &str) -> Result<Load, String> {
        const FORM: &str = "a number in a time, such as \"10k/month\" or \"50/second\"";
        let Some((number, per)) = text.split_once('/') else { return Err(FORM.to_owned()) };
        let (number, unit) = split_unit(number.trim());
        let factor = match unit {
            "" => 1.0,
            "k" => 1e3,
            "M" => 1e6,
            _ => return Err(FORM.to_owned()),
        };
        let per = PERS.iter().find(|(word, _)| *word == per.trim()).map(|(_, per)| *per);
        let count = number.parse::<f64>().ok().map(|number| number * factor);
        let count = count.filter(|count| count.fract() == 0.0 && (0.0..=1e15).contains(count));
        match (count, per) {
            // The cast is exact: a whole number within the bounds above.
            (Some(count), Some(per)) => Ok(Load { count: count as u64, per }),
            _ => Err(FORM.to_owned()),
        }
    }
}

impl fmt::Display for Load {
    /// As it would be written: `10k/month`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = PERS.iter().find(|(_, per)| *per == self.per).map_or("month", |(word, _)| word);
        match self.count {
            n if n > 0 && n.is_multiple_of(1_000_000) => write!(f, "{}M/{per}", n / 1_000_000),
            n if n > 0 && n.is_multiple_of(1_000) => write!(f, "{}k/{per}", n / 1_000),
            n => write!(f, "{n}/{per}"),
        }
    }
}

/// A month of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    /// 2026.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
}

impl Month {
    /// Of `2026-11`; what is wrong with it otherwise.
    pub(crate) fn parse(text: &str) -> Result<Month, String> {
        const FORM: &str = "a year and a month, such as \"2026-11\"";
        let date = Date::parse(&format!("{text}-01")).map_err(|_| FORM.to_owned())?;
        Ok(Month { year: date.year, month: date.month })
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// A day of the calendar. Days compare as they follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// 2026.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl Date {
    /// Of `2026-11-21`; what is wrong with it otherwise.
    pub(crate) fn parse(text: &str) -> Result<Date, String> {
        const FORM: &str = "a year, a month and a day, such as \"2026-11-21\"";
        let form = text.len() == 10
            && text
                .bytes()
                .enumerate()
                .all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() });
        if !form {
            return Err(FORM.to_owned());
        }
        let part = |range: std::ops::Range<usize>| text[range].parse::<u16>().map_err(|_| FORM.to_owned());
        let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return Err("a year has twelve months".to_owned()),
        };
        if !(1..=days).contains(&day) {
            return Err(format!("that month has {days} days"));
        }
        // Both fit: they were compared with small numbers above.
        Ok(Date { year, month: month as u8, day: day as u8 })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Reads and writes a quantity as the text that people write.
macro_rules! written_as_text {
    ($($quantity:ty),*) => {$(
        impl<'de> serde::Deserialize<'de> for $quantity {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }

        impl serde::Serialize for $quantity {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}
pub(crate) use written_as_text;

written_as_text!(Memory, Days, Duration, Size, Money, Load, Month, Date);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_with_their_units() {
        assert_eq!(Memory::parse("2Gi"), Ok(Memory { mebibytes: 2048 }));
        assert_eq!(Memory::parse("0.5Gi"), Ok(Memory { mebibytes: 512 }));
        assert_eq!(Memory::parse("512Mi"), Ok(Memory { mebibytes: 512 }));
        assert_eq!(Memory::parse("2GB"), Err("write \"2Gi\", in gibibytes".to_owned()));
        assert_eq!(Memory::parse("2"), Err("a unit is missing: \"2Gi\"".to_owned()));
        assert!(Memory::parse("1e9Gi").is_err());
        assert_eq!(Days::parse("2w"), Ok(Days(14)));
        assert_eq!(Days::parse("48h"), Ok(Days(2)));
        assert!(Days::parse("36h").is_err());
        assert!(Days::parse("700000000w").is_err());
        assert_eq!(Cpu::from_vcpus(0.75), Some(Cpu { millicores: 750 }));
        assert_eq!(Cpu::from_vcpus(f64::NAN), None);
        assert_eq!(Cpu::from_vcpus(-1.0), None);
        assert_eq!(Memory::for_cpu(Cpu { millicores: 1250 }).to_string(), "2.5Gi");
        assert_eq!(Cpu::for_memory(Memory { mebibytes: 512 }).to_string(), "0.25");
    }
    #[test]
    fn what_is_written_is_what_was_read() {
        for text in ["30s", "90s", "5m", "1h", "7d", "0s"] {
            assert_eq!(Duration::parse(text).map(|it| it.to_string()).as_deref(), Ok(text));
        }
        for text in ["512Mi", "256Gi", "1Ti"] {
            assert_eq!(Size::parse(text).map(|it| it.to_string()).as_deref(), Ok(text));
        }
        for text in ["2000 USD", "99.50 EUR", "0 AUD"] {
            assert_eq!(Money::parse(text).map(|it| it.to_string()).as_deref(), Ok(text));
        }
        for text in ["10k/month", "2M/day", "50/second", "1234/hour"] {
            assert_eq!(Load::parse(text).map(|it| it.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(Load::parse("1.5k/month").map(|it| it.count), Ok(1500));
        assert_eq!(Duration::parse("2w"), Ok(Duration { seconds: 14 * 86_400 }));
        for wrong in ["", "5", "m", "5 minutes", "-5m", "99999999999999999999s", "1000000d"] {
            assert!(Duration::parse(wrong).is_err(), "{wrong}");
        }
        for wrong in ["2000", "2000 usd", "USD", "1.234 EUR", "2000 DOLLARS"] {
            assert!(Money::parse(wrong).is_err(), "{wrong}");
        }
        for wrong in ["10k", "10k/year", "ten/month", "0.5/month"] {
            assert!(Load::parse(wrong).is_err(), "{wrong}");
        }
        for wrong in ["256", "256GB", "0Gi", "0.5Gi"] {
            assert!(Size::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for text in ["2026-11-21", "2024-02-29", "2000-02-29", "2017-06-01"] {
            assert_eq!(Date::parse(text).map(|it| it.to_string()).as_deref(), Ok(text));
        }
        for wrong in [
            "2026-02-29",
            "2100-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-1-1",
            "21.11.2026",
            "2026-11-31",
            "",
            "2026-11-2é",
        ] {
            assert!(Date::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Month::parse("2026-11").map(|it| it.to_string()).as_deref(), Ok("2026-11"));
        assert!(Month::parse("2026-11-01").is_err() && Month::parse("2026").is_err());
        assert!(Date::parse("2026-12-01") > Date::parse("2026-11-30"));
    }

    #[test]
    fn azure_gets_its_durations_in_iso_8601() {
        for (text, iso) in
            [("5m", "PT5M"), ("1d", "P1D"), ("36h", "P1DT12H"), ("90s", "PT1M30S"), ("0s", "PT0S")]
        {
            assert_eq!(Duration::parse(text).map(|it| it.iso()).as_deref(), Ok(iso));
        }
    }
}

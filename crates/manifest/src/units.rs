//! Quantities with their units.

use std::fmt;

use serde::{Serialize, Serializer};

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

impl Serialize for Memory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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

impl Serialize for Days {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

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
}

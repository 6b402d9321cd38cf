//! Sizes of replicas: the smallest that Azure pairs for what was asked.

use landfall_manifest::Cpu;

/// The cpu whose replica has at least these vCPUs and this memory, in bytes; `None` above the largest replica.
pub(crate) fn fitting(vcpus: Option<f64>, memory: Option<f64>) -> Option<Cpu> {
    // Two gibibytes for each vCPU.
    let by_memory = memory.unwrap_or(0.0) / (2.0 * GIB);
    let quarters = (vcpus.unwrap_or(0.0).max(by_memory) * 4.0).ceil().max(1.0);
    // The cast is exact: a whole number from 1 to 16.
    (quarters <= 16.0).then_some(Cpu { millicores: quarters as u32 * 250 })
}

const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

/// Bytes of `512m`, `1.5gb`, `2Gi` or `1073741824`; `None` for anything else.
pub(crate) fn bytes(text: &str) -> Option<f64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let unit = match text[end..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" | "ki" | "kib" => 1024.0,
        "m" | "mb" | "mi" | "mib" => 1024.0 * 1024.0,
        "g" | "gb" | "gi" | "gib" => GIB,
        "t" | "tb" | "ti" | "tib" => 1024.0 * GIB,
        _ => return None,
    };
    Some(number * unit).filter(|bytes| bytes.is_finite() && *bytes >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_pair_that_is_enough() {
        let size = |cpus, memory: &str| fitting(cpus, bytes(memory)).map(|cpu| cpu.millicores);
        assert_eq!(size(Some(0.5), "256M"), Some(500));
        assert_eq!(size(Some(0.1), "512m"), Some(250));
        assert_eq!(size(None, "1.5g"), Some(750));
        assert_eq!(size(None, "8Gi"), Some(4000));
        assert_eq!(size(Some(8.0), "1g"), None);
        assert_eq!(bytes("much"), None);
    }
}

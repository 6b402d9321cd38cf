//! The template language's functions of address ranges.

use std::net::IpAddr;

use serde_json::{Value, json};

/// A range: its first address as a number, its length, and how many bits addresses have.
struct Range {
    base: u128,
    prefix: u32,
    bits: u32,
}

impl Range {
    fn read(text: &str) -> Result<Range, String> {
        let refused = || format!("The network range '{text}' is not a valid CIDR notation.");
        let (address, prefix) = text.split_once('/').ok_or_else(refused)?;
        let prefix: u32 = prefix.parse().map_err(|_| refused())?;
        let (value, bits) = match address.parse::<IpAddr>().map_err(|_| refused())? {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        if prefix > bits {
            return Err(refused());
        }
        Ok(Range { base: value & mask(bits, prefix), prefix, bits })
    }

    fn size(&self) -> u128 {
        1_u128.checked_shl(self.bits - self.prefix).map_or(u128::MAX, |size| size - 1)
    }

    fn show(&self, value: u128) -> String {
        if self.bits == 32 {
            std::net::Ipv4Addr::from(value as u32).to_string()
        } else {
            std::net::Ipv6Addr::from(value).to_string()
        }
    }
}

fn mask(bits: u32, prefix: u32) -> u128 {
    let all = if bits == 128 { u128::MAX } else { (1 << bits) - 1 };
    all ^ (all.checked_shr(prefix).unwrap_or(0))
}

/// `parseCidr`.
///
/// # Errors
/// What is no range.
pub fn parse(text: &str) -> Result<Value, String> {
    let range = Range::read(text)?;
    let last = range.base + range.size();
    let mut parsed = json!({
        "network": range.show(range.base),
        "netmask": range.show(mask(range.bits, range.prefix)),
        "cidr": range.prefix,
        "firstUsable": range.show(range.base), "lastUsable": range.show(last),
    });
    if range.bits == 32 {
        parsed["broadcast"] = json!(range.show(last));
        if range.prefix < 31 {
            parsed["firstUsable"] = json!(range.show(range.base + 1));
            parsed["lastUsable"] = json!(range.show(last - 1));
        }
    }
    Ok(parsed)
}

/// `cidrSubnet(range, length, index)`.
///
/// # Errors
/// What is no range, or a part that is not in it.
pub fn subnet(text: &str, prefix: i64, index: i64) -> Result<Value, String> {
    let range = Range::read(text)?;
    let new = u32::try_from(prefix).ok().filter(|new| (range.prefix..=range.bits).contains(new));
    let new = new.ok_or_else(|| {
        format!("The requested subnet length '{prefix}' is not valid for the network range '{text}'.")
    })?;
    let index = u128::try_from(index).ok();
    let most = 1_u128.checked_shl(new - range.prefix).unwrap_or(u128::MAX);
    let index = index
        .filter(|index| *index < most)
        .ok_or_else(|| format!("The requested subnet index is out of the network range '{text}'."))?;
    let step = index.checked_shl(range.bits - new).unwrap_or(0);
    Ok(json!(format!("{}/{new}", range.show(range.base + step))))
}

/// `cidrHost(range, index)`.
///
/// # Errors
/// What is no range, or an address that is not in it.
pub fn host(text: &str, index: i64) -> Result<Value, String> {
    let range = Range::read(text)?;
    let index =
        u128::try_from(index).ok().map(|index| index + u128::from(range.bits == 32 && range.prefix < 31));
    let index = index
        .filter(|index| *index <= range.size())
        .ok_or_else(|| format!("The requested host index is out of the network range '{text}'."))?;
    Ok(json!(range.show(range.base + index)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_as_the_reference_shows() {
        // the examples of the public reference's CIDR functions
        let parsed = parse("10.144.0.0/20").unwrap();
        assert_eq!(parsed["broadcast"], "10.144.15.255");
        assert_eq!(
            (&parsed["netmask"], &parsed["firstUsable"]),
            (&json!("255.255.240.0"), &json!("10.144.0.1"))
        );
        assert_eq!(subnet("10.144.0.0/20", 24, 1).unwrap(), "10.144.1.0/24");
        assert_eq!(host("10.144.3.0/24", 0).unwrap(), "10.144.3.1");
        assert_eq!(
            parse("fdad:3236:5555::/48").unwrap()["lastUsable"],
            "fdad:3236:5555:ffff:ffff:ffff:ffff:ffff"
        );
        assert!(subnet("10.0.0.0/20", 16, 0).is_err() && subnet("10.0.0.0/20", 24, 16).is_err());
        assert!(
            parse("10.0.0.0").is_err() && parse("10.0.0.0/33").is_err() && host("10.0.0.0/24", 256).is_err()
        );
        assert!(parse("::/0").is_ok() && parse("0.0.0.0/0").is_ok());
    }
}

//! Blocks of addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A block of IPv4 or IPv6 addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cidr {
    /// Whether it is IPv6.
    pub six: bool,
    /// How many leading bits are fixed.
    pub bits: u8,
    from: u128,
}

impl Cidr {
    /// Reads `10.0.0.0/16`; whether the address was the block's first is told beside it.
    pub fn parse(text: &str) -> Option<(Cidr, bool)> {
        let (address, bits) = text.split_once('/')?;
        let bits: u8 = bits.parse().ok()?;
        let (six, number) = match address.parse().ok()? {
            IpAddr::V4(address) => (false, u128::from(u32::from(address))),
            IpAddr::V6(address) => (true, u128::from(address)),
        };
        let width = if six { 128 } else { 32 };
        if bits > width {
            return None;
        }
        let free = u32::from(width - bits);
        let from = if free == 128 { 0 } else { (number >> free) << free };
        Some((Cidr { six, bits, from }, from == number))
    }

    /// The block of one address.
    pub fn host(address: &str) -> Option<Cidr> {
        let address: IpAddr = address.parse().ok()?;
        let (six, from) = match address {
            IpAddr::V4(address) => (false, u128::from(u32::from(address))),
            IpAddr::V6(address) => (true, u128::from(address)),
        };
        Some(Cidr { six, bits: if six { 128 } else { 32 }, from })
    }

    /// How many addresses it has.
    pub fn size(&self) -> u128 {
        let free = u32::from(if self.six { 128u8 } else { 32 } - self.bits);
        1u128.checked_shl(free).unwrap_or(u128::MAX)
    }

    fn last(&self) -> u128 {
        self.from.saturating_add(self.size() - 1)
    }

    /// Whether another lies inside it.
    pub fn contains(&self, other: &Cidr) -> bool {
        self.six == other.six && self.from <= other.from && other.last() <= self.last()
    }

    /// Whether they share an address.
    pub fn overlaps(&self, other: &Cidr) -> bool {
        self.six == other.six && self.from <= other.last() && other.from <= self.last()
    }

    /// Every address.
    pub fn addresses(&self) -> impl Iterator<Item = String> + use<> {
        let (six, from, last) = (self.six, self.from, self.last());
        (from..=last).map(move |number| show(six, number))
    }

    /// Addresses that Azure leaves to users: all but the first four and the last.
    pub fn hosts(&self) -> impl Iterator<Item = String> + use<> {
        let (six, from, last) = (self.six, self.from, self.last());
        (from.saturating_add(4)..last).map(move |number| show(six, number))
    }

    /// Whether a single address is one that Azure leaves to users.
    pub fn is_host(&self, address: &Cidr) -> bool {
        self.contains(address) && address.from >= self.from + 4 && address.from < self.last()
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", show(self.six, self.from), self.bits)
    }
}

fn show(six: bool, number: u128) -> String {
    if six {
        return Ipv6Addr::from(number).to_string();
    }
    Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Cidr {
        Cidr::parse(text).unwrap().0
    }

    #[test]
    fn blocks_contain_and_overlap() {
        assert!(block("10.0.0.0/16").contains(&block("10.0.255.0/24")));
        assert!(!block("10.0.0.0/24").contains(&block("10.0.0.0/16")));
        assert!(block("10.0.0.0/24").overlaps(&block("10.0.0.0/16")));
        assert!(!block("10.0.0.0/24").overlaps(&block("10.0.1.0/24")));
        assert!(!block("fd00::/64").overlaps(&block("10.0.1.0/24")));
        assert!(block("0.0.0.0/0").contains(&block("255.255.255.255/32")));
    }

    #[test]
    fn what_is_read_and_shown() {
        assert_eq!(Cidr::parse("10.0.0.5/24"), Some((block("10.0.0.0/24"), false)));
        assert_eq!(block("10.0.0.0/24").to_string(), "10.0.0.0/24");
        assert_eq!(block("fd00:1::/48").to_string(), "fd00:1::/48");
        for wrong in ["", "10.0.0.0", "10.0.0/24", "10.0.0.0/33", "10.0.0.0/-1", "fd00::/129", "x/8"] {
            assert_eq!(Cidr::parse(wrong), None, "{wrong}");
        }
        assert_eq!(block("10.0.0.0/29").hosts().collect::<Vec<_>>(), ["10.0.0.4", "10.0.0.5", "10.0.0.6"]);
        assert_eq!(block("::/0").size(), u128::MAX);
    }
}

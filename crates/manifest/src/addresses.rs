//! IPv4 ranges: read, compared and cut from one another.
//!
//! A range is what Azure calls an address prefix: `10.0.1.0/24` begins at a multiple of its own length. Two of them are
//! therefore apart, the same, or one lies within the other.

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An IPv4 range, `10.0.1.0/24`: its first address is a multiple of its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    first: u32,
    prefix: u8,
}

/// Why a text is no range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotARange {
    /// It is not four numbers with a length behind them.
    Malformed,
    /// An IPv6 range.
    Six,
    /// An address without a length.
    NoLength(Ipv4Addr),
    /// A length beyond 32.
    Length(Ipv4Addr),
    /// It begins within the range it names; that one begins here.
    HostBits(AddressRange),
}

impl AddressRange {
    /// The range of this many leading bits that an address lies in; none beyond 32 bits.
    pub fn around(address: Ipv4Addr, prefix: u8) -> Option<AddressRange> {
        (prefix <= 32).then(|| AddressRange { first: u32::from(address) & mask(prefix), prefix })
    }

    /// Reads `10.0.1.0/24`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<AddressRange, NotARange> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let Ok(address) = address.parse::<Ipv4Addr>() else {
            return Err(if address.contains(':') { NotARange::Six } else { NotARange::Malformed });
        };
        let Some(length) = length else { return Err(NotARange::NoLength(address)) };
        let digits = (1..=2).contains(&length.len()) && length.bytes().all(|c| c.is_ascii_digit());
        let range = digits
            .then(|| length.parse().ok())
            .flatten()
            .and_then(|length| AddressRange::around(address, length))
            .ok_or(NotARange::Length(address))?;
        match range.first() == address {
            true => Ok(range),
            false => Err(NotARange::HostBits(range)),
        }
    }

    /// The lowest address.
    pub fn first(self) -> Ipv4Addr {
        Ipv4Addr::from(self.first)
    }

    /// The highest address.
    pub fn last(self) -> Ipv4Addr {
        Ipv4Addr::from(self.first | !mask(self.prefix))
    }

    /// How many leading bits all addresses share: the number behind the slash.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// How many addresses there are.
    pub fn addresses(self) -> u64 {
        1 << (32 - self.prefix)
    }

    /// How many of them a subnet has for its own use: Azure keeps the first four and the last.
    pub fn usable(self) -> u64 {
        self.addresses().saturating_sub(RESERVED)
    }

    /// Whether all of `other` lies in this one.
    pub fn contains(self, other: AddressRange) -> bool {
        self.prefix <= other.prefix && other.first & mask(self.prefix) == self.first
    }

    /// Whether the two share an address.
    pub fn overlaps(self, other: AddressRange) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// The smallest range that holds both.
    pub fn hull(self, other: AddressRange) -> AddressRange {
        let same = (self.first ^ other.first).leading_zeros() as u8;
        let prefix = same.min(self.prefix).min(other.prefix);
        AddressRange { first: self.first & mask(prefix), prefix }
    }

    /// The lowest range of `prefix` bits within this one that overlaps none of `taken`.
    pub fn free(self, prefix: u8, taken: &[AddressRange]) -> Option<AddressRange> {
        if prefix < self.prefix || prefix > 32 {
            return None;
        }
        let mut at = self.first;
        loop {
            let candidate = AddressRange { first: at, prefix };
            let Some(in_the_way) = taken.iter().find(|other| other.overlaps(candidate)) else {
                return Some(candidate);
            };
            // Past the longer of the two: no shorter step can lead out of what is in the way.
            let past = u32::from(in_the_way.last()).max(u32::from(candidate.last()));
            at = past.checked_add(1).filter(|next| *next <= u32::from(self.last()))?;
        }
    }
}

/// The addresses of a subnet that Azure keeps: the network's, the gateway's, two for DNS, the broadcast's.
const RESERVED: u64 = 5;

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first(), self.prefix)
    }
}

impl fmt::Display for NotARange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotARange::Malformed => f.write_str("it is not an IPv4 range"),
            NotARange::Six => f.write_str("it is an IPv6 range"),
            NotARange::NoLength(_) => f.write_str("the range has no length"),
            NotARange::Length(_) => f.write_str("the length of an IPv4 range is 0 to 32"),
            NotARange::HostBits(range) => write!(f, "the range that begins there is {range}"),
        }
    }
}

impl Serialize for AddressRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AddressRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AddressRange, D::Error> {
        AddressRange::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(text: &str) -> AddressRange {
        AddressRange::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"))
    }

    /// Any range within 10.0.0.0/24, so that a model can hold its addresses one by one.
    fn small() -> impl Strategy<Value = AddressRange> {
        (0u32..256, 24u8..=32).prop_map(|(host, prefix)| {
            AddressRange::around(Ipv4Addr::from(0x0a00_0000 | host), prefix).unwrap()
        })
    }

    /// Its addresses, counted without bits.
    fn model(range: AddressRange) -> std::collections::BTreeSet<u64> {
        let first = u64::from(u32::from(range.first()));
        (first..first + 2u64.pow(32 - u32::from(range.prefix()))).collect()
    }

    #[test]
    fn texts_are_read_or_said_to_be_wrong() {
        for text in ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.128/25", "255.255.255.255/32"] {
            assert_eq!(range(text).to_string(), text);
        }
        let at = Ipv4Addr::new(10, 0, 0, 1);
        for (text, fault) in [
            ("", NotARange::Malformed),
            ("10.0.0/24", NotARange::Malformed),
            ("10.0.0.256/24", NotARange::Malformed),
            ("010.0.0.0/24", NotARange::Malformed),
            (" 10.0.0.0/24", NotARange::Malformed),
            ("fd00::/8", NotARange::Six),
            ("10.0.0.1", NotARange::NoLength(at)),
            ("10.0.0.1/", NotARange::Length(at)),
            ("10.0.0.1/33", NotARange::Length(at)),
            ("10.0.0.1/256", NotARange::Length(at)),
            ("10.0.0.1/+8", NotARange::Length(at)),
            ("10.0.0.1/24", NotARange::HostBits(range("10.0.0.0/24"))),
            ("10.0.0.1/0", NotARange::HostBits(range("0.0.0.0/0"))),
        ] {
            assert_eq!(AddressRange::parse(text), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn the_whole_and_the_smallest() {
        let all = range("0.0.0.0/0");
        assert_eq!((all.addresses(), all.last()), (1 << 32, Ipv4Addr::BROADCAST));
        assert_eq!(all.free(32, &[]), Some(range("0.0.0.0/32")));
        assert_eq!(all.free(0, &[range("255.255.255.255/32")]), None);
        assert_eq!(
            range("255.255.255.254/31").free(32, &[range("255.255.255.254/32")]),
            Some(range("255.255.255.255/32"))
        );
        assert_eq!(range("255.255.255.255/32").free(32, &[all]), None);
        assert_eq!((range("10.0.0.0/29").usable(), range("10.0.0.0/32").usable()), (3, 0));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(address: u32, prefix in 0u8..=32) {
            let range = AddressRange::around(Ipv4Addr::from(address), prefix).unwrap();
            prop_assert_eq!(AddressRange::parse(&range.to_string()), Ok(range));
            prop_assert!(range.first() <= Ipv4Addr::from(address) && Ipv4Addr::from(address) <= range.last());
        }

        #[test]
        fn containing_and_overlapping_are_those_of_sets(one in small(), two in small()) {
            let (these, those) = (model(one), model(two));
            prop_assert_eq!(one.contains(two), those.is_subset(&these));
            prop_assert_eq!(one.overlaps(two), !these.is_disjoint(&those));
            prop_assert_eq!(one.addresses(), these.len() as u64);
            let hull = one.hull(two);
            prop_assert!(hull.contains(one) && hull.contains(two));
            // No half of it would do.
            let halves = [hull.first(), hull.last()].map(|at| AddressRange::around(at, hull.prefix() + 1));
            prop_assert!(halves.into_iter().flatten().all(|half| !half.contains(one) || !half.contains(two)));
        }

        #[test]
        fn what_is_free_is_the_lowest_that_a_search_of_all_finds(
            space in small(), prefix in 22u8..=32, taken in prop::collection::vec(small(), 0..12),
        ) {
            let step = 2u64.pow(32 - u32::from(prefix));
            let inside = model(space);
            let used: std::collections::BTreeSet<u64> = taken.iter().flat_map(|range| model(*range)).collect();
            let lowest = (0x0a00_0000u64..0x0a00_0100).step_by(1).find(|at| {
                at % step == 0 && (*at..at + step).all(|address| inside.contains(&address) && !used.contains(&address))
            });
            let found = space.free(prefix, &taken);
            prop_assert_eq!(found.map(|range| u64::from(u32::from(range.first()))), lowest);
            prop_assert!(found.is_none_or(|range| range.prefix() == prefix));
        }
    }
}

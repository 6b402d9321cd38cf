//! Where a subnet lies that nobody gave a range.
//!
//! A subnet cannot move while something is in it, so the place of one must not depend on which others there are: every
//! purpose has its place in a space from the start, whether something needs it or not. Only a range that somebody writes
//! across a place moves that one place, to where no other one is.

use crate::addresses::AddressRange;
use crate::network::Purpose;

/// The place of a purpose in a space in which `written` is taken; none where there is no room.
pub fn slot(space: AddressRange, purpose: Purpose, written: &[AddressRange]) -> Option<AddressRange> {
    let usual = places(space);
    let mut taken: Vec<AddressRange> = written.to_vec();
    taken.extend(usual.iter().filter_map(|(_, place)| *place));
    for (of, place) in usual {
        let free = match place {
            Some(place) if written.iter().any(|range| range.overlaps(place)) => {
                // What it leaves is not given to another one: it could come back.
                let moved = space.free(place.prefix(), &taken);
                taken.extend(moved);
                moved
            }
            place => place,
        };
        if of == purpose {
            return free;
        }
    }
    None
}

/// The place of every purpose in a space in which nothing is taken.
fn places(space: AddressRange) -> Vec<(Purpose, Option<AddressRange>)> {
    let mut taken: Vec<AddressRange> = Vec::new();
    let place = |purpose: Purpose| {
        // In a space half as large everything is half as large, down to what Azure takes.
        let shrunk = purpose.usual() + space.prefix().saturating_sub(USUAL_SPACE);
        let place = space.free(shrunk.min(purpose.smallest()), &taken);
        taken.extend(place);
        (purpose, place)
    };
    Purpose::ALL.into_iter().map(place).collect()
}

/// The prefix of the space that the usual sizes are for.
const USUAL_SPACE: u8 = 16;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn space() -> impl Strategy<Value = AddressRange> {
        (any::<u32>(), 8u8..=29)
            .prop_map(|(at, prefix)| AddressRange::around(Ipv4Addr::from(at), prefix).unwrap())
    }

    /// Spaces with ranges written into them.
    fn written() -> impl Strategy<Value = (AddressRange, Vec<AddressRange>)> {
        space().prop_flat_map(|space| {
            let inside = (any::<u32>(), 0u8..8).prop_map(move |(at, longer)| {
                let at = u32::from(space.first()) | (at & !(u32::MAX << (32 - u32::from(space.prefix()))));
                AddressRange::around(Ipv4Addr::from(at), (space.prefix() + 1 + longer).min(29)).unwrap()
            });
            (Just(space), prop::collection::vec(inside, 0..6))
        })
    }

    #[test]
    fn the_usual_space_has_room_for_all() {
        let space = AddressRange::parse("10.0.0.0/16").unwrap();
        let places: Vec<String> = Purpose::ALL
            .iter()
            .map(|purpose| format!("{purpose} {}", slot(space, *purpose, &[]).unwrap()))
            .collect();
        // These are what is deployed: another order would replace everything that lies in them.
        assert_eq!(
            places,
            [
                "container-apps 10.0.0.0/23",
                "endpoints 10.0.2.0/24",
                "postgres 10.0.3.0/24",
                "app-service 10.0.4.0/24",
                "kubernetes 10.0.16.0/20",
                "gateway 10.0.5.0/24",
                "bastion 10.0.6.0/26",
                "functions 10.0.7.0/24",
                "container-instances 10.0.8.0/24",
                "vpn 10.0.6.64/27",
            ]
        );
    }

    #[test]
    fn small_spaces_hold_what_they_can() {
        let holds = |text: &str| {
            let space = AddressRange::parse(text).unwrap();
            Purpose::ALL.into_iter().filter(|purpose| slot(space, *purpose, &[]).is_some()).count()
        };
        assert_eq!(holds("10.0.0.0/23"), 10);
        assert_eq!(holds("10.0.0.0/29"), 0);
        assert!(holds("10.0.0.0/26") >= 3);
    }

    proptest! {
        #[test]
        fn places_lie_in_the_space_apart_from_each_other_and_from_what_is_written((space, written) in written()) {
            let places: Vec<(Purpose, AddressRange)> =
                Purpose::ALL.into_iter().filter_map(|of| Some((of, slot(space, of, &written)?))).collect();
            for (at, (purpose, place)) in places.iter().enumerate() {
                prop_assert!(space.contains(*place), "{purpose} {place} outside {space}");
                prop_assert!(place.prefix() <= purpose.smallest());
                prop_assert!(!written.iter().any(|range| range.overlaps(*place)));
                prop_assert!(places[..at].iter().all(|(_, other)| !other.overlaps(*place)));
            }
        }

        #[test]
        fn a_range_that_is_written_moves_only_what_it_lies_across((space, mut written) in written()) {
            let Some(added) = written.pop() else { return Ok(()) };
            let mut more = written.clone();
            more.push(added);
            for purpose in Purpose::ALL {
                let before = slot(space, purpose, &written);
                if before.is_some_and(|place| places(space).contains(&(purpose, Some(place))) && !place.overlaps(added)) {
                    prop_assert_eq!(slot(space, purpose, &more), before);
                }
            }
        }
    }
}

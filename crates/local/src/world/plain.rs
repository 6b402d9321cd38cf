//! Types with a life cycle and nothing more.

use super::arm::kind::{Depth, Kind, Names, Place, Plain, Signs, USUAL};

pub(crate) static KINDS: &[Kind] = &[];

/// The row for types that have none.
pub static UNKNOWN: Kind = Kind {
    name: "",
    depth: Depth::LifeCycle,
    names: Names { length: (1, 260), signs: Signs::Any, global: false, refusal: ("InvalidResourceName", "Resource name '{name}' is invalid.") },
    place: Place::Free,
    seconds: [5.0, 3.0, 5.0],
    replies: USUAL,
    busy: "AnotherOperationInProgress",
    computed: &[],
    spelling: &[],
    rules: &Plain,
};
